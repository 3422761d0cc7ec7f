#include "real/lab/delay_line.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <deque>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/faults/draws.hpp"
#include "real/lab/descriptor.hpp"

namespace lockstep::real {
namespace {

// The offload header (virtio_net_hdr, whose C header no C++ compiler reads), Ethernet's, the largest packet of offload.
constexpr std::size_t frame_room = 10 + 14 + 65536;
constexpr int socket_buffer = 256 << 20;
constexpr int most_at_once = 64;            // frames of one direction, before the others get their turn
constexpr std::int64_t retry_ns = 200'000;  // where the other side has no room
constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

void require(bool good, const std::string& what) {
  if (!good) throw RunFailure(fmt::format("{}: {}", what, std::strerror(errno)));
}

template <class Value>
void set(const Descriptor& socket, int level, int option, const Value& value, const char* what) {
  require(::setsockopt(socket.get(), level, option, &value, sizeof value) == 0, what);
}

Descriptor open_interface(const std::string& name) {
  Descriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  require(static_cast<bool>(socket), "a packet socket (the lab delays links with it)");
  set(socket, SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
  set(socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
  set(socket, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
  // As much as may be: what comes while the process waits for a processor has to lie there, and what it has sent is
  // charged to it while it waits in the queue of a bridge.
  const auto enlarge = [&socket](int forced, int usual) {
    if (::setsockopt(socket.get(), SOL_SOCKET, forced, &socket_buffer, sizeof socket_buffer) != 0)
      ::setsockopt(socket.get(), SOL_SOCKET, usual, &socket_buffer, sizeof socket_buffer);
  };
  enlarge(SO_RCVBUFFORCE, SO_RCVBUF);
  enlarge(SO_SNDBUFFORCE, SO_SNDBUF);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(name.c_str()));
  require(address.sll_ifindex > 0, "the interface " + name);
  require(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind to " + name);
  return socket;
}

std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);  // the clock of the kernel's stamps
  return time.tv_sec * nanoseconds_per_second + time.tv_nsec;
}

struct Frame {
  std::int64_t due_ns = 0;
  std::vector<char> bytes;
};

class Way {
 public:
  Way(int in, int out, const DelayLine::Direction& direction, const DelayLine::Disturbance& disturbance)
      : in_(in),
        out_(out),
        link_(direction.link),
        delay_ns_(direction.delay.count() / 1000),
        disturbance_(&disturbance) {}
  [[nodiscard]] int in() const { return in_; }
  [[nodiscard]] std::int64_t next_ns() const {
    return held_.empty() ? -1 : std::max(held_.front().due_ns, not_before_ns_);
  }

  // `scratch` has room for any frame.
  void take_in(std::vector<char>& scratch) {
    for (int taken = 0; taken < most_at_once; ++taken) {
      iovec room{scratch.data(), scratch.size()};
      std::array<char, 128> control{};
      msghdr message{};
      message.msg_iov = &room;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const ssize_t size = ::recvmsg(in_, &message, MSG_DONTWAIT);
      if (size <= 0) return;
      std::int64_t came = now_ns();
      for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
          timespec stamp{};
          std::memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
          came = stamp.tv_sec * nanoseconds_per_second + stamp.tv_nsec;
        }
      ++count_;
      const double loss = disturbance_->loss;
      if (loss > 0 && static_cast<double>(mix64(count_ ^ mix64(link_))) < loss * 0x1p64) continue;
      const std::int64_t due = came + delay_ns_ + jitter(came);
      held_.push_back({due, std::vector<char>(scratch.data(), scratch.data() + size)});
    }
  }
  // One draw for all that comes within the span of the jitter, and so for most messages, as the models have it; were it
  // drawn for every frame, a message, whose frames keep their order, would be as late as the worst of them.
  [[nodiscard]] std::int64_t jitter(std::int64_t came) {
    const std::int64_t most = disturbance_->jitter_ns;
    if (most <= 0) return 0;
    if (came - drawn_at_ns_ >= most) {
      Draws draws(disturbance_->seed ^ mix64(++draws_ ^ mix64(link_)));
      jitter_ns_ = static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(most) + 1));
      drawn_at_ns_ = came;
    }
    return std::min(jitter_ns_, most);
  }
  void give_on(std::int64_t now) {
    while (!held_.empty() && held_.front().due_ns <= now) {
      const Frame& frame = held_.front();
      if (::send(out_, frame.bytes.data(), frame.bytes.size(), MSG_DONTWAIT) < 0 &&
          (errno == EAGAIN || errno == ENOBUFS)) {
        not_before_ns_ = now + retry_ns;  // it waits here instead
        return;
      }
      held_.pop_front();
    }
  }

 private:
  int in_;
  int out_;
  std::uint32_t link_;
  std::int64_t delay_ns_;
  const DelayLine::Disturbance* disturbance_;
  std::uint64_t count_ = 0;
  std::uint64_t draws_ = 0;
  std::int64_t jitter_ns_ = 0;
  std::int64_t drawn_at_ns_ = 0;
  std::int64_t not_before_ns_ = 0;
  std::deque<Frame> held_;
};

// Nothing of it may get back into the code of the parent.
[[noreturn]] void carry(std::vector<Way> ways) noexcept {
  std::vector<pollfd> sockets;
  sockets.reserve(ways.size());
  for (const Way& way : ways) sockets.push_back({way.in(), POLLIN, 0});
  std::vector<char> scratch(frame_room);
  for (;;) {
    std::int64_t next = -1;
    for (const Way& way : ways)
      if (const std::int64_t due = way.next_ns(); due >= 0) next = next < 0 ? due : std::min(next, due);
    timespec wait{};
    if (next >= 0) {
      const std::int64_t ns = std::max<std::int64_t>(0, next - now_ns());
      wait = {ns / nanoseconds_per_second, ns % nanoseconds_per_second};
    }
    ::ppoll(sockets.data(), sockets.size(), next >= 0 ? &wait : nullptr, nullptr);
    for (std::size_t i = 0; i < ways.size(); ++i)
      if ((sockets[i].revents & (POLLIN | POLLERR)) != 0) ways[i].take_in(scratch);
    const std::int64_t now = now_ns();
    for (Way& way : ways) way.give_on(now);
  }
}

}  // namespace

DelayLine::DelayLine(const NetworkNamespace& place, const std::vector<Direction>& directions)
    : disturbances_(directions.size()), owner_(::getpid()) {
  std::vector<Way> ways;
  {
    const InNamespace inside(place);
    for (const Direction& direction : directions)
      for (const std::string& name : {direction.from, direction.to})
        if (!sockets_.contains(name)) sockets_.emplace(name, open_interface(name));
  }
  ways.reserve(directions.size());
  for (const Direction& direction : directions) {
    const std::size_t index = index_.emplace(direction.link, index_.size()).first->second;
    disturbances_[index].loss = direction.loss;
    ways.emplace_back(sockets_.at(direction.from).get(), sockets_.at(direction.to).get(), direction,
                      disturbances_[index]);
  }
  process_ = ::fork();
  require(process_ >= 0, "the process that delays links");
  if (process_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  ::setpriority(PRIO_PROCESS, 0, -20);  // where we may
  ::signal(SIGINT, SIG_IGN);            // it ends with its parent
  ::signal(SIGTERM, SIG_IGN);
  carry(std::move(ways));
}

bool DelayLine::possible() { return static_cast<bool>(Descriptor(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0))); }

void DelayLine::disturb(std::uint32_t link, double loss, Duration jitter, std::uint64_t seed) const {
  Disturbance& disturbance = disturbances_[index_.at(link)];
  disturbance.seed = seed;
  disturbance.loss = loss;
  disturbance.jitter_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(jitter).count();
}

std::int64_t DelayLine::overrun() const {
  for (const auto& [name, socket] : sockets_) {
    tpacket_stats statistics{};  // since it was last asked
    socklen_t size = sizeof statistics;
    if (::getsockopt(socket.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0)
      overrun_ += statistics.tp_drops;
  }
  return overrun_;
}

void DelayLine::check() const {
  if (process_ > 0 && ::getpid() == owner_ && ::waitpid(process_, nullptr, WNOHANG) != 0)
    throw RunFailure("the process that delays the lab's links has ended");
}

DelayLine::~DelayLine() {
  if (process_ <= 0 || ::getpid() != owner_) return;  // a forked rank has a copy of this object
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace lockstep::real
