#include "real/lab/link_counters.hpp"

#include <linux/gen_stats.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

// Calls visit(type, data, bytes) for every attribute of a netlink message (netlink(7)).
template <class Visit>
void for_attributes(const char* data, std::size_t bytes, Visit visit) {
  while (bytes >= sizeof(rtattr)) {
    rtattr header{};
    std::memcpy(&header, data, sizeof header);
    if (header.rta_len < sizeof header || header.rta_len > bytes) return;
    visit(header.rta_type & NLA_TYPE_MASK, data + RTA_LENGTH(0), header.rta_len - RTA_LENGTH(0));
    const std::size_t step = RTA_ALIGN(header.rta_len);
    if (step >= bytes) return;
    data += step;
    bytes -= step;
  }
}

LinkCounter parse_statistics(const char* data, std::size_t bytes) {
  LinkCounter counter;
  for_attributes(data, bytes, [&](int type, const char* value, std::size_t size) {
    if (type == TCA_STATS_BASIC && size >= sizeof(std::uint64_t) + sizeof(std::uint32_t)) {
      std::uint64_t sent = 0;
      std::uint32_t packets = 0;
      std::memcpy(&sent, value, sizeof sent);
      std::memcpy(&packets, value + sizeof sent, sizeof packets);
      counter.sent = Bytes{static_cast<std::int64_t>(sent)};
      counter.packets = packets;
    } else if (type == TCA_STATS_QUEUE && size >= sizeof(gnet_stats_queue)) {
      gnet_stats_queue queue{};
      std::memcpy(&queue, value, sizeof queue);
      counter.dropped = queue.drops;
      counter.waiting = Bytes{queue.backlog};
    }
  });
  return counter;
}

}  // namespace

LinkCounters::LinkCounters(const NetworkNamespace& where) {
  const InNamespace inside(where);
  socket_ = Descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket_) throw RunFailure(fmt::format("cannot open a netlink socket: {}", std::strerror(errno)));
}

std::vector<LinkCounters::Row> LinkCounters::read() const {
  struct {
    nlmsghdr header;
    tcmsg message;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETQDISC;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.message.tcm_family = AF_UNSPEC;
  const auto fail = [](const char* what) {
    throw RunFailure(fmt::format("cannot read the links' byte counters: {}", what));
  };
  if (::send(socket_.get(), &request, sizeof request, 0) < 0) fail(std::strerror(errno));

  std::vector<Row> rows;
  alignas(nlmsghdr) std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t received = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) fail(std::strerror(errno));
    auto left = static_cast<std::size_t>(received);
    for (const char* at = buffer.data(); left >= sizeof(nlmsghdr);) {
      nlmsghdr header{};
      std::memcpy(&header, at, sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > left) fail("a malformed message from the kernel");
      if (header.nlmsg_type == NLMSG_DONE) return rows;
      if (header.nlmsg_type == NLMSG_ERROR) fail("the kernel refused");
      if (header.nlmsg_type == RTM_NEWQDISC && header.nlmsg_len >= NLMSG_LENGTH(sizeof(tcmsg))) {
        tcmsg message{};
        std::memcpy(&message, at + NLMSG_HDRLEN, sizeof message);
        if (message.tcm_parent == TC_H_ROOT && message.tcm_handle != 0) {
          Row row{message.tcm_ifindex, {}};
          const std::size_t offset = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof message);
          for_attributes(at + offset, header.nlmsg_len - offset, [&](int type, const char* data, std::size_t bytes) {
            if (type == TCA_STATS2) row.counter = parse_statistics(data, bytes);
          });
          rows.push_back(row);
        }
      }
      const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), left);
      at += step;
      left -= step;
    }
  }
}

}  // namespace lockstep::real
