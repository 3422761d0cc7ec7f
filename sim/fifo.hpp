// A first-in-first-out queue that mostly holds one element or none: the front one lies in the object itself, so that no
// other memory is touched for it. Holds no memory while empty and does not allocate in steady state.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace lockstep::sim {

template <class T>
class Fifo {
 public:
  void push(T value) {
    if (size_++ == 0)
      front_ = std::move(value);
    else
      behind_.push_back(std::move(value));
  }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  T& front() { return front_; }
  T pop() {
    T value = std::move(front_);
    if (--size_ > 0) {
      front_ = std::move(behind_[head_++]);
      if (head_ == behind_.size()) {
        behind_.clear();
        head_ = 0;
      } else if (head_ >= 64 && head_ * 2 >= behind_.size()) {
        behind_.erase(behind_.begin(), behind_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
      }
    }
    return value;
  }

 private:
  T front_{};
  std::size_t size_ = 0;
  std::size_t head_ = 0;  // of behind_
  std::vector<T> behind_;
};

}  // namespace lockstep::sim
