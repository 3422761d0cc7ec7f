// The two kinds of failure (DESIGN section 5).
//
// Bad input or a bad environment is an exception with a message that a user can act on, turned into an exit code by
// main(). A broken invariant is a defect of ours: LOCKSTEP_CHECK stays on in every build, LOCKSTEP_INNER_CHECK (inner
// loops) in the relassert build only. Libraries never print, exit or abort.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace lockstep {

enum class ExitCode : int { done = 0, fell_short = 1, bad_input = 2, run_failed = 3 };

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// What the user gave is wrong: a file, a flag, a combination. Exit code 2.
class InputError : public Error {
 public:
  explicit InputError(const std::string& message) : Error(ExitCode::bad_input, message) {}
};

/// The run itself failed: a peer died, a time-out, a refused system call. Exit code 3.
class RunFailure : public Error {
 public:
  explicit RunFailure(const std::string& message) : Error(ExitCode::run_failed, message) {}
};

/// A defect of Lockstep. Never caught except by main(), which asks for a report.
class BrokenInvariant : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void broken_invariant(const char* file, int line, const char* condition, const std::string& message);

}  // namespace lockstep

#define LOCKSTEP_CHECK(condition, ...)                                                          \
  do {                                                                                          \
    if (!(condition)) [[unlikely]]                                                              \
      ::lockstep::broken_invariant(__FILE__, __LINE__, #condition, ::fmt::format(__VA_ARGS__)); \
  } while (false)

#ifdef LOCKSTEP_RELASSERT
#define LOCKSTEP_INNER_CHECK(condition, ...) LOCKSTEP_CHECK(condition, __VA_ARGS__)
#else
#define LOCKSTEP_INNER_CHECK(condition, ...) \
  do {                                       \
  } while (false)
#endif
