#include "core/collective/algorithm_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/collective/expression.hpp"
#include "core/collective/msccl.hpp"
#include "core/config/type.hpp"

namespace lockstep {
namespace {

constexpr int max_ranks = 1024;
constexpr std::int64_t max_steps = 1 << 18;
constexpr int loops_deep = 3;

struct SendKeys {
  Expression to, chunk, chunks{"1", {}}, lane{"", {}};
  Place from = Place::target;
};
struct ReceiveKeys {
  Expression from, chunk, chunks{"1", {}}, lane{"", {}};
  Place into = Place::target;
  bool combine = false;
};
struct CopyKeys {
  Expression chunk, to_chunk{"", {}}, chunks{"1", {}};
  Place from = Place::source;
  Place to = Place::target;
  bool combine = false;
};
struct AfterKeys {
  Expression thread, steps{"", {}};
};
struct RepeatKeys {
  std::string index;
  Expression times;
};
struct StepKeys {
  config::Position position;
  std::vector<SendKeys> send;
  std::vector<ReceiveKeys> receive;
  std::optional<CopyKeys> copy;
  std::optional<Expression> when;
  std::optional<AfterKeys> after;
  std::optional<RepeatKeys> repeat;
  std::vector<StepKeys> steps;
};
struct ThreadKeys {
  std::optional<Expression> when;
  int channel = 0;
  std::vector<StepKeys> steps;
};
struct FileKeys {
  std::string schema, name, description;
  CollectiveKind kind = CollectiveKind::all_reduce;
  std::optional<int> ranks;
  Expression chunks{"n", {}}, scratch{"0", {}};
  bool from_source = false;
  std::vector<ThreadKeys> threads;
};

config::Type<Place> place_type() {
  return config::choice<Place>("place",
                               {{"source", Place::source}, {"target", Place::target}, {"scratch", Place::scratch}});
}

config::Type<StepKeys> step_type(int loops) {
  const auto send = config::record<SendKeys>("send", "A message to another rank.")
                        .required("to", &SendKeys::to, expression_type(), "the rank, modulo n")
                        .required("chunk", &SendKeys::chunk, expression_type(), "the first chunk, modulo the chunks")
                        .optional("chunks", &SendKeys::chunks, expression_type(), "how many; default 1")
                        .optional("from", &SendKeys::from, place_type(), "the memory it is read from; default target")
                        .optional("lane", &SendKeys::lane, expression_type(),
                                  "messages of one lane arrive in order; default: the number of the thread")
                        .type();
  const auto receive =
      config::record<ReceiveKeys>("receive", "A message from another rank.")
          .required("from", &ReceiveKeys::from, expression_type(), "the rank, modulo n")
          .required("chunk", &ReceiveKeys::chunk, expression_type(), "the first chunk, modulo the chunks")
          .optional("chunks", &ReceiveKeys::chunks, expression_type(), "how many; default 1")
          .optional("into", &ReceiveKeys::into, place_type(), "the memory it goes to; default target")
          .optional("combine", &ReceiveKeys::combine, config::boolean(),
                    "true: combined with what is there; default false: stored over it")
          .optional("lane", &ReceiveKeys::lane, expression_type(), "as in send")
          .type();
  const auto copy = config::record<CopyKeys>("copy", "Between two memories of the rank.")
                        .required("chunk", &CopyKeys::chunk, expression_type(), "the first chunk, modulo the chunks")
                        .optional("chunks", &CopyKeys::chunks, expression_type(), "how many; default 1")
                        .optional("from", &CopyKeys::from, place_type(), "default source")
                        .optional("to", &CopyKeys::to, place_type(), "default target")
                        .optional("to_chunk", &CopyKeys::to_chunk, expression_type(), "default: the same as chunk")
                        .optional("combine", &CopyKeys::combine, config::boolean(), "true: combined with what is there")
                        .type();
  const auto after =
      config::record<AfterKeys>("after", "What the step waits for.")
          .required("thread", &AfterKeys::thread, expression_type(), "a thread of the same rank, from 0")
          .optional("steps", &AfterKeys::steps, expression_type(), "how many of its steps must be done; default: all")
          .type();
  auto step = config::record<StepKeys>("step",
                                       "What a thread does at once: up to two messages out, two in, and a copy "
                                       "before them; or steps to repeat.");
  step.optional("send", &StepKeys::send, config::one_or_list(send), "a message or two")
      .optional("receive", &StepKeys::receive, config::one_or_list(receive), "a message or two, combined in this order")
      .optional("copy", &StepKeys::copy, copy, "done before the messages are sent")
      .optional("when", &StepKeys::when, expression_type(), "0: the step is left out")
      .optional("after", &StepKeys::after, after, "begins when another thread has come that far")
      .keep_position(&StepKeys::position);
  if (loops > 0) {
    const auto repeat =
        config::record<RepeatKeys>("repeat", "A loop over 'steps'.")
            .required("index", &RepeatKeys::index, config::text(), "its name in expressions, counting from 0")
            .required("times", &RepeatKeys::times, expression_type(), "how often")
            .type();
    step.optional("repeat", &StepKeys::repeat, repeat, "repeats 'steps'")
        .optional("steps", &StepKeys::steps, config::list(step_type(loops - 1), 1), "of 'repeat'");
  }
  step.rule([](const StepKeys& keys, const config::Node& node, config::Diagnostics& diagnostics) {
    if (keys.repeat.has_value() != !keys.steps.empty())
      diagnostics.error(node.position, "'repeat' and 'steps' go together");
    if (keys.repeat && (!keys.send.empty() || !keys.receive.empty() || keys.copy || keys.after))
      diagnostics.error(node.position, "a step repeats 'steps', or it has messages; not both");
    if (keys.send.size() > 2 || keys.receive.size() > 2)
      diagnostics.error(node.position, "a step has two messages out and two in at most");
  });
  return step.type();
}

config::Type<FileKeys> make_file_type() {
  const auto thread = config::record<ThreadKeys>("thread",
                                                 "Steps that every rank does one after another, beside those of "
                                                 "the other threads.")
                          .optional("when", &ThreadKeys::when, expression_type(), "0: the rank leaves the thread out")
                          .optional("channel", &ThreadKeys::channel, config::integer(0, 63),
                                    "which channel its messages belong to; default 0")
                          .required("steps", &ThreadKeys::steps, config::list(step_type(loops_deep), 1), "in order")
                          .type();
  std::vector<std::pair<std::string, CollectiveKind>> kinds;
  for (const auto& name : collective_kind_names()) {
    const CollectiveKind kind = parse_collective_kind(name);
    if (kind != CollectiveKind::barrier && kind != CollectiveKind::all_to_all_v) kinds.emplace_back(name, kind);
  }
  return config::record<FileKeys>("algorithm",
                                  "A collective algorithm as data: what every rank does, in chunks of the "
                                  "buffer. Expressions know n (ranks), r (this rank), chunks, log2n "
                                  "(log2 n rounded up) and the indices of the loops around them.")
      .required("schema", &FileKeys::schema, config::name_of("schema", {"lockstep.algorithm/1"}),
                "the version of this form")
      .required("name", &FileKeys::name, config::text(), "what it is called")
      .optional("description", &FileKeys::description, config::text(), "one line")
      .required("kind", &FileKeys::kind, config::choice<CollectiveKind>("collective", kinds),
                "what it does; root: rank 0")
      .optional("ranks", &FileKeys::ranks, config::integer(1, max_ranks), "for this many only; absent: for any number")
      .optional("chunks", &FileKeys::chunks, expression_type(), "parts of the buffer; default n")
      .optional("scratch", &FileKeys::scratch, expression_type(), "chunks of memory beside it; default 0")
      .optional("from_source", &FileKeys::from_source, config::boolean(),
                "true: the input is in the source only, and the steps take it there; default false: in the target")
      .required("threads", &FileKeys::threads, config::list(thread, 1), "independent of each other but for 'after'")
      .type();
}

// Built once: the nested declarations are large.
const config::Type<FileKeys>& file_type() {
  static const auto type = make_file_type();
  return type;
}

bool has_blocks(CollectiveKind kind) {
  return kind == CollectiveKind::all_gather || kind == CollectiveKind::reduce_scatter ||
         kind == CollectiveKind::gather || kind == CollectiveKind::scatter || kind == CollectiveKind::all_to_all;
}

// Declarations to steps, for one number of ranks.
class Expansion {
 public:
  Expansion(const FileKeys& keys, CustomAlgorithm& algorithm) : keys_(keys), algorithm_(algorithm) {}

  void run() {
    variables_ = {{"n", algorithm_.ranks}, {"log2n", 0}};
    while ((std::int64_t{1} << variables_.back().second) < algorithm_.ranks) ++variables_.back().second;
    algorithm_.chunks = static_cast<int>(within(keys_.chunks, 1, 1 << 16, "chunks"));
    if (has_blocks(algorithm_.kind) && algorithm_.chunks % algorithm_.ranks != 0)
      fail(keys_.chunks,
           fmt::format("{} chunks cannot be dealt to {} ranks, each of which has a block of its own in {}",
                       algorithm_.chunks, algorithm_.ranks, to_string(algorithm_.kind)));
    variables_.emplace_back("chunks", algorithm_.chunks);
    algorithm_.scratch_chunks = static_cast<int>(within(keys_.scratch, 0, 1 << 16, "scratch chunks"));
    for (int rank = 0; rank < algorithm_.ranks; ++rank) {
      variables_.emplace_back("r", rank);
      rank_ = rank;
      algorithm_.programs.emplace_back();
      for (std::size_t t = 0; t < keys_.threads.size(); ++t) {
        thread_ = static_cast<int>(t);
        algorithm_.programs.back().emplace_back();
        const auto& thread = keys_.threads[t];
        if (!thread.when || evaluate(*thread.when, variables_) != 0) add_steps(thread.steps);
      }
      variables_.pop_back();
    }
    // What waits for the whole of another thread.
    for (auto& program : algorithm_.programs)
      for (auto& thread : program)
        for (auto& step : thread.steps)
          if (step.after_steps < 0)
            step.after_steps =
                static_cast<std::int64_t>(program[static_cast<std::size_t>(step.after_thread)].steps.size());
  }

 private:
  [[noreturn]] static void fail(const Expression& at, const std::string& message) {
    throw InputError(fmt::format("{}{}{}", at.position.text(), at.position.file.empty() ? "" : ": ", message));
  }
  std::int64_t within(const Expression& expression, std::int64_t least, std::int64_t most,
                      const std::string& what) const {
    const std::int64_t value = evaluate(expression, variables_);
    if (value < least || value > most)
      fail(expression, fmt::format("{} {}: must be between {} and {}{}", value, what, least, most, here()));
    return value;
  }
  [[nodiscard]] std::string here() const {
    return algorithm_.programs.empty() ? std::string{} : fmt::format(" (rank {})", rank_);
  }

  void add_steps(const std::vector<StepKeys>& steps) {
    for (const auto& step : steps) {
      if (step.when && evaluate(*step.when, variables_) == 0) continue;
      if (step.repeat) {
        const std::int64_t times = within(step.repeat->times, 0, max_steps, "repetitions");
        for (std::int64_t i = 0; i < times; ++i) {
          variables_.emplace_back(step.repeat->index, i);
          add_steps(step.steps);
          variables_.pop_back();
        }
      } else {
        add_step(step);
      }
    }
  }

  void add_step(const StepKeys& keys) {
    if (++steps_ > max_steps)
      throw InputError(fmt::format("{}: more than {} steps over all ranks", keys.position.text(), max_steps));
    CustomStep step;
    step.position = keys.position;
    for (const auto& send : keys.send)
      step.sends.push_back(part(send.to, send.lane, span(send.from, send.chunk, send.chunks), false));
    for (const auto& receive : keys.receive)
      step.receives.push_back(
          part(receive.from, receive.lane, span(receive.into, receive.chunk, receive.chunks), receive.combine));
    if (keys.copy) {
      const auto& copy = *keys.copy;
      CustomCopy result;
      result.from = span(copy.from, copy.chunk, copy.chunks);
      result.to = span(copy.to, copy.to_chunk.text.empty() ? copy.chunk : copy.to_chunk, copy.chunks);
      result.combine = copy.combine;
      step.copies.push_back(result);
    }
    if (keys.after) {
      step.after_thread = static_cast<int>(
          within(keys.after->thread, 0, static_cast<std::int64_t>(keys_.threads.size()) - 1, "as a thread"));
      if (step.after_thread == thread_) fail(keys.after->thread, "a thread does not wait for itself");
      step.after_steps = keys.after->steps.text.empty() ? -1 : within(keys.after->steps, 0, max_steps, "steps");
    }
    algorithm_.programs.back().back().steps.push_back(std::move(step));
  }

  [[nodiscard]] static std::int64_t modulo(std::int64_t value, std::int64_t n) { return (value % n + n) % n; }

  CustomPart part(const Expression& peer, const Expression& lane, const CustomSpan& span, bool combine) {
    CustomPart part;
    part.peer = static_cast<int>(modulo(evaluate(peer, variables_), algorithm_.ranks));
    if (part.peer == rank_) fail(peer, fmt::format("rank {} is its own peer", rank_));
    part.lane = lane.text.empty()
                    ? thread_
                    : static_cast<int>(within(lane, 0, std::numeric_limits<std::uint16_t>::max(), "as a lane"));
    part.channel = keys_.threads[static_cast<std::size_t>(thread_)].channel;
    part.span = span;
    part.combine = combine;
    return part;
  }

  CustomSpan span(Place place, const Expression& chunk, const Expression& chunks) {
    const int all = place == Place::scratch ? algorithm_.scratch_chunks : algorithm_.chunks;
    if (all == 0) fail(chunk, "there is no scratch; 'scratch: N' at the top of the file asks for it");
    CustomSpan span;
    span.place = place;
    span.chunk = static_cast<int>(modulo(evaluate(chunk, variables_), all));
    span.chunks = static_cast<int>(within(chunks, 1, all, "chunks"));
    if (span.chunk + span.chunks > all)
      fail(chunk, fmt::format("chunks {} to {} of {}{}", span.chunk, span.chunk + span.chunks - 1, all, here()));
    return span;
  }

  const FileKeys& keys_;
  CustomAlgorithm& algorithm_;
  Variables variables_;
  std::int64_t steps_ = 0;
  int rank_ = 0;
  int thread_ = 0;
};

}  // namespace

nlohmann::ordered_json algorithm_schema() { return config::root_schema(file_type().schema()); }

CustomAlgorithm read_algorithm(const config::Node& root, const std::string& file, int ranks) {
  config::Diagnostics diagnostics;
  const auto keys = file_type().read(root, diagnostics);
  diagnostics.throw_if_errors();
  CustomAlgorithm algorithm;
  algorithm.name = keys->name;
  algorithm.file = file;
  algorithm.sha256 = sha256(config::canonical_text(root));
  algorithm.kind = keys->kind;
  algorithm.from_source = keys->from_source || needs_separate_source(keys->kind);
  algorithm.ranks = ranks > 0 ? ranks : keys->ranks.value_or(0);
  if (algorithm.ranks == 0)
    throw InputError(fmt::format("{}: it is for any number of ranks; say how many, with --ranks N", file));
  if (keys->ranks && *keys->ranks != algorithm.ranks)
    throw InputError(fmt::format("{}: it is for {} ranks, not {}", file, *keys->ranks, algorithm.ranks));
  if (algorithm.ranks > max_ranks)
    throw InputError(fmt::format("{}: {} ranks; algorithms from files are checked for {} at most", file,
                                 algorithm.ranks, max_ranks));
  Expansion(*keys, algorithm).run();
  check_algorithm(algorithm, diagnostics);
  diagnostics.throw_if_errors();
  return algorithm;
}

CustomAlgorithm load_algorithm(const std::string& path, int ranks) {
  if (path.size() > 4 && path.substr(path.size() - 4) == ".xml") return load_msccl(path, ranks);
  return read_algorithm(config::load_file(path), path, ranks);
}

}  // namespace lockstep
