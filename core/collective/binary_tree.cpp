#include "core/collective/binary_tree.hpp"

#include <algorithm>

#include "core/base/error.hpp"

namespace lockstep {
namespace {

int lowest_bit(int x) { return x & -x; }

int root_number(int n) {
  int root = 1;
  while (root * 2 <= n) root *= 2;
  return root;
}

// Positions of the second tree, expressed in the first.
int to_first(int n, int position) { return n % 2 == 0 ? n - 1 - position : (position + n - 1) % n; }
int from_first(int n, int position) { return n % 2 == 0 ? n - 1 - position : (position + 1) % n; }

TreePlace in_order_place(int n, int position) {
  const int x = position + 1;
  TreePlace place;
  if (x != root_number(n)) {
    // Walk up the complete in-order tree until an ancestor that exists.
    int y = x;
    int bit = lowest_bit(x);
    do {
      y = (y & (2 * bit)) != 0 ? y - bit : y + bit;
      bit *= 2;
    } while (y > n);
    place.parent = y - 1;
  }
  const int bit = lowest_bit(x);
  if (bit > 1) {
    place.children[static_cast<std::size_t>(place.child_count++)] = x - bit / 2 - 1;
    for (int half = bit / 2; half >= 1; half /= 2) {
      if (x + half <= n) {
        place.children[static_cast<std::size_t>(place.child_count++)] = x + half - 1;
        break;
      }
    }
  }
  return place;
}

int height_below(int n, int position) {
  const TreePlace place = in_order_place(n, position);
  int height = 0;
  for (int c = 0; c < place.child_count; ++c)
    height = std::max(height, 1 + height_below(n, place.children[static_cast<std::size_t>(c)]));
  return height;
}

}  // namespace

TreePlace double_tree_place(int n, int position, int tree) {
  LOCKSTEP_CHECK(n > 0 && position >= 0 && position < n, "position {} of {}", position, n);
  if (tree == 0) return in_order_place(n, position);
  TreePlace place = in_order_place(n, to_first(n, position));
  if (place.parent >= 0) place.parent = from_first(n, place.parent);
  for (auto& child : place.children)
    if (child >= 0) child = from_first(n, child);
  return place;
}

// Both trees have the same shape.
int double_tree_height(int n, int /*tree*/) { return height_below(n, root_number(n) - 1); }

int double_tree_root(int n, int tree) {
  const int root = root_number(n) - 1;
  return tree == 0 ? root : from_first(n, root);
}

}  // namespace lockstep
