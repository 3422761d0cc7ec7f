// The order in which a ring visits the ranks.
//
// A single ring goes from rank r to r+1. Several channels on nodes of several ranks (g of them) leave and enter every
// node elsewhere, so that each channel crosses between nodes by a NIC of its own: channel c enters the first node at
// its c-th rank and leaves it at the one before, the next node is entered there and walked backwards, and so on: all
// links between two nodes join ranks of one number, that is, stay on one rail, but for the last one of an odd number
// of nodes. For g channels each rank of a node sends to, and receives from, the next node once.
//
// Source: NCCL's rings on machines with one NIC per GPU (NCCL_CROSS_NIC in NVIDIA's documentation of NCCL's
// environment variables).
#pragma once

#include "core/collective/nodes.hpp"
#include "core/collective/parts.hpp"
#include "core/collective/schedule.hpp"

namespace lockstep {

class RingOrder {
 public:
  RingOrder(const ScheduleRequest& request, int channel) : size_(request.size) {
    if (!by_node(request)) return;
    per_node_ = request.ranks_per_node;
    enters_ = channel % per_node_;
  }

  /// Whether the channels of a request differ in their order: where nodes of one size are known and are several.
  static bool by_node(const ScheduleRequest& request) {
    const int per_node = ranks_per_node(request);
    return request.channels > 1 && per_node > 1 && per_node < request.size && request.size % per_node == 0;
  }

  [[nodiscard]] int rank_at(int position) const {
    if (per_node_ == 0) return position;
    const int node = position / per_node_;
    const int step = position % per_node_;
    return node * per_node_ + modulo(node % 2 == 0 ? enters_ + step : enters_ - 1 - step, per_node_);
  }
  [[nodiscard]] int position_of(int rank) const {
    if (per_node_ == 0) return rank;
    const int node = rank / per_node_;
    const int local = rank % per_node_;
    return node * per_node_ + modulo(node % 2 == 0 ? local - enters_ : enters_ - 1 - local, per_node_);
  }
  [[nodiscard]] int after(int position) const { return rank_at(position + 1 == size_ ? 0 : position + 1); }
  [[nodiscard]] int before(int position) const { return rank_at(position == 0 ? size_ - 1 : position - 1); }

 private:
  int size_;
  int per_node_ = 0;  // 0: in order of the ranks
  int enters_ = 0;
};

}  // namespace lockstep
