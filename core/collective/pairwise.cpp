// Pairwise exchange: in step k of n-1 rank r sends its block for rank r+k and receives its block from rank r-k.
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

class Pairwise final : public Schedule {
 public:
  Pairwise(const ScheduleRequest& request, int channel) : request_(request), channel_(channel) {}
  bool next(Step& step) override {
    step.clear();
    while (k_ < request_.size) {
      const int k = k_++;
      const int n = request_.size;
      if (k == 0) {
        step.copy = copy_of(block(request_, request_.rank, channel_));
      } else {
        const int to = (request_.rank + k) % n;
        const int from = modulo(request_.rank - k, n);
        add_send_if_any(step, make_part(to, channel_, block(request_, to, channel_), Place::source));
        add_receive_if_any(step, make_part(from, channel_, block(request_, from, channel_)));
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
  const std::int64_t used = std::min<std::int64_t>(request.count / n, request.channels);
  cost.steps = n - 1;
  cost.messages = n * (n - 1) * used;
  cost.bytes = n * (n - 1) * (request.count / n) * width;
  cost.phases = {{n - 1, request.count / n * width}};
  return cost;
}

Symmetry symmetry(const ScheduleRequest&) { return rotation_if(true); }

}  // namespace

Algorithm pairwise_algorithm() {
  return {"pairwise", "n-1 exchanges, each with another partner", {CollectiveKind::all_to_all}, threads, make, cost,
          symmetry};
}

}  // namespace lockstep
