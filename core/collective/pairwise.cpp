// Pairwise exchange: in step k of n-1 rank r sends its block for rank r+k and receives its block from rank r-k. With
// blocks of their own sizes (all_to_all_v) a step takes as long as its largest block; empty ones are not sent.
#include "core/collective/pairwise.hpp"

#include "core/collective/parts.hpp"

namespace lockstep {
namespace {

// Blocks of count / n elements, slot i at i x block; the count % n elements behind the last are not exchanged, as in
// nccl-tests.
Range block(const ScheduleRequest& request, int peer, int channel) {
  const std::int64_t elements = request.count / request.size;
  const Range part = partition(elements, request.channels, channel);
  return {peer * elements + part.begin, peer * elements + part.end};
}

Range outgoing(const ScheduleRequest& request, int to, int channel) {
  if (request.counts == nullptr) return block(request, to, channel);
  const Range part = partition(request.counts->at(request.rank, to), request.channels, channel);
  const std::int64_t begin = request.counts->sent_before(request.rank, to);
  return {begin + part.begin, begin + part.end};
}

Range incoming(const ScheduleRequest& request, int from, int channel) {
  if (request.counts == nullptr) return block(request, from, channel);
  const Range part = partition(request.counts->at(from, request.rank), request.channels, channel);
  const std::int64_t begin = request.counts->received_before(request.rank, from);
  return {begin + part.begin, begin + part.end};
}

class Pairwise final : public Schedule {
 public:
  Pairwise(const ScheduleRequest& request, int channel) : request_(request), channel_(channel) {}
  bool next(Step& step) override {
    step.clear();
    while (k_ < request_.size) {
      const int k = k_++;
      const int n = request_.size;
      if (k == 0) {
        step.copy = copy_of(outgoing(request_, request_.rank, channel_));
        step.copy.to = incoming(request_, request_.rank, channel_).begin;
      } else {
        const int to = (request_.rank + k) % n;
        const int from = modulo(request_.rank - k, n);
        add_send_if_any(step, make_part(to, channel_, outgoing(request_, to, channel_), Place::source));
        add_receive_if_any(step, make_part(from, channel_, incoming(request_, from, channel_)));
      }
      if (!step.empty()) return true;
    }
    return false;
  }

 private:
  ScheduleRequest request_;
  int channel_;
  int k_ = 0;
};

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  return std::make_unique<Pairwise>(request, thread);
}
int threads(const ScheduleRequest& request) { return request.channels; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const std::int64_t n = request.size;
  if (n == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  if (request.counts != nullptr) {
    for (int k = 1; k < request.size; ++k) {
      std::int64_t largest = 0;
      for (int r = 0; r < request.size; ++r) {
        const std::int64_t elements = request.counts->at(r, (r + k) % request.size);
        cost.messages += std::min<std::int64_t>(elements, request.channels);
        cost.bytes += elements * width;
        largest = std::max(largest, elements);
      }
      if (largest > 0) cost.phases.push_back({1, largest * width});
    }
    cost.steps = static_cast<std::int64_t>(cost.phases.size());
    return cost;
  }
  const std::int64_t used = std::min<std::int64_t>(request.count / n, request.channels);
  cost.steps = n - 1;
  cost.messages = n * (n - 1) * used;
  cost.bytes = n * (n - 1) * (request.count / n) * width;
  cost.phases = {{n - 1, request.count / n * width}};
  return cost;
}

Symmetry symmetry(const ScheduleRequest& request) { return rotation_if(request.kind == CollectiveKind::all_to_all); }

}  // namespace

Algorithm pairwise_algorithm() {
  return {"pairwise",
          "n-1 exchanges, each with another partner",
          {CollectiveKind::all_to_all, CollectiveKind::all_to_all_v},
          threads,
          make,
          cost,
          nullptr,
          symmetry};
}

}  // namespace lockstep
