// Ranks of a test: real processes on this machine that meet over real sockets.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "real/launch/control.hpp"
#include "real/launch/local.hpp"
#include "real/transport/tcp.hpp"

namespace lockstep::real {

/// In a rank a failed expectation has to reach the parent, so it is an exception.
template <class... Arguments>
void require(bool condition, fmt::format_string<Arguments...> what, Arguments&&... arguments) {
  if (!condition)
    throw std::runtime_error("expectation failed: " + fmt::format(what, std::forward<Arguments>(arguments)...));
}

inline std::string run_ranks(int count, std::function<std::string(Control&)> body,
                             std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
  LocalRanks ranks;
  ranks.count = count;
  ranks.body = [body = std::move(body), timeout](const JobEnvironment& environment) {
    const auto control = connect_control(environment, "the same plan", timeout);
    return body(*control);
  };
  return run_local_ranks(ranks);
}

inline std::vector<int> everyone_but(const Control& control) {
  std::vector<int> peers(static_cast<std::size_t>(control.size()));
  std::iota(peers.begin(), peers.end(), 0);
  std::erase(peers, control.rank());
  return peers;
}

/// Waits until `count` messages have been sent or received; progress reports do not count.
inline void finish(Transport& transport, std::size_t count) {
  std::vector<Completion> done;
  while (count > 0) {
    done.clear();
    require(transport.wait(done, WallClock::now() + std::chrono::seconds(20)), "nothing came for 20 s: {}",
            transport.outstanding());
    for (const auto& one : done)
      if (one.kind != Completion::Kind::progress) --count;
  }
}

/// What run_local_ranks throws, as "kind: message"; "none" if it throws nothing.
template <class Run>
std::string failure_of(Run run) {
  try {
    run();
  } catch (const InputError& error) {
    return std::string("InputError: ") + error.what();
  } catch (const PeerFailure& error) {
    return std::string("PeerFailure: ") + error.what();
  } catch (const RunFailure& error) {
    return std::string("RunFailure: ") + error.what();
  } catch (const BrokenInvariant& error) {
    return std::string("BrokenInvariant: ") + error.what();
  }
  return "none";
}

}  // namespace lockstep::real
