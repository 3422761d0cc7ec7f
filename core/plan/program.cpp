#include "core/plan/program.hpp"

#include <algorithm>
#include <map>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

struct LoopAt {
  const Repeat* repeat = nullptr;
  std::int64_t stride = 0;  // operations per iteration
};

// Where an operation stands in its stream: operations before it in iteration 0 of all its loops, and those loops.
struct OperationAt {
  std::int64_t base = 0;
  std::vector<LoopAt> loops;
};

std::int64_t operations_in(const std::vector<Item>& items) {
  std::int64_t count = 0;
  for (const auto& item : items) {
    if (const auto* repeat = std::get_if<Repeat>(&item))
      count += repeat->count * operations_in(repeat->body);
    else
      ++count;
  }
  return count;
}

void locate(const std::vector<Item>& items, std::int64_t base, const std::vector<LoopAt>& loops,
            std::map<std::string, OperationAt, std::less<>>& found) {
  for (const auto& item : items) {
    if (const auto* repeat = std::get_if<Repeat>(&item)) {
      const std::int64_t stride = operations_in(repeat->body);
      auto inner = loops;
      inner.push_back({repeat, stride});
      LOCKSTEP_CHECK(inner.size() <= max_loop_depth, "loops nested {} deep", inner.size());
      locate(repeat->body, base, inner, found);
      base += repeat->count * stride;
    } else {
      found[std::get<Operation>(item).name] = {base, loops};
      ++base;
    }
  }
}

void emit(const std::vector<Item>& items, std::uint8_t depth, CompiledStream& stream) {
  for (const auto& item : items) {
    if (const auto* repeat = std::get_if<Repeat>(&item)) {
      const auto begin = static_cast<std::uint32_t>(stream.instructions.size());
      const std::int64_t operations = operations_in(repeat->body);
      stream.instructions.push_back({Instruction::Kind::loop_begin, 0, depth, repeat->count, operations, repeat});
      emit(repeat->body, static_cast<std::uint8_t>(depth + 1), stream);
      const auto end = static_cast<std::uint32_t>(stream.instructions.size());
      stream.instructions.push_back({Instruction::Kind::loop_end, begin, depth, repeat->count, operations, repeat});
      stream.instructions[begin].target = end;
    } else {
      stream.instructions.push_back(
          {Instruction::Kind::operation, static_cast<std::uint32_t>(stream.operations.size()), depth, 0, 0, nullptr});
      CompiledOperation operation;
      operation.operation = &std::get<Operation>(item);
      stream.operations.push_back(std::move(operation));
    }
  }
}

}  // namespace

std::int64_t CompiledWait::needed(const LoopIndices& indices) const {
  std::int64_t ordinal = base + 1;
  for (std::size_t d = 0; d < common_depth; ++d) {
    std::int64_t index = indices[d];
    if (d + 1 == common_depth) {
      index -= iterations_back;
      if (index < 0) return 0;
    }
    ordinal += index * stride[d];
  }
  return ordinal;
}

Program compile(const Role& role) {
  Program program;
  program.role = &role;
  std::vector<std::map<std::string, OperationAt, std::less<>>> places(role.streams.size());
  for (std::size_t s = 0; s < role.streams.size(); ++s) {
    CompiledStream stream;
    stream.name = role.streams[s].name;
    emit(role.streams[s].items, 0, stream);
    locate(role.streams[s].items, 0, {}, places[s]);
    program.streams.push_back(std::move(stream));
  }
  std::uint32_t id = 0;
  for (std::size_t s = 0; s < program.streams.size(); ++s) {
    for (auto& operation : program.streams[s].operations) {
      operation.id = id++;
      const auto& own_loops = places[s].at(operation.operation->name).loops;
      for (const auto& wait : operation.operation->waits) {
        const auto target_stream = std::find_if(role.streams.begin(), role.streams.end(),
                                                [&](const Stream& t) { return t.name == wait.stream; });
        LOCKSTEP_CHECK(target_stream != role.streams.end(), "a wait names the unknown stream '{}'", wait.stream);
        const auto t = static_cast<std::size_t>(target_stream - role.streams.begin());
        const auto at = places[t].find(wait.operation);
        LOCKSTEP_CHECK(at != places[t].end(), "a wait names the unknown operation '{}' of stream '{}'", wait.operation,
                       wait.stream);
        CompiledWait compiled;
        compiled.stream = static_cast<std::uint32_t>(t);
        compiled.iterations_back = wait.iterations_back;
        compiled.base = at->second.base;
        // Loops correspond by depth while their counts agree: streams of one step are built with the same loops.
        std::size_t d = 0;
        while (d < own_loops.size() && d < at->second.loops.size() &&
               own_loops[d].repeat->count == at->second.loops[d].repeat->count) {
          compiled.stride[d] = at->second.loops[d].stride;
          ++d;
        }
        compiled.common_depth = d;
        bool never = false;
        for (; d < at->second.loops.size(); ++d) {  // deeper loops: their last iteration
          compiled.base += (at->second.loops[d].repeat->count - 1) * at->second.loops[d].stride;
          never = never || at->second.loops[d].repeat->count <= 0;
        }
        if (never) continue;  // what is never run need not be waited for
        operation.waits.push_back(compiled);
      }
    }
  }
  for (const auto& stream : program.streams)
    for (const auto& operation : stream.operations) program.by_id.push_back(&operation);
  return program;
}

Cursor::Cursor(const CompiledStream& stream, bool once) : stream_(&stream), once_(once) { settle(); }

void Cursor::advance() {
  ++pc_;
  ++completed_;
  settle();
}

void Cursor::settle() {
  while (pc_ < stream_->instructions.size()) {
    const Instruction& instruction = stream_->instructions[pc_];
    if (instruction.kind == Instruction::Kind::operation) return;
    if (instruction.kind == Instruction::Kind::loop_begin) {
      if (instruction.count <= 0) {
        pc_ = instruction.target + 1;
        continue;
      }
      // Where one iteration stands for all, it is the last, and those before it count as done.
      const std::int64_t left_out = once_ && instruction.repeat->independent ? instruction.count - 1 : 0;
      indices_[instruction.depth] = left_out;
      completed_ += left_out * instruction.operations;
      ++pc_;
      continue;
    }
    if (++indices_[instruction.depth] < instruction.count) {
      pc_ = instruction.target + 1;
    } else {
      indices_[instruction.depth] = 0;
      ++pc_;
    }
  }
}

bool Cursor::warming_up() const {
  // Loops around the current operation: those begun before it and not ended.
  std::size_t pc = 0;
  bool warming = false;
  while (pc < pc_) {
    const Instruction& instruction = stream_->instructions[pc];
    if (instruction.kind == Instruction::Kind::loop_begin) {
      if (instruction.target < pc_) {
        pc = instruction.target + 1;
        continue;
      }
      warming = warming || indices_[instruction.depth] < instruction.repeat->warmup;
    }
    ++pc;
  }
  return warming;
}

}  // namespace lockstep
