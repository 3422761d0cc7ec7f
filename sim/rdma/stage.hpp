// Where the nanoseconds of a message go: named stages, and a clock that gives every picosecond to one of them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/base/error.hpp"
#include "core/units/duration.hpp"

namespace lockstep::sim::rdma {

/// In the order in which a message passes them.
enum class Stage : std::uint8_t {
  software_send,     ///< MPI and the library under it, sender
  registration,      ///< memory made known to the NIC, or found in the cache of what is
  copy_in,           ///< into a send buffer
  stage_out,         ///< from a GPU to its host
  rendezvous,        ///< the request to send, all of its way, and what software does about it
  post,              ///< the work request written and the queue's counter raised
  doorbell,          ///< the NIC told over PCIe
  fetch,             ///< the work request read by the NIC over PCIe
  context,           ///< the queue pair's context read by the NIC over PCIe, where it is not cached
  queue_pair,        ///< waiting for the queue pair's turn
  nic_send,          ///< in the sender's NIC
  request,           ///< of a read: the request's way to the other NIC and its processing there
  payload_read,      ///< the payload over PCIe to the NIC
  wire,              ///< bits onto the wire
  network,           ///< links and switches
  nic_receive,       ///< in the receiver's NIC
  payload_write,     ///< the payload over PCIe to memory
  completion,        ///< the completion queue entry over PCIe
  poll,              ///< until the program sees it
  software_receive,  ///< MPI and the library under it, receiver
  copy_out,          ///< out of a receive buffer
  stage_in,          ///< from the host to a GPU
  wake_up,           ///< TCP: interrupts and sleeping threads
  window,            ///< TCP: waiting for acknowledgements
};
inline constexpr std::size_t stage_count = static_cast<std::size_t>(Stage::window) + 1;

/// As it stands in tables and results: "payload_read".
std::string_view to_string(Stage stage);

/// The times of the stages; they add up to the latency to the picosecond.
class Breakdown {
 public:
  [[nodiscard]] Duration operator[](Stage stage) const { return parts_[static_cast<std::size_t>(stage)]; }
  [[nodiscard]] Duration total() const {
    Duration sum{0};
    for (const Duration part : parts_) sum += part;
    return sum;
  }
  void add(Stage stage, Duration time) { parts_[static_cast<std::size_t>(stage)] += time; }

 private:
  std::array<Duration, stage_count> parts_{};
};

/// A message's own clock.
class Clock {
 public:
  Clock() = default;
  explicit Clock(Duration start) : now_(start) {}
  [[nodiscard]] Duration now() const { return now_; }
  [[nodiscard]] const Breakdown& parts() const { return parts_; }
  void spend(Stage stage, Duration time) { until(stage, now_ + time); }
  /// All time up to `moment` belongs to the stage.
  void until(Stage stage, Duration moment) {
    LOCKSTEP_INNER_CHECK(moment >= now_, "a stage that ends before it starts");
    parts_.add(stage, moment - now_);
    now_ = moment;
  }

 private:
  Duration now_{0};
  Breakdown parts_;
};

/// A resource that serves one after another, first come first served.
class Server {
 public:
  /// Serves what is ready at `ready`; when it is done.
  Duration serve(Duration ready, Duration service) {
    free_ = (ready > free_ ? ready : free_) + service;
    busy_ += service;
    return free_;
  }
  /// Takes what is ready at `ready`, and the next one `interval` later; when it is taken.
  Duration take(Duration ready, Duration interval) {
    const Duration start = ready > free_ ? ready : free_;
    free_ = start + interval;
    busy_ += interval;
    return start;
  }
  [[nodiscard]] Duration free() const { return free_; }
  [[nodiscard]] Duration busy() const { return busy_; }

 private:
  Duration free_{0}, busy_{0};
};

}  // namespace lockstep::sim::rdma
