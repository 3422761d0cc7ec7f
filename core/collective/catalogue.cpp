#include "core/base/catalogue.hpp"

#include <algorithm>
#include <array>

#include "core/collective/binomial.hpp"
#include "core/collective/bruck.hpp"
#include "core/collective/direct.hpp"
#include "core/collective/dissemination.hpp"
#include "core/collective/halving_doubling.hpp"
#include "core/collective/hierarchical.hpp"
#include "core/collective/hierarchical_leader.hpp"
#include "core/collective/in_network.hpp"
#include "core/collective/pairwise.hpp"
#include "core/collective/pat.hpp"
#include "core/collective/recursive_doubling.hpp"
#include "core/collective/ring.hpp"
#include "core/collective/schedule.hpp"
#include "core/collective/torus.hpp"
#include "core/collective/tree.hpp"

namespace lockstep {

std::span<const Algorithm> algorithm_catalogue() {
  static const std::array catalogue{
      ring_algorithm(),
      tree_algorithm(),
      halving_doubling_algorithm(),
      recursive_doubling_algorithm(),
      pairwise_algorithm(),
      direct_algorithm(),
      dissemination_algorithm(),
      binomial_algorithm(),
      bruck_algorithm(),
      pat_algorithm(),
      torus_algorithm(),
      hierarchical_algorithm(),
      hierarchical_leader_algorithm(),
      in_network_algorithm(),
  };
  return catalogue;
}

bool Algorithm::supports(CollectiveKind kind) const {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

std::vector<Range> Schedule::pieces(const Part& part) const {
  LOCKSTEP_CHECK(false, "the pieces of a part of {} elements, which its schedule does not scatter", part.count);
}

const Algorithm& find_algorithm(CollectiveKind kind, std::string_view name) {
  const Algorithm& algorithm = get_from(algorithm_catalogue(), "algorithm", name);
  if (!algorithm.supports(kind)) {
    std::vector<std::string> able;
    for (const auto& candidate : algorithm_catalogue())
      if (candidate.supports(kind)) able.push_back(candidate.name);
    throw InputError(
        fmt::format("algorithm '{}' does not do {}; those that do: {}", name, to_string(kind), join(able, ", ")));
  }
  return algorithm;
}

std::string default_algorithm(CollectiveKind kind) {
  for (const auto& algorithm : algorithm_catalogue())
    if (algorithm.supports(kind)) return algorithm.name;
  throw BrokenInvariant(fmt::format("no algorithm for {}", to_string(kind)));
}

bool needs_separate_source(CollectiveKind kind) {
  return kind == CollectiveKind::all_to_all || kind == CollectiveKind::all_to_all_v ||
         kind == CollectiveKind::send_recv;
}

}  // namespace lockstep
