// A first-in-first-out queue that holds no memory while empty and does not allocate in steady state.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace lockstep::sim {

template <class T>
class Fifo {
 public:
  void push(T value) { items_.push_back(std::move(value)); }
  [[nodiscard]] bool empty() const { return head_ == items_.size(); }
  [[nodiscard]] std::size_t size() const { return items_.size() - head_; }
  T& front() { return items_[head_]; }
  const T& operator[](std::size_t i) const { return items_[head_ + i]; }
  T pop() {
    T value = std::move(items_[head_++]);
    if (head_ == items_.size()) {
      items_.clear();
      head_ = 0;
    } else if (head_ >= 64 && head_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    return value;
  }

 private:
  std::vector<T> items_;
  std::size_t head_ = 0;
};

}  // namespace lockstep::sim
