#include "real/transport/tcp.hpp"

#include <sched.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "real/launch/rendezvous.hpp"
#include "real/transport/outstanding.hpp"
#include "real/transport/tcp_connection.hpp"
#include "real/transport/tcp_setup.hpp"

namespace lockstep::real {
namespace asio = boost::asio;
using namespace std::chrono_literals;
namespace {

// Completions can come from one connection for ever: the others, and Control, are looked after every so many calls.
constexpr unsigned calls_between_polls = 16;
// When a connection breaks, its cause (a rank that failed, and why) may be on its way over Control.
constexpr auto time_for_the_cause = 300ms;
// A poll rounds up to milliseconds; what ends sooner is waited for by a timer of the kernel's, which is exact.
constexpr auto exact_below = 4ms;
constexpr auto longest_look = 200us;

}  // namespace

struct TcpTransport::Waiting {
  explicit Waiting(asio::io_context& events) : timer(events) {}
  asio::basic_waitable_timer<WallClock, asio::wait_traits<WallClock>, asio::io_context::executor_type> timer;
};

TcpTransport::TcpTransport(Control& control, std::vector<int> peers, const TcpOptions& options)
    : control_(control),
      index_(static_cast<std::size_t>(control.size()), -1),
      waiting_(std::make_unique<Waiting>(control.events())),
      looks_(options.looks) {
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  for (std::size_t i = 0; i < peers.size(); ++i) {
    LOCKSTEP_CHECK(peers[i] >= 0 && peers[i] < control.size() && peers[i] != control.rank(),
                   "rank {} of {} has rank {} as a peer", control.rank(), control.size(), peers[i]);
    index_[static_cast<std::size_t>(peers[i])] = static_cast<int>(i);
  }
  connections_ = connect_peers(control, peers, options);
}

TcpTransport::~TcpTransport() {
  for (const auto& one : connections_) one->close();
}

TcpConnection& TcpTransport::connection(int peer) {
  const int index = peer >= 0 && peer < static_cast<int>(index_.size()) ? index_[static_cast<std::size_t>(peer)] : -1;
  LOCKSTEP_CHECK(index >= 0, "rank {} has no connection to rank {}", control_.rank(), peer);
  return *connections_[static_cast<std::size_t>(index)];
}

void TcpTransport::send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) {
  connection(peer).send(tag, data, token);
}

void TcpTransport::receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
                           std::size_t granularity) {
  connection(peer).receive(tag, buffer, token, granularity, ready_);
}

bool TcpTransport::wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) {
  out.insert(out.end(), ready_.begin(), ready_.end());
  bool completed = !ready_.empty();
  ready_.clear();
  for (;;) {
    const std::size_t before = out.size();
    bool moved = false;
    for (const auto& one : connections_) moved = one->progress(out) || moved;
    completed = completed || out.size() > before;
    if ((completed || moved) && ++calls_without_poll_ >= calls_between_polls) {
      calls_without_poll_ = 0;
      control_.check();
    }
    if (completed) return true;
    if (moved) continue;
    throw_if_lost();
    if (deadline && WallClock::now() >= *deadline) {
      control_.check();
      return false;
    }
    for (const auto& one : connections_) one->arm();
    if (!looks_ || !look(deadline)) block(deadline);
    control_.throw_if_failed();
  }
}

// For something that happens soon; true if it has. A core that sleeps takes longer to come back than most messages.
bool TcpTransport::look(std::optional<WallClock::time_point> deadline) {
  auto& events = control_.events();
  if (events.stopped()) events.restart();
  auto until = WallClock::now() + longest_look;
  if (deadline) until = std::min(until, *deadline);
  // Two ranks may yet be on one core, until the scheduler has moved one of them.
  for (; WallClock::now() < until; ::sched_yield())
    if (events.poll_one() > 0) return true;
  return false;
}

void TcpTransport::block(std::optional<WallClock::time_point> deadline) {
  auto& events = control_.events();
  if (events.stopped()) events.restart();
  if (!deadline) {
    events.run_one();
    return;
  }
  const auto left = *deadline - WallClock::now();
  if (left > 2 * exact_below) {
    events.run_one_until(*deadline - exact_below);
    return;
  }
  if (waiting_->timer.expiry() != *deadline) {
    waiting_->timer.expires_at(*deadline);
    waiting_->timer.async_wait([](const boost::system::error_code&) {});
  }
  events.run_one();
}

void TcpTransport::throw_if_lost() {
  for (const auto& one : connections_) {
    std::string loss = one->loss();
    if (loss.empty()) continue;
    if (one->mismatched()) throw RunFailure(loss);
    const auto until = WallClock::now() + time_for_the_cause;
    while (WallClock::now() < until) {
      run_until(control_.events(), std::min(until, WallClock::now() + 10ms), [] { return false; });
      control_.check();
    }
    throw PeerFailure(fmt::format("{}; {}", loss, outstanding()));
  }
}

Transport::Statistics TcpTransport::statistics() const {
  Statistics sum;
  for (const auto& one : connections_) {
    const auto& part = one->statistics();
    sum.messages_sent += part.messages_sent;
    sum.bytes_sent += part.bytes_sent;
    sum.header_bytes_sent += part.header_bytes_sent;
    sum.unexpected_bytes += part.unexpected_bytes;
  }
  return sum;
}

std::string TcpTransport::outstanding() const {
  std::vector<std::string> lines;
  for (const auto& one : connections_) one->describe_outstanding(lines, described_at_most + 1);
  return joined_outstanding(std::move(lines));
}

}  // namespace lockstep::real
