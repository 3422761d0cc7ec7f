// SIGINT and SIGTERM as something that can be waited for, while an object of this type lives.
#pragma once

#include <csignal>

namespace lockstep::real {

class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();  ///< restores what was there before
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  [[nodiscard]] int descriptor() const;  ///< readable once a signal has come
  [[nodiscard]] static bool interrupted();

  /// Around fork(): a child must not run the parent's handler in the moment before it has its own ways.
  static void hold();
  static void let_go();

  /// In a forked child, followed by let_go(): a Ctrl-C of the terminal reaches every process of the group, and it is
  /// the parent that acts on it.
  static void leave_to_parent();

 private:
  struct sigaction before_interrupt_ {};
  struct sigaction before_terminate_ {};
};

}  // namespace lockstep::real
