// What both UCX transports share: the messages on their way, tokens of what is complete, waiting for more.
#pragma once

#include <exception>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "real/transport/transport.hpp"
#include "real/ucx/worker.hpp"

namespace lockstep::real {

class UcxTransport;

/// A message on its way; its address is what UCX's callbacks get.
struct UcxMessage {
  int peer = 0;
  std::uint64_t tag = 0;
  std::size_t bytes = 0;
  std::uint64_t token = 0;
  bool receive = false;
  UcxTransport* owner = nullptr;
  void* request = nullptr;  ///< UCX's, while it can be cancelled
  bool* ended = nullptr;    ///< set when it is called back, while somebody wants to know
  std::list<UcxMessage>::iterator self{};
};

class UcxTransport : public Transport {
 public:
  ~UcxTransport() override;
  UcxTransport(const UcxTransport&) = delete;
  UcxTransport& operator=(const UcxTransport&) = delete;

  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) override;
  void flush(WallClock::time_point deadline) override;
  [[nodiscard]] Statistics statistics() const override { return statistics_; }
  [[nodiscard]] std::string outstanding() const override;
  [[nodiscard]] std::string chosen() const override { return worker_.chosen(); }

  // For UCX's callbacks, which must not throw: wait() does.
  /// Runs what a callback does: no exception passes through UCX.
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
  void complete(UcxMessage& message);
  void fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  /// As fail(), where `sent` bytes came for a receive of another length.
  void differs(const UcxMessage& message, std::size_t sent);
  void request_failed(const UcxMessage& message, ucs_status_t status);
  /// No callback does anything any more.
  [[nodiscard]] bool closing() const { return closing_; }

 protected:
  UcxTransport(Control& control, const std::vector<int>& peers, std::uint64_t features);
  UcxMessage& begin(int peer, std::uint64_t tag, std::size_t bytes, std::uint64_t token, bool receive);
  void count_sent(std::size_t bytes) {
    ++statistics_.messages_sent;
    statistics_.bytes_sent += bytes;
  }
  UcxWorker& worker() { return worker_; }
  [[nodiscard]] int rank() const { return control_.rank(); }
  [[nodiscard]] int size() const { return control_.size(); }
  /// Called before waiting: what was put off until now.
  virtual void post() {}
  /// Makes progress once there is some to make, or gives up soon.
  bool look();
  /// After a failure UCX wants its requests back before it ends. For destructors, before what callbacks use goes.
  void close();

  Statistics statistics_;

 private:
  [[noreturn]] void lose();

  Control& control_;
  std::list<UcxMessage> messages_;
  std::vector<Completion> ready_;
  std::string problem_;
  std::string lost_;
  bool out_of_memory_ = false;
  bool closing_ = false;
  unsigned calls_without_check_ = 0;
  UcxWorker worker_;  // goes first: what it cancels is still called back
  const bool looks_;  ///< before it sleeps: every rank of this machine may have a core
};

}  // namespace lockstep::real
