// Roles compiled for execution: loops as instructions, waits as numbers. All executors walk programs with the same
// Cursor, so they cannot differ in what comes next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/plan/plan.hpp"

namespace lockstep {

/// A wait: stream `stream` must have completed more than ordinal(...) operations.
struct CompiledWait {
  std::uint32_t stream = 0;
  std::int64_t base = 0;
  std::array<std::int64_t, max_loop_depth> stride{};  ///< operations per iteration of the loops both stand in
  std::int64_t iterations_back = 0;
  std::size_t common_depth = 0;  ///< loops shared by waiter and target
  /// How many operations the stream must have completed; <= 0: satisfied from the start.
  [[nodiscard]] std::int64_t needed(const LoopIndices& indices) const;
};

struct CompiledOperation {
  const Operation* operation = nullptr;
  std::uint32_t id = 0;  ///< number of the operation in its role, over all streams
  std::vector<CompiledWait> waits;
};

struct Instruction {
  enum class Kind : std::uint8_t { operation, loop_begin, loop_end } kind = Kind::operation;
  std::uint32_t target = 0;  ///< operation: index into operations; loop_begin: its loop_end; loop_end: its loop_begin
  std::uint8_t depth = 0;    ///< of the loop
  std::int64_t count = 0;    ///< of the loop
  std::int64_t operations = 0;  ///< of one iteration of the loop, inner loops unrolled
  const Repeat* repeat = nullptr;
};

struct CompiledStream {
  std::string name;
  std::vector<Instruction> instructions;
  std::vector<CompiledOperation> operations;
};

/// A compiled role; refers to the plan it came from, which must outlive it.
struct Program {
  const Role* role = nullptr;
  std::vector<CompiledStream> streams;
  std::vector<const CompiledOperation*> by_id;
};

/// Throws BrokenInvariant on a plan that validate() rejects for its names or loops.
Program compile(const Role& role);

/// Where a stream stands. `done()` at the end; otherwise `operation()` is the next one to run.
class Cursor {
 public:
  Cursor() = default;
  /// `once`: independent loops run one iteration (after none of the warm-up), see Repeat::independent.
  explicit Cursor(const CompiledStream& stream, bool once = false);
  [[nodiscard]] bool done() const { return pc_ >= stream_->instructions.size(); }
  [[nodiscard]] const CompiledOperation& operation() const {
    return stream_->operations[stream_->instructions[pc_].target];
  }
  [[nodiscard]] const LoopIndices& indices() const { return indices_; }
  /// Operations of this stream completed so far, those of iterations left out (`once`) among them: what waits compare
  /// with.
  [[nodiscard]] std::int64_t completed() const { return completed_; }
  /// The operation is done: on to the next.
  void advance();
  /// True while inside the first `warmup` iterations of a loop.
  [[nodiscard]] bool warming_up() const;

 private:
  void settle();
  const CompiledStream* stream_ = nullptr;
  std::size_t pc_ = 0;
  std::int64_t completed_ = 0;
  LoopIndices indices_{};
  bool once_ = false;
};

}  // namespace lockstep
