#include <algorithm>
#include <filesystem>

#include "core/base/hash.hpp"
#include "core/base/text.hpp"
#include "study/logs/lines.hpp"
#include "study/logs/logs.hpp"

namespace lockstep::logs {
namespace {

struct Test {
  std::string_view title;  ///< between "OSU MPI" and "Test"
  std::string_view program;
  CollectiveKind kind;
  bool size_per_pair = false;  ///< the size printed is that of one pair of ranks
  bool two_ranks = false;
  bool both_ways = false;  ///< the bandwidth printed is that of both directions together
};

constexpr std::array<Test, 10> tests{
    {{"Latency", "osu_latency", CollectiveKind::send_recv, false, true},
     {"Bandwidth", "osu_bw", CollectiveKind::send_recv, false, true},
     {"Bi-Directional Bandwidth", "osu_bibw", CollectiveKind::send_recv, false, true, true},
     {"Allreduce Latency", "osu_allreduce", CollectiveKind::all_reduce},
     {"Allgather Latency", "osu_allgather", CollectiveKind::all_gather, true},
     {"Reduce_scatter Latency", "osu_reduce_scatter", CollectiveKind::reduce_scatter},
     {"Broadcast Latency", "osu_bcast", CollectiveKind::broadcast},
     {"Reduce Latency", "osu_reduce", CollectiveKind::reduce},
     {"All-to-All Personalized Exchange Latency", "osu_alltoall", CollectiveKind::all_to_all, true},
     {"Barrier Latency", "osu_barrier", CollectiveKind::barrier}}};

struct Title {
  std::string test;
  std::string version;
};

/// "# OSU MPI-CUDA Allreduce Latency Test v7.5": some launchers' logs lack the "#".
std::optional<Title> title_of(std::string_view line) {
  auto words = words_of(line);
  if (!words.empty() && words.front() == "#") words.erase(words.begin());
  if (words.size() < 4 || words[0] != "OSU" || !words[1].starts_with("MPI")) return std::nullopt;
  std::size_t end = words.size();
  std::string version;
  if (words.back().size() > 1 && words.back().front() == 'v') {
    version = std::string(words.back().substr(1));
    --end;
  }
  if (end < 3 || words[end - 1] != "Test") return std::nullopt;
  Title title{.test = {}, .version = version};
  // "OSU MPI_Put Latency Test" is a test of its own, "OSU MPI-CUDA Latency Test" is osu_latency on other memory.
  if (words[1].starts_with("MPI_")) title.test = std::string(words[1]);
  for (std::size_t i = 2; i + 1 < end; ++i) {
    if (!title.test.empty()) title.test += ' ';
    title.test.append(words[i]);
  }
  return title;
}

/// "MPI_FLOAT." of the line "# Datatype: MPI_FLOAT."
std::string our_type(std::string_view name) {
  const auto words = words_of(name);
  std::string_view type = words.empty() ? std::string_view{} : words.front();
  if (type.ends_with('.')) type.remove_suffix(1);
  if (type == "MPI_FLOAT") return "float32";
  if (type == "MPI_INT") return "int32";
  return type == "MPI_CHAR" || type.empty() ? "bytes" : std::string(type);
}

/// The number of ranks a launcher's command line asks for ("mpirun -np 4 ... osu_allreduce").
std::optional<int> ranks_of_command(std::string_view line) {
  const auto words = words_of(line);
  const auto launcher = std::find_if(words.begin(), words.end(), [](std::string_view word) {
    const std::size_t slash = word.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? word : word.substr(slash + 1);
    return name == "mpirun" || name == "mpiexec" || name == "mpiexec.hydra" || name == "srun" || name == "prterun" ||
           name == "mpirun_rsh";
  });
  if (launcher == words.end() || line.find("osu_") == std::string_view::npos) return std::nullopt;
  for (auto word = launcher + 1; word != words.end() && word->find("osu_") == std::string_view::npos; ++word) {
    for (const std::string_view flag : {"--ntasks", "-np", "-n"}) {
      if (!word->starts_with(flag)) continue;
      std::string_view value = word->substr(flag.size());
      if (value.starts_with("=")) value.remove_prefix(1);
      if (value.empty() && word + 1 != words.end()) value = *(word + 1);
      if (const auto ranks = number_of<int>(value); ranks && *ranks > 0) return ranks;
    }
  }
  return std::nullopt;
}

class Reader {
 public:
  Reader(std::string_view text, std::string file, const MeasurementHints& hints)
      : text_(text), file_(std::move(file)), hints_(hints) {}

  Result read() {
    result_.kind = Result::Kind::measurement;
    result_.backend = "mpi";
    result_.run = Json{{"program", "OSU micro-benchmarks"}};
    result_.workload = {.name = "osu-micro-benchmarks", .file = file_, .sha256 = sha256(text_)};
    for (const auto line : lines_of(text_)) {
      ++line_;
      read_line(line);
    }
    if (result_.collectives.empty()) {
      std::vector<std::string> known;
      for (const auto& test : tests) known.emplace_back(test.program);
      if (!unsupported_.empty())
        throw InputError(fmt::format("{}: '{}' is no test that Lockstep can compare with; expected one of {}", file_,
                                     unsupported_, join(known, ", ")));
      throw InputError(file_ + ": the table of the OSU test has no rows; did the run end before its first size?");
    }
    note("times are OSU's means over iterations (and ranks): no minimum, no p95, so nothing is said about noise");
    if (passed_over_ > 0) note(fmt::format("{} lines of the log belong to no table", passed_over_));
    for (const auto& row : result_.collectives) result_.ranks = std::max(result_.ranks, row.ranks);
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw InputError(fmt::format("{}:{}: {}", file_, line_, message));
  }

  void note(const std::string& text) {
    if (std::find(result_.notes.begin(), result_.notes.end(), text) == result_.notes.end())
      result_.notes.push_back(text);
  }

  void read_line(std::string_view line) {
    auto words = words_of(line);
    if (words.empty()) return;
    if (const auto title = title_of(line)) return start(*title);
    if (words.front() == "#" || words.front() == "Size" || words.front().starts_with("#")) return read_comment(line);
    if (const auto ranks = ranks_of_command(line)) {
      stated_ranks_ = ranks;
      test_ = nullptr;
      columns_.clear();
      return;
    }
    const bool numeric = words.front().find_first_not_of("0123456789.") == std::string_view::npos;
    if (numeric && skipping_) return;
    if (numeric && test_ != nullptr && !columns_.empty()) return read_row(words);
    ++passed_over_;
  }

  void start(const Title& title) {
    columns_.clear();
    type_ = "bytes";
    test_ = nullptr;
    for (const auto& test : tests)
      if (test.title == title.test) test_ = &test;
    skipping_ = test_ == nullptr;
    if (skipping_) {
      unsupported_ = (title.test.starts_with("MPI_") ? "OSU " : "OSU MPI ") + title.test + " Test";
      note(fmt::format("'{}' is no test that Lockstep can compare with; its rows were left out", unsupported_));
      return;
    }
    if (!title.version.empty()) result_.run["version"] = title.version;
    ranks_ = ranks_of_test();
  }

  int ranks_of_test() {
    if (test_->two_ranks) return 2;
    if (stated_ranks_) return *stated_ranks_;
    if (hints_.ranks) {
      note(fmt::format("the log does not state the number of ranks; {} were assumed", *hints_.ranks));
      return *hints_.ranks;
    }
    if (test_->size_per_pair)
      fail(fmt::format(
          "{} prints the bytes per pair of ranks, and the log does not state how many ranks there were; keep the "
          "command line ('mpirun -np N ... {}') in the log",
          test_->program, test_->program));
    note("the log does not state the number of ranks");
    return 0;
  }

  void read_comment(std::string_view line) {
    if (test_ == nullptr || !columns_.empty()) return;
    std::string_view titles = line;
    if (const std::size_t hash = titles.find('#'); hash != std::string_view::npos) titles.remove_prefix(hash + 1);
    if (const std::size_t at = titles.find("Datatype: "); at != std::string_view::npos) {
      type_ = our_type(titles.substr(at + 10));
      return;
    }
    const auto cells = cells_of(titles);
    if (cells.empty()) return;
    const bool barrier = test_->kind == CollectiveKind::barrier;
    const std::string first = lower_case(cells.front());
    if (first != "size" && !(barrier && first.find("latency") != std::string::npos)) return;
    for (const auto cell : cells) columns_.push_back(lower_case(cell));
    value_ = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& name = columns_[i];
      if (name == "latency (us)" || name == "latency(us)" || name == "avg latency(us)" || name == "avg latency (us)") {
        value_ = i;
        bandwidth_ = false;
      } else if (name == "bandwidth (mb/s)" || name == "bandwidth(mb/s)") {
        value_ = i;
        bandwidth_ = true;
      }
      if (name == "iterations") iterations_ = i;
    }
    if (value_ == columns_.size())
      fail(fmt::format("a table of {} without a column 'Latency (us)', 'Avg Latency(us)' or 'Bandwidth (MB/s)'",
                       test_->program));
    if (std::find(columns_.begin(), columns_.end(), "iterations") == columns_.end()) iterations_.reset();
  }

  void read_row(const std::vector<std::string_view>& words) {
    if (words.size() != columns_.size())
      fail(fmt::format("expected {} columns ({}), found {}; is the log cut off?", columns_.size(), join(columns_, ", "),
                       words.size()));
    CollectiveRow row;
    row.kind = test_->kind;
    row.ranks = ranks_;
    row.type = type_;
    if (columns_.front() == "size") {
      const auto size = number_of<std::int64_t>(words.front());
      if (!size || *size > (std::int64_t{1} << 50))
        fail(fmt::format("column 'size': expected a number of bytes, found '{}'", words.front()));
      row.size_bytes = test_->size_per_pair ? *size * ranks_ : *size;
    }
    const double value = cell_number(words[value_], columns_[value_], file_, line_);
    if (bandwidth_) {
      if (value <= 0)
        fail(fmt::format("column '{}': expected a number over 0, found '{}'", columns_[value_], words[value_]));
      // MB are 10^6 bytes (OMB README).
      row.throughput = true;
      row.time_s = (test_->both_ways ? 2 : 1) * static_cast<double>(row.size_bytes) / (value * 1e6);
      note(fmt::format(
          "{} keeps many messages in flight: its times are {}, and hide the latency that a lone message pays",
          test_->program,
          test_->both_ways ? "size / bandwidth of one direction (half of what it prints)" : "size / bandwidth"));
    } else {
      row.time_s = value * 1e-6;
    }
    if (iterations_) {
      const auto iterations = number_of<std::int64_t>(words[*iterations_]);
      if (!iterations || *iterations < 0)
        fail(fmt::format("column 'iterations': expected a whole number, found '{}'", words[*iterations_]));
      row.iterations = iterations;
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] != "validation") continue;
      row.wrong = words[i] == "Pass" ? 0 : 1;
      if (*row.wrong > 0)
        note("OSU's validation failed; how many elements are wrong it does not say (1 stands for at least one)");
    }
    result_.collectives.push_back(std::move(row));
  }

  std::string_view text_;
  std::string file_;
  const MeasurementHints& hints_;
  std::size_t line_ = 0;
  std::size_t passed_over_ = 0;
  const Test* test_ = nullptr;
  bool skipping_ = false;
  int ranks_ = 0;
  std::optional<int> stated_ranks_;
  std::vector<std::string> columns_;
  std::size_t value_ = 0;
  std::optional<std::size_t> iterations_;
  bool bandwidth_ = false;
  std::string type_;
  std::string unsupported_;
  Result result_;
};

}  // namespace

bool looks_like_osu(std::string_view text) {
  for (const auto line : lines_of(text))
    if (title_of(line)) return true;
  return false;
}

Result read_osu(std::string_view text, const std::string& file, const MeasurementHints& hints) {
  return Reader(text, file, hints).read();
}

}  // namespace lockstep::logs
