#include "real/lab/token_bucket.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

// A number that the IEEE keeps free for experiments: no protocol of the receiver takes the frame.
constexpr std::uint16_t nobodys_protocol = 0x88B5;
constexpr std::size_t least_frame = 60;

// A netlink request that grows by attributes (netlink(7)).
class Request {
 public:
  Request(std::uint16_t type, const tcmsg& message) {
    header_.nlmsg_type = type;
    header_.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    append(&header_, sizeof header_);
    append(&message, sizeof message);
  }
  template <class Value>
  void add(std::uint16_t type, const Value& value) {
    add(type, &value, sizeof value);
  }
  void add(std::uint16_t type, const void* data, std::size_t bytes) {
    const rtattr attribute{static_cast<std::uint16_t>(RTA_LENGTH(bytes)), type};
    append(&attribute, sizeof attribute);
    append(data, bytes);
  }
  /// Attributes up to the end of the request lie inside this one.
  void nest(std::uint16_t type) {
    nested_ = bytes_.size();
    add(type, nullptr, 0);
  }
  [[nodiscard]] const std::string& finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
    const auto inside = static_cast<std::uint16_t>(bytes_.size() - nested_);
    std::memcpy(bytes_.data() + nested_ + offsetof(rtattr, rta_len), &inside, sizeof inside);
    return bytes_;
  }

 private:
  void append(const void* data, std::size_t bytes) {
    if (bytes > 0) bytes_.append(static_cast<const char*>(data), bytes);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  nlmsghdr header_{};
  std::string bytes_;
  std::size_t nested_ = 0;
};

void append_address(std::string& frame, const std::string& text) {
  ether_addr address{};
  LOCKSTEP_CHECK(::ether_aton_r(text.c_str(), &address) != nullptr, "'{}' is no hardware address", text);
  frame.append(reinterpret_cast<const char*>(address.ether_addr_octet), sizeof address.ether_addr_octet);
}

}  // namespace

TokenBucket::TokenBucket(const SendingEnd& end) : name_(end.where.name() + " " + end.interface) {
  const InNamespace inside(end.where);
  index_ = static_cast<int>(::if_nametoindex(end.interface.c_str()));
  netlink_ = Descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  packets_ = Descriptor(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // protocol 0: it receives nothing
  if (index_ == 0 || !netlink_ || !packets_)
    throw RunFailure(fmt::format("the lab cannot change the link at {}: {}", name_, std::strerror(errno)));
  append_address(frame_, end.peer_address);
  append_address(frame_, end.address);
  const std::uint16_t protocol = htons(nobodys_protocol);
  frame_.append(reinterpret_cast<const char*>(&protocol), sizeof protocol);
  frame_.resize(least_frame);
}

void TokenBucket::set(Bandwidth rate, Bytes burst, Bytes queue) const {
  tcmsg message{};
  message.tcm_family = AF_UNSPEC;
  message.tcm_ifindex = index_;
  message.tcm_parent = TC_H_ROOT;
  message.tcm_handle = TC_H_MAKE(1U << 16, 0);
  const auto bytes_per_second = static_cast<std::uint64_t>(std::max<std::int64_t>(1, rate.bits_per_second() / 8));
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  tc_tbf_qopt parameters{};
  parameters.rate.rate = static_cast<std::uint32_t>(std::min(bytes_per_second, most));
  parameters.rate.linklayer = TC_LINKLAYER_ETHERNET;  // the kernel computes times itself, from no table of ours
  parameters.limit = static_cast<std::uint32_t>(std::min(static_cast<std::uint64_t>(queue.count()), most));
  Request request(RTM_NEWQDISC, message);
  request.add(TCA_KIND, "tbf", sizeof "tbf");
  request.nest(TCA_OPTIONS);
  request.add(TCA_TBF_PARMS, parameters);
  request.add(TCA_TBF_BURST, static_cast<std::uint32_t>(burst.count()));
  if (bytes_per_second >= most) request.add(TCA_TBF_RATE64, bytes_per_second);
  const std::string& bytes = request.finish();

  struct {
    nlmsghdr header;
    nlmsgerr error;
  } answer{};
  const auto fail = [&](int error) {
    throw RunFailure(fmt::format("the lab cannot change the link at {}: {}", name_, std::strerror(error)));
  };
  if (::send(netlink_.get(), bytes.data(), bytes.size(), 0) < 0) fail(errno);
  ssize_t received = 0;
  while ((received = ::recv(netlink_.get(), &answer, sizeof answer, MSG_TRUNC)) < 0 && errno == EINTR) {
  }
  if (received < 0) fail(errno);
  if (answer.header.nlmsg_type != NLMSG_ERROR) fail(EBADMSG);
  if (answer.error.error != 0) fail(-answer.error.error);
  wake();
}

// A bucket that waits sleeps until its old rate would have filled it, at 1 byte/s for hours, and a change does not wake
// it; the next packet that is sent does. This is one.
void TokenBucket::wake() const {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = index_;
  if (::sendto(packets_.get(), frame_.data(), frame_.size(), 0, reinterpret_cast<const sockaddr*>(&address),
               sizeof address) < 0 &&
      errno != ENOBUFS)  // the queue is full: the attempt has woken it
    throw RunFailure(fmt::format("the lab cannot change the link at {}: {}", name_, std::strerror(errno)));
}

}  // namespace lockstep::real
