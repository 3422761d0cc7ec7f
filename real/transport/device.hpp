// What a Transport may offer beside messages when its data lie in the memory of a device (a GPU): the executor
// allocates its buffers here and leaves all that touches their bytes to the device. Its spans then are addresses of the
// device, which the host never follows.
//
// Contract:
//  - copy, combine and finish_average begin their work and return; they run one after the other, in the order of the
//    calls, and before every message or collective that is begun after them. They may not be called on data that a
//    message still uses: its completion comes first;
//  - copy_in and copy_out wait for all that was begun before, and return when they are done;
//  - memory lives as long as the transport: nothing is allocated or freed while messages are under way, since that may
//    wait for them;
//  - one thread uses a Device, that of its Transport.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/plan/types.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {

/// Messages of one kind between this rank and another: they arrive in the order in which they were sent.
struct MessageChannel {
  int source = 0;  ///< one of the two is this rank
  int target = 0;
  std::uint64_t tag = 0;
  auto operator<=>(const MessageChannel&) const = default;
};

class Device {
 public:
  virtual ~Device() = default;

  /// Before anything is timed: all channels that this rank's messages will take, ascending. All ranks call it together.
  virtual void connect(const std::vector<MessageChannel>& channels) = 0;

  /// Throws RunFailure where the device has not so much.
  virtual std::span<std::byte> allocate(std::size_t bytes) = 0;
  virtual void copy_in(std::span<const std::byte> host, std::span<std::byte> device) = 0;
  virtual void copy_out(std::span<const std::byte> device, std::span<std::byte> host) = 0;

  /// The two do not overlap.
  virtual void copy(std::span<const std::byte> from, std::byte* to) = 0;
  /// As combine_elements and finish_average of core/collective/data.hpp, bit for bit.
  virtual void combine(ElementType type, Reduction reduction, const std::byte* source, std::byte* target,
                       std::int64_t count) = 0;
  virtual void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks) = 0;
  /// Waits until all that copy, combine and finish_average have begun is done, and says when that was; nullopt: nothing
  /// was begun since the last call.
  virtual std::optional<WallClock::time_point> finish() = 0;
};

}  // namespace lockstep::real
