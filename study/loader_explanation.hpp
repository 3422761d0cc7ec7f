// Why does training wait for data, and what would fix it? One setting is changed at a time, and whoever predicts is
// asked again.
//
// A loader is bound by the cause that has most of its stall; with less than 1% of its time stalled it is not bound. The
// number of workers that is named is the smallest that is within a percentage point of what 64 times as many reach.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/loader/outcome.hpp"

namespace lockstep {

/// What a prediction says of a loader.
using LoaderAnswer = std::function<LoaderOutcome(const LoaderSpec&)>;

struct LoaderChange {
  std::string what;  ///< "6 workers instead of 2"
  double stall_fraction = 0, samples_per_s = 0;
};

struct LoaderExplanation {
  LoaderOutcome as_it_is;
  std::string bound;                  ///< "decode", "storage", ...; empty: it is not bound
  std::vector<LoaderChange> changes;  ///< the one that helps most first
  std::string verdict;                ///< one sentence
};

LoaderExplanation explain_loader(const LoaderSpec& spec, const LoaderAnswer& answer);
/// The same from a measurement: `measured` says what bound it, the answers what would help.
LoaderExplanation explain_loader(const LoaderSpec& spec, const LoaderOutcome& measured, const LoaderAnswer& answer);

std::string to_text(const LoaderExplanation& explanation);
Json to_json(const LoaderExplanation& explanation);

}  // namespace lockstep
