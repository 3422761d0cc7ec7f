// The first minutes of a job: every rank finds rank 0 and they make sure that they are about to run the same thing.
//
// Protocol: every other rank connects to rank 0 (with retries until the time-out) and sends a hello (JSON: version,
// rank, size, agreement). When all have come, rank 0 compares them with its own and sends either a welcome (job number)
// or one failure message to all.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "real/launch/control.hpp"
#include "real/launch/link.hpp"

namespace lockstep::real {

struct Meeting {
  std::vector<std::shared_ptr<Link>>
      links;  ///< by rank; rank 0 has one to every other rank, the others one to rank 0; the rest is null
  std::uint64_t job = 0;
};

/// The version of everything that ranks say to each other, of the framing and of the transports' headers.
inline constexpr int control_protocol = 1;

Meeting meet(boost::asio::io_context& events, const JobEnvironment& environment, std::string_view agreement,
             std::chrono::milliseconds timeout);

/// Runs handlers until `done()` or the deadline; returns done().
template <class Predicate>
bool run_until(boost::asio::io_context& events, WallClock::time_point deadline, const Predicate& done) {
  while (!done()) {
    if (events.stopped()) events.restart();
    if (events.run_one_until(deadline) == 0 && WallClock::now() >= deadline) {
      events.poll();  // what came in with the last instant
      return done();
    }
  }
  return true;
}

}  // namespace lockstep::real
