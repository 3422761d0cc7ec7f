// Where the ranks of one process leave their messages and meet; see virtual_ranks.hpp.
#pragma once

#include <any>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "real/virtual_ranks/virtual_ranks.hpp"

namespace lockstep::real {

class Hub {
 public:
  /// A message of a rank, as it asked for it.
  struct Message {
    int rank = 0;  ///< that sends or receives it
    int peer = 0;
    std::uint64_t tag = 0;
    std::span<const std::byte> data;  ///< of a send
    std::span<std::byte> buffer;      ///< of a receive
    std::uint64_t token = 0;
    std::size_t granularity = 0;
    bool receive = false;
    std::size_t bytes = 0;
  };

  Hub(Control& control, Transport& transport, const Placement& placement);

  // --- of the ranks' threads ---
  void post(const Message& message);
  /// As Transport::wait.
  bool wait(int rank, std::vector<Completion>& out, std::optional<WallClock::time_point> deadline);
  /// Waits until all ranks of this process are here, then until the calling thread of run_virtual_ranks has called
  /// `meet` with what they brought, by rank. Throws PeerFailure when one of them, or the meeting, failed.
  using Meeting = std::function<void(const std::vector<std::string>& brought)>;
  void meet(int rank, const std::string& brought, const Meeting& meet);
  /// What the last meeting brought, for all ranks of this process: kept in it, read after it.
  void keep(std::any value) { kept_ = std::move(value); }
  [[nodiscard]] const std::any& kept() const { return kept_; }
  [[nodiscard]] std::string outstanding(int rank) const;
  [[nodiscard]] Transport::Statistics statistics(int rank) const;
  /// The cause of the end of all ranks, once; what comes later is its consequence.
  void fail(std::exception_ptr error, const std::string& reason) noexcept;
  void throw_if_failed() const;
  void ended();

  // --- of the calling thread ---
  /// Moves messages and holds meetings until every rank has ended.
  void serve();
  [[nodiscard]] std::exception_ptr error() const;

  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] Control& control() { return control_; }
  [[nodiscard]] Transport& transport() { return transport_; }

 private:
  using Channel = std::tuple<int, int, std::uint64_t>;  ///< sender, receiver, tag
  struct Rank {
    std::vector<Completion> ready;
    std::unordered_map<std::uint64_t, Message> outstanding;  ///< by token
    Transport::Statistics statistics;
    std::condition_variable changed;
  };
  struct Pair {
    std::deque<Message> sends, receives;
  };

  [[nodiscard]] bool here(int rank) const { return placement_.process_of(rank) == control_.rank(); }
  [[nodiscard]] Rank& of(int rank) { return ranks_[static_cast<std::size_t>(rank - first_)]; }
  [[nodiscard]] const Rank& of(int rank) const { return ranks_[static_cast<std::size_t>(rank - first_)]; }
  [[nodiscard]] std::uint64_t wire_tag(const Message& message) const;
  void deliver(const Message& send, const Message& receive);
  void complete(const Message& message, Completion::Kind kind, std::size_t bytes);
  void wake_all();
  void start(const std::vector<Message>& messages);
  void dispatch(const std::vector<Completion>& completions);
  void hold_meeting();
  void step();

  Control& control_;
  Transport& transport_;
  const Placement placement_;
  const int first_, count_;

  mutable std::mutex mutex_;
  std::condition_variable service_;  ///< the calling thread has something to do
  std::vector<Rank> ranks_;
  std::map<Channel, Pair> pairs_;  ///< within this process
  std::vector<Message> to_start_;  ///< with ranks of other processes
  int running_;
  // The meeting that the ranks come to, and the last one that was held.
  int arrived_ = 0;
  std::uint64_t held_ = 0;
  std::vector<std::string> brought_;
  const Meeting* meeting_ = nullptr;
  std::any kept_;
  std::string failure_;
  std::exception_ptr error_;
  // Of the calling thread alone: messages that the transport has, by its tokens.
  std::unordered_map<std::uint64_t, Message> moving_;
  std::uint64_t next_token_ = 0;
};

}  // namespace lockstep::real
