#include "core/collective/custom.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/collective/parts.hpp"

namespace lockstep {
namespace {

bool has_blocks(CollectiveKind kind) {
  return kind == CollectiveKind::all_gather || kind == CollectiveKind::reduce_scatter ||
         kind == CollectiveKind::gather || kind == CollectiveKind::scatter || kind == CollectiveKind::all_to_all;
}

Range chunk_of(const CustomAlgorithm& algorithm, std::int64_t count, int chunk) {
  if (!has_blocks(algorithm.kind)) return partition(count, algorithm.chunks, chunk);
  const int per_block = algorithm.chunks / algorithm.ranks;
  const int owner = chunk / per_block;
  Range block = partition(count, algorithm.ranks, owner);
  if (algorithm.kind == CollectiveKind::all_to_all) {
    const std::int64_t size = count / algorithm.ranks;
    block = {owner * size, (owner + 1) * size};
  }
  const Range part = partition(block.size(), per_block, chunk % per_block);
  return {block.begin + part.begin, block.begin + part.end};
}

// All chunks of the scratch have room for the largest one.
std::int64_t scratch_chunk(const CustomAlgorithm& algorithm, std::int64_t count) {
  return ceil_divide(count, algorithm.chunks);
}

Range range_of(const CustomAlgorithm& algorithm, std::int64_t count, const CustomSpan& span) {
  if (span.place == Place::scratch) {
    const std::int64_t size = scratch_chunk(algorithm, count);
    return {span.chunk * size, (span.chunk + span.chunks) * size};
  }
  return {chunk_of(algorithm, count, span.chunk).begin, chunk_of(algorithm, count, span.chunk + span.chunks - 1).end};
}

// The part of the input that a rank has, in the source.
Range input_of(const ScheduleRequest& request) {
  switch (request.kind) {
    case CollectiveKind::all_gather:
    case CollectiveKind::gather:
      return partition(request.count, request.size, request.rank);
    case CollectiveKind::broadcast:
    case CollectiveKind::scatter:
      return request.rank == request.root ? Range{0, request.count} : Range{0, 0};
    default:
      return {0, request.count};
  }
}

class CustomSchedule final : public Schedule {
 public:
  CustomSchedule(const ScheduleRequest& request, int thread)
      : request_(request),
        steps_(
            request.custom->programs[static_cast<std::size_t>(request.rank)][static_cast<std::size_t>(thread)].steps),
        thread_(thread),
        prelude_(!request.in_place && !request.custom->from_source) {}

  bool next(Step& step) override {
    step.clear();
    // Out of place, thread 0 copies the input first and the others wait for it: one step more in every thread.
    if (prelude_ && !prelude_done_) {
      prelude_done_ = true;
      if (thread_ == 0) {
        step.copy = copy_of(input_of(request_));
      } else {
        step.after_thread = 0;
        step.after_steps = 1;
      }
      return true;
    }
    if (at_ == steps_.size()) return false;
    const CustomStep& from = steps_[at_++];
    for (const auto& copy : from.copies) {
      const Range source = range(copy.from);
      step.copy.from = source.begin;
      step.copy.to = range(copy.to).begin;
      step.copy.count = source.size();
      step.copy.from_place = copy.from.place;
      step.copy.to_place = copy.to.place;
      step.copy.combine = copy.combine;
      step.copy.finish = copy.finish;
    }
    for (const auto& send : from.sends) add_send_if_any(step, part_of(send));
    for (const auto& receive : from.receives) add_receive_if_any(step, part_of(receive));
    if (from.after_thread >= 0) {
      step.after_thread = from.after_thread;
      step.after_steps = from.after_steps + (prelude_ ? 1 : 0);
    }
    return true;
  }

 private:
  [[nodiscard]] Range range(const CustomSpan& span) const { return range_of(*request_.custom, request_.count, span); }
  [[nodiscard]] Part part_of(const CustomPart& from) const {
    Part part = make_part(from.peer, from.lane, range(from.span), from.span.place);
    part.channel = static_cast<std::uint16_t>(from.channel);
    part.combine = from.combine;
    part.finish = from.finish;
    return part;
  }

  ScheduleRequest request_;
  const std::vector<CustomStep>& steps_;
  int thread_;
  bool prelude_;
  bool prelude_done_ = false;
  std::size_t at_ = 0;
};

int threads(const ScheduleRequest& request) {
  return static_cast<int>(request.custom->programs[static_cast<std::size_t>(request.rank)].size());
}

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  return std::make_unique<CustomSchedule>(request, thread);
}

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const CustomAlgorithm& algorithm = *request.custom;
  if (request.size == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  std::int64_t most = 0;
  for (const auto& program : algorithm.programs) {
    std::int64_t sent = 0;
    for (const auto& thread : program)
      for (const auto& step : thread.steps)
        for (const auto& send : step.sends) {
          const std::int64_t elements = range_of(algorithm, request.count, send.span).size();
          cost.messages += elements > 0 ? 1 : 0;
          sent += elements;
        }
    cost.bytes += sent * width;
    most = std::max(most, sent);
  }
  cost.steps = algorithm.rounds;
  // How the bytes of the busiest rank are spread over the rounds depends on the steps: evenly, as an estimate.
  if (cost.steps > 0) cost.phases = {{cost.steps, ceil_divide(most, cost.steps) * width}};
  return cost;
}

std::string refusal(const ScheduleRequest& request) {
  const CustomAlgorithm& algorithm = *request.custom;
  if (request.size != algorithm.ranks)
    return fmt::format("it is for {} ranks, the group has {}", algorithm.ranks, request.size);
  if (request.channels != 1 || request.chunk.count() > 0)
    return "its channels and chunks stand in its file; remove 'channels' and 'chunk'";
  if (rooted(request.kind) && request.root != 0) return fmt::format("its root is rank 0, not {}", request.root);
  if (request.in_place && algorithm.from_source) return "it works from source to target, not in place";
  if (algorithm.equal_chunks) {
    const std::int64_t size = chunk_of(algorithm, request.count, 0).size();
    if (size != chunk_of(algorithm, request.count, algorithm.chunks - 1).size())
      return fmt::format("it moves data from one chunk to another: {} elements must be a multiple of its {} chunks",
                         request.count, algorithm.chunks);
  }
  if (request.reduction == Reduction::average && reduces(request.kind) && !algorithm.averages)
    return "it completes some sums of a message and not others, so an average cannot be divided; use sum";
  return {};
}

}  // namespace

const Algorithm& custom_algorithm() {
  static const Algorithm algorithm{"file", "an algorithm from a file", {}, threads, make, cost, refusal};
  return algorithm;
}

Bytes custom_scratch(const CustomAlgorithm& algorithm, std::int64_t count, std::size_t element_bytes) {
  return Bytes{algorithm.scratch_chunks * scratch_chunk(algorithm, count) * static_cast<std::int64_t>(element_bytes)};
}

}  // namespace lockstep
