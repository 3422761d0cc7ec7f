#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/hash.hpp"
#include "study/logs/lines.hpp"
#include "study/logs/logs.hpp"
#include "study/logs/nccl_programs.hpp"

namespace lockstep::logs {
namespace {

struct Row {
  std::int64_t size = 0;
  std::string type;
  std::optional<std::string> reduction;
  std::optional<int> root;
  double time_us = 0;
  double algbw = 0;
  double busbw = 0;
  std::optional<std::int64_t> wrong;
};

/// The positions of the columns of a table.
struct Columns {
  std::size_t count = 0;  ///< words of a full line
  std::size_t size = 0;
  std::optional<std::size_t> type, reduction, root;
  std::vector<std::size_t> times;  ///< "time": out of place, in place
  std::size_t block = 0;           ///< words of one block, from "time" on
  bool timestamp = false;          ///< two more words at the end
  std::vector<std::string> names;
};

/// "iters: 20" of the line that begins "# nThread".
std::optional<std::int64_t> setting(std::string_view line, std::string_view key) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const auto words = words_of(line.substr(at + key.size()));
  return words.empty() ? std::nullopt : number_of<std::int64_t>(words.front());
}

/// One run: from its preamble to the next one's.
struct Run {
  std::optional<CollectiveKind> kind;
  std::string unsupported;         ///< a program that is no collective of ours
  std::map<int, int> group_sizes;  ///< ranks listed per group
  std::optional<std::int64_t> threads, gpus, iterations;
  std::optional<Columns> columns;
  std::vector<Row> rows;
};

class Reader {
 public:
  Reader(std::string_view text, std::string file, const MeasurementHints& hints)
      : text_(text), file_(std::move(file)), hints_(hints) {}

  Result read() {
    result_.kind = Result::Kind::measurement;
    result_.backend = "nccl";
    result_.run = Json{{"program", "nccl-tests"}};
    result_.workload = {.name = "nccl-tests", .file = file_, .sha256 = sha256(text_)};
    for (const auto line : lines_of(text_)) {
      ++line_;
      read_line(line);
    }
    finish();
    if (result_.collectives.empty())
      throw InputError(file_ + ": the table of nccl-tests has no rows; did the run end before its first size?");
    result_.notes.emplace_back(
        "times are nccl-tests' means over iterations: no minimum, no p95, so nothing is said about noise");
    if (in_place_ > 0)
      result_.notes.push_back(fmt::format("{} rows are in-place times, for want of out-of-place ones", in_place_));
    if (passed_over_ > 0) result_.notes.push_back(fmt::format("{} lines of the log belong to no table", passed_over_));
    for (const auto& row : result_.collectives) result_.ranks = std::max(result_.ranks, row.ranks);
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw InputError(fmt::format("{}:{}: {}", file_, line_, message));
  }

  void read_line(std::string_view line) {
    auto words = words_of(line);
    if (words.empty()) return;
    if (words.front().front() == '#') return read_comment(line, words);
    if (!run_.columns) {
      // A command line before the run's output.
      if (const NcclProgram* program = nccl_program_in(line)) name_program(*program);
      return;
    }
    if (words.front().find_first_not_of("0123456789") == std::string_view::npos) return read_row(std::move(words));
    if (const NcclProgram* program = nccl_program_in(line)) {
      if (!run_.rows.empty()) finish();
      return name_program(*program);
    }
    ++passed_over_;
  }

  void name_program(const NcclProgram& program) {
    run_.kind = program.kind;
    run_.unsupported = program.kind ? std::string{} : std::string(program.name);
  }

  void read_comment(std::string_view line, const std::vector<std::string_view>& words) {
    const bool names_program = line.find("Collective test starting") != std::string_view::npos;
    const bool settings = words.size() > 1 && words[1] == "nThread";
    if ((names_program || settings) && !run_.rows.empty()) finish();
    if (names_program) {
      if (const NcclProgram* program = nccl_program_in(line)) name_program(*program);
    } else if (settings) {
      run_.threads = setting(line, "nThread");
      run_.gpus = setting(line, "nGpus");
      // "warmup iters: 5 iters: 20 agg iters: 1": the second one.
      const std::size_t warm = line.find("warmup iters:");
      run_.iterations = setting(line.substr(warm == std::string_view::npos ? 0 : warm + 13), " iters:");
    } else if (words.size() > 2 && words[1] == "Rank" && number_of<int>(words[2])) {
      int group = 0;
      if (words.size() > 4 && words[3] == "Group") group = number_of<int>(words[4]).value_or(0);
      ++run_.group_sizes[group];
    } else if (line.find(" size ") != std::string_view::npos && line.find(" algbw ") != std::string_view::npos) {
      read_header(words);
    }
  }

  void read_header(const std::vector<std::string_view>& words) {
    Columns columns;
    for (std::size_t i = words.front() == "#" ? 1 : 0; i < words.size(); ++i) {
      std::string_view name = words[i];
      if (i == 0) name.remove_prefix(1);  // "#size"
      const std::size_t at = columns.names.size();
      if (name == "timestamp") {
        columns.timestamp = true;
        continue;
      }
      if (name == "size") columns.size = at;
      if (name == "type") columns.type = at;
      if (name == "redop") columns.reduction = at;
      if (name == "root") columns.root = at;
      if (name == "cputime") fail("this table has CPU times (option -C); run nccl-tests without it");
      if (name == "time") columns.times.push_back(at);
      columns.names.emplace_back(name);
    }
    columns.count = columns.names.size();
    if (columns.times.empty()) fail("a header of nccl-tests without a column 'time'");
    const std::size_t end = columns.times.size() > 1 ? columns.times[1] : columns.count;
    columns.block = end - columns.times[0];
    const bool blocks_agree =
        columns.times.size() == 1 || (columns.times.size() == 2 && columns.count - columns.times[1] == columns.block);
    const auto behind_times = [&](const std::optional<std::size_t>& at) { return at && *at > columns.times[0]; };
    const bool ordered = columns.size == 0 && !behind_times(columns.type) && !behind_times(columns.reduction) &&
                         !behind_times(columns.root);
    if (!ordered || columns.block < 3 || !blocks_agree || columns.names[columns.times[0] + 1] != "algbw" ||
        columns.names[columns.times[0] + 2] != "busbw") {
      fail(
          "a header of nccl-tests with an unknown order of columns; expected 'size count type [redop] [root] time "
          "algbw busbw ...'");
    }
    run_.columns = columns;
  }

  void read_row(std::vector<std::string_view> words) {
    const Columns& columns = *run_.columns;
    if (columns.timestamp && words.size() > 2) words.resize(words.size() - 2);
    // Collectives that do not reduce left redop blank in some versions.
    if (columns.reduction && words.size() > *columns.reduction && words.size() < columns.count &&
        number_of<int>(words[*columns.reduction]) &&
        (words.size() + 1 == columns.count || words.size() + 1 + columns.block == columns.count)) {
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(*columns.reduction), "none");
    }
    bool in_place = false;
    if (columns.times.size() == 2 && words.size() + columns.block == columns.count) {
      in_place = true;
    } else if (words.size() != columns.count) {
      fail(fmt::format("expected {} columns ({} ... {}), found {}; is the log cut off?", columns.count,
                       columns.names.front(), columns.names.back(), words.size()));
    }
    const std::size_t time = columns.times[0];
    Row row;
    const auto size = number_of<std::int64_t>(words[0]);
    if (!size || *size < 0) fail(fmt::format("column 'size': expected a number of bytes, found '{}'", words[0]));
    row.size = *size;
    if (columns.type) row.type = nccl_type(words[*columns.type]);
    if (columns.reduction && words[*columns.reduction] != "none")
      row.reduction = std::string(words[*columns.reduction]);
    if (columns.root) row.root = number_of<int>(words[*columns.root]);
    row.time_us = cell_number(words[time], "time", file_, line_);
    row.algbw = cell_number(words[time + 1], "algbw", file_, line_);
    row.busbw = cell_number(words[time + 2], "busbw", file_, line_);
    // The column 'error' of old versions is a relative deviation, no count.
    if (columns.block > 3 && columns.names[time + 3] == "#wrong" && words[time + 3] != "N/A")
      row.wrong = static_cast<std::int64_t>(std::min(cell_number(words[time + 3], "#wrong", file_, line_), 9e18));
    in_place_ += in_place ? 1 : 0;
    run_.rows.push_back(std::move(row));
  }

  /// What the columns say about the collective: redop, root, and busbw / algbw, which is a function of the collective
  /// and the number of ranks.
  [[nodiscard]] std::optional<CollectiveKind> inferred_kind(int ranks) const {
    const Row* best = nullptr;
    for (const auto& row : run_.rows)
      if (best == nullptr || row.busbw > best->busbw) best = &row;
    // Bandwidths carry two decimals: below 1 GB/s the quotient says too little; two ranks or more tell the factors
    // apart.
    if (best == nullptr || best->busbw < 1 || best->algbw <= 0 || ranks < 2) return std::nullopt;
    const auto fits = [&](CollectiveKind kind) {
      const double factor = bus_factor(kind, ranks);
      return std::abs(best->busbw / best->algbw - factor) < 0.02 * factor;
    };
    const bool rooted = best->root.value_or(-1) >= 0;
    if (best->reduction && rooted)
      return fits(CollectiveKind::reduce) ? std::optional(CollectiveKind::reduce) : std::nullopt;
    if (best->reduction) {
      for (const auto kind : {CollectiveKind::all_reduce, CollectiveKind::reduce_scatter})
        if (fits(kind)) return kind;
      return std::nullopt;
    }
    if (rooted) return fits(CollectiveKind::broadcast) ? std::optional(CollectiveKind::broadcast) : std::nullopt;
    // all_gather and all_to_all share a factor: the columns cannot tell.
    if (run_.columns->root && fits(CollectiveKind::send_recv) && !fits(CollectiveKind::all_gather))
      return CollectiveKind::send_recv;
    return std::nullopt;
  }

  int ranks_of_run() {
    if (!run_.group_sizes.empty()) {
      const int size = run_.group_sizes.begin()->second;
      for (const auto& [group, count] : run_.group_sizes)
        if (count != size)
          throw InputError(
              fmt::format("{}: groups of {} and {} ranks in one run; expected groups of one size", file_, size, count));
      return size;
    }
    if (hints_.ranks) {
      note(fmt::format("the log does not list its ranks; {} were assumed", *hints_.ranks));
      return *hints_.ranks;
    }
    if (run_.threads && run_.gpus && *run_.threads > 0 && *run_.gpus > 0 && *run_.threads < 100000 &&
        *run_.gpus < 10000 && *run_.threads * *run_.gpus > 1) {
      const std::int64_t ranks = *run_.threads * *run_.gpus;
      note(fmt::format("the log does not list its ranks; {} (threads times GPUs of one process) were assumed", ranks));
      return static_cast<int>(ranks);
    }
    note("the log does not state the number of ranks");
    return 0;
  }

  void note(const std::string& text) {
    if (std::find(result_.notes.begin(), result_.notes.end(), text) == result_.notes.end())
      result_.notes.push_back(text);
  }

  /// The run is over: its rows become the result's.
  void finish() {
    Run run_done;
    if (!run_.rows.empty()) {
      if (!run_.unsupported.empty())
        throw InputError(fmt::format("{}: '{}' measures a collective that Lockstep does not have; expected one of {}",
                                     file_, run_.unsupported, nccl_programs()));
      const int ranks = ranks_of_run();
      std::optional<CollectiveKind> kind = run_.kind;
      if (!kind) {
        if ((kind = inferred_kind(ranks))) {
          note(fmt::format("the log does not name the collective; its columns are those of {}", to_string(*kind)));
        } else if ((kind = nccl_kind_of_file_name(file_))) {
          note(
              fmt::format("the log does not name the collective; {} was taken from the file's name", to_string(*kind)));
        } else if ((kind = hints_.kind)) {
          note(fmt::format("the log does not name the collective; {} was assumed", to_string(*kind)));
        } else {
          throw InputError(file_ +
                           ": the log does not say which collective it measured; name it in the file's name "
                           "(all_gather.log), or keep the command line ('all_gather_perf ...') in the log");
        }
      }
      for (const auto& row : run_.rows) {
        CollectiveRow& out = result_.collectives.emplace_back();
        out.kind = *kind;
        out.ranks = ranks;
        out.size_bytes = row.size;
        out.time_s = row.time_us * 1e-6;
        out.iterations = run_.iterations;
        out.wrong = row.wrong;
        if (!row.type.empty()) out.type = row.type;
        if (reduces(*kind)) out.reduction = row.reduction;
      }
    }
    run_ = run_done;
  }

  std::string_view text_;
  std::string file_;
  const MeasurementHints& hints_;
  std::size_t line_ = 0;
  std::size_t passed_over_ = 0;
  std::size_t in_place_ = 0;
  Run run_;
  Result result_;
};

}  // namespace

bool looks_like_nccl_tests(std::string_view text) {
  for (const auto line : lines_of(text)) {
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos || line[first] != '#') continue;
    if (line.find(" size ") != std::string_view::npos && line.find(" algbw ") != std::string_view::npos) return true;
    if (line.find("# nThread ") != std::string_view::npos) return true;
  }
  return false;
}

Result read_nccl_tests(std::string_view text, const std::string& file, const MeasurementHints& hints) {
  return Reader(text, file, hints).read();
}

}  // namespace lockstep::logs
