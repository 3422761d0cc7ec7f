// A first-in-first-out queue that mostly holds one element or none: the front one lies in the object itself, so that no
// other memory is touched for it, and the rest in memory of its own. A small object: simulations have thousands of them
// at hand. Does not allocate in steady state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "sim/line.hpp"

namespace lockstep::sim {

template <class T>
class Fifo {
 public:
  void push(T value) {
    if (size_++ == 0) {
      front_ = std::move(value);
      return;
    }
    if (!behind_) behind_ = std::make_unique<Line<T>>();
    behind_->push(std::move(value));
  }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  T& front() { return front_; }
  T pop() {
    T value = std::move(front_);
    if (--size_ > 0) front_ = behind_->pop();
    return value;
  }

 private:
  T front_{};
  std::uint32_t size_ = 0;
  std::unique_ptr<Line<T>> behind_;
};

}  // namespace lockstep::sim
