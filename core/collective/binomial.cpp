// Binomial trees for gather and scatter. With v = rank - root (mod n), the subtree of v are the ranks v .. v + m - 1,
// where m is the lowest bit of v: gather hands all of its blocks to rank v - m in one message, scatter the other way.
// The root moves everybody's block in log2 n steps. Inner ranks keep the blocks of their subtree in their own target.
// Source: Thakur, Rabenseifner, Gropp (2005), see power_of_two.hpp.
#include "core/collective/binomial.hpp"

#include "core/collective/blocks.hpp"

namespace lockstep {
namespace {

// Ranks in the subtree of v over `mask` places that exist.
constexpr int subtree(int n, int v, int mask) { return std::min(mask, n - v); }

class Binomial final : public BlockSteps {
 public:
  Binomial(const ScheduleRequest& request, int channel) : BlockSteps(request, channel) {
    if (request.kind == CollectiveKind::gather)
      gather();
    else
      scatter();
  }

 private:
  void gather() {
    const int n = request_.size;
    const int r = request_.rank;
    const int v = modulo(r - request_.root, n);
    if (!request_.in_place) append_copy_of(r);
    for (int mask = 1; mask < n; mask *= 2) {
      Step step;
      if ((v & mask) != 0) {
        add_send_if_any(step, part_of(modulo(r - mask, n), channel_, {r, subtree(n, v, mask)}));
        append(step);
        return;
      }
      if (v + mask >= n) continue;
      add_receive_if_any(step, part_of((r + mask) % n, channel_, {r + mask, subtree(n, v + mask, mask)}));
      append(step);
    }
  }
  void scatter() {
    const int n = request_.size;
    const int r = request_.rank;
    const int v = modulo(r - request_.root, n);
    int mask = 1;
    while (mask < n && (v & mask) == 0) mask *= 2;
    Step step;
    if (v > 0) {
      add_receive_if_any(step, part_of(modulo(r - mask, n), channel_, {r, subtree(n, v, mask)}));
      append(step);
    } else if (!request_.in_place) {
      append_copy_of(r);
    }
    for (mask /= 2; mask >= 1; mask /= 2) {
      if (v + mask >= n) continue;
      Part part = part_of((r + mask) % n, channel_, {r + mask, subtree(n, v + mask, mask)});
      if (v == 0) part.place = Place::source;
      step.clear();
      add_send_if_any(step, part);
      append(step);
    }
  }
};

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  return std::make_unique<Binomial>(request, thread);
}
int threads(const ScheduleRequest& request) { return request.channels; }

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const int n = request.size;
  if (n == 1 || request.count == 0) return cost;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  for (int v = 1; v < n; ++v) {
    const int r = (v + request.root) % n;
    const int number = subtree(n, v, v & -v);
    cost.messages += messages_of(request, r, number);
    cost.bytes += elements_of(request, r, number) * width;
  }
  for (int mask = 1; mask < n; mask *= 2) {
    const std::int64_t bytes = subtree(n, mask, mask) * ceil_divide(request.count, n) * width;
    // The last subtree of a gather, if it is not whole, has nothing to wait for and comes in beside the one before.
    if (request.kind == CollectiveKind::gather && mask * 2 > n)
      cost.phases.back().bytes += bytes;
    else
      cost.phases.push_back({1, bytes});
  }
  cost.steps = static_cast<std::int64_t>(cost.phases.size());
  return cost;
}

}  // namespace

Algorithm binomial_algorithm() {
  return {"binomial",
          "a binomial tree: log2 n steps, inner ranks pass on what is not theirs",
          {CollectiveKind::gather, CollectiveKind::scatter},
          threads,
          make,
          cost};
}

}  // namespace lockstep
