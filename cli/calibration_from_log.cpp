#include "cli/calibration_from_log.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "cli/calibration_of_system.hpp"
#include "cli/options.hpp"
#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/statistics.hpp"
#include "core/base/version.hpp"
#include "core/topology/routing.hpp"
#include "study/calibration/fit_table.hpp"
#include "study/calibration/log_fit.hpp"
#include "study/comparison.hpp"

namespace lockstep::cli {
namespace {

/// Rank 0 and the first rank of another node, or rank 1 where there is no other node.
std::pair<int, int> ranks_between(const LogCalibrationRequest& request) {
  const Topology& topology = *request.topology;
  const int capacity = topology.rank_capacity();
  if (request.between) {
    const auto [a, b] = *request.between;
    if (a >= capacity || b >= capacity)
      throw InputError(
          fmt::format("--between {},{}: topology '{}' has ranks 0 to {}", a, b, topology.name, capacity - 1));
    return {a, b};
  }
  if (capacity < 2)
    throw InputError(fmt::format("a message needs two ranks: topology '{}' has place for {}", topology.name, capacity));
  for (int rank = 1; rank < capacity; ++rank)
    if (topology.node_of_rank(rank) != topology.node_of_rank(0)) return {0, rank};
  return {0, 1};
}

PathFigures path_between(const Topology& topology, std::uint64_t seed, int a, int b) {
  const Routing routing(topology, {seed});
  const auto route = routing.route(topology.endpoint(a), topology.endpoint(b));
  PathFigures path;
  path.name = fmt::format("ranks {} and {} of '{}'", a, b, topology.name);
  path.latency = route_latency(topology, route);
  path.bandwidth = route_bandwidth(topology, route);
  path.mtu = topology.links[route.front()].mtu;
  for (const LinkId link : route) path.mtu = std::min(path.mtu, topology.links[link].mtu);
  return path;
}

Json errors_of(const std::vector<SizeResidual>& residuals) {
  if (residuals.empty()) return nullptr;
  std::vector<double> errors;
  for (const auto& residual : residuals) errors.push_back(std::abs(residual.relative));
  return {{"median_error", median(errors)}, {"max_error", percentile(errors, 1)}};
}

}  // namespace

Calibration calibrate_from_log(const LogCalibrationRequest& request) {
  const Topology& topology = *request.topology;
  const Result measured = load_measurement(request.file);
  if (measured.kind != Result::Kind::measurement)
    throw InputError(request.file + ": is a simulation; a profile is fitted on a measurement");
  if (is_log_of_nccl(measured)) return calibrate_system(measured, request);
  const auto [a, b] = ranks_between(request);
  const PathFigures path = path_between(topology, request.seed, a, b);
  const LogFit fit = fit_log(measured, path, request.file);

  Calibration calibration;
  Profile& profile = calibration.profile;
  profile.name = !request.name.empty() ? request.name : std::filesystem::path(request.file).stem().string();
  profile.backend = measured.backend.value_or("");
  profile.tcp = fit.transport;
  profile.measured = Json{{"from", request.file},
                          {"version", version},
                          {"topology", {{"name", topology.name}, {"sha256", topology.sha256}}},
                          {"between", {a, b}},
                          {"efficiency", fit.efficiency},
                          {"messages", to_json(fit.fit)},
                          {"not_fitted", errors_of(fit.not_fitted)}};
  if (measured.run.contains("program")) profile.measured["program"] = measured.run.at("program");
  if (fit.gap_s) profile.measured["gap_s"] = *fit.gap_s;

  calibration.text = fit_table(fit.fit);
  if (!fit.not_fitted.empty()) {
    calibration.text += "# not fitted, predicted with this profile (time per message of many in flight):\n";
    calibration.text += residual_table(fit.not_fitted, "predicted (us)");
    const Json errors = errors_of(fit.not_fitted);
    calibration.text +=
        fmt::format("# not fitted: median {:.1f}%, largest {:.1f}%\n", errors.at("median_error").get<double>() * 100,
                    errors.at("max_error").get<double>() * 100);
  }
  calibration.text +=
      fmt::format("# route between {}: {} latency, {:.2f} GB/s, of which payload {:.1f}%\n", path.name,
                  format_duration(path.latency), path.bandwidth.bytes_per_second() * 1e-9, fit.efficiency * 100);
  if (fit.gap_s)
    calibration.text += fmt::format("# small messages, many in flight: one per {:.3f} us\n", *fit.gap_s * 1e6);
  for (const auto& text : fit.notes) calibration.text += "# " + text + "\n";
  calibration.text += "# the log says nothing of reductions and local copies: they are free in this profile\n";
  profile.sha256 = sha256(to_yaml(profile));
  return calibration;
}

}  // namespace lockstep::cli
