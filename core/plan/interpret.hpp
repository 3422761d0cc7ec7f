// Runs a plan on plain arrays with no clock and answers "is the algorithm right?".
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/plan/executor.hpp"

namespace lockstep {

struct InterpretOptions {
  bool data = true;           ///< false: no buffers, only the order (validate)
  bool rendezvous = false;    ///< every send waits for its receive
  bool once = false;          ///< independent loops run one iteration
  std::uint64_t shuffle = 0;  ///< not 0: actions complete in an order drawn from this seed
};

/// What happened. Without a clock, record times are ordinals: the n-th event of the run is at n picoseconds.
struct Interpretation {
  std::int64_t wrong = 0;              ///< elements that failed a Verify
  std::vector<std::string> stuck;      ///< not empty: the plan cannot go on; who waits for what
  std::vector<std::string> leftovers;  ///< messages that nobody received
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
};

class Interpreter final : public Executor {
 public:
  explicit Interpreter(InterpretOptions options = {}) : options_(options) {}
  /// Throws RunFailure when the plan gets stuck.
  void execute(const Plan& plan, Recorder& recorder) override;
  /// The same without throwing.
  Interpretation interpret(const Plan& plan, Recorder& recorder);
  /// Called with (rank, operation name, bytes of the target span) at every Verify, before the check; for differential
  /// tests.
  std::function<void(Rank, const std::string&, std::span<const std::byte>)> on_verify;
  /// Called after every Fill with the collective's source; tests put their own data there.
  std::function<void(Rank, const Collective&, std::span<std::byte> source, std::span<std::byte> target)> on_fill;

 private:
  InterpretOptions options_;
};

}  // namespace lockstep
