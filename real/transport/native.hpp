// Collectives that a transport's library does itself (`algorithm: native`): what a Transport may offer beside messages.
//
// Contract: every rank of the group calls run() for the same collectives in the same order; a library that blocks
// returns from run() when this rank's part is done, so a plan that uses it has one stream; the loss of a peer ends it
// as it ends wait().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/plan/types.hpp"

namespace lockstep::real {

/// Buffers as the plan has them: the own block of all_gather, gather at its place in `source`, that of reduce_scatter,
/// scatter at its place in `target`; equal addresses mean in place.
struct NativeCollective {
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::vector<int> members;  ///< ranks of the job, in the order of the group
  int own = 0;               ///< this rank's index among them
  int root = 0;              ///< index
  ElementType type = ElementType::float32;
  Reduction reduction = Reduction::sum;  ///< an average: see NativeCollectives::divides
  std::int64_t count = 0;                ///< elements of the whole buffer of one rank
  std::span<const std::byte> source;
  std::span<std::byte> target;
  std::vector<std::int64_t> send_counts, receive_counts;  ///< elements, of all_to_all_v
};

class NativeCollectives {
 public:
  virtual ~NativeCollectives() = default;
  /// Before anything is timed: what the library has to set up for the groups of these collectives, all that this rank
  /// will run, in an order that all ranks share. All ranks of the job call it together, those without any, too.
  virtual void prepare(const std::vector<NativeCollective>& collectives) = 0;
  /// True: it is done. False: it has begun; its completion, `sent` with this token, comes from Transport::wait().
  virtual bool run(const NativeCollective& collective, std::uint64_t token) = 0;
  /// Whether averages come out divided; else they come as sums, and the caller divides.
  [[nodiscard]] virtual bool divides() const { return false; }
};

}  // namespace lockstep::real
