// Two binary trees over the positions 0..n-1 such that no position is an inner node of both: each position then sends
// and receives about as much as any other (Sanders, Speck, Träff, "Two-tree algorithms for full bandwidth broadcast,
// reduction and scan", Parallel Computing 2009).
//
// The first tree is the in-order tree: position p has the number x = p + 1; numbers with more trailing zero bits stand
// higher, so the odd positions are inner nodes and the even ones leaves. The second is its mirror image for even n (p
// -> n-1-p) and its shift by one for odd n (p -> p-1 mod n).
#pragma once

#include <array>

namespace lockstep {

struct TreePlace {
  int parent = -1;                      ///< -1 at the root
  std::array<int, 2> children{-1, -1};  ///< those that exist come first
  int child_count = 0;
};

/// Place of `position` in tree 0 or 1 over n positions.
TreePlace double_tree_place(int n, int position, int tree);
/// Number of edges on the longest way from the root to a leaf.
int double_tree_height(int n, int tree);
/// The root's position.
int double_tree_root(int n, int tree);

}  // namespace lockstep
