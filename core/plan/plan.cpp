#include "core/plan/plan.hpp"

#include <algorithm>

#include "core/base/error.hpp"

namespace lockstep {

bool Repeat::operator==(const Repeat& other) const {
  return count == other.count && warmup == other.warmup && independent == other.independent && body == other.body;
}

GroupFamily::Place GroupFamily::place_of(Rank rank) const {
  if (!members.empty()) {
    for (std::size_t g = 0; g < members.size(); ++g) {
      const auto at = std::find(members[g].begin(), members[g].end(), rank);
      if (at != members[g].end())
        return {static_cast<int>(g), static_cast<int>(at - members[g].begin()), static_cast<int>(members[g].size())};
    }
    return {};
  }
  const int offset = rank - first;
  if (offset < 0 || size <= 0 || offset >= size * groups) return {};
  const int block = offset / (size * stride);
  const int inside = offset % (size * stride);
  return {block * stride + inside % stride, inside / stride, size};
}

int GroupFamily::instances() const { return members.empty() ? groups : static_cast<int>(members.size()); }

int GroupFamily::size_of(int instance) const {
  return members.empty() ? size : static_cast<int>(members[static_cast<std::size_t>(instance)].size());
}

std::uint32_t Plan::role_index(Rank rank) const {
  const auto after = std::upper_bound(role_ranges.begin(), role_ranges.end(), rank,
                                      [](Rank r, const RoleRange& range) { return r < range.first; });
  LOCKSTEP_CHECK(after != role_ranges.begin() && std::prev(after)->last >= rank, "rank {} plays no role", rank);
  return std::prev(after)->role;
}

}  // namespace lockstep
