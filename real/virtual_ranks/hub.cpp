#include "real/virtual_ranks/hub.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/error.hpp"
#include "real/transport/outstanding.hpp"

namespace lockstep::real {
namespace {

// Nobody wakes the transport when a rank of this process has something to send.
constexpr std::chrono::microseconds longest_wait{200};
// News of a failure elsewhere is looked for so often while nothing is on its way.
constexpr std::chrono::milliseconds longest_rest{20};
// Tags of a plan, and above them the places of sender and receiver in their processes: MPI takes 31 bits, UCX 40.
constexpr int tag_bits = 22;

}  // namespace

Hub::Hub(Control& control, Transport& transport, const Placement& placement)
    : control_(control),
      transport_(transport),
      placement_(placement),
      first_(placement.first(control.rank())),
      count_(placement.count(control.rank())),
      ranks_(static_cast<std::size_t>(count_)),
      running_(count_),
      brought_(static_cast<std::size_t>(count_)) {}

void Hub::post(const Message& message) {
  std::unique_lock lock(mutex_);
  Rank& own = of(message.rank);
  own.outstanding.emplace(message.token, message);
  if (!message.receive) {
    ++own.statistics.messages_sent;
    own.statistics.bytes_sent += message.bytes;
  }
  if (!here(message.peer)) {
    to_start_.push_back(message);
    service_.notify_one();
    return;
  }
  const Channel channel = message.receive ? Channel{message.peer, message.rank, message.tag}
                                          : Channel{message.rank, message.peer, message.tag};
  Pair& pair = pairs_[channel];
  auto& others = message.receive ? pair.sends : pair.receives;
  if (others.empty()) {
    (message.receive ? pair.receives : pair.sends).push_back(message);
    return;
  }
  const Message other = others.front();
  others.pop_front();
  lock.unlock();
  if (message.receive)
    deliver(other, message);
  else
    deliver(message, other);
}

void Hub::deliver(const Message& send, const Message& receive) {
  if (send.bytes != receive.bytes)
    throw RunFailure(fmt::format("rank {} expects {} bytes with tag {:#x} from rank {}, which sent {}", receive.rank,
                                 receive.bytes, receive.tag, send.rank, send.bytes));
  if (send.bytes > 0) std::memcpy(receive.buffer.data(), send.data.data(), send.bytes);
  const std::lock_guard lock(mutex_);
  complete(send, Completion::Kind::sent, 0);
  complete(receive, Completion::Kind::received, receive.bytes);
}

void Hub::complete(const Message& message, Completion::Kind kind, std::size_t bytes) {
  Rank& rank = of(message.rank);
  rank.ready.push_back({kind, message.token, bytes});
  if (kind != Completion::Kind::progress) rank.outstanding.erase(message.token);
  rank.changed.notify_one();
}

bool Hub::wait(int rank, std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) {
  std::unique_lock lock(mutex_);
  Rank& own = of(rank);
  const auto something = [&] { return !own.ready.empty() || !failure_.empty(); };
  if (!deadline)
    own.changed.wait(lock, something);
  else if (!own.changed.wait_until(lock, *deadline, something))
    return false;
  if (own.ready.empty()) throw PeerFailure(failure_);
  out.insert(out.end(), own.ready.begin(), own.ready.end());
  own.ready.clear();
  return true;
}

void Hub::meet(int rank, const std::string& brought, const Meeting& meet) {
  std::unique_lock lock(mutex_);
  if (!failure_.empty()) throw PeerFailure(failure_);
  const std::uint64_t number = held_;
  brought_[static_cast<std::size_t>(rank - first_)] = brought;
  meeting_ = &meet;  // those of all ranks do the same
  if (++arrived_ == count_) service_.notify_one();
  Rank& own = of(rank);
  own.changed.wait(lock, [&] { return held_ > number || !failure_.empty(); });
  if (held_ == number) throw PeerFailure(failure_);
}

std::string Hub::outstanding(int rank) const {
  const std::lock_guard lock(mutex_);
  std::vector<Message> messages;
  for (const auto& [token, message] : of(rank).outstanding) messages.push_back(message);
  std::sort(messages.begin(), messages.end(), [](const Message& a, const Message& b) { return a.token < b.token; });
  return describe_outstanding(messages);
}

Transport::Statistics Hub::statistics(int rank) const {
  const std::lock_guard lock(mutex_);
  return of(rank).statistics;
}

void Hub::fail(std::exception_ptr error, const std::string& reason) noexcept {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) return;
  failure_ = reason;
  error_ = std::move(error);
  wake_all();
  service_.notify_one();
}

void Hub::throw_if_failed() const {
  const std::lock_guard lock(mutex_);
  if (!failure_.empty()) throw PeerFailure(failure_);
}

void Hub::ended() {
  const std::lock_guard lock(mutex_);
  --running_;
  service_.notify_one();
}

std::exception_ptr Hub::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void Hub::wake_all() {
  for (Rank& rank : ranks_) rank.changed.notify_one();
}

std::uint64_t Hub::wire_tag(const Message& message) const {
  if (message.tag >> tag_bits != 0)
    throw InputError(fmt::format("several ranks in a process: the plan needs tags up to {:#x}, {:#x} at most are left",
                                 message.tag, (1U << tag_bits) - 1));
  const auto place = [&](int rank) {
    return static_cast<std::uint64_t>(rank - placement_.first(placement_.process_of(rank)));
  };
  const int sender = message.receive ? message.peer : message.rank;
  const int receiver = message.receive ? message.rank : message.peer;
  const auto places = static_cast<std::uint64_t>(placement_.count(0));  // no process has more
  return (place(sender) * places + place(receiver)) << tag_bits | message.tag;
}

void Hub::start(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    const std::uint64_t token = next_token_++;
    moving_.emplace(token, message);
    const int process = placement_.process_of(message.peer);
    if (message.receive)
      transport_.receive(process, wire_tag(message), message.buffer, token, message.granularity);
    else
      transport_.send(process, wire_tag(message), message.data, token);
  }
}

void Hub::dispatch(const std::vector<Completion>& completions) {
  const std::lock_guard lock(mutex_);
  for (const Completion& completion : completions) {
    const auto found = moving_.find(completion.token);
    complete(found->second, completion.kind, completion.bytes);
    if (completion.kind != Completion::Kind::progress) moving_.erase(found);
  }
}

void Hub::hold_meeting() {
  const Meeting* meeting = nullptr;
  {
    const std::lock_guard lock(mutex_);
    meeting = meeting_;
  }
  (*meeting)(brought_);  // all who could change it wait
  const std::lock_guard lock(mutex_);
  arrived_ = 0;
  ++held_;
  wake_all();
}

void Hub::step() {
  std::vector<Message> messages;
  bool all_here = false;
  {
    std::unique_lock lock(mutex_);
    const auto something = [&] {
      return !to_start_.empty() || arrived_ == count_ || running_ == 0 || !failure_.empty();
    };
    if (moving_.empty()) service_.wait_for(lock, longest_rest, something);
    if (!failure_.empty()) return;
    messages = std::exchange(to_start_, {});
    all_here = arrived_ == count_;
  }
  start(messages);
  if (all_here) return hold_meeting();
  if (moving_.empty()) return control_.check();
  std::vector<Completion> completions;
  if (transport_.wait(completions, WallClock::now() + longest_wait)) dispatch(completions);
}

void Hub::serve() {
  const auto state = [&] {
    const std::lock_guard lock(mutex_);
    return std::pair(running_, failure_);
  };
  for (;;) {
    const auto [running, failure] = state();
    if (!failure.empty()) break;
    if (running == 0) return;
    try {
      step();
    } catch (const std::exception& error) {
      fail(std::current_exception(), error.what());
    }
  }
  // The other processes hear of it; the ranks of this one have been told, and leave what they wait for.
  control_.fail(state().second);
  std::unique_lock lock(mutex_);
  service_.wait(lock, [&] { return running_ == 0; });
}

}  // namespace lockstep::real
