// What became of one rank, how it travels from the child to the parent, and which of several is the cause.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::real {

struct Outcome {
  // In the order in which they explain the others.
  enum class Kind : unsigned char {
    killed_by_signal,
    exited,
    input_error,
    broken_invariant,
    run_failure,
    out_of_memory,
    other_error,
    peer_failure,
    result
  };
  int rank = 0;
  Kind kind = Kind::exited;
  std::string text;    ///< the result or the message
  int number = 0;      ///< signal or exit status
  bool by_us = false;  ///< killed by the launcher after another rank had failed
};

/// The kind and the text in one string; and back. `text` not empty.
std::string encode(const Outcome& outcome);
Outcome decode_outcome(std::string_view text);

/// What the exception in flight is, as an outcome.
Outcome outcome_of(const std::exception_ptr& error);

/// Throws the cause among the outcomes (in the order in which they came) as an exception of the kind that the rank
/// threw.
[[noreturn]] void throw_cause(const std::vector<Outcome>& outcomes);

}  // namespace lockstep::real
