// At which sizes NCCL changes its mind.
#pragma once

#include <vector>

#include "core/nccl/tuning.hpp"

namespace lockstep::nccl {

/// From this size on (to the next choice's, or the end of the range) NCCL takes this.
struct Choice {
  std::int64_t from_bytes = 0;
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
};

/// All choices between two sizes, ascending; exact to the byte where the choice changes once between two powers of two.
std::vector<Choice> choices(const System& system, CollectiveKind kind, std::int64_t from, std::int64_t to);

}  // namespace lockstep::nccl
