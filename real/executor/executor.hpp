// The plan in wall time: walks one rank's streams over any Transport.
//
// Received data that are combined go through scratch and are combined piece by piece while the rest is still arriving,
// in the order that the schedule fixes; everything else moves from and into the plan's buffers. Kernels run on this
// thread (real/compute/), one after another.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/plan/executor.hpp"
#include "real/launch/control.hpp"
#include "real/launch/sleep.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {

/// Bytes combined at once while a message arrives: they are still in the cache.
constexpr std::size_t default_combine_piece = 64 * 1024;

struct ExecutorOptions {
  std::size_t combine_piece = default_combine_piece;
  std::chrono::milliseconds timeout{60'000};  ///< longest wait without any progress
  std::chrono::nanoseconds quiet{2'000'000};  ///< between the barrier of a common start and its instant
  Waking waking{};                            ///< how a rank waits for that
  /// Kernels, by their text, take so long asleep instead of being run; none: they are run.
  std::optional<std::map<std::string, Duration>> sleep{};
  /// Called after every common start, warm-up too, with its instant, and once more when this rank comes to the meeting
  /// that ends what began there.
  std::function<void(WallClock::time_point)> on_section_start{};
  std::function<void()> on_section_end{};
};

class TransportExecutor final : public Executor {
 public:
  TransportExecutor(Control& control, Transport& transport, ExecutorOptions options = {})
      : control_(control), transport_(transport), options_(std::move(options)) {}
  /// Runs this rank's program. Record times count from epoch() on this rank's clock. Throws RunFailure on a time-out
  /// ("rank 1 has made no progress for 60 s in operation 'collective3': waiting for ...") or when a peer is lost.
  void execute(const Plan& plan, Recorder& recorder) override;

  [[nodiscard]] WallClock::time_point epoch() const { return epoch_; }
  void set_epoch(WallClock::time_point epoch) { epoch_ = epoch; }
  /// Elements that failed a Verify, by operation id of the Verify.
  [[nodiscard]] const std::map<std::uint32_t, std::int64_t>& wrong() const { return wrong_; }
  /// What happened between a common start and the next meeting of the ranks, by operation id of the Mark that started
  /// it (warm-up left out).
  struct Section {
    double cpu_s = 0;                  ///< CPU time of this process
    double elapsed_s = 0;              ///< from the common instant to this rank's arrival at the next meeting
    std::vector<double> lateness_s{};  ///< how long after the common instant this rank was running
  };
  [[nodiscard]] const std::map<std::uint32_t, Section>& sections() const { return sections_; }
  /// Called with the bytes of the target span before each check; for differential tests.
  std::function<void(const Collective&, std::span<std::byte> source, std::span<std::byte> target)> on_fill;
  std::function<void(const Collective&, std::span<const std::byte> target)> on_verify;

 private:
  Control& control_;
  Transport& transport_;
  ExecutorOptions options_;
  WallClock::time_point epoch_ = WallClock::now();
  std::map<std::uint32_t, std::int64_t> wrong_;
  std::map<std::uint32_t, Section> sections_;
};

}  // namespace lockstep::real
