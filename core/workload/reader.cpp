#include <fmt/format.h>

#include <limits>

#include "core/base/hash.hpp"
#include "core/config/type.hpp"
#include "core/workload/kernel_reader.hpp"
#include "core/workload/sweep.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {
namespace {

constexpr std::size_t max_rows = 10'000;
constexpr std::int64_t max_ranks = 1 << 24;
constexpr std::int64_t max_count = std::int64_t{1} << 40;

std::optional<std::string> three_at_most(const std::vector<std::int64_t>& dimensions) {
  if (dimensions.size() <= 3) return std::nullopt;
  return fmt::format("a grid has three dimensions at most, not {}", dimensions.size());
}

/// An element of `collectives` as the file states it: which keys were there matters to the rules.
struct SpecKeys {
  config::Position position;
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::vector<std::string> algorithms;
  std::optional<std::vector<Bytes>> size, sizes;
  ElementType type = ElementType::float32;
  std::optional<Reduction> reduction;
  std::optional<int> root;
  int channels = 1;
  Bytes chunk{0};
  bool in_place = true;
  std::optional<int> ranks_per_node;
  std::optional<std::vector<std::int64_t>> dimensions;
  std::optional<std::vector<std::vector<std::int64_t>>> counts;
  std::optional<Skew> skew;
};

template <class E>
config::Type<E> choice_of(const std::string& what, const std::vector<std::string>& names,
                          E (*parse)(std::string_view)) {
  std::vector<std::pair<std::string, E>> values;
  for (const auto& name : names) values.emplace_back(name, parse(name));
  return config::choice<E>(what, values);
}

/// A size, a list of them, or a sweep.
config::Type<std::vector<Bytes>> sizes_type() {
  return sweep_or_list<Bytes>({"sweep", "size", config::bytes().positive(), config::bytes(), format_bytes,
                               [](Bytes size) { return size.count(); }},
                              config::bytes());
}

void check_spec(const SpecKeys& keys, const config::Node& node, config::Diagnostics& diagnostics) {
  const auto kind = to_string(keys.kind);
  const bool by_pair = keys.kind == CollectiveKind::all_to_all_v;
  for (const char* key : {"counts", "skew"})
    if (!by_pair && node.find(key) != nullptr)
      diagnostics.error(node.position_of(key),
                        fmt::format("{} deals equal blocks; remove '{}' (all_to_all_v has it)", kind, key));
  if (by_pair && !keys.counts && !keys.skew)
    diagnostics.error(
        node.position,
        "all_to_all_v needs 'counts' (elements from every rank to every other one) or 'skew' with 'sizes'");
  if (by_pair && keys.counts && keys.skew)
    diagnostics.error(node.position_of("skew"), "give 'counts' or 'skew', not both");
  if (by_pair && keys.counts) {
    for (const char* key : {"size", "sizes"})
      if (node.find(key) != nullptr)
        diagnostics.error(node.position_of(key), fmt::format("'counts' says the sizes; remove '{}'", key));
    for (const auto& row : *keys.counts)
      if (row.size() != keys.counts->size()) {
        diagnostics.error(
            node.position_of("counts"),
            fmt::format("counts: a row of {} in a matrix of {} rows; it is square", row.size(), keys.counts->size()));
        break;
      }
  } else if (keys.kind == CollectiveKind::barrier) {
    for (const char* key : {"size", "sizes"})
      if (node.find(key) != nullptr)
        diagnostics.error(node.position_of(key), fmt::format("a barrier moves no data; remove '{}'", key));
  } else if (keys.size && keys.sizes) {
    diagnostics.error(node.position_of("sizes"), "give 'size' or 'sizes', not both");
  } else if (!keys.size && !keys.sizes) {
    diagnostics.error(node.position,
                      fmt::format("{} needs 'sizes': one size, a list, or a sweep {{from, to, factor}}", kind));
  }
  if (keys.reduction && !reduces(keys.kind)) {
    diagnostics.error(node.position_of("reduction"), fmt::format("{} does not combine data; remove 'reduction'", kind));
  }
  if (keys.root && !rooted(keys.kind)) {
    diagnostics.error(
        node.position_of("root"),
        fmt::format("{} has no root; remove 'root' (broadcast, reduce, gather and scatter have one)", kind));
  }
}

config::Type<Skew> skew_type() {
  return config::record<Skew>("skew",
                              "How unequal the blocks of an all_to_all_v are: every rank sends 'sizes', and the "
                              "k-th most popular destination gets a share proportional to 1/k^exponent.")
      .optional("exponent", &Skew::exponent, config::number(0, 10), "0: equal blocks; default 1")
      .optional("seed", &Skew::seed, config::integer(0, 1'000'000'000), "which destinations are popular; default 1")
      .type();
}

config::Type<SpecKeys> spec_type() {
  return config::record<SpecKeys>(
             "collective", "Collectives to run: every combination of algorithm and size is one row of the result.")
      .required("kind", &SpecKeys::kind, choice_of("collective", collective_kind_names(), parse_collective_kind),
                "what it does")
      .optional("algorithm", &SpecKeys::algorithms, config::one_or_list(config::text()),
                "one name or a list; absent: the default of the kind, or auto under a profile with nccl; auto: the "
                "fastest here; native: the transport's own; file:PATH: an algorithm file, PATH relative to this file")
      .optional("size", &SpecKeys::size, sizes_type(), "the same as sizes")
      .optional("sizes", &SpecKeys::sizes, sizes_type(), "the whole buffer of one rank: a size, a list, or a sweep")
      .optional("type", &SpecKeys::type, choice_of("element type", element_type_names(), parse_element_type),
                "type of the elements; default float32")
      .optional("reduction", &SpecKeys::reduction, choice_of("reduction", reduction_names(), parse_reduction),
                "how data are combined; default sum")
      .optional("root", &SpecKeys::root, config::integer(0, max_ranks - 1),
                "the rank that broadcast and scatter send from, reduce and gather send to; default 0")
      .optional("channels", &SpecKeys::channels, config::integer(1, 64),
                "parts of the data that progress independently; default 1")
      .optional("chunk", &SpecKeys::chunk, config::bytes(),
                "unit of pipelining; 0B, the default: the algorithm's own rule; of a ring: its slices, 16 at most")
      .optional("in_place", &SpecKeys::in_place, config::boolean(),
                "input and output in one buffer where the kind allows it; default true")
      .optional(
          "ranks_per_node", &SpecKeys::ranks_per_node, config::integer(1, max_ranks),
          "for hierarchical algorithms and rings of several channels: how many consecutive ranks share a node; absent: "
          "as in the topology")
      .optional(
          "dimensions", &SpecKeys::dimensions, config::list(config::integer(1, max_ranks), 1).where(three_at_most),
          "for torus: lengths of the grid's dimensions, the last one counting fastest; absent: the most square grid")
      .optional("counts", &SpecKeys::counts, config::list(config::list(config::integer(0, max_count), 1), 1),
                "all_to_all_v: a row per rank, elements that it sends to every rank")
      .optional("skew", &SpecKeys::skew, skew_type(), "all_to_all_v: blocks by a rule instead of counts")
      .rule(check_spec)
      .keep_position(&SpecKeys::position)
      .type();
}

config::Type<Workload> workload_type() {
  const auto keys = spec_type();
  const config::Type<CollectiveSpec> spec(
      [keys](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<CollectiveSpec> {
        auto read = keys.read(node, diagnostics);
        if (!read) return std::nullopt;
        CollectiveSpec result;
        result.position = read->position;
        result.kind = read->kind;
        result.algorithms = std::move(read->algorithms);
        result.sizes = read->sizes ? *read->sizes : read->size ? *read->size : std::vector<Bytes>{Bytes{0}};
        result.type = read->type;
        result.reduction = read->reduction.value_or(Reduction::sum);
        result.root = read->root.value_or(0);
        result.channels = read->channels;
        result.chunk = read->chunk;
        result.in_place = read->in_place;
        result.ranks_per_node = read->ranks_per_node.value_or(0);
        if (read->dimensions)
          for (std::size_t d = 0; d < read->dimensions->size(); ++d)
            result.dimensions[d] = static_cast<int>((*read->dimensions)[d]);
        if (read->counts) result.counts = std::move(*read->counts);
        result.skew = read->skew;
        return result;
      },
      keys.schema());
  return config::record<Workload>("workload", "What a run does: lists of collectives and kernels, or a data loader.")
      .required("name", &Workload::name, config::text(), "the name of the workload, as results show it")
      .optional("collectives", &Workload::collectives, config::list(spec, 1), "run one after another, in this order")
      .optional("kernels", &Workload::kernels, config::list(kernel_spec_type(), 1),
                "what every rank computes, one after another, behind the collectives")
      .optional("loader", &Workload::loader, loader_type(), "a data loader and its consumer, instead of collectives")
      .optional("iterations", &Workload::iterations, config::integer(1, 1'000'000),
                "timed repetitions of every row; default 5")
      .optional("warmup", &Workload::warmup, config::integer(0, 1'000'000),
                "repetitions before those, not counted; default 1")
      .optional("ranks", &Workload::ranks, config::integer(1, max_ranks),
                "number of ranks; absent: as many as the topology holds")
      .optional("faults", &Workload::faults, faults_type(), "disturbances, besides those of the topology")
      .rule([](const Workload& workload, const config::Node& node, config::Diagnostics& diagnostics) {
        if (!workload.loader && workload.collectives.empty() && workload.kernels.empty())
          diagnostics.error(node.position, "a workload needs 'collectives', 'kernels' or 'loader'");
        if (workload.loader)
          for (const char* key : {"collectives", "kernels", "iterations", "warmup", "faults"})
            if (node.find(key) != nullptr)
              diagnostics.error(node.position, fmt::format("'{}' is not for a workload with a loader; remove it", key));
        std::size_t rows = 0;
        for (const auto& spec_of_row : workload.collectives) {
          const std::size_t algorithms = spec_of_row.algorithms.empty() ? 1 : spec_of_row.algorithms.size();
          rows += algorithms * spec_of_row.sizes.size();
          if (rows > max_rows) {
            diagnostics.error(
                node.position,
                fmt::format("more than {} rows (algorithms times sizes, over all collectives)", max_rows));
            return;
          }
        }
        for (const auto& spec_of_kernel : workload.kernels) rows += spec_of_kernel.kernels.size();
        if (rows > max_rows)
          diagnostics.error(node.position, fmt::format("more than {} rows, those of kernels included", max_rows));
      })
      .type();
}

}  // namespace

nlohmann::ordered_json workload_schema() { return config::root_schema(workload_type().schema()); }

Workload read_workload(const config::Node& root, const std::string& file) {
  config::Diagnostics diagnostics;
  static const auto type = workload_type();  // its schemas make it slow to build
  auto workload = type.read(root, diagnostics);
  diagnostics.throw_if_errors();
  workload->file = file;
  workload->given = config::given_keys(root);
  workload->sha256 = sha256(config::canonical_text(root));
  return std::move(*workload);
}

Workload load_workload(const std::string& path) { return read_workload(config::load_file(path), path); }

}  // namespace lockstep
