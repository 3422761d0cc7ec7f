#include "cli/calibration_of_cpu.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/statistics.hpp"
#include "real/compute/kernel_body.hpp"
#include "real/compute/measure_kernels.hpp"
#include "real/executor/executor.hpp"
#include "real/lab/cpu_load.hpp"
#include "real/measure/memory_rates.hpp"
#include "study/calibration/kernel_fit.hpp"

namespace lockstep::cli {
namespace {

constexpr Bytes smallest = 4_KiB;
constexpr Bytes combine_piece{real::default_combine_piece};
constexpr std::int64_t columns = 1024;  // of kernels that work on rows

struct Product {
  std::array<std::int64_t, 3> shape;
  bool held_out = false;
};

// Cubes from 8 kflop to 4 Gflop; thin, flat and deep products, whose operands weigh more. Held out: cubes in between,
// and other forms.
constexpr Product products[] = {
    {{16, 16, 16}},           {{32, 32, 32}},           {{48, 48, 48}},          {{64, 64, 64}},
    {{96, 96, 96}},           {{128, 128, 128}},        {{192, 192, 192}},       {{256, 256, 256}},
    {{384, 384, 384}},        {{512, 512, 512}},        {{768, 768, 768}},       {{1024, 1024, 1024}},
    {{1, 1024, 1024}},        {{8, 1024, 1024}},        {{32, 1024, 1024}},      {{128, 1024, 1024}},
    {{1024, 64, 1024}},       {{1024, 1024, 64}},       {{512, 2048, 512}},      {{2048, 2048, 32}},
    {{64, 4096, 1024}},       {{256, 4096, 1024}},      {{80, 80, 80}, true},    {{160, 160, 160}, true},
    {{320, 320, 320}, true},  {{640, 640, 640}, true},  {{896, 896, 896}, true}, {{1, 4096, 1024}, true},
    {{4, 2048, 2048}, true},  {{64, 1024, 1024}, true}, {{100, 300, 500}, true}, {{512, 512, 2048}, true},
    {{2048, 128, 512}, true},
};

// Powers of two are fitted, three times powers of four held out: in between, and no multiples of each other's strides.
struct Size {
  Bytes bytes;
  bool held_out = false;
};
std::vector<Size> sizes_up_to(Bytes largest) {
  std::vector<Size> sizes;
  for (Bytes size = smallest; size <= largest; size = size * 2) sizes.push_back({size});
  for (Bytes size = 3 * smallest; size < largest; size = size * 4) sizes.push_back({size, true});
  return sizes;
}

/// The kernel of a kind and type whose working set is about `size`.
Kernel kernel_of(const KernelKind& kind, ElementType type, Bytes size) {
  Kernel one{kind.name, type, std::vector<std::int64_t>(kind.dimensions.size(), 1)};
  if (kind.dimensions.size() == 2) one.shape.back() = columns;
  Kernel two = one;
  two.shape.front() = 2;
  const std::int64_t each = (two.working_set() - one.working_set()).count();
  one.shape.front() = std::max<std::int64_t>(1, size.count() / each);
  return one;
}

std::vector<KernelMeasurement> to_measure(const KernelKind& kind, ElementType type, Bytes largest) {
  std::vector<KernelMeasurement> measurements;
  if (kind.by_flops) {
    for (const Product& product : products)
      measurements.push_back({{kind.name, type, {product.shape.begin(), product.shape.end()}}, {}, product.held_out});
    return measurements;
  }
  for (const Size& size : sizes_up_to(largest)) {
    Kernel kernel = kernel_of(kind, type, size.bytes);
    // Rows are long: the smallest sizes may be one row all the same.
    if (measurements.empty() || std::none_of(measurements.begin(), measurements.end(),
                                             [&](const auto& other) { return other.kernel == kernel; }))
      measurements.push_back({std::move(kernel), {}, size.held_out});
  }
  return measurements;
}

}  // namespace

Calibration calibrate_cpu(const CpuCalibrationRequest& request, const OutputOptions& output) {
  const double load_before = real::load_average();
  std::vector<KernelMeasurement> measurements;
  for (const KernelKind& kind : kernel_catalogue())
    for (const ElementType type : kernel_types()) {
      // What doubles say of the largest sizes, floats have said.
      const Bytes largest = type == ElementType::float32 ? request.largest : std::min(request.largest, 32_MiB);
      for (auto& one : to_measure(kind, type, largest)) measurements.push_back(std::move(one));
    }
  std::vector<Kernel> kernels;
  for (const auto& one : measurements) kernels.push_back(one.kernel);
  const real::KernelTiming timing;
  const auto times =
      real::measure_kernels(kernels, timing, [&](const std::string& kernel) { detail(output, "measuring " + kernel); });
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (times[i].wrong > 0)
      throw RunFailure(fmt::format("{} computes {} wrong elements", to_text(times[i].kernel), times[i].wrong));
    measurements[i].samples_s = times[i].samples_s;
  }
  std::vector<ReductionMeasurement> reductions;
  std::vector<Bytes> sizes;
  for (const Size& size : sizes_up_to(std::min(request.largest, 64_MiB))) {
    reductions.push_back({size.bytes, {}, size.held_out});
    sizes.push_back(size.bytes);
  }
  const auto reduction_times = real::measure_reductions(sizes, timing);
  for (std::size_t i = 0; i < reductions.size(); ++i) reductions[i].samples_s = reduction_times[i].samples_s;

  Calibration calibration;
  Profile& profile = calibration.profile;
  std::vector<KernelFit> fits;
  for (auto from = measurements.begin(); from != measurements.end();) {
    const auto to = std::find_if(from, measurements.end(), [&](const KernelMeasurement& one) {
      return one.kernel.name != from->kernel.name || one.kernel.type != from->kernel.type;
    });
    fits.push_back(fit_kernel({from, to}));
    profile.compute.kernels.push_back(fits.back().cost);
    from = to;
  }
  fits.push_back(fit_reduction(reductions));
  profile.reduction = {fits.back().reduction, combine_piece};
  profile.copies = real::measure_memory_rates(combine_piece, 1).copies;
  profile.name = request.name.empty() ? "cpu" : request.name;
  profile.cores = real::usable_cores();
  const double noise = real::timing_noise();
  Json record = run_info(elapsed_s());
  record["processor"] = real::processor_name();
  record["library"] = real::product_library();
  record["noise"] = noise;
  record["load_average"] = {load_before, real::load_average()};
  record["confidence"] = 0.95;
  const KernelErrors errors = errors_of(fits);
  record["median_error"] = median(errors.fitted);
  record["held_out_median_error"] = median(errors.held_out);
  for (const KernelFit& fit : fits) record["kernels"][fit.name] = to_json(fit);
  profile.measured = std::move(record);
  profile.sha256 = sha256(to_yaml(profile));
  calibration.text = kernel_table(fits);
  calibration.text += fmt::format(
      "# {}, {}\n# one core; noise of a kernel of 0.2 ms: {:.1f}% (95th percentile over median), load {:.2f}\n",
      real::processor_name(), real::product_library(), noise * 100, load_before);
  return calibration;
}

}  // namespace lockstep::cli
