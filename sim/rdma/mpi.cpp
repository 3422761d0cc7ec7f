#include "sim/rdma/mpi.hpp"

#include <algorithm>

namespace lockstep::sim::rdma {
namespace {

constexpr Bytes request_to_send{64};
constexpr Bytes answer{4};

/// Blocks of 64 bytes of a send with its payload inside: 16 B control, 4 B before the payload.
std::int64_t short_blocks(Bytes payload) { return (16 + 4 + payload.count() + 63) / 64; }

class Message {
 public:
  Message(const Path& path, const Software& software, const MpiTest& test)
      : path_(path), software_(software), test_(test) {}

  [[nodiscard]] bool is_short() const { return test_.size <= software_.short_up_to; }
  [[nodiscard]] std::int64_t segments() const { return packets_of(test_.size, software_.segment); }
  [[nodiscard]] Duration post() const {
    return software_.post + software_.doorbell +
           (is_short() ? software_.post_block * (short_blocks(test_.size + software_.header) - 1) : Duration{0});
  }
  [[nodiscard]] Duration received(Bytes bytes) const {
    return software_.receive + (bytes + software_.header > software_.in_completion ? software_.beside : Duration{0});
  }
  [[nodiscard]] Duration registered() const {
    return test_.register_each ? registration_time(test_.size) : software_.cached;
  }
  /// The request to send on its way: from the doorbell until the receiver's program sees it.
  [[nodiscard]] Duration request_way() const {
    Clock clock;
    clock.spend(Stage::doorbell, path_.from.host.latency);
    Channel(path_).send(clock, {request_to_send, true, Bytes{0}});
    return clock.now() + software_.poll;
  }
  /// The receiver's part between seeing the request and having posted the read.
  [[nodiscard]] Duration answer_request() const {
    return software_.receive + software_.rendezvous_receive + registered() + software_.post + software_.doorbell;
  }
  [[nodiscard]] Duration read_way() const { return path_.to.host.latency + Channel(reversed(path_)).control(reth); }

 private:
  const Path& path_;
  const Software& software_;
  const MpiTest& test_;
};

Breakdown rendezvous_latency(const Path& path, const Software& software, const MpiTest& test) {
  const Message message(path, software, test);
  Clock clock;
  clock.spend(Stage::software_send, software.send);
  clock.spend(Stage::registration, message.registered());
  clock.spend(Stage::rendezvous, software.rendezvous_send + software.post + software.doorbell + message.request_way() +
                                     software.receive + software.beside + software.rendezvous_receive);
  clock.spend(Stage::registration, message.registered());
  clock.spend(Stage::post, software.post);
  clock.spend(Stage::doorbell, software.doorbell + path.to.host.latency);
  clock.spend(Stage::request, Channel(reversed(path)).control(reth));
  Channel way(path);
  way.send(clock, {test.size, false, aeth});
  clock.spend(Stage::poll, software.poll);
  clock.spend(Stage::software_receive, software.receive);
  return clock.parts();
}

}  // namespace

Breakdown mpi_latency(const Path& path, const Software& software, const MpiTest& test) {
  if (test.size >= software.rendezvous_blocking) return rendezvous_latency(path, software, test);
  const Message message(path, software, test);
  const std::int64_t segments = message.is_short() ? 1 : message.segments();
  Channel way(path);
  Duration sender{0}, receiver{0};
  Clock clock;
  // Along the last segment: what it waits for a processor is time of the processor's stage.
  for (std::int64_t i = 0; i < segments; ++i) {
    const bool last = i + 1 == segments;
    const Bytes bytes = last ? test.size - software.segment * (segments - 1) : software.segment;
    const Duration copying = message.is_short() ? Duration{0} : transfer_time(bytes, software.copy);
    Clock along;
    along.until(Stage::software_send, software.send + (segments > 1 ? software.several : Duration{0}));
    along.until(Stage::copy_in, std::max(along.now(), sender) + copying);
    along.spend(Stage::post, message.post() - software.doorbell);
    along.spend(Stage::doorbell, software.doorbell);
    sender = along.now();
    along.spend(Stage::doorbell, path.from.host.latency);
    way.send(along, {bytes + software.header, message.is_short(), Bytes{0}});
    along.spend(Stage::poll, software.poll);
    const Duration handling = i == 0 ? message.received(bytes) : software.next_segment;
    along.until(Stage::software_receive, std::max(along.now(), receiver) + handling);
    along.spend(Stage::copy_out, copying);
    receiver = along.now();
    clock = along;
  }
  if (segments > 1) clock.spend(Stage::software_receive, software.several);
  return clock.parts();
}

Throughput mpi_throughput(const Path& path, const Software& software, const MpiTest& test, std::int64_t iterations) {
  const Message message(path, software, test);
  const bool rendezvous = test.size >= software.rendezvous;
  const std::int64_t segments = message.is_short() || rendezvous ? 1 : message.segments();
  Channel way(path);
  Server sender, receiver;
  Duration end{0};
  for (std::int64_t i = 0; i < test.window; ++i) {
    if (rendezvous) {
      const Duration posted =
          sender.serve(Duration{0}, software.send + software.rendezvous_send + message.registered() + message.post());
      const Duration read = receiver.serve(posted + message.request_way(), message.answer_request());
      Clock clock{read + message.read_way()};
      way.send(clock, {test.size, false, aeth});
      end = std::max(end, clock.now() + software.poll + software.receive);
      continue;
    }
    for (std::int64_t k = 0; k < segments; ++k) {
      const Bytes bytes = k + 1 == segments ? test.size - software.segment * (segments - 1) : software.segment;
      const Duration copying = message.is_short() ? Duration{0} : transfer_time(bytes, software.copy);
      const Duration before = k == 0 ? software.send + (segments > 1 ? software.several : Duration{0}) : Duration{0};
      Clock clock{sender.serve(Duration{0}, before + copying + message.post()) + path.from.host.latency};
      way.send(clock, {bytes + software.header, message.is_short(), Bytes{0}});
      // Receives wait in the window, so that buffers are in the caches before they are touched.
      const Duration handling = k == 0 ? software.receive : software.next_segment;
      end = receiver.serve(clock.now() + software.poll, handling + copying);
    }
  }
  // The window ends when the receiver has answered.
  const Duration window = end + mpi_latency(reversed(path), software, {answer, 1, false}).total();
  Throughput result;
  result.iterations = iterations;
  result.per_message = window / test.window;
  result.total = result.per_message * iterations;
  result.limit = Stage::window;
  const auto data = way.busiest();
  Duration most = window * 9 / 10;
  const auto weigh = [&](Stage stage, Duration busy) {
    if (busy < most) return;
    most = busy;
    result.limit = stage;
  };
  weigh(data.stage, data.time);
  weigh(Stage::software_send, sender.busy());
  weigh(Stage::software_receive, receiver.busy());
  return result;
}

}  // namespace lockstep::sim::rdma
