#include "cli/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/units/parse.hpp"
#include "real/lab/measurement.hpp"
#include "real/launch/local.hpp"
#include "real/measure/measurement.hpp"
#include "real/measure/mpirun.hpp"
#include "real/transport/catalogue.hpp"

namespace lockstep::cli {
namespace {

real::MeasurementOptions options_of(const MeasureRequest& request) {
  real::MeasurementOptions options;
  options.executor.timeout = request.timeout;
  options.rendezvous_timeout = request.rendezvous_timeout;
  options.transport = request.transport;
  options.pin = request.pin;
  options.processes = request.processes;
  options.executor.sleep = request.sleep;
  return options;
}

// Ranks that a launcher started, or else those that `alone` starts.
std::optional<real::Measurement> measure_ranks(const MeasureRequest& request,
                                               real::Measurement (*alone)(const Plan&,
                                                                          const real::MeasurementOptions&)) {
  const auto job = real::job_from_environment();
  if (!job) return alone(*request.plan, options_of(request));
  if (job->size != request.processes.value_or(request.plan->ranks))
    throw InputError(fmt::format("the job that {} started has {} rank{}, the plan is for {}{}", job->launcher,
                                 job->size, job->size == 1 ? "" : "s", request.plan->ranks,
                                 request.processes ? fmt::format(" in {} processes", *request.processes)
                                                   : " (--processes runs several in each)"));
  real::MeasurementOptions options = options_of(request);
  options.same_machine = false;
  return real::measure_in_job(*job, *request.plan, options);
}

std::optional<real::Measurement> measure_here(const MeasureRequest& request) {
  return measure_ranks(request, real::measure_on_loopback);
}

std::optional<real::Measurement> measure_mpi(const MeasureRequest& request) {
  return measure_ranks(request, real::measure_with_local_mpirun);
}

std::optional<real::Measurement> measure_lab(const MeasureRequest& request) {
  if (request.processes) throw InputError("--processes: in the lab every rank has a host, and a process, of its own");
  if (request.topology == nullptr) throw InputError("--backend lab builds a topology: name it with -t FILE");
  return real::measure_in_lab(*request.topology, *request.routing, *request.plan, options_of(request),
                              {request.faults, request.seed});
}

/// "name (description); ...".
template <class Entry>
std::string help_of(std::span<const Entry> catalogue) {
  std::string help;
  for (const Entry& entry : catalogue)
    help += fmt::format("{}{} ({})", help.empty() ? "" : "; ", entry.name, entry.description);
  return help;
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
      Backend{"tcp",
              "sockets between the ranks: loopback with --ranks N, or the ranks that a launcher started",
              false,
              {"tcp"},
              measure_here},
      Backend{"lab",
              "the topology file built out of network namespaces, sockets inside",
              true,
              {"tcp", "mpi", "ucx", "ucx_put"},
              measure_lab,
              true},
      Backend{"mpi",
              "MPI: the ranks that mpirun or srun started, or mpirun on this machine with --ranks N",
              false,
              {"mpi"},
              measure_mpi},
      Backend{"ucx",
              "UCX: ranks on this machine with --ranks N, or those that a launcher started",
              false,
              {"ucx", "ucx_put"},
              measure_here},
      Backend{"nccl",
              "NCCL, data in GPU memory: ranks on this machine with --ranks N, or those that a launcher started",
              false,
              {"nccl"},
              measure_here},
  };
  return catalogue;
}

std::optional<int> launched_ranks() {
  const auto job = real::job_from_environment();
  return job ? std::optional(job->size) : std::nullopt;
}

bool writes_results() {
  const auto job = real::job_from_environment();
  return !job || job->rank == 0;
}

std::string backend_help() { return help_of(backend_catalogue()); }

std::string transport_of(const Backend& backend, const std::string& wanted) {
  if (wanted.empty()) return backend.transports.front();
  real::find_transport(wanted);
  if (std::find(backend.transports.begin(), backend.transports.end(), wanted) == backend.transports.end())
    throw InputError(fmt::format("backend '{}' does not send by {}; it can: {}", backend.name, wanted,
                                 join(backend.transports, ", ")));
  return wanted;
}

Workload with_native_rows(Workload workload, const Backend& backend) {
  if (backend.name != "nccl") return workload;
  for (auto& spec : workload.collectives)
    std::replace(spec.algorithms.begin(), spec.algorithms.end(), std::string("auto"), std::string("native"));
  return workload;
}

void RunLimits::declare(CLI::App& app) {
  app.add_option("--timeout", timeout, "Give up when a rank makes no progress for so long")
      ->capture_default_str()
      ->type_name("TIME");
  app.add_option("--rendezvous-timeout", rendezvous_timeout, "Give up when not all ranks have come by then")
      ->capture_default_str()
      ->type_name("TIME");
  app.add_flag("--pin", pin, "Each rank stays on one core");
  app.add_option("--transport", transport,
                 "What the backend sends by, where it has a choice: " + help_of(real::transport_catalogue()))
      ->type_name("NAME");
}

void RunLimits::apply(MeasureRequest& request, const Backend& backend) const {
  request.transport = transport_of(backend, transport);
  request.pin = pin;
  request.timeout = parse_timeout(timeout, "--timeout");
  request.rendezvous_timeout = parse_timeout(rendezvous_timeout, "--rendezvous-timeout");
}

}  // namespace lockstep::cli
