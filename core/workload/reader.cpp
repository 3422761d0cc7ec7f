#include <fmt/format.h>

#include <limits>

#include "core/base/hash.hpp"
#include "core/config/type.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {
namespace {

constexpr std::size_t max_rows = 10'000;
constexpr std::int64_t max_ranks = 1 << 24;

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
};

template <class E>
config::Type<E> choice_of(const std::string& what, const std::vector<std::string>& names,
                          E (*parse)(std::string_view)) {
  std::vector<std::pair<std::string, E>> values;
  for (const auto& name : names) values.emplace_back(name, parse(name));
  return config::choice<E>(what, values);
}

config::Type<SizeSweep> sweep_type() {
  return config::record<SizeSweep>("sweep", "Sizes from, from * factor, from * factor^2, ... up to and including to.")
      .required("from", &SizeSweep::from, config::bytes().positive(), "the first size")
      .required("to", &SizeSweep::to, config::bytes(), "no size is larger")
      .optional("factor", &SizeSweep::factor, config::integer(2, 1'000'000'000),
                "each size is the one before times this")
      .rule([](const SizeSweep& sweep, const config::Node& node, config::Diagnostics& diagnostics) {
        if (sweep.to < sweep.from) {
          diagnostics.error(node.position, fmt::format("a sweep from {} to {} is empty; 'to' must not be below 'from'",
                                                       format_bytes(sweep.from), format_bytes(sweep.to)));
        }
      })
      .type();
}

std::vector<Bytes> expand(const SizeSweep& sweep) {
  std::vector<Bytes> sizes;
  for (Bytes size = sweep.from;; size = size * sweep.factor) {
    sizes.push_back(size);
    if (size.count() > sweep.to.count() / sweep.factor) return sizes;  // the next one would be larger than `to`
  }
}

/// A sweep, a list of sizes, or one size.
config::Type<std::vector<Bytes>> sizes_type() {
  const auto sweep = sweep_type();
  const auto list = config::one_or_list(config::bytes());
  config::Json forms = list.schema()["oneOf"];
  forms.push_back(sweep.schema());
  return config::Type<std::vector<Bytes>>(
      [sweep, list](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<std::vector<Bytes>> {
        if (node.kind != config::Node::Kind::map) return list.read(node, diagnostics);
        const auto read = sweep.read(node, diagnostics);
        if (!read) return std::nullopt;
        return expand(*read);
      },
      config::Json{{"oneOf", forms}});
}

void check_spec(const SpecKeys& keys, const config::Node& node, config::Diagnostics& diagnostics) {
  const auto position_of = [&node](const char* key) {
    for (const auto& entry : node.entries)
      if (entry.key == key) return entry.key_position;
    return node.position;
  };
  const auto kind = to_string(keys.kind);
  if (keys.kind == CollectiveKind::barrier) {
    for (const char* key : {"size", "sizes"})
      if (node.find(key) != nullptr)
        diagnostics.error(position_of(key), fmt::format("a barrier moves no data; remove '{}'", key));
  } else if (keys.size && keys.sizes) {
    diagnostics.error(position_of("sizes"), "give 'size' or 'sizes', not both");
  } else if (!keys.size && !keys.sizes) {
    diagnostics.error(node.position,
                      fmt::format("{} needs 'sizes': one size, a list, or a sweep {{from, to, factor}}", kind));
  }
  if (keys.reduction && !reduces(keys.kind)) {
    diagnostics.error(position_of("reduction"), fmt::format("{} does not combine data; remove 'reduction'", kind));
  }
  if (keys.root && keys.kind != CollectiveKind::broadcast && keys.kind != CollectiveKind::reduce) {
    diagnostics.error(position_of("root"),
                      fmt::format("{} has no root; remove 'root' (broadcast and reduce have one)", kind));
  }
}

config::Type<SpecKeys> spec_type() {
  return config::record<SpecKeys>(
             "collective", "Collectives to run: every combination of algorithm and size is one row of the result.")
      .required("kind", &SpecKeys::kind, choice_of("collective", collective_kind_names(), parse_collective_kind),
                "what it does")
      .optional("algorithm", &SpecKeys::algorithms, config::one_or_list(config::text()),
                "one name or a list; absent: the default of the kind, or auto under a profile with nccl; auto: the "
                "fastest here; "
                "native: the transport's own")
      .optional("size", &SpecKeys::size, sizes_type(), "the same as sizes")
      .optional("sizes", &SpecKeys::sizes, sizes_type(), "the whole buffer of one rank: a size, a list, or a sweep")
      .optional("type", &SpecKeys::type, choice_of("element type", element_type_names(), parse_element_type),
                "type of the elements; default float32")
      .optional("reduction", &SpecKeys::reduction, choice_of("reduction", reduction_names(), parse_reduction),
                "how data are combined; default sum")
      .optional("root", &SpecKeys::root, config::integer(0, max_ranks - 1),
                "the rank that broadcast sends from, reduce sends to; default 0")
      .optional("channels", &SpecKeys::channels, config::integer(1, 64),
                "parts of the data that progress independently; default 1")
      .optional("chunk", &SpecKeys::chunk, config::bytes(),
                "unit of pipelining; 0B, the default: the algorithm's own rule")
      .optional("in_place", &SpecKeys::in_place, config::boolean(),
                "input and output in one buffer where the kind allows it; default true")
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
        return result;
      },
      keys.schema());
  return config::record<Workload>("workload", "What a run does: a list of collectives.")
      .required("name", &Workload::name, config::text(), "the name of the workload, as results show it")
      .required("collectives", &Workload::collectives, config::list(spec, 1), "run one after another, in this order")
      .optional("iterations", &Workload::iterations, config::integer(1, 1'000'000),
                "timed repetitions of every row; default 5")
      .optional("warmup", &Workload::warmup, config::integer(0, 1'000'000),
                "repetitions before those, not counted; default 1")
      .optional("ranks", &Workload::ranks, config::integer(1, max_ranks),
                "number of ranks; absent: as many as the topology holds")
      .optional("faults", &Workload::faults, faults_type(), "disturbances, besides those of the topology")
      .rule([](const Workload& workload, const config::Node& node, config::Diagnostics& diagnostics) {
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
      })
      .type();
}

}  // namespace

nlohmann::ordered_json workload_schema() { return config::root_schema(workload_type().schema()); }

Workload read_workload(const config::Node& root, const std::string& file) {
  config::Diagnostics diagnostics;
  auto workload = workload_type().read(root, diagnostics);
  diagnostics.throw_if_errors();
  workload->file = file;
  workload->given = config::given_keys(root);
  workload->sha256 = sha256(config::canonical_text(root));
  return std::move(*workload);
}

Workload load_workload(const std::string& path) { return read_workload(config::load_file(path), path); }

}  // namespace lockstep
