#include "real/launch/control.hpp"

#include <fcntl.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/endian/conversion.hpp>
#include <cerrno>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "core/base/text.hpp"
#include "real/launch/link.hpp"
#include "real/launch/rendezvous.hpp"
#include "real/launch/sleep.hpp"

namespace lockstep::real {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

// What a failure message or the last words wait for at most before the connection is closed.
constexpr auto parting_time = 1s;
// Rank 0 gives up first and can name who is missing; the others see only that rank 0 does not answer.
constexpr auto time_for_rank_0_to_tell = 1s;

void put(std::string& to, std::uint64_t value) {
  unsigned char bytes[8];
  boost::endian::store_little_u64(bytes, value);
  to.append(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

std::uint64_t take(std::string_view& from) {
  LOCKSTEP_CHECK(from.size() >= 8, "a control frame is {} bytes short", 8 - from.size());
  const auto value = boost::endian::load_little_u64(reinterpret_cast<const unsigned char*>(from.data()));
  from.remove_prefix(8);
  return value;
}

std::string take_string(std::string_view& from) {
  const std::uint64_t length = take(from);
  LOCKSTEP_CHECK(from.size() >= length, "a control frame is {} bytes short", length - from.size());
  std::string text(from.substr(0, length));
  from.remove_prefix(length);
  return text;
}

/// What all ranks have to call together. Rank 0 verifies that they do.
enum class Collective : std::uint64_t { barrier = 1, gather, all_gather, start, clock };

const char* name(Collective collective) {
  switch (collective) {
    case Collective::barrier:
      return "barrier";
    case Collective::gather:
      return "gather";
    case Collective::all_gather:
      return "all_gather";
    case Collective::start:
      return "start_together";
    case Collective::clock:
      return "estimate_clock_offset";
  }
  return "?";
}

std::uint64_t nanoseconds_of(WallClock::time_point instant) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(instant.time_since_epoch()).count());
}

WallClock::time_point instant_of(std::uint64_t nanoseconds) {
  return WallClock::time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds)));
}

class TcpControl final : public Control {
 public:
  TcpControl(const JobEnvironment& environment, std::string_view agreement, std::chrono::milliseconds timeout)
      : environment_(environment),
        timeout_(timeout),
        work_(events_.get_executor()),
        inbox_(static_cast<std::size_t>(environment.size)),
        left_(static_cast<std::size_t>(environment.size)),
        exceptions_at_birth_(std::uncaught_exceptions()) {
    if (environment.size > 1) {
      auto meeting = meet(events_, environment, agreement, timeout);
      links_ = std::move(meeting.links);
      job_ = meeting.job;
    }
    for (int rank = 0; rank < static_cast<int>(links_.size()); ++rank) {
      const auto& link = links_[static_cast<std::size_t>(rank)];
      if (!link) continue;
      // A link that broke since the meeting has said so to nobody.
      if (!link->open()) lost(rank, "closed");
      link->on_frame = [this, rank](Frame frame) { hear(rank, std::move(frame)); };
      link->on_closed = [this, rank](const std::string& why) { lost(rank, why); };
    }
  }

  ~TcpControl() override {
    if (std::uncaught_exceptions() > exceptions_at_birth_) fail("it was stopped by an error");
    if (!failure_) tell_all(FrameKind::goodbye, {});
    part();
  }

  TcpControl(const TcpControl&) = delete;
  TcpControl& operator=(const TcpControl&) = delete;

  [[nodiscard]] int rank() const override { return environment_.rank; }
  [[nodiscard]] int size() const override { return environment_.size; }
  [[nodiscard]] std::uint64_t job() const override { return job_; }
  asio::io_context& events() override { return events_; }
  void set_timeout(std::chrono::milliseconds timeout) override { timeout_ = timeout; }
  [[nodiscard]] std::chrono::milliseconds timeout() const override { return timeout_; }

  [[nodiscard]] std::string own_address() const override {
    if (!environment_.own_address.empty()) return environment_.own_address;
    std::string address = environment_.master_address;
    for (const auto& link : links_) {
      if (!link || !link->open()) continue;
      address = link->own_address();
      // Rank 0 is seen by ranks on its own host over loopback, perhaps, but that is no use to the others.
      if (!address.starts_with("127.") && address != "::1") break;
    }
    return address;
  }

  std::vector<std::string> all_gather(const std::string& own) override {
    auto all = enter(Collective::all_gather, own);
    if (rank() == 0) {
      std::string packed;
      for (const auto& one : all) {
        put(packed, one.size());
        packed += one;
      }
      release(Collective::all_gather, packed);
      return all;
    }
    const std::string packed = await_release(Collective::all_gather);
    std::string_view rest = packed;
    all.clear();
    for (int r = 0; r < size(); ++r) all.push_back(take_string(rest));
    return all;
  }

  std::vector<std::string> gather(const std::string& own) override { return enter(Collective::gather, own); }

  [[nodiscard]] std::vector<Traffic> traffic() const override {
    std::vector<Traffic> all;
    for (const auto& link : links_) all.push_back(link ? link->traffic() : Traffic{});
    all.resize(static_cast<std::size_t>(size()));
    return all;
  }

  void barrier() override {
    enter(Collective::barrier, {});
    if (rank() == 0)
      release(Collective::barrier, {});
    else
      await_release(Collective::barrier);
  }

  WallClock::time_point start_together(std::chrono::nanoseconds margin, const Waking& waking) override {
    if (!clock_) estimate_clock_offset();
    enter(Collective::start, {});
    WallClock::time_point start;
    if (rank() == 0) {
      start = WallClock::now() + margin;
      std::string packed;
      put(packed, nanoseconds_of(start));
      release(Collective::start, packed);
    } else {
      const std::string packed = await_release(Collective::start);
      std::string_view rest = packed;
      // Ranks on one host share CLOCK_MONOTONIC; an offset that is smaller than its own uncertainty is noise.
      const auto magnitude = clock_->offset < 0ns ? -clock_->offset : clock_->offset;
      start = instant_of(take(rest)) + (clock_->uncertainty > magnitude ? 0ns : clock_->offset);
    }
    wait_until(start, waking);
    return start;
  }

  // One rank after the other, so that the exchanges of one do not delay those of another.
  ClockOffset estimate_clock_offset() override {
    enter(Collective::clock, {});
    ClockOffset best;
    if (rank() == 0) {
      for (int r = 1; r < size(); ++r) {
        link(r).send(FrameKind::release, release_header(Collective::clock));
        take_entry(r, Collective::clock);
      }
    } else {
      await_release(Collective::clock);
      best.uncertainty = std::chrono::nanoseconds::max();
      for (int exchange = 0; exchange < 16; ++exchange) {
        pong_.reset();
        const auto sent = WallClock::now();
        link(0).send(FrameKind::ping, {});
        await(
            "estimate_clock_offset", [&] { return pong_.has_value(); }, [] { return std::string("rank 0"); });
        const auto round_trip = pong_->arrived - sent;
        if (round_trip / 2 < best.uncertainty) best = {sent + round_trip / 2 - pong_->theirs, round_trip / 2};
      }
      link(0).send(FrameKind::enter, release_header(Collective::clock));
    }
    clock_ = best;
    return best;
  }

  void fail(std::string_view reason) noexcept override {
    try {
      if (failure_) return;
      failure_ = fmt::format("rank {} failed: {}", rank(), reason);
      tell_all(FrameKind::failure, *failure_);
    } catch (...) {  // NOLINT(bugprone-empty-catch)
      // The news is then that the connection closes.
    }
  }

  void check() override {
    if (events_.stopped()) events_.restart();
    events_.poll();
    throw_if_failed();
  }

  void wait_for(int descriptor, WallClock::time_point deadline) override {
    if (watched_number_ != descriptor) {
      // A descriptor of our own, which stays ours when the other is closed.
      const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
      if (own < 0) throw RunFailure("cannot duplicate a descriptor: " + std::generic_category().message(errno));
      watched_.emplace(events_, own);
      watched_number_ = descriptor;
      watching_ = std::make_shared<bool>(false);
    }
    if (!*watching_) {
      *watching_ = true;
      watched_->async_wait(asio::posix::descriptor_base::wait_read,
                           [watching = watching_](const boost::system::error_code&) { *watching = false; });
    }
    if (events_.stopped()) events_.restart();
    events_.run_one_until(deadline);
    throw_if_failed();
  }

  void throw_if_failed() const override {
    if (failure_) throw PeerFailure(*failure_);
  }

 private:
  struct Pong {
    WallClock::time_point theirs, arrived;
  };

  Link& link(int rank) { return *links_[static_cast<std::size_t>(rank)]; }

  void tell_all(FrameKind kind, std::string_view bytes, int except = -1) {
    for (int r = 0; r < static_cast<int>(links_.size()); ++r)
      if (r != except && links_[static_cast<std::size_t>(r)]) link(r).send(kind, bytes);
  }

  void hear(int from, Frame frame) {
    switch (frame.kind) {
      case FrameKind::enter:
      case FrameKind::release:
        inbox_[static_cast<std::size_t>(from)].push_back(std::move(frame.bytes));
        return;
      case FrameKind::ping: {
        std::string answer;
        put(answer, nanoseconds_of(WallClock::now()));
        link(from).send(FrameKind::pong, answer);
        return;
      }
      case FrameKind::pong: {
        const auto now = WallClock::now();
        std::string_view rest = frame.bytes;
        pong_ = Pong{instant_of(take(rest)), now};
        return;
      }
      case FrameKind::failure:
        learn(from, frame.bytes);
        return;
      case FrameKind::goodbye:
        left_[static_cast<std::size_t>(from)] = true;
        return;
      case FrameKind::hello:
      case FrameKind::welcome:
        learn(from, fmt::format("rank {} spoke out of turn", from));
        return;
    }
  }

  void lost(int who, const std::string& why) {
    if (parting_ || left_[static_cast<std::size_t>(who)]) return;
    learn(who, fmt::format("rank {} died: its connection to rank {} ended without a goodbye ({})", who, rank(), why));
  }

  void learn(int from, std::string what) {
    if (failure_) return;
    failure_ = std::move(what);
    if (rank() == 0) tell_all(FrameKind::failure, *failure_, from);
  }

  template <class Done, class Missing>
  void await(std::string_view what, const Done& done, const Missing& missing) {
    const bool came = run_until(events_, WallClock::now() + timeout_ + (rank() == 0 ? 0s : time_for_rank_0_to_tell),
                                [&] { return failure_.has_value() || done(); });
    if (done()) return;
    if (failure_) throw PeerFailure(*failure_);
    LOCKSTEP_CHECK(!came, "woke up for nothing");
    const auto message =
        fmt::format("rank {} waited {:g} s in {}; missing: {} (stopped, or only slow? --timeout waits longer)", rank(),
                    static_cast<double>(timeout_.count()) / 1000.0, what, missing());
    fail(message);
    throw RunFailure(message);
  }

  std::string release_header(Collective collective) {
    std::string bytes;
    put(bytes, static_cast<std::uint64_t>(collective));
    return bytes;
  }

  /// The next entry of a rank into a collective, which must be this one; `present` says who came, for the time-out's
  /// message.
  std::string take_entry(int from, Collective collective) {
    auto& box = inbox_[static_cast<std::size_t>(from)];
    await(
        name(collective), [&] { return !box.empty() || left_[static_cast<std::size_t>(from)]; },
        [&] {
          std::vector<std::string> missing;
          for (int r = 0; r < static_cast<int>(links_.size()); ++r)
            if (links_[static_cast<std::size_t>(r)] && inbox_[static_cast<std::size_t>(r)].empty() &&
                (rank() != 0 || r >= from))
              missing.push_back(fmt::format("rank {}", r));
          return join(missing, ", ");
        });
    // No consequence of anything: the other rank is content, so this is where the failure is seen first.
    if (box.empty())
      throw RunFailure(
          fmt::format("rank {} has ended, but rank {} waits for it in {}", from, rank(), name(collective)));
    const std::string bytes = std::move(box.front());
    box.pop_front();
    std::string_view rest = bytes;
    const auto theirs = static_cast<Collective>(take(rest));
    LOCKSTEP_CHECK(theirs == collective, "rank {} is in {} while rank {} is in {}", from, name(theirs), rank(),
                   name(collective));
    return std::string(rest);
  }

  /// Rank 0: everyone's contribution, by rank. Elsewhere: empty, after the contribution was sent.
  std::vector<std::string> enter(Collective collective, const std::string& own) {
    check();
    if (rank() != 0) {
      link(0).send(FrameKind::enter, release_header(collective) + own);
      if (collective == Collective::gather) flush(link(0));
      return {};
    }
    std::vector<std::string> all{own};
    for (int r = 1; r < size(); ++r) all.push_back(take_entry(r, collective));
    return all;
  }

  /// A gather has no answer that would drive the writing of a long contribution.
  void flush(Link& to) {
    await(
        "gather", [&] { return to.flushed(); }, [] { return std::string("rank 0"); });
  }

  void release(Collective collective, const std::string& bytes) {
    tell_all(FrameKind::release, release_header(collective) + bytes);
  }
  std::string await_release(Collective collective) { return take_entry(0, collective); }

  /// Nobody is told anything after this; what was said before still goes out.
  void part() noexcept {
    parting_ = true;
    try {
      run_until(events_, WallClock::now() + parting_time, [&] {
        return std::all_of(links_.begin(), links_.end(), [](const auto& one) { return !one || one->flushed(); });
      });
      for (const auto& one : links_) {
        if (!one) continue;
        one->on_frame = nullptr;
        one->on_closed = nullptr;
        one->close();
      }
      if (events_.stopped()) events_.restart();
      events_.poll();
    } catch (...) {  // NOLINT(bugprone-empty-catch)
      // Destructors do not throw; the sockets close with the io_context.
    }
  }

  const JobEnvironment environment_;
  std::chrono::milliseconds timeout_;
  asio::io_context events_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::shared_ptr<Link>> links_;
  std::vector<std::deque<std::string>> inbox_;  ///< by rank: entries into and releases from collectives
  std::vector<bool> left_;                      ///< by rank: has said goodbye
  std::optional<std::string> failure_;          ///< the first that was heard of, this rank's own included
  std::optional<Pong> pong_;
  std::optional<ClockOffset> clock_;
  std::optional<asio::posix::stream_descriptor> watched_;  ///< of wait_for
  int watched_number_ = -1;                                ///< the caller's name of it
  std::shared_ptr<bool> watching_;                         ///< a wait for it is on its way
  std::uint64_t job_ = 0;
  bool parting_ = false;
  int exceptions_at_birth_;
};

}  // namespace

std::unique_ptr<Control> connect_control(const JobEnvironment& environment, std::string_view agreement,
                                         std::chrono::milliseconds timeout) {
  LOCKSTEP_CHECK(environment.size >= 1 && environment.rank >= 0 && environment.rank < environment.size, "rank {} of {}",
                 environment.rank, environment.size);
  return std::make_unique<TcpControl>(environment, agreement, timeout);
}

}  // namespace lockstep::real
