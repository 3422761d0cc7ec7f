// Prints and writes a comparison; the exit code of check and compare.
#pragma once

#include <string>

#include "cli/options.hpp"
#include "core/timeline/result.hpp"
#include "study/comparison.hpp"

namespace lockstep::cli {

struct ToleranceOptions {
  std::string tolerance = "10%";
  std::string row_tolerance;
  void declare(CLI::App& app);
  [[nodiscard]] Tolerance parse() const;
};

/// `predicted` and `measured` are put whole into the JSON where given.
int publish_comparison(const OutputOptions& output, const Comparison& comparison, const Tolerance& tolerance,
                       const Result* predicted, const Result* measured, const std::string& title);

}  // namespace lockstep::cli
