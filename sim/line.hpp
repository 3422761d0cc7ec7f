// A first-in-first-out queue in one piece of memory, whose elements can be looked at. Does not allocate in steady
// state.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace lockstep::sim {

template <class T>
class Line {
 public:
  void push(T value) { values_.push_back(std::move(value)); }
  [[nodiscard]] bool empty() const { return head_ == values_.size(); }
  [[nodiscard]] const T& front() const { return values_[head_]; }
  T pop() {
    T value = std::move(values_[head_++]);
    if (head_ == values_.size()) {
      values_.clear();
      head_ = 0;
    } else if (head_ >= 64 && head_ * 2 >= values_.size()) {
      values_.erase(values_.begin(), begin());
      head_ = 0;
    }
    return value;
  }
  [[nodiscard]] auto begin() const { return values_.begin() + static_cast<std::ptrdiff_t>(head_); }
  [[nodiscard]] auto end() const { return values_.end(); }

 private:
  std::vector<T> values_;
  std::size_t head_ = 0;
};

}  // namespace lockstep::sim
