// Ends the process when a call of a library takes too long: blocking calls of MPI and NCCL cannot be left otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace lockstep::real {

class Watchdog {
 public:
  Watchdog(int rank, std::chrono::milliseconds timeout);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// While it lives, the clock runs. It costs a store, so that it may stand in what is measured; a call that is over
  /// time is noticed within a tenth of a second.
  class Guard {
   public:
    /// `what` is not copied: "MPI's all_reduce".
    Guard(Watchdog& dog, const char* what) : dog_(dog) {
      dog_.what_.store(what, std::memory_order_relaxed);
      dog_.begun_.store(std::chrono::steady_clock::now().time_since_epoch().count(), std::memory_order_release);
    }
    ~Guard() { dog_.begun_.store(0, std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Watchdog& dog_;
  };

 private:
  void watch();

  const int rank_;
  const std::chrono::milliseconds timeout_;
  std::atomic<std::chrono::steady_clock::rep> begun_{0};  ///< 0: no call is under way
  std::atomic<const char*> what_{nullptr};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace lockstep::real
