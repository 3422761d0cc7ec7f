// Result files: writer and reader (DESIGN section 6). docs/results.md explains every key.
#include <limits>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/base/number.hpp"
#include "core/base/text.hpp"
#include "core/timeline/result.hpp"

namespace lockstep {
namespace {

constexpr int schema_version = 1;
constexpr std::string_view schema_name = "lockstep.result/";

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json to_json(const SourceFile& source) {
  if (source.name.empty() && !source.file && !source.sha256) return nullptr;
  return Json{{"name", source.name}, {"file", or_null(source.file)}, {"sha256", or_null(source.sha256)}};
}

Json to_json(const Summary& summary) {
  Json by_kind = Json::object();
  for (const auto& [kind, seconds] : summary.exposed_communication_by_kind_s) by_kind[kind] = seconds;
  return Json{
      {"rank", summary.rank},
      {"step_time_s", summary.step_time_s},
      {"compute_s", summary.compute_s},
      {"exposed_communication_s", summary.exposed_communication_s},
      {"loader_stall_s", summary.loader_stall_s},
      {"pipeline_bubble_s", summary.pipeline_bubble_s},
      {"launch_gap_s", summary.launch_gap_s},
      {"other_s", summary.other_s},
      {"exposed_communication_by_kind_s", std::move(by_kind)},
      {"tokens_per_s_per_gpu", or_null(summary.tokens_per_s_per_gpu)},
      {"tflops_per_gpu", or_null(summary.tflops_per_gpu)},
      {"mfu", or_null(summary.mfu)},
      {"peak_memory_bytes", or_null(summary.peak_memory_bytes)},
      {"fits_in_memory", or_null(summary.fits_in_memory)},
      {"per_rank",
       Json{{"min", summary.per_rank_min_s}, {"mean", summary.per_rank_mean_s}, {"max", summary.per_rank_max_s}}}};
}

Json to_json(const CollectiveRow& row) {
  // A time of 0 (one rank, or a barrier of nothing) has no bandwidth.
  const bool has_bandwidth = row.time_s > 0;
  return Json{{"kind", to_string(row.kind)},
              {"algorithm", text_or_null(row.algorithm)},
              {"protocol", or_null(row.protocol)},
              {"ranks", row.ranks > 0 ? Json(row.ranks) : Json(nullptr)},
              {"size_bytes", row.size_bytes},
              {"type", row.type},
              {"reduction", or_null(row.reduction)},
              {"time_s", row.time_s},
              {"min_s", or_null(row.min_s)},
              {"p5_s", or_null(row.p5_s)},
              {"p95_s", or_null(row.p95_s)},
              {"iterations", or_null(row.iterations)},
              {"algbw_GBps", has_bandwidth ? Json(row.algbw_GBps()) : Json(nullptr)},
              {"busbw_GBps", has_bandwidth ? Json(row.busbw_GBps()) : Json(nullptr)},
              {"wrong", or_null(row.wrong)},
              {"cpu_limited", or_null(row.cpu_limited)},
              {"cpu_load", or_null(row.cpu_load)},
              {"samples_s", row.samples_s.empty() ? Json(nullptr) : Json(row.samples_s)},
              {"throughput", or_null(row.throughput)}};
}

Json to_json(const OperationRow& row) {
  Json json{{"role", row.role},   {"stream", row.stream}, {"name", row.name},
            {"kind", row.kind},   {"count", row.count},   {"mean_s", row.mean_s},
            {"min_s", row.min_s}, {"max_s", row.max_s},   {"first_start_s", row.first_start_s}};
  if (row.kernel) {
    const KernelFigures& kernel = *row.kernel;
    json.update({{"kernel", kernel.kernel},
                 {"flops", kernel.flops},
                 {"memory_bytes", kernel.memory_bytes},
                 {"time_s", kernel.time_s},
                 {"p95_s", or_null(kernel.p95_s)},
                 {"iterations", or_null(kernel.iterations)},
                 {"wrong", or_null(kernel.wrong)},
                 {"samples_s", kernel.samples_s.empty() ? Json(nullptr) : Json(kernel.samples_s)}});
  }
  return json;
}

double seconds_of(const JsonValue& value) { return value.number(0, "a number of seconds, at least 0"); }

std::optional<double> optional_seconds(const JsonValue& object, const std::string& key) {
  const auto value = object.optional(key);
  return value ? std::optional(seconds_of(*value)) : std::nullopt;
}

double seconds_or_zero(const JsonValue& object, const std::string& key) {
  return optional_seconds(object, key).value_or(0);
}

std::optional<double> optional_number(const JsonValue& object, const std::string& key) {
  const auto value = object.optional(key);
  return value ? std::optional(value->number(0, "a number, at least 0")) : std::nullopt;
}

std::optional<std::int64_t> optional_count(const JsonValue& object, const std::string& key) {
  const auto value = object.optional(key);
  return value ? std::optional(value->integer(0)) : std::nullopt;
}

std::optional<std::string> optional_text(const JsonValue& object, const std::string& key) {
  const auto value = object.optional(key);
  return value ? std::optional(value->text()) : std::nullopt;
}

/// A number of ranks, or a rank.
int small_integer(const JsonValue& value, int minimum) {
  return static_cast<int>(value.integer(minimum, std::numeric_limits<int>::max()));
}

void check_name(const JsonValue& value, std::string_view what, const std::vector<std::string>& known) {
  const std::string name = value.text();
  for (const auto& candidate : known)
    if (candidate == name) return;
  value.fail(unknown_name(what, name, known));
}

SourceFile read_source(const JsonValue& root, const std::string& key) {
  const auto object = root.optional(key);
  if (!object) return {};
  return {.name = optional_text(*object, "name").value_or(""),
          .file = optional_text(*object, "file"),
          .sha256 = optional_text(*object, "sha256")};
}

Summary read_summary(const JsonValue& object) {
  Summary summary;
  if (const auto rank = object.optional("rank")) summary.rank = small_integer(*rank, 0);
  summary.step_time_s = seconds_or_zero(object, "step_time_s");
  summary.compute_s = seconds_or_zero(object, "compute_s");
  summary.exposed_communication_s = seconds_or_zero(object, "exposed_communication_s");
  summary.loader_stall_s = seconds_or_zero(object, "loader_stall_s");
  summary.pipeline_bubble_s = seconds_or_zero(object, "pipeline_bubble_s");
  summary.launch_gap_s = seconds_or_zero(object, "launch_gap_s");
  // What is left over: rounding may put it a hair below zero.
  if (const auto other = object.optional("other_s")) summary.other_s = other->number(-1e30, "a number of seconds");
  if (const auto by_kind = object.optional("exposed_communication_by_kind_s"))
    for (const auto& [kind, value] : by_kind->members())
      summary.exposed_communication_by_kind_s.emplace_back(kind, seconds_of(value));
  summary.tokens_per_s_per_gpu = optional_number(object, "tokens_per_s_per_gpu");
  summary.tflops_per_gpu = optional_number(object, "tflops_per_gpu");
  summary.mfu = optional_number(object, "mfu");
  summary.peak_memory_bytes = optional_count(object, "peak_memory_bytes");
  if (const auto fits = object.optional("fits_in_memory")) {
    check_name(*fits, "answer", {"yes", "tight", "no"});
    summary.fits_in_memory = fits->text();
  }
  if (const auto per_rank = object.optional("per_rank")) {
    summary.per_rank_min_s = seconds_or_zero(*per_rank, "min");
    summary.per_rank_mean_s = seconds_or_zero(*per_rank, "mean");
    summary.per_rank_max_s = seconds_or_zero(*per_rank, "max");
  }
  return summary;
}

CollectiveRow read_collective(const JsonValue& object) {
  CollectiveRow row;
  const JsonValue kind = object.required("kind");
  check_name(kind, "collective kind", collective_kind_names());
  row.kind = parse_collective_kind(kind.text());
  row.algorithm = optional_text(object, "algorithm").value_or("");
  row.protocol = optional_text(object, "protocol");
  // A log that does not state the number of ranks leaves null, on purpose; a row without the key is a mistake.
  if (!object.json().contains("ranks") || object.optional("ranks"))
    row.ranks = small_integer(object.required("ranks"), 1);
  row.size_bytes = object.required("size_bytes").integer(0);
  row.time_s = seconds_of(object.required("time_s"));
  row.min_s = optional_seconds(object, "min_s");
  row.p5_s = optional_seconds(object, "p5_s");
  row.p95_s = optional_seconds(object, "p95_s");
  row.iterations = optional_count(object, "iterations");
  row.wrong = optional_count(object, "wrong");
  row.type = optional_text(object, "type").value_or(row.type);
  row.reduction = optional_text(object, "reduction");
  if (const auto limited = object.optional("cpu_limited")) row.cpu_limited = limited->boolean();
  row.cpu_load = optional_number(object, "cpu_load");
  if (const auto throughput = object.optional("throughput")) row.throughput = throughput->boolean();
  if (const auto samples = object.optional("samples_s"))
    for (const auto& sample : samples->items()) row.samples_s.push_back(seconds_of(sample));
  return row;
}

std::optional<KernelFigures> read_kernel(const JsonValue& object) {
  const auto name = object.optional("kernel");
  if (!name) return std::nullopt;
  KernelFigures kernel;
  kernel.kernel = name->text();
  kernel.flops = object.required("flops").integer(0);
  kernel.memory_bytes = object.required("memory_bytes").integer(0);
  kernel.time_s = seconds_of(object.required("time_s"));
  kernel.p95_s = optional_seconds(object, "p95_s");
  kernel.iterations = optional_count(object, "iterations");
  kernel.wrong = optional_count(object, "wrong");
  if (const auto samples = object.optional("samples_s"))
    for (const auto& sample : samples->items()) kernel.samples_s.push_back(seconds_of(sample));
  return kernel;
}

OperationRow read_operation(const JsonValue& object) {
  return {.role = object.required("role").text(),
          .stream = object.required("stream").text(),
          .name = object.required("name").text(),
          .kind = object.required("kind").text(),
          .count = object.required("count").integer(0),
          .mean_s = seconds_of(object.required("mean_s")),
          .min_s = seconds_of(object.required("min_s")),
          .max_s = seconds_of(object.required("max_s")),
          .first_start_s = seconds_or_zero(object, "first_start_s"),
          .kernel = read_kernel(object)};
}

void check_schema(const JsonValue& root) {
  const JsonValue schema = root.required("schema");
  const std::string name = schema.text();
  const std::string expected = fmt::format("{}{}", schema_name, schema_version);
  if (name == expected) return;
  if (name.starts_with(schema_name)) {
    if (const auto number = whole_number_in<int>(name.substr(schema_name.size())); number && *number > schema_version)
      schema.fail(fmt::format("'{}' was written by a newer Lockstep; this one reads '{}'", name, expected));
  }
  if (name.starts_with("lockstep.comparison/"))
    schema.fail(fmt::format("this is a comparison ('{}'), but a result ('{}') was expected", name, expected));
  schema.fail(fmt::format("'{}' is no result of Lockstep; expected '{}'", name, expected));
}

}  // namespace

double CollectiveRow::algbw_GBps() const { return time_s > 0 ? static_cast<double>(size_bytes) / time_s * 1e-9 : 0; }

double CollectiveRow::busbw_GBps() const { return algbw_GBps() * bus_factor(kind, ranks); }

std::int64_t wrong_elements(const Result& result) {
  std::int64_t wrong = 0;
  for (const auto& row : result.collectives) wrong += row.wrong.value_or(0);
  for (const auto& row : result.operations)
    if (row.kernel) wrong += row.kernel->wrong.value_or(0);
  return wrong;
}

Json to_json(const Result& result) {
  Json collectives = Json::array();
  for (const auto& row : result.collectives) collectives.push_back(to_json(row));
  Json operations = Json::array();
  for (const auto& row : result.operations) operations.push_back(to_json(row));
  return Json{{"schema", fmt::format("{}{}", schema_name, schema_version)},
              {"kind", result.kind == Result::Kind::simulation ? "simulation" : "measurement"},
              {"run", result.run},
              {"topology", to_json(result.topology)},
              {"workload", to_json(result.workload)},
              {"profile", to_json(result.profile)},
              {"ranks", result.ranks},
              {"backend", or_null(result.backend)},
              {"fidelity", or_null(result.fidelity)},
              {"seed", result.seed},
              {"summary", to_json(result.summary)},
              {"collectives", std::move(collectives)},
              {"operations", std::move(operations)},
              {"network", result.network},
              {"loader", result.loader},
              {"as_built", result.as_built},
              {"warnings", result.warnings},
              {"notes", result.notes}};
}

Result result_from_json(const Json& json, const std::string& file) {
  const JsonValue root(json, file);
  check_schema(root);
  Result result;
  const JsonValue kind = root.required("kind");
  check_name(kind, "kind of result", {"simulation", "measurement"});
  result.kind = kind.text() == "simulation" ? Result::Kind::simulation : Result::Kind::measurement;
  if (const auto run = root.optional("run")) {
    (void)run->members();  // an object
    result.run = run->json();
  }
  result.topology = read_source(root, "topology");
  result.workload = read_source(root, "workload");
  result.profile = read_source(root, "profile");
  if (const auto ranks = root.optional("ranks")) result.ranks = small_integer(*ranks, 0);
  result.backend = optional_text(root, "backend");
  result.fidelity = optional_text(root, "fidelity");
  if (const auto seed = root.optional("seed")) result.seed = seed->unsigned_integer();
  if (const auto summary = root.optional("summary")) result.summary = read_summary(*summary);
  if (const auto rows = root.optional("collectives"))
    for (const auto& row : rows->items()) result.collectives.push_back(read_collective(row));
  if (const auto rows = root.optional("operations"))
    for (const auto& row : rows->items()) result.operations.push_back(read_operation(row));
  if (const auto network = root.optional("network")) result.network = network->json();
  if (const auto loader = root.optional("loader")) result.loader = loader->json();
  if (const auto as_built = root.optional("as_built")) result.as_built = as_built->json();
  if (const auto warnings = root.optional("warnings"))
    for (const auto& warning : warnings->items()) result.warnings.push_back(warning.text());
  if (const auto notes = root.optional("notes"))
    for (const auto& note : notes->items()) result.notes.push_back(note.text());
  return result;
}

Result load_result(const std::string& path) { return result_from_json(parse_json(read_text_file(path), path), path); }

}  // namespace lockstep
