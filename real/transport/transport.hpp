// Moves bytes between the ranks of one job. Knows no plans: peers, tags, bytes.
//
// Contract:
//  - send() and receive() never block and never fail for want of buffers; completions come from wait(), each token
//  once;
//  - messages of one (sender, receiver, tag) arrive in the order they were sent; a receive gets exactly the bytes of
//  one message,
//    and a length that differs from the buffer's is a RunFailure that names both ranks;
//  - `sent` means the caller may reuse the buffer, not that the peer has it;
//  - data go from and into the caller's memory without a copy in between, except messages that arrive before their
//  receive was
//    posted and that something else is waiting behind;
//  - progress is made inside wait() only; one thread uses a Transport;
//  - the loss of a peer is a RunFailure from wait() that names the peer and what was outstanding.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lockstep::real {

using WallClock = std::chrono::steady_clock;

struct Completion {
  enum class Kind : std::uint8_t { sent, received, progress } kind = Kind::sent;
  std::uint64_t token = 0;
  std::size_t bytes = 0;  ///< received, progress: bytes of the message that have arrived so far
  /// When it happened, where the transport knows better than whoever is told now (a device's own clock); else the
  /// epoch.
  WallClock::time_point when{};
};

class NativeCollectives;
class Device;

class Transport {
 public:
  virtual ~Transport() = default;

  virtual void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) = 0;
  /// `granularity` > 0: report `progress` whenever so many further bytes have arrived (a hint; transports may only
  /// report the end).
  virtual void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
                       std::size_t granularity = 0) = 0;

  /// Memory that messages will be received into again and again, and that stays where it is until forget(): a transport
  /// that has to register memory does it once.
  virtual void keep(std::span<std::byte> /*memory*/) {}
  virtual void forget(std::span<std::byte> /*memory*/) {}

  /// Appends completions to `out`; blocks until there is at least one or the deadline has passed, and returns false
  /// then. It sleeps, but where every rank has a core it may look for a fraction of a millisecond first.
  virtual bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) = 0;

  /// Before the ranks turn to other things than messages (a meeting): what was sent and what the library still has to
  /// say is on its way without this rank's help. All ranks call it, with nothing outstanding. Gives up at the deadline:
  /// it is the meeting that can say who is missing.
  virtual void flush(WallClock::time_point /*deadline*/) {}

  struct Statistics {
    std::uint64_t messages_sent = 0, bytes_sent = 0;  ///< payload
    std::uint64_t header_bytes_sent = 0;              ///< our own headers
    std::uint64_t unexpected_bytes = 0;               ///< went through an intermediate buffer
  };
  [[nodiscard]] virtual Statistics statistics() const = 0;
  /// The library's own collectives (native.hpp); null: it has none.
  virtual NativeCollectives* native() { return nullptr; }
  /// Where its data lie (device.hpp), if not in the host's memory: all spans are addresses of that device then.
  virtual Device* device() { return nullptr; }
  /// What the library chose to send by, for the record: "tcp/eth0"; empty where there is nothing to choose.
  [[nodiscard]] virtual std::string chosen() const { return {}; }
  /// What is outstanding, for time-out messages: "waiting for 4096 bytes with tag 0x10000 from rank 2; ...".
  [[nodiscard]] virtual std::string outstanding() const = 0;
};

}  // namespace lockstep::real
