// Is an algorithm from a file right? It is followed step by step with, in place of data, the list of the contributions
// that every chunk of every rank is made of: (rank, chunk) of the input, and how often.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/collective/custom.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t max_contributions = 1 << 21;  // ranks x ranks x chunks

using Key = std::pair<int, int>;            // rank, chunk of the input
using Contributions = std::map<Key, int>;   // how often
using LaneKey = std::tuple<int, int, int>;  // from, to, lane

struct Chunk {
  Contributions value;
  const CustomStep* written = nullptr;
};

void add(Contributions& to, const Contributions& from) {
  for (const auto& [key, count] : from) to[key] += count;
}

class Check {
 public:
  Check(CustomAlgorithm& algorithm, config::Diagnostics& diagnostics)
      : algorithm_(algorithm), diagnostics_(diagnostics) {}

  void run() {
    if (std::int64_t{algorithm_.ranks} * algorithm_.ranks * algorithm_.chunks > max_contributions)
      return report(nullptr, "size",
                    fmt::format("{} ranks with {} chunks are too many to be checked (ranks x ranks x chunks up to {})",
                                algorithm_.ranks, algorithm_.chunks, max_contributions));
    match_messages();
    if (found_) return;
    execute(false);
    if (found_) return;
    check_results();
    execute(true);
  }

 private:
  struct Use {
    CustomPart* part = nullptr;
    const CustomStep* step = nullptr;
  };
  struct Lane {
    std::vector<Use> sends, receives;
    std::set<std::size_t> senders, receivers;  // threads
  };
  struct Message {
    std::vector<Contributions> chunks;
    std::int64_t arrival = 0;
  };
  struct Thread {
    std::vector<CustomStep>* steps = nullptr;
    std::size_t at = 0;
    bool begun = false;
    std::int64_t time = 0;           // in rounds, when its present step began
    std::vector<std::int64_t> ends;  // of its steps
    std::vector<std::size_t> sent;   // rendezvous: number of its messages on their lanes
  };

  // One finding per position and wording: what is wrong for one rank is usually wrong for all.
  void report(const CustomStep* step, const std::string& topic, const std::string& message) {
    found_ = true;
    const config::Position position = step != nullptr ? step->position : config::Position{algorithm_.file, 0, 0};
    if (reported_.insert({position.line, position.column, topic}).second) diagnostics_.error(position, message);
  }

  template <class Visit>
  void for_each_step(Visit visit) {
    for (std::size_t rank = 0; rank < algorithm_.programs.size(); ++rank)
      for (std::size_t thread = 0; thread < algorithm_.programs[rank].size(); ++thread)
        for (auto& step : algorithm_.programs[rank][thread].steps) visit(static_cast<int>(rank), thread, step);
  }

  void match_messages() {
    std::map<LaneKey, Lane> lanes;
    for_each_step([&](int rank, std::size_t thread, CustomStep& step) {
      for (auto& send : step.sends) {
        Lane& lane = lanes[{rank, send.peer, send.lane}];
        lane.sends.push_back({&send, &step});
        lane.senders.insert(thread);
        if (lane.senders.size() > 1)
          report(&step, "shared",
                 fmt::format("rank {} sends to rank {} on lane {} from two threads; messages of two "
                             "threads need two lanes",
                             rank, send.peer, send.lane));
      }
      for (auto& receive : step.receives) {
        Lane& lane = lanes[{receive.peer, rank, receive.lane}];
        lane.receives.push_back({&receive, &step});
        lane.receivers.insert(thread);
        if (lane.receivers.size() > 1)
          report(&step, "shared",
                 fmt::format("rank {} receives from rank {} on lane {} in two threads; messages of two "
                             "threads need two lanes",
                             rank, receive.peer, receive.lane));
      }
      for (const auto& copy : step.copies)
        algorithm_.equal_chunks = algorithm_.equal_chunks || !same_size(copy.from, copy.to);
    });
    for (const auto& [key, lane] : lanes) {
      const auto& [from, to, number] = key;
      const std::size_t both = std::min(lane.sends.size(), lane.receives.size());
      if (lane.sends.size() > both)
        report(lane.sends[both].step, "unreceived",
               fmt::format("rank {} sends to rank {} on lane {}, which receives {} of {} messages", from, to, number,
                           both, lane.sends.size()));
      if (lane.receives.size() > both)
        report(lane.receives[both].step, "unsent",
               fmt::format("rank {} waits for a message from rank {} on lane {}, which sends {} where {} are received",
                           to, from, number, both, lane.receives.size()));
      for (std::size_t i = 0; i < both; ++i) {
        const CustomSpan& out = lane.sends[i].part->span;
        const CustomSpan& in = lane.receives[i].part->span;
        if (out.chunks != in.chunks)
          report(lane.receives[i].step, "size",
                 fmt::format("rank {} receives {} chunk{} where rank {} sends {}", to, in.chunks,
                             in.chunks == 1 ? "" : "s", from, out.chunks));
        algorithm_.equal_chunks = algorithm_.equal_chunks || !same_size(out, in);
        lane.receives[i].part->channel = lane.sends[i].part->channel;  // a message takes its sender's way
      }
    }
  }
  static bool same_size(const CustomSpan& a, const CustomSpan& b) {
    return a.place != Place::scratch && b.place != Place::scratch && a.chunk == b.chunk;
  }

  [[nodiscard]] int owner_of(int chunk) const { return chunk / std::max(1, algorithm_.chunks / algorithm_.ranks); }

  // The chunk of the input that rank has, if it has it.
  [[nodiscard]] Contributions input(int rank, int chunk) const {
    switch (algorithm_.kind) {
      case CollectiveKind::all_gather:
      case CollectiveKind::gather:
        if (owner_of(chunk) != rank) return {};
        break;
      case CollectiveKind::broadcast:
      case CollectiveKind::scatter:
        if (rank != 0) return {};
        break;
      default:
        break;
    }
    return {{{rank, chunk}, 1}};
  }

  // What the chunk has to be at the end; nothing where the collective does not say.
  [[nodiscard]] std::optional<Contributions> expected(int rank, int chunk) const {
    const int per_block = std::max(1, algorithm_.chunks / algorithm_.ranks);
    switch (algorithm_.kind) {
      case CollectiveKind::reduce_scatter:
        if (owner_of(chunk) != rank) return std::nullopt;
        return complete(chunk);
      case CollectiveKind::reduce:
        if (rank != 0) return std::nullopt;
        return complete(chunk);
      case CollectiveKind::all_reduce:
        return complete(chunk);
      case CollectiveKind::gather:
        if (rank != 0) return std::nullopt;
        return Contributions{{{owner_of(chunk), chunk}, 1}};
      case CollectiveKind::all_gather:
        return Contributions{{{owner_of(chunk), chunk}, 1}};
      case CollectiveKind::scatter:
        if (owner_of(chunk) != rank) return std::nullopt;
        return Contributions{{{0, chunk}, 1}};
      case CollectiveKind::broadcast:
        return Contributions{{{0, chunk}, 1}};
      case CollectiveKind::all_to_all:
        return Contributions{{{owner_of(chunk), rank * per_block + chunk % per_block}, 1}};
      case CollectiveKind::send_recv:
        return Contributions{{{(rank + algorithm_.ranks - 1) % algorithm_.ranks, chunk}, 1}};
      case CollectiveKind::barrier:
      case CollectiveKind::all_to_all_v:
        break;
    }
    return std::nullopt;
  }
  [[nodiscard]] Contributions complete(int chunk) const {
    Contributions all;
    for (int rank = 0; rank < algorithm_.ranks; ++rank) all[{rank, chunk}] = 1;
    return all;
  }
  [[nodiscard]] bool is_complete(const Contributions& value) const {
    if (static_cast<int>(value.size()) != algorithm_.ranks) return false;
    const int chunk = value.begin()->first.second;
    return std::all_of(value.begin(), value.end(),
                       [&](const auto& entry) { return entry.first.second == chunk && entry.second == 1; });
  }

  std::vector<Chunk>& memory(int rank, Place place) {
    return memory_[static_cast<std::size_t>(rank)][static_cast<std::size_t>(place)];
  }
  Chunk& chunk(int rank, const CustomSpan& span, int i) {
    return memory(rank, span.place)[static_cast<std::size_t>(span.chunk) + static_cast<std::size_t>(i)];
  }

  void store(int rank, const CustomSpan& span, const std::vector<Contributions>& data, bool combine, bool& finish,
             const CustomStep& step) {
    int completed = 0;
    for (int i = 0; i < span.chunks; ++i) {
      Chunk& target = chunk(rank, span, i);
      if (!combine) target.value.clear();
      add(target.value, data[static_cast<std::size_t>(i)]);
      target.written = &step;
      completed += is_complete(target.value) ? 1 : 0;
    }
    finish = combine && completed == span.chunks;
    if (combine && completed > 0 && completed < span.chunks) algorithm_.averages = false;
  }
  std::vector<Contributions> load(int rank, const CustomSpan& span) {
    std::vector<Contributions> data;
    for (int i = 0; i < span.chunks; ++i) data.push_back(chunk(rank, span, i).value);
    return data;
  }

  // Runs the steps; with `rendezvous` only the order, every send waiting for its receive.
  void execute(bool rendezvous) {
    rendezvous_ = rendezvous;
    lanes_.clear();
    posted_.clear();
    received_.clear();
    if (!rendezvous) fill_memory();
    threads_.clear();
    for (auto& program : algorithm_.programs) {
      threads_.emplace_back();
      for (auto& thread : program) {
        threads_.back().emplace_back();
        threads_.back().back().steps = &thread.steps;
      }
    }
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t rank = 0; rank < threads_.size(); ++rank)
        for (auto& thread : threads_[rank])
          while (advance(static_cast<int>(rank), thread)) moved = true;
    }
    for (std::size_t rank = 0; rank < threads_.size(); ++rank)
      for (std::size_t t = 0; t < threads_[rank].size(); ++t) {
        const Thread& thread = threads_[rank][t];
        algorithm_.rounds = std::max(algorithm_.rounds, thread.time);
        if (thread.at < thread.steps->size()) report_stuck(static_cast<int>(rank), t);
      }
  }

  void fill_memory() {
    memory_.assign(static_cast<std::size_t>(algorithm_.ranks), {});
    for (int rank = 0; rank < algorithm_.ranks; ++rank) {
      memory(rank, Place::source).resize(static_cast<std::size_t>(algorithm_.chunks));
      memory(rank, Place::target).resize(static_cast<std::size_t>(algorithm_.chunks));
      memory(rank, Place::scratch).resize(static_cast<std::size_t>(algorithm_.scratch_chunks));
      for (int c = 0; c < algorithm_.chunks; ++c)
        memory(rank, algorithm_.from_source ? Place::source : Place::target)[static_cast<std::size_t>(c)].value =
            input(rank, c);
    }
  }

  // Goes on with the thread by one step, or begins one; false: it has to wait.
  bool advance(int rank, Thread& thread) {
    if (thread.at == thread.steps->size()) return false;
    CustomStep& step = (*thread.steps)[thread.at];
    if (!thread.begun) {
      if (step.after_thread >= 0) {
        const Thread& other = threads_[static_cast<std::size_t>(rank)][static_cast<std::size_t>(step.after_thread)];
        if (static_cast<std::int64_t>(other.ends.size()) < step.after_steps) return false;
        if (step.after_steps > 0)
          thread.time = std::max(thread.time, other.ends[static_cast<std::size_t>(step.after_steps - 1)]);
      }
      begin(rank, thread, step);
      return true;
    }
    std::int64_t end = thread.time + (step.sends.empty() ? 0 : 1);
    std::map<LaneKey, std::size_t> used;
    for (const auto& receive : step.receives) {
      const LaneKey key{receive.peer, rank, receive.lane};
      const std::size_t at = received_[key] + used[key]++;
      const auto& messages = lanes_[key];
      if (at >= messages.size()) return false;
      end = std::max(end, messages[at].arrival);
    }
    if (rendezvous_)
      for (std::size_t s = 0; s < step.sends.size(); ++s)
        if (posted_[{rank, step.sends[s].peer, step.sends[s].lane}] <= thread.sent[s]) return false;
    for (auto& receive : step.receives) {
      const LaneKey key{receive.peer, rank, receive.lane};
      const Message& message = lanes_[key][received_[key]++];
      if (!rendezvous_) store(rank, receive.span, message.chunks, receive.combine, receive.finish, step);
    }
    thread.time = end;
    thread.ends.push_back(end);
    thread.begun = false;
    ++thread.at;
    return true;
  }

  void begin(int rank, Thread& thread, CustomStep& step) {
    thread.begun = true;
    thread.sent.clear();
    if (!rendezvous_)
      for (auto& copy : step.copies) store(rank, copy.to, load(rank, copy.from), copy.combine, copy.finish, step);
    for (const auto& send : step.sends) {
      auto& messages = lanes_[{rank, send.peer, send.lane}];
      thread.sent.push_back(messages.size());
      messages.push_back({rendezvous_ ? std::vector<Contributions>{} : load(rank, send.span), thread.time + 1});
    }
    for (const auto& receive : step.receives) ++posted_[{receive.peer, rank, receive.lane}];
  }

  void report_stuck(int rank, std::size_t t) {
    const Thread& thread = threads_[static_cast<std::size_t>(rank)][t];
    const CustomStep& step = (*thread.steps)[thread.at];
    std::string what;
    if (!thread.begun)
      what = fmt::format("thread {} to have done {} steps", step.after_thread, step.after_steps);
    else if (!step.receives.empty())
      what = fmt::format("a message from rank {}", step.receives.front().peer);
    else
      what = fmt::format("rank {} to receive", step.sends.front().peer);
    report(
        &step, rendezvous_ ? "rendezvous" : "stuck",
        fmt::format("{}rank {}, thread {} waits for ever for {}",
                    rendezvous_ ? "deadlock when every send waits for its receiver: " : "deadlock: ", rank, t, what));
  }

  void check_results() {
    for (int rank = 0; rank < algorithm_.ranks; ++rank)
      for (int c = 0; c < algorithm_.chunks; ++c) {
        const auto wanted = expected(rank, c);
        const Chunk& have = memory(rank, Place::target)[static_cast<std::size_t>(c)];
        if (!wanted || *wanted == have.value) continue;
        report(have.written, "wrong",
               fmt::format("wrong result: chunk {} of rank {} ends {}; {}", c, rank, difference(*wanted, have.value),
                           have.written != nullptr ? "this step is the last to write it" : "no step writes it"));
      }
  }
  static std::string difference(const Contributions& wanted, const Contributions& have) {
    std::vector<std::string> parts;
    const auto name = [](const Key& key) { return fmt::format("chunk {} of rank {}", key.second, key.first); };
    for (const auto& [key, count] : wanted)
      if (have.count(key) == 0) parts.push_back("without " + name(key));
    for (const auto& [key, count] : have) {
      if (wanted.count(key) == 0)
        parts.push_back("with " + name(key));
      else if (count > 1)
        parts.push_back(fmt::format("with {} {} times", name(key), count));
    }
    constexpr std::size_t most = 3;
    if (parts.size() > most) {
      const std::size_t more = parts.size() - most;
      parts.resize(most);
      parts.push_back(fmt::format("{} more", more));
    }
    return join(parts, ", ");
  }

  CustomAlgorithm& algorithm_;
  config::Diagnostics& diagnostics_;
  bool found_ = false;
  bool rendezvous_ = false;
  std::set<std::tuple<int, int, std::string>> reported_;
  std::vector<std::array<std::vector<Chunk>, 3>> memory_;
  std::vector<std::vector<Thread>> threads_;
  std::map<LaneKey, std::vector<Message>> lanes_;
  std::map<LaneKey, std::size_t> posted_;
  std::map<LaneKey, std::size_t> received_;
};

}  // namespace

void check_algorithm(CustomAlgorithm& algorithm, config::Diagnostics& diagnostics) {
  Check(algorithm, diagnostics).run();
}

}  // namespace lockstep
