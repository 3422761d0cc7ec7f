#include "core/plan/interpret.hpp"

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/text.hpp"
#include "core/collective/data_request.hpp"
#include "core/plan/walker.hpp"

namespace lockstep {
namespace {

class Machine;
using InterpreterWalker = Walker<Machine>;

class Machine {
 public:
  Machine(const Plan& plan, const InterpretOptions& options, Recorder& recorder, const Interpreter& hooks)
      : plan_(plan), options_(options), recorder_(recorder), hooks_(hooks), random_(options.shuffle) {
    for (const auto& role : plan.roles) programs_.push_back(compile(role));
    memory_.resize(static_cast<std::size_t>(plan.ranks));
    if (options.data) {
      for (Rank r = 0; r < plan.ranks; ++r)
        for (const auto& buffer : plan.role_of(r).buffers)
          memory_[static_cast<std::size_t>(r)].emplace_back(static_cast<std::size_t>(buffer.bytes.count()));
    }
    for (Rank r = 0; r < plan.ranks; ++r)
      walkers_.push_back(
          std::make_unique<InterpreterWalker>(plan, programs_[plan.role_index(r)], r, *this, options.once));
    starts_.resize(static_cast<std::size_t>(plan.ranks));
    for (Rank r = 0; r < plan.ranks; ++r)
      starts_[static_cast<std::size_t>(r)].resize(walkers_[static_cast<std::size_t>(r)]->stream_count());
  }

  Interpretation run() {
    for (auto& walker : walkers_) walker->start();
    while (!ready_.empty()) {
      Ready next = take();
      const Token token = Token::unpack(next.token);
      if (next.incoming) {
        if (must_wait(next, token)) {
          held_back_[{next.rank, token.stream, token.thread}] = std::move(next);
          continue;
        }
        apply(next, token);
      } else if (token.part < first_receive_part) {
        end_send(next.rank, token);
      }
      walkers_[static_cast<std::size_t>(next.rank)]->complete(token);
    }
    for (const auto& walker : walkers_)
      if (!walker->done()) describe_stuck(*walker);
    for (const auto& [key, lane] : lanes_)
      for (const auto& message : lane.messages)
        result_.leftovers.push_back(fmt::format("{} bytes from rank {} to rank {} (tag {:#x}) were never received",
                                                message.bytes, key.from, key.to, key.tag));
    return std::move(result_);
  }

  // --- Backend of Walker ---
  bool start_send(InterpreterWalker& walker, Token token, const Outgoing& out) {
    begin_part(walker, token);
    ++result_.messages;
    result_.bytes += out.bytes;
    Message message;
    message.bytes = out.bytes;
    message.sender = walker.rank();
    message.sender_token = token.packed();
    if (options_.data && out.bytes > 0) {
      if (out.scattered != nullptr) {
        const auto width = static_cast<std::int64_t>(element_bytes(out.collective->type));
        for (const Range& piece : out.scattered->pieces(*out.part)) {
          const auto source =
              memory(walker.rank(), out.buffer, out.offset_bytes + piece.begin * width, piece.size() * width);
          message.data.insert(message.data.end(), source.begin(), source.end());
        }
        LOCKSTEP_CHECK(static_cast<std::int64_t>(message.data.size()) == out.bytes,
                       "pieces of {} bytes for a message of {}", message.data.size(), out.bytes);
      } else {
        const auto source = memory(walker.rank(), out.buffer, out.offset_bytes, out.bytes);
        message.data.assign(source.begin(), source.end());
      }
    }
    Lane& lane = lanes_[{walker.rank(), out.peer, out.tag}];
    lane.messages.push_back(std::move(message));
    if (!options_.rendezvous) ready_.push_back({walker.rank(), token.packed(), {}, {}});
    match(lane);
    return false;
  }
  bool start_receive(InterpreterWalker& walker, Token token, const Incoming& in) {
    begin_part(walker, token);
    Lane& lane = lanes_[{in.peer, walker.rank(), in.tag}];
    lane.receives.push_back({walker.rank(), token.packed(), in});
    match(lane);
    return false;
  }
  bool start_copy(InterpreterWalker& walker, Token, const Move& move) {
    if (options_.data) {
      const auto from = memory(walker.rank(), move.from, move.from_bytes, move.bytes);
      const auto to = memory(walker.rank(), move.to, move.to_bytes, move.bytes);
      if (move.combine != nullptr) {
        const auto count = move.bytes / static_cast<std::int64_t>(element_bytes(move.combine->type));
        combine_elements(move.combine->type, move.combine->reduction, from.data(), to.data(), count);
        if (move.finish) finish_average(move.combine->type, to.data(), count, move.group_size);
      } else {
        std::memmove(to.data(), from.data(), from.size());
      }
    }
    return true;
  }
  bool start_combine(InterpreterWalker& walker, Token, const Combine& combine, const LoopIndices& indices) {
    if (options_.data) {
      const auto from =
          memory(walker.rank(), combine.source.buffer, combine.source.offset.at(indices), combine.source.bytes.count());
      const auto to =
          memory(walker.rank(), combine.target.buffer, combine.target.offset.at(indices), combine.source.bytes.count());
      combine_elements(combine.type, combine.reduction, from.data(), to.data(),
                       combine.source.bytes.count() / static_cast<std::int64_t>(element_bytes(combine.type)));
    }
    return true;
  }
  bool start_compute(InterpreterWalker&, Token, const Compute&) { return true; }
  bool start_prepare(InterpreterWalker&, Token, const Prepare&) { return true; }
  bool start_native(InterpreterWalker&, Token, const Collective& collective) {
    throw RunFailure(fmt::format("the interpreter has no native {}; name an algorithm", to_string(collective.kind)));
  }
  bool start_fill(InterpreterWalker& walker, Token token, const Collective& collective) {
    if (options_.data) {
      const auto source = span_of(walker, token, collective.source);
      const auto target = span_of(walker, token, collective.target);
      fill_input(data_request(plan_, collective, walker.rank(), iteration(walker, token)), source, target);
      if (hooks_.on_fill) hooks_.on_fill(walker.rank(), collective, source, target);
    }
    return true;
  }
  bool start_verify(InterpreterWalker& walker, Token token, const Collective& collective) {
    if (options_.data) {
      const auto target = span_of(walker, token, collective.target);
      if (hooks_.on_verify)
        hooks_.on_verify(walker.rank(), walker.cursor(token.stream).operation().operation->name, target);
      result_.wrong += count_wrong(data_request(plan_, collective, walker.rank(), iteration(walker, token)), target);
    }
    return true;
  }
  bool start_mark(InterpreterWalker& walker, Token token, const Mark& mark) {
    if (!mark.together) return true;
    meeting_.push_back({walker.rank(), token.packed(), {}, {}});
    if (static_cast<int>(meeting_.size()) == plan_.ranks) {
      for (auto& ready : meeting_) ready_.push_back(std::move(ready));
      meeting_.clear();
    }
    return false;
  }
  void operation_started(InterpreterWalker& walker, std::size_t stream) {
    starts_[static_cast<std::size_t>(walker.rank())][stream] = tick();
  }
  void operation_done(InterpreterWalker& walker, std::size_t stream) {
    const Cursor& cursor = walker.cursor(stream);
    OperationRecord record;
    record.rank = walker.rank();
    record.role = plan_.role_index(walker.rank());
    record.stream = static_cast<std::uint32_t>(stream);
    record.operation = cursor.operation().id;
    record.ordinal = cursor.completed();
    record.iteration = cursor.indices()[0];
    record.start = Duration{starts_[static_cast<std::size_t>(walker.rank())][stream]};
    record.end = Duration{tick()};
    recorder_.operation(record);
  }

 private:
  // An action that is done, as soon as it is taken from the queue: received data are stored or combined then, when the
  // walker has issued the whole step and every send of it holds its copy.
  struct Ready {
    Rank rank = 0;
    std::uint32_t token = 0;
    std::optional<Incoming> incoming;
    std::vector<std::byte> data;
  };
  struct Key {
    Rank from, to;
    std::uint64_t tag;
    auto operator<=>(const Key&) const = default;
  };
  struct Message {
    std::int64_t bytes = 0;
    Rank sender = 0;
    std::uint32_t sender_token = 0;
    std::vector<std::byte> data;
  };
  struct PendingReceive {
    Rank rank;
    std::uint32_t token;
    Incoming incoming;
  };
  struct Lane {
    std::deque<Message> messages;
    std::deque<PendingReceive> receives;
  };
  std::int64_t tick() { return ++clock_; }

  void begin_part(InterpreterWalker& walker, Token token) {
    if (recorder_.wants_parts()) part_starts_[{walker.rank(), token.packed()}] = tick();
  }
  void end_part(Rank rank, std::uint32_t packed, bool send, Rank peer, std::uint64_t tag, std::int64_t bytes) {
    const Token token = Token::unpack(packed);
    if (!recorder_.wants_parts() || token.part == whole_operation) return;
    const auto& walker = *walkers_[static_cast<std::size_t>(rank)];
    PartRecord record;
    record.rank = rank;
    record.stream = token.stream;
    record.ordinal = walker.cursor(token.stream).completed();
    record.thread = token.thread;
    record.step = walker.step_index(token);
    record.send = send;
    record.peer = peer;
    record.lane = static_cast<std::uint16_t>(tag & 0xFFFF);
    record.bytes = bytes;
    record.start = Duration{part_starts_[{rank, packed}]};
    record.end = Duration{tick()};
    recorder_.part(record);
  }

  Ready take() {
    std::size_t at = 0;
    if (options_.shuffle != 0) at = static_cast<std::size_t>((random_ = mix64(random_)) % ready_.size());
    Ready next = std::move(ready_[at]);
    ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
    return next;
  }

  void end_send(Rank rank, Token token) {
    if (!recorder_.wants_parts()) return;
    const auto& walker = *walkers_[static_cast<std::size_t>(rank)];
    const Part& part = walker.step(token).sends[token.part];
    const auto& collective = std::get<Collective>(walker.cursor(token.stream).operation().operation->action);
    const GroupFamily& group = plan_.groups[collective.group];
    end_part(rank, token.packed(), true, group.member(group.place_of(rank).instance, part.peer),
             collective_tag(collective.group, part.lane),
             part.count * static_cast<std::int64_t>(element_bytes(collective.type)));
  }

  void match(Lane& lane) {
    while (!lane.messages.empty() && !lane.receives.empty()) {
      Message message = std::move(lane.messages.front());
      const PendingReceive receive = lane.receives.front();
      lane.messages.pop_front();
      lane.receives.pop_front();
      if (message.bytes != receive.incoming.bytes)
        throw RunFailure(fmt::format("rank {} sent {} bytes to rank {}, which expects {}", message.sender,
                                     message.bytes, receive.rank, receive.incoming.bytes));
      if (options_.rendezvous) ready_.push_back({message.sender, message.sender_token, {}, {}});
      ready_.push_back({receive.rank, receive.token, receive.incoming, std::move(message.data)});
    }
  }

  // The schedule fixes the order of combination: receives[1] only after receives[0] of the same step.
  bool must_wait(const Ready& ready, Token token) {
    if (token.part != first_receive_part + 1 || !ready.incoming->combine) return false;
    const auto& walker = *walkers_[static_cast<std::size_t>(ready.rank)];
    if (!walker.step(token).receives[0].combine) return false;
    const auto at = applied_.find({ready.rank, token.stream, token.thread});
    return at == applied_.end() ||
           at->second != StepKey{walker.cursor(token.stream).completed(), walker.step_index(token)};
  }

  void apply(const Ready& ready, Token token) {
    const Incoming& in = *ready.incoming;
    if (options_.data && in.bytes > 0) {
      if (in.scattered != nullptr) {
        const auto width = static_cast<std::int64_t>(element_bytes(in.collective->type));
        const std::byte* data = ready.data.data();
        for (const Range& piece : in.scattered->pieces(*in.part)) {
          if (piece.size() == 0) continue;
          store(in, data, memory(ready.rank, in.buffer, in.offset_bytes + piece.begin * width, piece.size() * width));
          data += piece.size() * width;
        }
      } else {
        store(in, ready.data.data(), memory(ready.rank, in.buffer, in.offset_bytes, in.bytes));
      }
    }
    end_part(ready.rank, ready.token, false, in.peer, in.tag, in.bytes);
    if (token.part == first_receive_part) {
      const auto& walker = *walkers_[static_cast<std::size_t>(ready.rank)];
      applied_[{ready.rank, token.stream, token.thread}] = {walker.cursor(token.stream).completed(),
                                                            walker.step_index(token)};
      const auto held = held_back_.find({ready.rank, token.stream, token.thread});
      if (held != held_back_.end()) {
        ready_.push_back(std::move(held->second));
        held_back_.erase(held);
      }
    }
  }

  static void store(const Incoming& in, const std::byte* data, std::span<std::byte> target) {
    if (in.combine) {
      const auto count = static_cast<std::int64_t>(target.size() / element_bytes(in.collective->type));
      combine_elements(in.collective->type, in.collective->reduction, data, target.data(), count);
      if (in.finish) finish_average(in.collective->type, target.data(), count, in.group_size);
    } else {
      std::memcpy(target.data(), data, target.size());
    }
  }

  std::span<std::byte> memory(Rank rank, BufferId buffer, std::int64_t offset, std::int64_t bytes) {
    auto& storage = memory_[static_cast<std::size_t>(rank)][buffer];
    LOCKSTEP_CHECK(offset >= 0 && offset + bytes <= static_cast<std::int64_t>(storage.size()),
                   "span [{}, {}) of a buffer of {} bytes", offset, offset + bytes, storage.size());
    return std::span(storage).subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes));
  }
  std::span<std::byte> span_of(InterpreterWalker& walker, Token token, const Span& span) {
    return memory(walker.rank(), span.buffer, span.offset.at(walker.cursor(token.stream).indices()),
                  span.bytes.count());
  }
  static std::int64_t iteration(const InterpreterWalker& walker, Token token) {
    return walker.cursor(token.stream).indices()[0];
  }

  void describe_stuck(const InterpreterWalker& walker) {
    for (std::size_t s = 0; s < walker.stream_count(); ++s) {
      if (walker.cursor(s).done()) continue;
      const std::string where =
          fmt::format("rank {}, stream '{}', operation '{}'", walker.rank(), walker.program().streams[s].name,
                      walker.cursor(s).operation().operation->name);
      std::string what = walker.active(s) ? "" : "waits for another stream";
      for (const auto& [key, lane] : lanes_) {
        for (const auto& receive : lane.receives)
          if (receive.rank == walker.rank() && Token::unpack(receive.token).stream == s)
            what += fmt::format("{}waits for {} bytes from rank {}", what.empty() ? "" : "; ", receive.incoming.bytes,
                                key.from);
        for (const auto& message : lane.messages)
          if (options_.rendezvous && message.sender == walker.rank() && Token::unpack(message.sender_token).stream == s)
            what +=
                fmt::format("{}waits until rank {} takes {} bytes", what.empty() ? "" : "; ", key.to, message.bytes);
      }
      if (what.empty()) what = "waits for ranks that never come";
      result_.stuck.push_back(fmt::format("{}: {}", where, what));
    }
  }

  using StepKey = std::pair<std::int64_t, std::int64_t>;  // (operation's ordinal, step)
  using ThreadKey = std::tuple<Rank, std::uint8_t, std::uint16_t>;

  const Plan& plan_;
  InterpretOptions options_;
  Recorder& recorder_;
  const Interpreter& hooks_;
  std::uint64_t random_;
  std::vector<Program> programs_;
  std::vector<std::vector<std::vector<std::byte>>> memory_;
  std::vector<std::unique_ptr<InterpreterWalker>> walkers_;
  std::map<Key, Lane> lanes_;
  std::deque<Ready> ready_;
  std::vector<Ready> meeting_;
  std::map<ThreadKey, Ready> held_back_;
  std::map<ThreadKey, StepKey> applied_;
  std::vector<std::vector<std::int64_t>> starts_;
  std::map<std::pair<Rank, std::uint32_t>, std::int64_t> part_starts_;
  Interpretation result_;
  std::int64_t clock_ = 0;
};

}  // namespace

Interpretation Interpreter::interpret(const Plan& plan, Recorder& recorder) {
  return Machine(plan, options_, recorder, *this).run();
}

void Interpreter::execute(const Plan& plan, Recorder& recorder) {
  const Interpretation result = interpret(plan, recorder);
  if (!result.stuck.empty()) throw RunFailure("the plan cannot be completed:\n" + join(result.stuck, "\n"));
}

}  // namespace lockstep
