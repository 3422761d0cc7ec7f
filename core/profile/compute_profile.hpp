// How fast kernels are: the section `compute:` of a profile, by kernel and type.
//
//   products         time = overhead_k + flops / rate_k  + operands / memory        k: interval of flops
//   other kernels    time = overhead_k + traffic / bandwidth_k                      k: interval of the working set
//
// and never less than less work takes (core/profile/intervals.hpp). `operands / memory` is what a product does beside
// its arithmetic, to the bytes of its operands: it packs them. docs/compute.md says what each means.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/compute/kernel.hpp"
#include "core/config/type.hpp"
#include "core/profile/intervals.hpp"

namespace lockstep {

struct KernelCost {
  std::string kernel;
  ElementType type = ElementType::float32;
  std::vector<WorkInterval> work;        ///< of products
  std::optional<Bandwidth> memory;       ///< of products; none: operands cost nothing beside
  std::vector<TrafficInterval> traffic;  ///< of all others
  [[nodiscard]] Duration time_of(const Kernel& shaped) const;
};

struct ComputeProfile {
  std::vector<KernelCost> kernels;  ///< in the catalogue's order
  /// Under `--compute sleep` ranks sleep instead, on nobody's processor. Not part of a file.
  bool asleep = false;
  [[nodiscard]] const KernelCost* find(const std::string& kernel, ElementType type) const;
};

/// Throws InputError where the profile of that name does not say it, with what to do.
Duration kernel_time(const ComputeProfile& compute, const Kernel& kernel, const std::string& profile);

config::Type<ComputeProfile> compute_profile_type();
/// The lines below `compute:`; empty for no kernels.
std::string to_yaml(const ComputeProfile& compute);

}  // namespace lockstep
