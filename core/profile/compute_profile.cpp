#include "core/profile/compute_profile.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/units/parse.hpp"

namespace lockstep {
namespace {

// Records need structs of their own.
struct ProductKeys : WorkKeys {
  std::optional<Bandwidth> memory;
};
struct StreamKeys : TrafficKeys {};

config::Type<ProductKeys> product_type() {
  auto record = config::record<ProductKeys>("product", "overhead + flops / rate + bytes of the operands / memory");
  record.optional("memory", &ProductKeys::memory, config::bandwidth().positive(),
                  "rate at which operands are taken up, beside the arithmetic; absent: free");
  declare_rates(record, work_words(), "operations per second");
  return record.type();
}

config::Type<StreamKeys> stream_type() {
  auto record = config::record<StreamKeys>("kernel", "overhead + traffic / bandwidth, by the working set");
  declare_rates(record, traffic_words("largest working set"), "bytes that pass through memory per second");
  return record.type();
}

std::vector<std::string> kernel_type_names() {
  std::vector<std::string> names;
  for (const ElementType type : kernel_types()) names.emplace_back(to_string(type));
  return names;
}

config::Json map_schema(const std::string& title, const std::string& description, config::Json properties) {
  return {{"type", "object"},
          {"title", title},
          {"description", description},
          {"properties", std::move(properties)},
          {"additionalProperties", false}};
}

// What stands under a kernel and a type.
struct CostReader {
  config::Type<ProductKeys> product = product_type();
  config::Type<StreamKeys> stream = stream_type();

  [[nodiscard]] const config::Json& schema(const KernelKind& kind) const {
    return kind.by_flops ? product.schema() : stream.schema();
  }
  std::optional<KernelCost> read(const KernelKind& kind, ElementType type, const config::Node& node,
                                 config::Diagnostics& diagnostics) const {
    KernelCost cost;
    cost.kernel = kind.name;
    cost.type = type;
    if (kind.by_flops) {
      const auto keys = product.read(node, diagnostics);
      if (!keys) return std::nullopt;
      cost.work = intervals_of(*keys);
      cost.memory = keys->memory;
    } else {
      const auto keys = stream.read(node, diagnostics);
      if (!keys) return std::nullopt;
      cost.traffic = intervals_of(*keys);
    }
    return cost;
  }
};

}  // namespace

Duration KernelCost::time_of(const Kernel& shaped) const {
  if (!shaped.kind().by_flops) return interval_time(traffic, shaped.working_set(), shaped.traffic());
  return interval_time(work, shaped.flops(), shaped.flops()) +
         (memory ? transfer_time(shaped.traffic(), *memory) : Duration{0});
}

const KernelCost* ComputeProfile::find(const std::string& kernel, ElementType type) const {
  const auto found = std::find_if(kernels.begin(), kernels.end(),
                                  [&](const KernelCost& cost) { return cost.kernel == kernel && cost.type == type; });
  return found == kernels.end() ? nullptr : &*found;
}

Duration kernel_time(const ComputeProfile& compute, const Kernel& kernel, const std::string& profile) {
  if (const KernelCost* cost = compute.find(kernel.name, kernel.type)) return cost->time_of(kernel);
  throw InputError(
      fmt::format("the plan computes ('{}'), and the profile '{}' does not say how fast {} of {} is: measure it with "
                  "'lockstep calibrate --backend cpu -o PROFILE', and name that with -p",
                  to_text(kernel), profile, kernel.name, to_string(kernel.type)));
}

config::Type<ComputeProfile> compute_profile_type() {
  const CostReader cost;
  config::Json properties = config::Json::object();
  std::vector<std::string> names;
  for (const KernelKind& kind : kernel_catalogue()) {
    config::Json types = config::Json::object();
    for (const auto& type : kernel_type_names()) types[type] = cost.schema(kind);
    properties[kind.name] = map_schema(kind.name, kind.description, std::move(types));
    names.push_back(kind.name);
  }
  const auto read = [cost, names](const config::Node& node,
                                  config::Diagnostics& diagnostics) -> std::optional<ComputeProfile> {
    if (!config::detail::expect_kind(node, config::Node::Kind::map, "a map of kernels", diagnostics))
      return std::nullopt;
    const auto before = diagnostics.errors().size();
    config::detail::check_keys(node, "compute", names, {}, diagnostics);
    ComputeProfile compute;
    for (const KernelKind& kind : kernel_catalogue()) {
      const config::Node* of_kind = node.find(kind.name);
      if (of_kind == nullptr) continue;
      if (!config::detail::expect_kind(*of_kind, config::Node::Kind::map, "a map of element types", diagnostics))
        continue;
      config::detail::check_keys(*of_kind, kind.name, kernel_type_names(), {}, diagnostics);
      for (const ElementType type : kernel_types())
        if (const config::Node* of_type = of_kind->find(to_string(type)))
          if (auto one = cost.read(kind, type, *of_type, diagnostics)) compute.kernels.push_back(std::move(*one));
    }
    if (diagnostics.errors().size() != before) return std::nullopt;
    return compute;
  };
  return {read, map_schema("compute", "How fast kernels are, by name and element type.", std::move(properties))};
}

std::string to_yaml(const ComputeProfile& compute) {
  std::string text;
  std::string kernel;
  for (const KernelCost& cost : compute.kernels) {
    if (cost.kernel != kernel) text += fmt::format("  {}:\n", cost.kernel);
    kernel = cost.kernel;
    const bool nothing = cost.work.empty() && cost.traffic.empty() && !cost.memory;
    text += fmt::format("    {}:{}\n", to_string(cost.type), nothing ? " {}" : "");
    if (cost.memory) text += fmt::format("      memory: {}\n", to_text(*cost.memory));
    if (!cost.work.empty() || !cost.traffic.empty()) text += "      intervals:\n";
    text += intervals_yaml(cost.work, "        ");
    text += intervals_yaml(cost.traffic, "        ");
  }
  return text;
}

}  // namespace lockstep
