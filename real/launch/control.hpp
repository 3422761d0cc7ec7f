// How the ranks of a job find each other and keep together, over TCP: rendezvous at rank 0, agreement on what will run,
// barriers with a common start time, gathering of results, and the news of a failure.
//
// Contract:
//  - every blocking call has a time-out and its message names who was waited for ("rank 2 of 4 did not
//  reach 10.0.0.1:29500 within
//    30 s: ranks that came: 0, 1, 3; is it running, ...?");
//  - connect() fails on all ranks with one message when any two differ in protocol version, number of ranks or
//  agreement string
//    (the plan's hash), when a rank number is used twice, or the port is in use;
//  - when a rank dies or calls fail(), every other rank's pending or next call throws PeerFailure with the reason,
//  within a second
//    (news travels by way of rank 0, which passes it on inside any call of Control or of a Transport that shares its
//    events());
//  - a Control that is destroyed by an exception on its way up tells the others so; one that is destroyed in peace says
//  goodbye;
//  - one thread uses a Control; it outlives the transports that were built on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "real/launch/sleep.hpp"
#include "real/transport/transport.hpp"

namespace boost::asio {
class io_context;
}

namespace lockstep::real {

/// This rank cannot go on because another one failed, died or went missing: a consequence, whose cause is told
/// elsewhere if it is told at all. run_local_ranks reports causes before consequences.
class PeerFailure : public RunFailure {
 public:
  explicit PeerFailure(const std::string& message) : RunFailure(message) {}
};

struct JobEnvironment {
  int rank = 0;
  int size = 1;
  std::string master_address = "127.0.0.1";
  std::uint16_t master_port = 0;
  std::string own_address;  ///< where others reach this rank (numeric); empty: the address that reaches the master
  std::string launcher;     ///< "torchrun", "OpenMPI", "Slurm", "PMI", "--ranks": for messages
};

struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
};

class Control {
 public:
  virtual ~Control() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  /// All ranks' strings, by rank, on every rank.
  virtual std::vector<std::string> all_gather(const std::string& own) = 0;
  /// The other ranks' strings at rank 0 (by rank, own included); empty elsewhere.
  virtual std::vector<std::string> gather(const std::string& own) = 0;
  /// What this rank has exchanged with the others so far, by rank; all of it goes by way of rank 0. Bytes count our own
  /// headers, not those of TCP.
  struct Traffic {
    std::uint64_t frames_sent = 0, bytes_sent = 0;
    std::uint64_t frames_received = 0, bytes_received = 0;
  };
  [[nodiscard]] virtual std::vector<Traffic> traffic() const = 0;
  virtual void barrier() = 0;
  /// A barrier after which every rank waits for the same instant; returns that instant on this rank's clock. It lies
  /// `margin` after the release, and the call returns as close after it as the scheduler allows.
  virtual WallClock::time_point start_together(std::chrono::nanoseconds margin, const Waking& waking) = 0;
  /// This rank's clock minus rank 0's, from the fastest of 16 exchanges, with half that exchange's round trip as its
  /// uncertainty.
  struct ClockOffset {
    std::chrono::nanoseconds offset{0};
    std::chrono::nanoseconds uncertainty{0};
  };
  virtual ClockOffset estimate_clock_offset() = 0;
  /// Tells every rank that this one cannot go on.
  virtual void fail(std::string_view reason) noexcept = 0;

  /// Throws PeerFailure if news of a failure has been heard of in events().
  virtual void throw_if_failed() const = 0;
  /// Looks for news without blocking, then throw_if_failed(). For transports that wait by other means than events().
  virtual void check() = 0;
  /// Sleeps until `descriptor` is readable, something happens in events(), or the deadline has passed; then as check().
  /// May return early. For transports that have a descriptor of their own to wait for.
  virtual void wait_for(int descriptor, WallClock::time_point deadline) = 0;
  /// Where the connections of this Control are served. A transport that waits for sockets waits in here, and calls
  /// throw_if_failed() after it has woken up: so the news of a failure ends its wait. There is always work in it, so
  /// run_one() blocks.
  virtual boost::asio::io_context& events() = 0;
  /// The address at which other ranks reach this one: the environment's own_address, else that of the socket to the
  /// master.
  [[nodiscard]] virtual std::string own_address() const = 0;
  /// A random number that rank 0 drew for this job: connections verify it.
  [[nodiscard]] virtual std::uint64_t job() const = 0;
  /// The time-out of the blocking calls from here on; at first that of connect_control.
  virtual void set_timeout(std::chrono::milliseconds timeout) = 0;
  [[nodiscard]] virtual std::chrono::milliseconds timeout() const = 0;
};

/// Meets the other ranks. `agreement` must be the same on all.
std::unique_ptr<Control> connect_control(const JobEnvironment& environment, std::string_view agreement,
                                         std::chrono::milliseconds timeout);

}  // namespace lockstep::real
