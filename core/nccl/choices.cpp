#include "core/nccl/choices.hpp"

#include <algorithm>

namespace lockstep::nccl {
namespace {

Choice choice_at(const System& system, CollectiveKind kind, std::int64_t bytes) {
  const Candidate chosen = choose(system, kind, bytes);
  return {bytes, chosen.algorithm, chosen.protocol};
}

bool same(const Choice& a, const Choice& b) { return a.algorithm == b.algorithm && a.protocol == b.protocol; }

}  // namespace

std::vector<Choice> choices(const System& system, CollectiveKind kind, std::int64_t from, std::int64_t to) {
  std::vector<Choice> found{choice_at(system, kind, from)};
  std::int64_t low = from;
  while (low < to) {
    const std::int64_t high = std::min(to, low * 2);
    const Choice end = choice_at(system, kind, high);
    if (!same(found.back(), end)) {
      std::int64_t before = low, after = high;  // the choice changes in (before, after]
      while (after - before > 1) {
        const std::int64_t middle = before + (after - before) / 2;
        (same(choice_at(system, kind, middle), end) ? after : before) = middle;
      }
      found.push_back({after, end.algorithm, end.protocol});
    }
    low = high;
  }
  return found;
}

}  // namespace lockstep::nccl
