// All-reduce on a grid of ranks: a ring reduce_scatter along one dimension after another, each on what the one before
// has left, then the ring all_gathers backwards. Every rank sends 2(n-1)/n of the buffer, as in one ring, in
// 2 sum(length - 1) steps instead of 2(n-1).
#pragma once

#include <vector>

#include "core/collective/parts.hpp"

namespace lockstep {

/// A dimension as a rank walks it: ranks base + coordinate x stride.
struct GridDimension {
  int length = 1;
  int stride = 1;
  bool backwards = false;  ///< the ring runs towards lower coordinates
};

class GridRing final : public Schedule {
 public:
  /// Dimensions of length 1 must have been left out. `share`: the elements of this thread.
  GridRing(const ScheduleRequest& request, const std::vector<GridDimension>& dimensions, Range share, int lane,
           int channel);
  bool next(Step& step) override;
  /// Where all chunks are equal, the steps of a leg are; the last of the reduction finishes its combine.
  [[nodiscard]] std::int64_t repeats() const override;
  void skip(std::int64_t steps) override { step_ += static_cast<int>(steps); }

 private:
  struct Leg {
    GridDimension dimension;
    int place = 0;  ///< in the ring
    int to = 0;
    int from = 0;
    Range share;  ///< what the ring of this leg reduces and gathers
  };
  [[nodiscard]] static Range chunk(const Leg& leg, int index);

  std::vector<Leg> legs_;
  Range share_;
  int lane_;
  int channel_;
  bool copy_pending_;
  std::size_t leg_ = 0;
  int step_ = 0;
  bool gathering_ = false;
  bool equal_ = false;
};

/// True where every chunk of every thread that deals `request.count` to `threads` is the same.
bool grid_is_even(const ScheduleRequest& request, const std::vector<GridDimension>& dimensions, int threads);

/// Messages of all ranks for one thread with `count` elements on these dimensions.
std::int64_t grid_messages(int ranks, const std::vector<GridDimension>& dimensions, std::int64_t count);
/// 2 sum(length - 1).
std::int64_t grid_steps(const std::vector<GridDimension>& dimensions);

}  // namespace lockstep
