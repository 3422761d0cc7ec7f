#include "real/launch/outcome.hpp"

#include <string.h>

#include <algorithm>
#include <csignal>
#include <new>
#include <utility>

#include "core/base/error.hpp"
#include "real/launch/control.hpp"

namespace lockstep::real {

Outcome outcome_of(const std::exception_ptr& error) {
  Outcome outcome;
  const auto is = [&](Outcome::Kind kind, const char* text) {
    outcome.kind = kind;
    outcome.text = text;
  };
  try {
    std::rethrow_exception(error);
  } catch (const PeerFailure& e) {
    is(Outcome::Kind::peer_failure, e.what());
  } catch (const InputError& e) {
    is(Outcome::Kind::input_error, e.what());
  } catch (const Error& e) {
    is(Outcome::Kind::run_failure, e.what());
  } catch (const BrokenInvariant& e) {
    is(Outcome::Kind::broken_invariant, e.what());
  } catch (const std::bad_alloc&) {
    is(Outcome::Kind::out_of_memory, "out of memory");
  } catch (const std::exception& e) {
    is(Outcome::Kind::other_error, e.what());
  } catch (...) {
    is(Outcome::Kind::other_error, "an exception that is no std::exception");
  }
  return outcome;
}

std::string encode(const Outcome& outcome) { return static_cast<char>(outcome.kind) + outcome.text; }

Outcome decode_outcome(std::string_view text) {
  Outcome outcome;
  outcome.kind = static_cast<Outcome::Kind>(text.front());
  outcome.text = text.substr(1);
  return outcome;
}

void throw_cause(const std::vector<Outcome>& outcomes) {
  // A library may abort where another rank is gone (UCX does, in the middle of reading that one's memory).
  const auto order = [](const Outcome& one) {
    return std::pair{one.kind, one.kind == Outcome::Kind::killed_by_signal && one.number == SIGABRT};
  };
  const Outcome* cause = nullptr;
  for (const auto& one : outcomes) {
    if (one.kind == Outcome::Kind::result || one.by_us) continue;
    if (cause == nullptr || order(one) < order(*cause)) cause = &one;
  }
  LOCKSTEP_CHECK(cause != nullptr, "no rank failed");
  // What all ranks say alike (they disagreed about the plan, say) is nobody's in particular.
  const bool shared =
      outcomes.size() > 1 &&
      std::all_of(
          outcomes.begin(), outcomes.end(),
          [&](const Outcome& one) { return one.by_us || (one.kind == cause->kind && one.text == cause->text); }) &&
      std::count_if(outcomes.begin(), outcomes.end(), [](const Outcome& one) { return !one.by_us; }) > 1;
  const bool names_itself = cause->text.starts_with(fmt::format("rank {} ", cause->rank));
  const std::string message =
      shared || names_itself ? cause->text : fmt::format("rank {}: {}", cause->rank, cause->text);
  switch (cause->kind) {
    case Outcome::Kind::killed_by_signal:
      throw RunFailure(
          fmt::format("rank {} was killed by signal {} ({})", cause->rank, cause->number, strsignal(cause->number)));
    case Outcome::Kind::exited:
      throw RunFailure(fmt::format("rank {} exited with status {} and without a result", cause->rank, cause->number));
    case Outcome::Kind::input_error:
      throw InputError(message);
    case Outcome::Kind::broken_invariant:
      throw BrokenInvariant(message);
    case Outcome::Kind::out_of_memory:
      throw RunFailure(message);
    case Outcome::Kind::peer_failure:
      throw PeerFailure(message);
    case Outcome::Kind::run_failure:
    case Outcome::Kind::other_error:
    case Outcome::Kind::result:
      break;
  }
  throw RunFailure(message);
}

}  // namespace lockstep::real
