#include "real/launch/outcome.hpp"

#include <string.h>

#include <algorithm>
#include <new>

#include "core/base/error.hpp"
#include "real/launch/control.hpp"

namespace lockstep::real {
namespace {

constexpr char separator = '\0';  // no message of ours holds it

}  // namespace

Outcome outcome_of(const std::exception_ptr& error) {
  Outcome outcome;
  const auto is = [&](Outcome::Kind kind, const char* text) {
    outcome.kind = kind;
    outcome.text = text;
  };
  try {
    std::rethrow_exception(error);
  } catch (const InterruptedRun& e) {
    is(e.consequence() ? Outcome::Kind::peer_failure : Outcome::Kind::run_failure, e.what());
    outcome.partial = e.partial();
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

std::string encode(const Outcome& outcome) {
  // A text that holds the separator is a result, which nothing follows.
  std::string all(1, static_cast<char>(outcome.kind));
  all += outcome.text;
  if (!outcome.partial.empty()) all += separator + outcome.partial;
  return all;
}

Outcome decode_outcome(std::string_view text) {
  Outcome outcome;
  outcome.kind = static_cast<Outcome::Kind>(text.front());
  text.remove_prefix(1);
  if (outcome.kind != Outcome::Kind::result) {
    if (const auto end = text.find(separator); end != std::string_view::npos) {
      outcome.partial = text.substr(end + 1);
      text = text.substr(0, end);
    }
  }
  outcome.text = text;
  return outcome;
}

void throw_cause(const std::vector<Outcome>& outcomes) {
  const Outcome* cause = nullptr;
  for (const auto& one : outcomes) {
    if (one.kind == Outcome::Kind::result || one.by_us) continue;
    if (cause == nullptr || one.kind < cause->kind) cause = &one;
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
  std::string partial;
  for (const auto& one : outcomes)
    if (!one.partial.empty()) partial = one.partial;
  const auto fail = [&](const std::string& what) {
    if (!partial.empty()) throw InterruptedRun(what, partial, false);
    throw RunFailure(what);
  };
  switch (cause->kind) {
    case Outcome::Kind::killed_by_signal:
      fail(fmt::format("rank {} was killed by signal {} ({})", cause->rank, cause->number, strsignal(cause->number)));
      break;
    case Outcome::Kind::exited:
      fail(fmt::format("rank {} exited with status {} and without a result", cause->rank, cause->number));
      break;
    case Outcome::Kind::input_error:
      throw InputError(message);
    case Outcome::Kind::broken_invariant:
      throw BrokenInvariant(message);
    case Outcome::Kind::out_of_memory:
      throw RunFailure(message);
    case Outcome::Kind::peer_failure:
      if (partial.empty()) throw PeerFailure(message);
      break;
    case Outcome::Kind::run_failure:
    case Outcome::Kind::other_error:
    case Outcome::Kind::result:
      break;
  }
  if (!partial.empty()) throw InterruptedRun(message, partial, false);
  throw RunFailure(message);
}

}  // namespace lockstep::real
