#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/hash.hpp"
#include "core/base/json.hpp"
#include "core/base/statistics.hpp"
#include "study/logs/logs.hpp"
#include "study/logs/nccl_programs.hpp"

namespace lockstep::logs {
namespace {

constexpr std::int64_t largest_size = std::int64_t{1} << 50;
constexpr int most_ranks = 1 << 24;

double positive_us(const JsonValue& value) {
  const double us = value.number(0, "a number of microseconds");
  if (us <= 0) value.fail("expected a time over 0");
  return us;
}

class JsonReader {
 public:
  JsonReader(std::string_view text, std::string file, const MeasurementHints& hints)
      : text_(text), file_(std::move(file)), hints_(hints) {}

  Result read() {
    const Json json = parse_json(text_, file_);
    const JsonValue root(json, file_);
    result_.kind = Result::Kind::measurement;
    result_.backend = "nccl";
    result_.run = Json{{"program", "nccl-tests"}};
    if (const auto version = root.optional("nccl_version")) result_.run["nccl_version"] = version->integer(0);
    result_.workload = {.name = "nccl-tests", .file = file_, .sha256 = sha256(text_)};
    const JsonValue config = root.required("config");
    if (const auto iterations = config.optional("iterations")) iterations_ = iterations->integer(0);
    result_.ranks = ranks_of(config);
    const CollectiveKind kind = kind_of(root);
    for (const JsonValue& row : root.required("results").items()) read_row(row, kind);
    if (result_.collectives.empty())
      throw InputError(file_ + ": 'results' of nccl-tests has no rows; did the run end before its first size?");
    if (means_ > 0)
      result_.notes.emplace_back(
          "times are nccl-tests' means over iterations: no minimum, no p95, so nothing is said about noise");
    if (in_place_ > 0)
      result_.notes.push_back(fmt::format("{} rows are in-place times, for want of out-of-place ones", in_place_));
    return std::move(result_);
  }

 private:
  CollectiveKind kind_of(const JsonValue& root) const {
    if (const auto args = root.optional("args")) {
      const auto words = args->items();
      if (!words.empty()) {
        if (const NcclProgram* program = nccl_program_in(words.front().text())) {
          if (program->kind) return *program->kind;
          throw InputError(fmt::format("{}: '{}' measures a collective that Lockstep does not have; expected one of {}",
                                       file_, program->name, nccl_programs()));
        }
      }
    }
    if (const auto kind = nccl_kind_of_file_name(file_)) return *kind;
    if (hints_.kind) return *hints_.kind;
    throw InputError(fmt::format(
        "{}: args[0] names no program of nccl-tests; expected one of {}, or the collective in the file's name", file_,
        nccl_programs()));
  }

  /// `devices` has one entry per process (its first GPU): until version 3 of the file no other is written.
  int ranks_of(const JsonValue& config) const {
    const std::int64_t per_process =
        config.required("nthreads").integer(1, most_ranks) * config.required("ngpus").integer(1, most_ranks);
    std::map<std::int64_t, std::vector<std::int64_t>> groups;
    for (const JsonValue& device : config.required("devices").items()) {
      const auto group = device.optional("group");
      groups[group ? group->integer(0) : 0].push_back(device.required("rank").integer(0));
    }
    if (groups.empty()) config.fail("'devices' is empty: it says how many ranks there were");
    const std::size_t size = groups.begin()->second.size();
    bool every_rank = per_process > 1 && size > 1;
    for (const auto& [group, ranks] : groups) {
      if (ranks.size() != size)
        throw InputError(
            fmt::format("{}: config.devices: groups of {} and {} ranks in one run; expected groups of one size", file_,
                        size, ranks.size()));
      for (std::size_t i = 1; i < ranks.size(); ++i) every_rank = every_rank && ranks[i] == ranks[i - 1] + 1;
    }
    const std::int64_t ranks = static_cast<std::int64_t>(size) * (every_rank ? 1 : per_process);
    if (ranks > most_ranks) config.fail(fmt::format("{} ranks are more than a run can have", ranks));
    return static_cast<int>(ranks);
  }

  void read_row(const JsonValue& row, CollectiveKind kind) {
    CollectiveRow out;
    out.kind = kind;
    out.ranks = result_.ranks;
    out.size_bytes = row.required("size").integer(0, largest_size);
    if (const auto type = row.optional("type")) out.type = nccl_type(type->text());
    if (const auto reduction = row.optional("redop"); reduction && reduces(kind) && reduction->text() != "none")
      out.reduction = reduction->text();
    auto times = row.optional("out_of_place");
    std::string_view per_iteration = "out_of_place_per_iter";
    if (!times) {
      times = row.optional("in_place");
      per_iteration = "in_place_per_iter";
      ++in_place_;
    }
    if (!times) row.fail("neither 'out_of_place' nor 'in_place' has times");
    if (times->optional("cpu_time")) times->fail("these are CPU times (option -C); run nccl-tests without it");
    out.time_s = positive_us(times->required("time")) * 1e-6;
    if (const auto wrong = times->optional("nwrong"))
      out.wrong = static_cast<std::int64_t>(std::min(wrong->number(0, "a number of elements"), 9e18));
    if (const auto actual = row.optional("actual_iterations"))
      out.iterations = actual->integer(0);
    else
      out.iterations = iterations_;
    if (const auto each = row.optional(std::string(per_iteration)))
      read_iterations(*each, out);
    else
      ++means_;
    result_.collectives.push_back(std::move(out));
  }

  /// Option -I: every iteration's time, the first -K of them to be skipped, so that minimum, median and p95 are known.
  static void read_iterations(const JsonValue& each, CollectiveRow& out) {
    std::int64_t skipped = 0;
    if (const auto value = each.optional("skipped_iterations")) skipped = value->integer(0);
    std::vector<double> samples;
    for (const JsonValue& time : each.required("times_us").items()) samples.push_back(positive_us(time) * 1e-6);
    if (static_cast<std::int64_t>(samples.size()) <= skipped)
      each.fail(fmt::format("{} times, of which {} are skipped: none is left", samples.size(), skipped));
    samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(skipped));
    out.time_s = median(samples);
    out.min_s = *std::min_element(samples.begin(), samples.end());
    out.p95_s = percentile(samples, 0.95);
    out.iterations = static_cast<std::int64_t>(samples.size());
    out.samples_s = std::move(samples);
  }

  std::string_view text_;
  std::string file_;
  const MeasurementHints& hints_;
  std::optional<std::int64_t> iterations_;
  std::size_t in_place_ = 0;
  std::size_t means_ = 0;
  Result result_;
};

}  // namespace

bool looks_like_nccl_tests_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') return false;
  return text.find("\"lockstep.") == std::string_view::npos &&
         (text.find("\"nthreads\"") != std::string_view::npos ||
          text.find("\"out_of_place\"") != std::string_view::npos);
}

Result read_nccl_tests_json(std::string_view text, const std::string& file, const MeasurementHints& hints) {
  return JsonReader(text, file, hints).read();
}

}  // namespace lockstep::logs
