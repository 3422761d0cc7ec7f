// Sleeping on a word of memory that processes share, without a lock that a dying one could keep (futex(2)).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "real/transport/transport.hpp"

namespace lockstep::real {

/// Sleeps while `word` is `value`, at most until the instant. It may wake for no reason.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                std::optional<WallClock::time_point> until);
/// Adds 1 to the word and wakes all who sleep on it.
void futex_wake(std::atomic<std::uint32_t>& word);

}  // namespace lockstep::real
