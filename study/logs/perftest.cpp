#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/hash.hpp"
#include "core/base/text.hpp"
#include "study/logs/lines.hpp"
#include "study/logs/logs.hpp"

namespace lockstep::logs {
namespace {

struct Verb {
  std::string_view title;     ///< first word of perftest's title
  std::string_view protocol;  ///< of the rows
  std::string_view program;
};

constexpr std::array<Verb, 5> verbs{{{"RDMA_Write", "write", "ib_write"},
                                     {"RDMA_Write_imm", "write_imm", "ib_write"},
                                     {"RDMA_Read", "read", "ib_read"},
                                     {"Send", "send", "ib_send"},
                                     {"Send_imm", "send_imm", "ib_send"}}};

constexpr std::string_view programs = "ib_write_bw, ib_write_lat, ib_read_bw, ib_read_lat, ib_send_bw, ib_send_lat";

struct Title {
  std::string text;
  const Verb* verb = nullptr;  ///< none: a test of another verb (Atomic)
  bool latency = false;
  bool bidirectional = false;
};

/// "RDMA_Write Bidirectional Post List BW Test", alone on its line.
std::optional<Title> title_of(std::string_view line) {
  const auto words = words_of(line);
  if (words.size() < 3 || words.size() > 8 || words.back() != "Test") return std::nullopt;
  Title title;
  for (const auto& verb : verbs)
    if (verb.title == words.front()) title.verb = &verb;
  if (title.verb == nullptr && words.front() != "Atomic") return std::nullopt;
  bool bandwidth = false;
  for (const auto word : words) {
    title.text += (title.text.empty() ? "" : " ") + std::string(word);
    bandwidth = bandwidth || word == "BW";
    title.latency = title.latency || word == "Latency";
    title.bidirectional = title.bidirectional || word == "Bidirectional";
  }
  return bandwidth != title.latency ? std::optional(title) : std::nullopt;
}

/// Titles of columns hold blanks ("BW average[Gb/sec]", "99% percentile[usec]"): one ends with its unit, with a
/// "#name", or with "average".
std::vector<std::string> columns_of(std::string_view line) {
  std::vector<std::string> columns;
  std::string column;
  for (const auto word : words_of(line)) {
    if (!column.empty()) column += ' ';
    column += word;
    if (word.back() == ']' || word.front() == '#' || word == "average") columns.push_back(std::exchange(column, {}));
  }
  if (!column.empty()) columns.push_back(column);
  return columns;
}

/// The value behind "Link type       : IB"; empty if the line does not have the key.
std::string_view setting(std::string_view line, std::string_view key) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return {};
  const std::size_t colon = line.find(':', at + key.size());
  if (colon == std::string_view::npos) return {};
  if (line.substr(at + key.size(), colon - at - key.size()).find_first_not_of(" \t") != std::string_view::npos)
    return {};
  const auto words = words_of(line.substr(colon + 1));
  return words.empty() ? std::string_view{} : words.front();
}

class Reader {
 public:
  Reader(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  Result read() {
    result_.kind = Result::Kind::measurement;
    result_.backend = "rdma";
    result_.ranks = 2;
    result_.run = Json{{"program", "perftest"}};
    result_.workload = {.name = "perftest", .file = file_, .sha256 = sha256(text_)};
    for (const auto line : lines_of(text_)) {
      ++line_;
      read_line(line);
    }
    if (result_.collectives.empty()) {
      if (!unsupported_.empty())
        throw InputError(fmt::format("{}: '{}' is no test that Lockstep can compare with; expected one of {}", file_,
                                     unsupported_, programs));
      throw InputError(file_ + ": the table of perftest has no rows; did the run end before its first size?");
    }
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
    const auto words = words_of(line);
    if (words.empty()) return;
    if (const auto title = title_of(line)) return start(*title);
    if (words.front() == "#bytes") return read_header(line);
    if (words.front().starts_with("---")) {
      columns_.clear();  // the rule below a table; one above its header ends nothing
      return;
    }
    if (!columns_.empty() && words.front().find_first_not_of("0123456789") == std::string_view::npos)
      return read_row(words);
    for (const auto& [key, name] : settings_read)
      if (const auto value = setting(line, key); !value.empty()) result_.run[std::string(name)] = std::string(value);
  }

  void start(const Title& title) {
    columns_.clear();
    title_ = title;
    if (title.verb != nullptr) return;
    unsupported_ = title.text;
    note(fmt::format("'{}' is no test that Lockstep can compare with; its rows were left out", unsupported_));
  }

  void read_header(std::string_view line) {
    columns_.clear();
    if (title_ && title_->verb == nullptr) return;
    if (!title_)
      fail(fmt::format(
          "a table of perftest without its title ('RDMA_Write BW Test'), which says what was measured; expected the "
          "whole output of one of {}",
          programs));
    columns_ = columns_of(line);
    const auto at = [&](std::string_view name) -> std::optional<std::size_t> {
      const auto found = std::find(columns_.begin(), columns_.end(), name);
      if (found == columns_.end()) return std::nullopt;
      return static_cast<std::size_t>(found - columns_.begin());
    };
    iterations_ = at("#iterations");
    minimum_ = typical_ = average_ = bandwidth_ = rate_ = std::nullopt;
    if (title_->latency) {
      minimum_ = at("t_min[usec]");
      typical_ = at("t_typical[usec]");
      average_ = at("t_avg[usec]");
      if (at("t_typical[cycles]") || at("t_avg[cycles]"))
        fail("these times are processor cycles; run perftest without -C");
      if (!typical_ && !average_) fail("a table of perftest without a column 't_typical[usec]' or 't_avg[usec]'");
      return;
    }
    rate_ = at("MsgRate[Mpps]");
    for (const auto& unit : units)
      if (const auto column = at(unit.column)) {
        bandwidth_ = column;
        bytes_per_second_ = unit.bytes_per_second;
      }
    if (!bandwidth_)
      fail("a table of perftest without a column 'BW average[MiB/sec]', 'BW average[MB/sec]' or 'BW average[Gb/sec]'");
  }

  void read_row(const std::vector<std::string_view>& words) {
    if (words.size() != columns_.size())
      fail(fmt::format("expected {} columns ({}), found {}; is the log cut off?", columns_.size(), join(columns_, ", "),
                       words.size()));
    const auto size = number_of<std::int64_t>(words.front());
    if (!size || *size < 0 || *size > (std::int64_t{1} << 50))
      fail(fmt::format("column '#bytes': expected a number of bytes, found '{}'", words.front()));
    CollectiveRow row;
    row.kind = CollectiveKind::send_recv;
    row.protocol = std::string(title_->verb->protocol);
    row.ranks = 2;
    row.size_bytes = *size;
    row.type = "bytes";
    if (iterations_) {
      const auto iterations = number_of<std::int64_t>(words[*iterations_]);
      if (!iterations || *iterations < 0)
        fail(fmt::format("column '#iterations': expected a whole number, found '{}'", words[*iterations_]));
      row.iterations = iterations;
    }
    if (title_->latency)
      read_latency(words, row);
    else
      read_bandwidth(words, row);
    result_.collectives.push_back(std::move(row));
  }

  double positive(const std::vector<std::string_view>& words, std::size_t column) const {
    const double value = cell_number(words[column], columns_[column], file_, line_);
    if (value <= 0)
      fail(fmt::format("column '{}': expected a number over 0, found '{}'", columns_[column], words[column]));
    return value;
  }

  void read_latency(const std::vector<std::string_view>& words, CollectiveRow& row) {
    row.time_s = positive(words, typical_ ? *typical_ : *average_) * 1e-6;
    if (typical_ && minimum_) row.min_s = positive(words, *minimum_) * 1e-6;
    if (typical_)
      note("times are medians (t_typical); perftest states no p95, so nothing is said about noise");
    else
      note("times are means (t_avg, of a run by duration): no minimum, no p95, so nothing is said about noise");
    if (title_->verb->protocol == "read")
      note("ib_read_lat: a read is a request and its answer, so its time holds the way there and back");
  }

  void read_bandwidth(const std::vector<std::string_view>& words, CollectiveRow& row) {
    // The rate of messages has six decimals where the bandwidth of small messages has two; they say the same.
    const double bandwidth = cell_number(words[*bandwidth_], columns_[*bandwidth_], file_, line_) * bytes_per_second_;
    const double rate = rate_ ? cell_number(words[*rate_], columns_[*rate_], file_, line_) * 1e6 : 0;
    row.throughput = true;
    const double directions = title_->bidirectional ? 2 : 1;
    const double size = static_cast<double>(row.size_bytes);
    if (rate > 0)
      row.time_s = directions / rate;
    else if (bandwidth > 0 && size > 0)
      row.time_s = directions * size / bandwidth;
    else
      fail(fmt::format("column '{}': expected a number over 0, found '{}'", columns_[*bandwidth_], words[*bandwidth_]));
    if (rate > 0 && bandwidth > 1e6 && std::abs(size * rate / bandwidth - 1) > 0.05)
      fail(fmt::format("columns '{}' and '{}' contradict each other: {} and {} for messages of {} bytes",
                       columns_[*bandwidth_], columns_[*rate_], words[*bandwidth_], words[*rate_], row.size_bytes));
    note(
        fmt::format("{}_bw keeps many messages in flight: its times are size / bandwidth, and hide the latency that a "
                    "lone message pays",
                    title_->verb->program));
    if (title_->bidirectional) note("the bandwidth of bidirectional tests is that of both directions together");
  }

  struct Unit {
    std::string_view column;
    double bytes_per_second;
  };
  // perftest's "MB" were 2^20 bytes all along: newer versions write MiB (perftest commit 1d202bb, 2024).
  static constexpr std::array<Unit, 3> units{
      {{"BW average[MiB/sec]", 0x1p20}, {"BW average[MB/sec]", 0x1p20}, {"BW average[Gb/sec]", 1e9 / 8}}};
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> settings_read{
      {{"Number of qps", "queue_pairs"}, {"Connection type", "connection"}, {"Mtu", "mtu"}, {"Link type", "link"}}};

  std::string_view text_;
  std::string file_;
  std::size_t line_ = 0;
  std::optional<Title> title_;
  std::string unsupported_;
  std::vector<std::string> columns_;
  std::optional<std::size_t> iterations_, minimum_, typical_, average_, bandwidth_, rate_;
  double bytes_per_second_ = 0;
  Result result_;
};

}  // namespace

bool looks_like_perftest(std::string_view text) {
  for (const auto line : lines_of(text)) {
    if (title_of(line)) return true;
    const auto words = words_of(line);
    if (words.size() > 2 && words[0] == "#bytes" && words[1] == "#iterations") return true;
  }
  return false;
}

Result read_perftest(std::string_view text, const std::string& file, const MeasurementHints&) {
  return Reader(text, file).read();
}

}  // namespace lockstep::logs
