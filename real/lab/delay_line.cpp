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
#include <map>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "real/lab/descriptor.hpp"

namespace lockstep::real {
namespace {

// The offload header (virtio_net_hdr, whose C header no C++ compiler reads), Ethernet's, the largest packet of offload.
constexpr std::size_t frame_room = 10 + 14 + 65536;
constexpr int receive_buffer = 64 << 20;
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
  // As much as may be: what comes while the process waits for a processor has to lie there.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0)
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
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
  std::size_t size = 0;
  std::vector<char> bytes;
};

class Way {
 public:
  Way(int in, int out, const DelayLine::Direction& direction)
      : in_(in), out_(out), delay_ns_(direction.delay.count() / 1000), loss_(direction.loss) {}
  [[nodiscard]] int in() const { return in_; }
  [[nodiscard]] std::int64_t next_ns() const { return held_.empty() ? -1 : held_.front().due_ns; }

  void take_in(std::vector<std::vector<char>>& spare) {
    for (;;) {
      Frame frame;
      if (!spare.empty()) {
        frame.bytes = std::move(spare.back());
        spare.pop_back();
      }
      frame.bytes.resize(frame_room);
      iovec room{frame.bytes.data(), frame.bytes.size()};
      std::array<char, 128> control{};
      msghdr message{};
      message.msg_iov = &room;
      message.msg_iovlen = 1;
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      const ssize_t size = ::recvmsg(in_, &message, MSG_DONTWAIT);
      if (size <= 0) {
        spare.push_back(std::move(frame.bytes));
        return;
      }
      frame.size = static_cast<std::size_t>(size);
      std::int64_t came = now_ns();
      for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
          timespec stamp{};
          std::memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
          came = stamp.tv_sec * nanoseconds_per_second + stamp.tv_nsec;
        }
      ++count_;
      if (loss_ > 0 && static_cast<double>(mix64(count_ ^ mix64(static_cast<std::uint64_t>(in_)))) < loss_ * 0x1p64) {
        spare.push_back(std::move(frame.bytes));
        continue;
      }
      frame.due_ns = came + delay_ns_;
      held_.push_back(std::move(frame));
    }
  }
  void give_on(std::int64_t now, std::vector<std::vector<char>>& spare) {
    while (!held_.empty() && held_.front().due_ns <= now) {
      Frame& frame = held_.front();
      // What the other side has no room for is lost, as on a wire.
      [[maybe_unused]] const auto sent = ::send(out_, frame.bytes.data(), frame.size, MSG_DONTWAIT);
      spare.push_back(std::move(frame.bytes));
      held_.pop_front();
    }
  }

 private:
  int in_;
  int out_;
  std::int64_t delay_ns_;
  double loss_;
  std::uint64_t count_ = 0;
  std::deque<Frame> held_;
};

[[noreturn]] void carry(std::vector<Way> ways) {
  std::vector<pollfd> sockets;
  sockets.reserve(ways.size());
  for (const Way& way : ways) sockets.push_back({way.in(), POLLIN, 0});
  std::vector<std::vector<char>> spare;
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
      if ((sockets[i].revents & (POLLIN | POLLERR)) != 0) ways[i].take_in(spare);
    const std::int64_t now = now_ns();
    for (Way& way : ways) way.give_on(now, spare);
  }
}

}  // namespace

DelayLine::DelayLine(const NetworkNamespace& place, const std::vector<Direction>& directions) : owner_(::getpid()) {
  std::map<std::string, Descriptor> sockets;
  std::vector<Way> ways;
  {
    const InNamespace inside(place);
    for (const Direction& direction : directions)
      for (const std::string& name : {direction.from, direction.to})
        if (!sockets.contains(name)) sockets.emplace(name, open_interface(name));
  }
  ways.reserve(directions.size());
  for (const Direction& direction : directions)
    ways.emplace_back(sockets.at(direction.from).get(), sockets.at(direction.to).get(), direction);
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

DelayLine::~DelayLine() {
  if (process_ <= 0 || ::getpid() != owner_) return;  // a forked rank has a copy of this object
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace lockstep::real
