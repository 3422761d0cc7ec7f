// Algorithms for a power of two of ranks serve any number: with p the largest power of two and e = n - p, the first 2e
// ranks pair up; the even one hands its data to the odd one, sits out, and gets the result at the end (Thakur,
// Rabenseifner, Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 2005).
#pragma once

namespace lockstep {

struct PowerOfTwo {
  int active = 1;  ///< p
  int extra = 0;   ///< e
  int stages = 0;  ///< log2 p
  explicit PowerOfTwo(int n) {
    while (active * 2 <= n) {
      active *= 2;
      ++stages;
    }
    extra = n - active;
  }
  [[nodiscard]] bool sits_out(int rank) const { return rank < 2 * extra && rank % 2 == 0; }
  [[nodiscard]] bool has_guest(int rank) const { return rank < 2 * extra && rank % 2 == 1; }
  /// Index among the active ranks.
  [[nodiscard]] int index(int rank) const { return rank < 2 * extra ? rank / 2 : rank - extra; }
  /// First of the blocks that the active ranks from `index` on stand for, their guests' among them.
  [[nodiscard]] int first_block(int index) const { return index < extra ? 2 * index : index + extra; }
  [[nodiscard]] int rank(int index) const { return index < extra ? 2 * index + 1 : index + extra; }
};

}  // namespace lockstep
