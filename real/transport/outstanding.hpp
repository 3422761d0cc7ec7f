// How transports say what is outstanding on them, in time-out messages.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/text.hpp"

namespace lockstep::real {

/// No message lists more.
inline constexpr std::size_t described_at_most = 8;

inline std::string describe_receive(std::size_t bytes, std::uint64_t tag, int peer) {
  return fmt::format("waiting for {} bytes with tag {:#x} from rank {}", bytes, tag, peer);
}
inline std::string describe_send(std::size_t bytes, std::uint64_t tag, int peer) {
  return fmt::format("sending {} bytes with tag {:#x} to rank {}", bytes, tag, peer);
}

/// Of up to described_at_most + 1 lines, the last of which stands for all that is left out.
inline std::string joined_outstanding(std::vector<std::string> lines) {
  if (lines.empty()) return "nothing is outstanding";
  if (lines.size() > described_at_most) lines.back() = "and more";
  return join(lines, "; ");
}

/// Of messages with `receive`, `bytes`, `tag` and `peer`.
template <class Messages>
std::string describe_outstanding(const Messages& messages) {
  std::vector<std::string> lines;
  for (const auto& message : messages) {
    if (lines.size() > described_at_most) break;
    lines.push_back(message.receive ? describe_receive(message.bytes, message.tag, message.peer)
                                    : describe_send(message.bytes, message.tag, message.peer));
  }
  return joined_outstanding(std::move(lines));
}

}  // namespace lockstep::real
