#include "real/transport/watchdog.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <string>

#include "core/base/error.hpp"

namespace lockstep::real {

Watchdog::Watchdog(int rank, std::chrono::milliseconds timeout)
    : rank_(rank), timeout_(timeout), thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::watch() {
  constexpr std::chrono::milliseconds between_looks{100};
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, between_looks, [this] { return ended_; })) {
    const auto begun = begun_.load(std::memory_order_acquire);
    if (begun == 0) continue;
    const std::chrono::steady_clock::time_point since{std::chrono::steady_clock::duration(begun)};
    if (std::chrono::steady_clock::now() - since < timeout_) continue;
    // No exception leaves the library's call in the other thread, so this is said here.
    const std::string message =
        fmt::format("error: rank {} has waited {:.3g} s in {} (--timeout waits longer)\n", rank_,
                    std::chrono::duration<double>(timeout_).count(), what_.load(std::memory_order_relaxed));
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, message.data(), message.size());
    ::_exit(static_cast<int>(ExitCode::run_failed));
  }
}

}  // namespace lockstep::real
