#include "cli/measure.hpp"

#include <fmt/format.h>

#include <array>

#include "core/base/error.hpp"
#include "core/units/parse.hpp"
#include "real/lab/measurement.hpp"
#include "real/launch/local.hpp"
#include "real/measure/measurement.hpp"

namespace lockstep::cli {
namespace {

real::MeasurementOptions options_of(const MeasureRequest& request) {
  real::MeasurementOptions options;
  options.executor.timeout = request.timeout;
  options.rendezvous_timeout = request.rendezvous_timeout;
  return options;
}

std::optional<real::Measurement> measure_tcp(const MeasureRequest& request) {
  const auto job = real::job_from_environment();
  if (!job) return real::measure_on_loopback(*request.plan, options_of(request));
  if (job->size != request.plan->ranks)
    throw InputError(fmt::format("the job that {} started has {} rank{}, the plan is for {}", job->launcher, job->size,
                                 job->size == 1 ? "" : "s", request.plan->ranks));
  real::MeasurementOptions options = options_of(request);
  options.same_machine = false;
  return real::measure_in_job(*job, *request.plan, options);
}

std::optional<real::Measurement> measure_lab(const MeasureRequest& request) {
  if (request.topology == nullptr) throw InputError("--backend lab builds a topology: name it with -t FILE");
  return real::measure_in_lab(*request.topology, *request.routing, *request.plan, options_of(request),
                              {request.faults, request.seed});
}

std::chrono::milliseconds parse_timeout(const std::string& text, const char* option) {
  try {
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(parse_duration(text));
    if (time.count() < 1) throw UnitError("must be 1ms at least");
    return time;
  } catch (const UnitError& error) {
    throw InputError(fmt::format("{} {}: {}", option, text, error.what()));
  }
}

}  // namespace

std::span<const Backend> backend_catalogue() {
  static const std::array catalogue{
      Backend{"tcp", "sockets between the ranks: loopback with --ranks N, or the ranks that a launcher started", false,
              measure_tcp},
      Backend{"lab", "the topology file built out of network namespaces, sockets inside", true, measure_lab, true},
  };
  return catalogue;
}

void RunLimits::declare(CLI::App& app) {
  app.add_option("--timeout", timeout, "Give up when a rank makes no progress for so long")
      ->capture_default_str()
      ->type_name("TIME");
  app.add_option("--rendezvous-timeout", rendezvous_timeout, "Give up when not all ranks have come by then")
      ->capture_default_str()
      ->type_name("TIME");
}

void RunLimits::apply(MeasureRequest& request) const {
  request.timeout = parse_timeout(timeout, "--timeout");
  request.rendezvous_timeout = parse_timeout(rendezvous_timeout, "--rendezvous-timeout");
}

}  // namespace lockstep::cli
