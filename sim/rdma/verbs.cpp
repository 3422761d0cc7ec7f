#include "sim/rdma/verbs.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace lockstep::sim::rdma {
namespace {

constexpr Bytes completion_entry{64};
// A copy between GPU and host: starting it, and until it has begun. Source: UCX, `uct/cuda/cuda_copy`.
constexpr Duration copy_overhead = nanoseconds(4'000), copy_latency = nanoseconds(1'800);
// What is simulated at most.
constexpr std::int64_t packets_simulated = 60'000;
constexpr std::int64_t messages_at_least = 64;

/// Blocks of 64 bytes that a work request takes: 16 B control, 16 B address for writes and reads, and 16 B that point
/// to the payload or 4 B before it.
std::int64_t blocks_of(const VerbsTest& test, bool inlined) {
  const std::int64_t address = test.verb == Verb::send ? 0 : 16;
  const std::int64_t bytes = 16 + address + (inlined ? 4 + test.size.count() : 16);
  return (bytes + 63) / 64;
}

bool inlined_of(const VerbsTest& test) { return test.verb != Verb::read && test.size <= test.inline_up_to; }

Bytes extension_of(const VerbsTest& test) {
  Bytes extension = test.verb == Verb::write ? reth : Bytes{0};
  if (test.immediate) extension += immediate;
  return extension;
}

Duration posting(const Software& software, const VerbsTest& test, bool inlined) {
  return software.post + software.post_block * (blocks_of(test, inlined) - 1);
}

/// How long a copy between GPU and host occupies what does it; without staging there is none.
Duration copying(const End& end, Bytes bytes) {
  return end.staging > Bandwidth{} ? copy_overhead + transfer_time(bytes, end.staging) : Duration{0};
}

Duration completion_of(const End& end) { return end.host.latency + transfer_time(completion_entry, end.host.rate); }

}  // namespace

std::string_view to_string(Verb verb) {
  static constexpr std::array<std::string_view, 3> names{"write", "read", "send"};
  return names[static_cast<std::size_t>(verb)];
}

Breakdown verbs_latency(const Path& path, const Software& software, const VerbsTest& test) {
  const bool inlined = inlined_of(test);
  const bool staged_out = path.from.staging > Bandwidth{}, staged_in = path.to.staging > Bandwidth{};
  // A read brings the payload from the other end.
  const End& source = test.verb == Verb::read ? path.to : path.from;
  const End& target = test.verb == Verb::read ? path.from : path.to;
  Clock clock;
  if (test.register_each) clock.spend(Stage::registration, registration_time(test.size));
  if (staged_out) clock.spend(Stage::stage_out, copying(source, test.size) + copy_latency);
  clock.spend(Stage::post, posting(software, test, inlined));
  clock.spend(Stage::doorbell, software.doorbell + path.from.host.latency);
  if (!test.blueflame) clock.spend(Stage::fetch, path.from.host.round_trip());
  if (test.queue_pairs > path.nic->cached_contexts) clock.spend(Stage::context, path.from.host.round_trip());
  if (test.verb == Verb::read) {
    clock.spend(Stage::request, Channel(path).control(reth));
    Channel back(reversed(path));
    back.send(clock, {test.size, false, aeth});
  } else {
    Channel way(path);
    way.send(clock, {test.size, inlined, extension_of(test)});
  }
  // Who polls the payload itself needs no completion.
  if (test.verb != Verb::write || test.immediate)
    clock.spend(Stage::completion, transfer_time(completion_entry, target.host.rate));
  clock.spend(Stage::poll, software.poll);
  if (staged_in) clock.spend(Stage::stage_in, copying(target, test.size) + copy_latency);
  return clock.parts();
}

Throughput verbs_throughput(const Path& path, const Software& software, const VerbsTest& test,
                            std::int64_t iterations) {
  const bool inlined = inlined_of(test), read = test.verb == Verb::read;
  const std::int64_t queue_pairs = test.queue_pairs, moderation = std::min(test.moderation, test.depth);
  const std::int64_t packets = packets_of(test.size, path.mtu);
  const std::int64_t count = std::min(iterations, std::max(messages_at_least, packets_simulated / packets));
  const NicGeneration& nic = *path.nic;
  const End& source = read ? path.to : path.from;
  const End& target = read ? path.from : path.to;

  Channel forward(path), back(reversed(path));
  Server processor, nic_server, contexts, out, in;
  std::vector<Server> turns(static_cast<std::size_t>(std::min(queue_pairs, count)));
  std::vector<Duration> completed(static_cast<std::size_t>(count));
  const std::int64_t missing = std::max<std::int64_t>(0, queue_pairs - nic.cached_contexts);
  const Duration context_interval = path.from.host.round_trip() / nic.context_fetches;
  const Duration copying_out = copying(source, test.size), copying_in = copying(target, test.size);
  const Duration fixed = posting(software, test, inlined) + software.doorbell +
                         (test.register_each ? registration_time(test.size) : Duration{0});
  Duration last{0}, half{0};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t pair = i % queue_pairs, of_pair = i / queue_pairs;
    Duration free{0};
    if (of_pair >= test.depth) {
      // The window opens when the signalled completion behind the oldest request is seen.
      const std::int64_t signalled = ((of_pair - test.depth) / moderation + 1) * moderation - 1;
      free = completed[static_cast<std::size_t>(signalled * queue_pairs + pair)];
    }
    if (source.staging > Bandwidth{}) free = out.serve(free, copying_out) + copy_latency;
    Clock clock{processor.serve(free, fixed + (of_pair % moderation == moderation - 1 ? software.poll : Duration{0}))};
    clock.spend(Stage::doorbell, path.from.host.latency);
    if (!test.blueflame) clock.spend(Stage::fetch, path.from.host.round_trip());
    // Spread evenly: request i misses where the whole part of i x missing / queue pairs rises.
    if (missing > 0 && (i + 1) * missing / queue_pairs > i * missing / queue_pairs)
      clock.until(Stage::context, contexts.serve(clock.now(), context_interval) + path.from.host.round_trip());
    Duration ready = clock.now();
    if (read && of_pair >= test.outstanding_reads)
      ready = std::max(
          ready, completed[static_cast<std::size_t>(i - test.outstanding_reads * queue_pairs)] - completion_of(target));
    ready = turns[static_cast<std::size_t>(pair)].take(ready, nic.queue_pair_interval);
    clock.until(Stage::queue_pair, nic_server.take(ready, nic.message_interval));
    Duration done{0};
    if (read) {
      clock.spend(Stage::request, forward.control(reth));
      back.send(clock, {test.size, false, aeth});
      done = clock.now() + completion_of(target);
    } else {
      const Duration arrived = forward.send(clock, {test.size, inlined, extension_of(test)});
      done = arrived + back.control(aeth) + completion_of(path.from);
    }
    if (target.staging > Bandwidth{}) done = std::max(done, in.serve(clock.now(), copying_in) + copy_latency);
    completed[static_cast<std::size_t>(i)] = done;
    last = std::max(last, done);
    if (i + 1 == count / 2) half = last;
  }

  Throughput result;
  result.iterations = iterations;
  const std::int64_t second_half = count - count / 2;
  result.per_message = Duration{(last - half).count() / second_half};
  result.total = last + software.poll + result.per_message * (iterations - count);
  Duration most = processor.busy();
  result.limit = test.register_each ? Stage::registration : Stage::post;
  const auto weigh = [&](Stage stage, Duration busy) {
    if (busy <= most) return;
    most = busy;
    result.limit = stage;
  };
  for (const Server& turn : turns) weigh(Stage::queue_pair, turn.busy());
  weigh(Stage::nic_send, nic_server.busy());
  weigh(Stage::context, contexts.busy());
  weigh(Stage::stage_out, out.busy());
  weigh(Stage::stage_in, in.busy());
  const auto data = read ? back.busiest() : forward.busiest();
  weigh(data.stage, data.time);
  // Nothing was busy for nine tenths of the steady state: the window is what limits.
  if (most * 10 < result.per_message * count * 9) result.limit = Stage::window;
  return result;
}

}  // namespace lockstep::sim::rdma
