// lockstep compare: a prediction laid on a measurement.
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/verdict.hpp"
#include "study/comparison.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string predicted, measured;
  ToleranceOptions tolerance;
  OutputOptions output;
};

void refuse_what_is_no_measurement(const std::string& file, const Result& result) {
  if (result.run.contains("partial"))
    throw InputError(fmt::format("{}: a partial result, of a run that failed ({})", file,
                                 result.run.at("partial").get<std::string>()));
  if (result.run.contains("virtual_ranks"))
    throw InputError(
        fmt::format("{}: no times to compare: {}", file, result.run.at("virtual_ranks").value("says", std::string())));
}

int compare_files(const Options& options) {
  options.output.check_writable();
  const Tolerance tolerance = options.tolerance.parse();
  const Result predicted = load_result(options.predicted);
  refuse_what_is_no_measurement(options.predicted, predicted);
  const Result measured = load_measurement(options.measured, hints_from(predicted));
  refuse_what_is_no_measurement(options.measured, measured);
  return publish_comparison(options.output, compare(predicted, measured), tolerance, nullptr, nullptr,
                            options.predicted + " against " + options.measured);
}

}  // namespace

std::function<int()> declare_compare(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("predicted", options->predicted, "Result file of a simulation")->required()->type_name("PREDICTED");
  app.add_option("measured", options->measured,
                 "Result file of a run, or a log of nccl-tests (text or -J), OSU or perftest")
      ->required()
      ->type_name("MEASURED");
  options->tolerance.declare(app);
  options->output.declare(app, true, false);
  return [options] { return compare_files(*options); };
}

}  // namespace lockstep::cli
