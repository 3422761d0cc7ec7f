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
  bool* ended = nullptr;    ///< set when it is called back, while somebody wants to know
  std::list<UcxMessage>::iterator self{};
};

class UcxWaiting {
 public:
  UcxWaiting(Control& control, const std::vector<int>& peers, std::uint64_t features)
      : control_(control), worker_(control, peers, features) {}

  ~UcxWaiting() { cancel(); }
  /// After a failure: UCX wants its requests back before it ends.
  void cancel() {
    for (const UcxMessage& message : messages_)
      if (message.request != nullptr) ucp_request_cancel(worker_.worker(), message.request);
    for (int i = 0; i < spins && !messages_.empty() && worker_.progress(); ++i) {
    }
  }
  /// Transport::flush.
  void flush(WallClock::time_point deadline) {
    ucp_request_param_t param{};
    ucs_status_ptr_t request = ucp_worker_flush_nbx(worker_.worker(), &param);
    if (UCS_PTR_IS_ERR(request)) check_ucx(UCS_PTR_STATUS(request), "ucp_worker_flush_nbx");
    if (request == nullptr) return;
    ucs_status_t status = UCS_INPROGRESS;
    while ((status = ucp_request_check_status(request)) == UCS_INPROGRESS) {
      if (worker_.progress()) continue;
      control_.check();
      if (WallClock::now() >= deadline) break;
      worker_.sleep(WallClock::now() + longest_sleep);
    }
    ucp_request_free(request);
    if (status != UCS_INPROGRESS) check_ucx(status, "ucp_worker_flush_nbx");
  }
  /// Runs what UCX's callbacks do: no exception passes through UCX.
  template <class Work>
  void guarded(const Work& work) noexcept {
    try {
      work();
    } catch (const std::exception& error) {
      try {
        fail(error.what());
      } catch (...) {
        out_of_memory_ = true;
      }
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
  void request_failed(const UcxMessage& message, ucs_status_t status) {
    const bool gone = status == UCS_ERR_CONNECTION_RESET || status == UCS_ERR_ENDPOINT_TIMEOUT ||
                      status == UCS_ERR_UNREACHABLE || status == UCS_ERR_NOT_CONNECTED || status == UCS_ERR_REJECTED;
    if (gone)
      lost_ = fmt::format("rank {} lost rank {}: {}", control_.rank(), message.peer, ucs_status_string(status));
    else
      fail(fmt::format("a message between rank {} and rank {} failed: {}", control_.rank(), message.peer,
                       ucs_status_string(status)));
  }

  /// Transport::wait.
  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) {
    for (;;) {
      bool moved = false;
      for (int i = 0; i < spins && ready_.empty(); ++i) {
        moved = worker_.progress();
        if (!moved) break;
      }
      if (out_of_memory_) throw std::bad_alloc();
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
      if (moved && ++calls_without_check_ < calls_between_checks) continue;
      calls_without_check_ = 0;
      const auto now = WallClock::now();
      if (deadline && now >= *deadline) {
        control_.check();
        return false;
      }
      if (moved) {
        control_.check();
        continue;
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
  bool out_of_memory_ = false;
  UcxWorker worker_;  // goes first: what it cancels is still called back
  unsigned calls_without_check_ = 0;
};

}  // namespace lockstep::real
