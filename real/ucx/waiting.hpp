// What both UCX transports share: tokens of what is complete, waiting for more, and what to say of what is outstanding.
#pragma once

#include <fmt/format.h>

#include <list>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "real/transport/transport.hpp"
#include "real/ucx/worker.hpp"

namespace lockstep::real {

class UcxWaiting;

/// A message on its way; its address is what UCX's callbacks get.
struct UcxMessage {
  int peer = 0;
  std::uint64_t tag = 0;
  std::size_t bytes = 0;
  std::uint64_t token = 0;
  bool receive = false;
  UcxWaiting* owner = nullptr;
  void* request = nullptr;  ///< UCX's, while it can be cancelled
  bool* gone = nullptr;     ///< set when it is complete, while somebody wants to know
  std::list<UcxMessage>::iterator self{};
};

class UcxWaiting {
 public:
  UcxWaiting(Control& control, const std::vector<int>& peers, std::uint64_t features)
      : control_(control), worker_(control, peers, features) {}

  ~UcxWaiting() {
    // After a failure: UCX wants its requests back before it ends.
    for (const UcxMessage& message : messages_)
      if (message.request != nullptr) ucp_request_cancel(worker_.worker(), message.request);
    for (int i = 0; i < spins && !messages_.empty() && worker_.progress(); ++i) {
    }
  }
  UcxWaiting(const UcxWaiting&) = delete;
  UcxWaiting& operator=(const UcxWaiting&) = delete;

  UcxWorker& worker() { return worker_; }
  [[nodiscard]] const UcxWorker& worker() const { return worker_; }

  UcxMessage& begin(int peer, std::uint64_t tag, std::size_t bytes, std::uint64_t token, bool receive) {
    const auto place =
        messages_.insert(messages_.end(), {peer, tag, bytes, token, receive, this, nullptr, nullptr, {}});
    place->self = place;
    return *place;
  }
  void complete(UcxMessage& message) {
    ready_.push_back({message.receive ? Completion::Kind::received : Completion::Kind::sent, message.token,
                      message.receive ? message.bytes : 0});
    if (message.gone != nullptr) *message.gone = true;
    messages_.erase(message.self);
  }
  /// Called from UCX's callbacks, which must not throw: wait() does.
  void fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  /// As fail(), where `sent` bytes came for a receive of another length.
  void differs(const UcxMessage& message, std::size_t sent) {
    fail(fmt::format("rank {} expects {} bytes with tag {:#x} from rank {}, which sent {}", control_.rank(),
                     message.bytes, message.tag, message.peer, sent));
  }
  /// The request of an operation failed: the peer is gone, as a rule.
  void request_failed(const UcxMessage& message, ucs_status_t status) {
    lost_ = fmt::format("rank {} lost rank {}: {}", control_.rank(), message.peer, ucs_status_string(status));
  }

  /// Transport::wait.
  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) {
    for (;;) {
      bool moved = false;
      for (int i = 0; i < spins && ready_.empty(); ++i) {
        moved = worker_.progress();
        if (!moved) break;
      }
      if (!problem_.empty()) throw RunFailure(problem_);
      if (!ready_.empty()) {
        out.insert(out.end(), ready_.begin(), ready_.end());
        ready_.clear();
        if (++calls_without_check_ >= calls_between_checks) {
          calls_without_check_ = 0;
          control_.check();
        }
        return true;
      }
      if (!lost_.empty()) lose();
      if (moved) continue;
      const auto now = WallClock::now();
      if (deadline && now >= *deadline) {
        control_.check();
        return false;
      }
      // Shared memory wakes nobody in another network namespace: never for long.
      worker_.sleep(std::min(deadline.value_or(now + longest_sleep), now + longest_sleep));
    }
  }

  [[nodiscard]] std::string outstanding() const {
    std::vector<std::string> lines;
    for (const UcxMessage& message : messages_) {
      if (lines.size() == described_at_most) {
        lines.emplace_back("and more");
        break;
      }
      lines.push_back(message.receive ? fmt::format("waiting for {} bytes with tag {:#x} from rank {}", message.bytes,
                                                    message.tag, message.peer)
                                      : fmt::format("sending {} bytes with tag {:#x} to rank {}", message.bytes,
                                                    message.tag, message.peer));
    }
    return lines.empty() ? "nothing is outstanding" : join(lines, "; ");
  }

 private:
  static constexpr int spins = 64;
  static constexpr unsigned calls_between_checks = 16;
  static constexpr std::chrono::milliseconds longest_sleep{5};
  static constexpr std::size_t described_at_most = 8;

  // The cause (a rank that failed, and why) may be on its way over Control.
  [[noreturn]] void lose() {
    const auto until = WallClock::now() + std::chrono::milliseconds(300);
    while (WallClock::now() < until) {
      control_.check();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw PeerFailure(fmt::format("{}; {}", lost_, outstanding()));
  }

  Control& control_;
  std::list<UcxMessage> messages_;
  std::vector<Completion> ready_;
  std::string problem_;
  std::string lost_;
  UcxWorker worker_;  // goes first: what it cancels is still called back
  unsigned calls_without_check_ = 0;
};

}  // namespace lockstep::real
