// Chrome trace events, as Perfetto and chrome://tracing read them ("Trace Event Format", JSON object format): metadata
// events
// ("ph": "M") name processes and threads, complete events ("ph": "X") carry ts and dur in microseconds.
//
// Processes are ranks. Threads 0, 1, ... of a rank are its streams; complete events of one thread must nest, and the
// send and the receive of a schedule step overlap, so every (stream, schedule thread, lane, direction) has a track of
// its own after them.
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <sstream>
#include <tuple>
#include <type_traits>

#include "core/base/error.hpp"
#include "core/plan/program.hpp"
#include "core/timeline/timeline.hpp"

namespace lockstep {
namespace {

constexpr std::size_t flush_at = std::size_t{1} << 16;

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Picoseconds as decimal microseconds, without rounding.
void append_microseconds(fmt::memory_buffer& buffer, Duration time) {
  const std::int64_t count = time.count();
  // Unsigned, so that the smallest value has a magnitude too.
  const std::uint64_t magnitude =
      count < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  const std::uint64_t fraction = magnitude % 1'000'000;
  fmt::format_to(std::back_inserter(buffer), "{}{}", count < 0 ? "-" : "", magnitude / 1'000'000);
  if (fraction == 0) return;
  std::string digits = fmt::format("{:06}", fraction);
  digits.erase(digits.find_last_not_of('0') + 1);
  fmt::format_to(std::back_inserter(buffer), ".{}", digits);
}

std::string_view category(const Action& action) {
  return std::visit(
      [](const auto& what) -> std::string_view {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, Compute>)
          return "compute";
        else if constexpr (std::is_same_v<What, Send>)
          return "send";
        else if constexpr (std::is_same_v<What, Receive>)
          return "receive";
        else if constexpr (std::is_same_v<What, Combine>)
          return "combine";
        else if constexpr (std::is_same_v<What, Copy>)
          return "copy";
        else if constexpr (std::is_same_v<What, Collective>)
          return "collective";
        else if constexpr (std::is_same_v<What, Fill>)
          return "fill";
        else if constexpr (std::is_same_v<What, Verify>)
          return "verify";
        else if constexpr (std::is_same_v<What, Prepare>)
          return "prepare";
        else
          return "mark";
      },
      action);
}

/// What does not change from one execution of an operation to the next.
struct Label {
  std::string name;  // a JSON text
  std::string_view category;
  std::string fixed_arguments;  // members of "args", each with a trailing comma
};

Label label_of(const Operation& operation) {
  Label label{.name = json_text(operation.name), .category = category(operation.action), .fixed_arguments = {}};
  if (const auto* collective = std::get_if<Collective>(&operation.action)) {
    label.fixed_arguments = fmt::format(R"("kind":"{}","algorithm":{},"bytes":{},)", to_string(collective->kind),
                                        json_text(collective->algorithm), collective->size().count());
  } else if (const auto* compute = std::get_if<Compute>(&operation.action)) {
    label.fixed_arguments = fmt::format(R"("kernel":{},)", json_text(compute->kernel));
  } else if (const auto* send = std::get_if<Send>(&operation.action)) {
    label.fixed_arguments = fmt::format(R"("bytes":{},)", send->span.bytes.count());
  } else if (const auto* receive = std::get_if<Receive>(&operation.action)) {
    label.fixed_arguments = fmt::format(R"("bytes":{},)", receive->span.bytes.count());
  }
  return label;
}

class Writer {
 public:
  explicit Writer(std::ostream& out) : out_(out) {}

  template <class... Arguments>
  void print(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(buffer_), text, std::forward<Arguments>(arguments)...);
  }
  void times(Duration start, Duration end) {
    print(R"("ts":)");
    append_microseconds(buffer_, start);
    print(R"(,"dur":)");
    append_microseconds(buffer_, end - start);
  }
  void begin_event() {
    print("{}", first_ ? "\n" : ",\n");
    first_ = false;
    if (buffer_.size() >= flush_at) flush();
  }
  void flush() {
    out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }

 private:
  std::ostream& out_;
  fmt::memory_buffer buffer_;
  bool first_ = true;
};

void name_thread(Writer& writer, Rank rank, std::size_t thread, const std::string& name) {
  writer.begin_event();
  writer.print(R"({{"ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":{}}}}})", rank, thread,
               json_text(name));
  writer.begin_event();
  writer.print(R"({{"ph":"M","name":"thread_sort_index","pid":{},"tid":{},"args":{{"sort_index":{}}}}})", rank, thread,
               thread);
}

using PartTrack = std::tuple<std::uint32_t, std::int32_t, std::uint16_t, bool>;  // stream, schedule thread, lane, send

PartTrack track_of(const PartRecord& part) { return {part.stream, part.thread, part.lane, part.send}; }

}  // namespace

void write_chrome_trace(std::ostream& out, const Plan& plan, const Timeline& timeline) {
  std::vector<std::vector<Label>> labels;
  for (const auto& role : plan.roles) {
    auto& of_role = labels.emplace_back();
    for (const auto* compiled : compile(role).by_id) of_role.push_back(label_of(*compiled->operation));
  }
  std::set<Rank> ranks;
  for (const auto& record : timeline.operations) ranks.insert(record.rank);
  std::map<Rank, std::map<PartTrack, std::size_t>> tracks;
  for (const auto& part : timeline.parts) {
    ranks.insert(part.rank);
    tracks[part.rank][track_of(part)] = 0;
  }

  Writer writer(out);
  writer.print("{}", R"({"displayTimeUnit":"ns","traceEvents":[)");
  for (const Rank rank : ranks) {
    const Role& role = plan.role_of(rank);
    writer.begin_event();
    writer.print(R"({{"ph":"M","name":"process_name","pid":{},"tid":0,"args":{{"name":{}}}}})", rank,
                 json_text(fmt::format("rank {} ({})", rank, role.name)));
    writer.begin_event();
    writer.print(R"({{"ph":"M","name":"process_sort_index","pid":{},"tid":0,"args":{{"sort_index":{}}}}})", rank, rank);
    for (std::size_t stream = 0; stream < role.streams.size(); ++stream)
      name_thread(writer, rank, stream, role.streams[stream].name);
    const auto found = tracks.find(rank);
    if (found == tracks.end()) continue;
    std::size_t next = role.streams.size();
    for (auto& [track, thread] : found->second) {
      thread = next++;
      const auto& [stream, schedule_thread, lane, send] = track;
      const std::string stream_name =
          stream < role.streams.size() ? role.streams[stream].name : fmt::format("stream {}", stream);
      name_thread(
          writer, rank, thread,
          fmt::format("{} / thread {} / lane {} / {}", stream_name, schedule_thread, lane, send ? "send" : "receive"));
    }
  }
  for (const auto& record : timeline.operations) {
    LOCKSTEP_CHECK(record.role < labels.size() && record.operation < labels[record.role].size(),
                   "a record of operation {} of role {}, which the plan does not have", record.operation, record.role);
    const Label& label = labels[record.role][record.operation];
    writer.begin_event();
    writer.print(R"({{"ph":"X","name":{},"cat":"{}","pid":{},"tid":{},)", label.name, label.category, record.rank,
                 record.stream);
    writer.times(record.start, record.end);
    writer.print(R"(,"args":{{{}"iteration":{},"ordinal":{},"warmup":{}}}}})", label.fixed_arguments, record.iteration,
                 record.ordinal, record.warmup);
  }
  for (const auto& part : timeline.parts) {
    writer.begin_event();
    writer.print(R"({{"ph":"X","name":"{} {}","cat":"part","pid":{},"tid":{},)", part.send ? "send to" : "receive from",
                 part.peer, part.rank, tracks[part.rank][track_of(part)]);
    writer.times(part.start, part.end);
    writer.print(R"(,"args":{{"bytes":{},"step":{},"ordinal":{}}}}})", part.bytes, part.step, part.ordinal);
  }
  writer.print("\n]}}\n");
  writer.flush();
}

std::string chrome_trace(const Plan& plan, const Timeline& timeline) {
  std::ostringstream out;
  write_chrome_trace(out, plan, timeline);
  return std::move(out).str();
}

}  // namespace lockstep
