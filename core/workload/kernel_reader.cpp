#include "core/workload/kernel_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/catalogue.hpp"
#include "core/base/error.hpp"
#include "core/config/work_type.hpp"
#include "core/workload/sweep.hpp"

namespace lockstep {
namespace {

constexpr std::size_t max_shapes = 10'000;

using Lengths = std::vector<std::int64_t>;

/// A length, a list of them, or a sweep.
config::Type<Lengths> lengths_type() {
  const auto length = config::count(1, largest_dimension);
  return sweep_or_list<std::int64_t>(
      {"lengths", "length", length, length, [](std::int64_t n) { return std::to_string(n); },
       [](std::int64_t n) { return n; }},
      length);
}

struct Keys {
  config::Position position;
  std::string kernel;
  ElementType type = ElementType::float32;
  std::optional<Lengths> size, m, n, k, rows, columns, elements;
};

struct Dimension {
  const char* name;
  std::optional<Lengths> Keys::*lengths;
};
constexpr Dimension dimensions[] = {{"m", &Keys::m},
                                    {"n", &Keys::n},
                                    {"k", &Keys::k},
                                    {"rows", &Keys::rows},
                                    {"columns", &Keys::columns},
                                    {"elements", &Keys::elements}};

bool has(const KernelKind& kind, const std::string& dimension) {
  return std::find(kind.dimensions.begin(), kind.dimensions.end(), dimension) != kind.dimensions.end();
}

const std::optional<Lengths>& lengths_of(const Keys& keys, const std::string& dimension) {
  for (const Dimension& known : dimensions)
    if (dimension == known.name) return keys.*known.lengths;
  LOCKSTEP_CHECK(false, "no key for the dimension '{}' of a kernel", dimension);
  return keys.size;
}

/// All lengths of one dimension with all of the others, the last dimension fastest; or, with `size`, the same length in
/// each.
std::vector<std::vector<std::int64_t>> shapes_of(const Keys& keys, const KernelKind& kind) {
  std::vector<std::vector<std::int64_t>> shapes;
  if (keys.size) {
    for (const std::int64_t length : *keys.size) shapes.emplace_back(kind.dimensions.size(), length);
    return shapes;
  }
  shapes.emplace_back();
  for (const auto& dimension : kind.dimensions) {
    std::vector<std::vector<std::int64_t>> longer;
    for (const auto& shape : shapes)
      for (const std::int64_t length : *lengths_of(keys, dimension)) {
        if (longer.size() > max_shapes) return longer;  // refused by whoever counts rows
        longer.push_back(shape);
        longer.back().push_back(length);
      }
    shapes = std::move(longer);
  }
  return shapes;
}

void check(const Keys& keys, const config::Node& node, config::Diagnostics& diagnostics) {
  const KernelKind& kind = find_kernel(keys.kernel);
  const std::string shape = fmt::format("{}", fmt::join(kind.dimensions, " x "));
  for (const Dimension& dimension : dimensions) {
    const bool given = (keys.*dimension.lengths).has_value();
    if (given && !has(kind, dimension.name))
      diagnostics.error(node.position_of(dimension.name),
                        fmt::format("{} has the shape {}; remove '{}'", kind.name, shape, dimension.name));
    else if (given && keys.size)
      diagnostics.error(node.position_of(dimension.name),
                        fmt::format("'size' says all lengths; remove '{}'", dimension.name));
    else if (!given && !keys.size && has(kind, dimension.name))
      diagnostics.error(node.position, fmt::format("{} has the shape {}: give '{}'", kind.name, shape, dimension.name));
  }
}

config::Type<std::string> kernel_name_type() {
  std::vector<std::string> names;
  for (const KernelKind& kind : kernel_catalogue()) names.push_back(kind.name);
  return config::name_of("kernel", names);
}

}  // namespace

config::Type<KernelSpec> kernel_spec_type() {
  std::vector<std::pair<std::string, ElementType>> types;
  for (const ElementType type : kernel_types()) types.emplace_back(to_string(type), type);
  auto record = config::record<Keys>(
      "kernel", "What every rank computes: every combination of the lengths is one row of the result.");
  const auto lengths = lengths_type();
  record.required("kernel", &Keys::kernel, kernel_name_type(), "what it is")
      .optional("type", &Keys::type, config::choice<ElementType>("element type", types), "float32 (default) or float64")
      .optional("size", &Keys::size, lengths, "every dimension: a length, a list, or a sweep {from, to, factor}");
  for (const Dimension& dimension : dimensions)
    record.optional(dimension.name, dimension.lengths, lengths, "a length, a list, or a sweep {from, to, factor}");
  const auto keys = record.rule(check).keep_position(&Keys::position).type();
  return config::Type<KernelSpec>(
      [keys](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<KernelSpec> {
        const auto read = keys.read(node, diagnostics);
        if (!read) return std::nullopt;
        KernelSpec spec;
        spec.position = read->position;
        for (auto& shape : shapes_of(*read, find_kernel(read->kernel))) {
          spec.kernels.push_back({read->kernel, read->type, std::move(shape)});
          try {
            check_kernel(spec.kernels.back());
          } catch (const InputError& error) {
            diagnostics.error(node.position, error.what());
            return std::nullopt;
          }
        }
        return spec;
      },
      keys.schema());
}

}  // namespace lockstep
