#include "real/lab/network.hpp"

#include <net/if.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <span>

#include "core/base/error.hpp"
#include "core/base/version.hpp"
#include "real/lab/command.hpp"
#include "real/lab/cpu_load.hpp"

namespace lockstep::real {
namespace {

// Hosts live in 10.77/16, switches in 10.78/16. Gateways in 10.96/12 are names for interfaces, one per directed link:
// no device has these addresses, the written neighbours turn them into hardware addresses.
std::string dotted(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, (address >> 16) & 255, (address >> 8) & 255, address & 255);
}
std::string device_address(const Topology& topology, DeviceId device) {
  const bool host = topology.devices[device].kind == DeviceKind::host;
  return dotted((10U << 24) + ((host ? 77U : 78U) << 16) + device + 1);
}
// `link` leaves the interface.
std::string gateway_address(LinkId link) { return dotted((10U << 24) + (96U << 16) + link); }
std::string hardware_address(LinkId link) {
  // 02: locally administered.
  return fmt::format("02:4c:{:02x}:{:02x}:{:02x}:{:02x}", link >> 24, (link >> 16) & 255, (link >> 8) & 255,
                     link & 255);
}
std::string interface_name(LinkId link) { return fmt::format("e{}", link / 2); }

constexpr LinkId reverse(LinkId link) { return link ^ 1U; }

void check_names(const Topology& topology) {
  for (const auto& device : topology.devices) {
    const bool good =
        !device.name.empty() && device.name.size() <= 200 && device.name.front() != '.' && device.name.front() != '-' &&
        std::all_of(device.name.begin(), device.name.end(),
                    [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; });
    if (!good)
      throw InputError(fmt::format(
          "the lab cannot build a device of the name '{}': letters, digits, '.', '_' and '-' only", device.name));
  }
  if (topology.devices.size() > 65000)
    throw InputError(fmt::format("the lab builds at most 65000 devices, the topology has {}", topology.devices.size()));
}

}  // namespace

bool kernel_has_netem() {
  static const bool has = [] {
    const auto result = run_command({"tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1us"}, {}, [] {
      if (::unshare(CLONE_NEWNET) != 0) throw RunFailure("unshare");
    });
    return result.status == 0;
  }();
  return has;
}

LabNetwork::LabNetwork(const Topology& topology, const Routing& routing, const Isolation& isolation, LabOptions options)
    : topology_(topology), isolation_(isolation), options_(std::move(options)) {
  for (const char* tool : {"ip", "tc", "bridge"})
    if (find_program(tool).empty())
      throw InputError(fmt::format("the lab needs the program '{}'; install the package iproute2", tool));
  check_names(topology);
  forwarding_ = plan_forwarding(topology, routing);
  netem_ = kernel_has_netem();
  for (const auto& link : topology.links) shaping_.push_back(shape(link, netem_));
  add_delays();
  longest_round_trip_ = round_trip(routing);
  for (const auto& loss : isolation.lost) notes_.push_back(loss);
  // A packet larger than a later link's bucket would be cut up on the way, at that device's cost: hosts keep to the
  // smallest.
  host_gso_max_size_ = Bytes{65536};
  for (const auto& shaping : shaping_) host_gso_max_size_ = std::min(host_gso_max_size_, shaping.gso_max_size);

  if (!options_.tcp_defaults) {
    Bandwidth slowest = shaping_.empty() ? 1_Gbps : shaping_.front().rate;
    for (const auto& shaping : shaping_) slowest = std::min(slowest, shaping.rate);
    tcp_wanted_ = lab_tcp_settings(slowest, longest_round_trip_, topology.tcp);
  }
  for (const auto& device : topology.devices) namespaces_.emplace_back(device.name);
  create_cables();
  for (DeviceId device = 0; device < topology.devices.size(); ++device) configure(device);
  if (wire_) delay_line_ = std::make_unique<DelayLine>(*wire_, delayed_);
}

// A switch's own latency is added to the links that leave it. What the kernel cannot delay, a process of ours does
// where the delay is well above what that process adds by itself: a cable as a whole.
void LabNetwork::add_delays() {
  bool left_out = false;
  bool relayed = false;
  const bool possible = DelayLine::possible();
  const std::span<const LinkId> asked_for(options_.relayed);
  const auto wanted = [this](LinkId link) {
    return topology_.links[link].latency + topology_.devices[topology_.links[link].from].latency;
  };
  for (LinkId cable = 0; cable < shaping_.size(); cable += 2) {
    const auto& links = topology_.links;
    const Duration longer = std::max(wanted(cable), wanted(cable + 1));
    const bool losing = links[cable].loss > 0 || links[cable + 1].loss > 0;
    const bool asked = std::any_of(asked_for.begin(), asked_for.end(), [&](LinkId l) { return l / 2 == cable / 2; });
    const bool relay = possible && (asked || (!netem_ && (longer >= least_relayed_delay || losing)));
    relayed = relayed || relay;
    left_out = left_out || (!netem_ && !relay && (longer > Duration{0} || losing));
    for (const LinkId link : {cable, cable + 1}) {
      Shaping& shaping = shaping_[link];
      shaping.relayed = relay;
      if (netem_ || relay) shaping.delay = wanted(link);
      if (relay) shaping.loss = links[link].loss;
    }
  }
  if (relayed)
    notes_.push_back(
        fmt::format("{}a process of the lab delays and drops, a little late, and takes processor time for it",
                    netem_ ? "" : "this kernel has no netem (sch_netem): "));
  if (left_out)
    notes_.push_back(fmt::format(
        "this kernel has no netem (sch_netem){}: latencies of the topology{} are not in the lab, delay is 0",
        possible ? "" : " and this machine refuses packet sockets, which also make loss",
        relayed ? " below " + format_duration(least_relayed_delay) : std::string()));
}

Duration LabNetwork::round_trip(const Routing& routing) const {
  Duration longest{0};
  if (std::none_of(shaping_.begin(), shaping_.end(), [](const Shaping& s) { return s.delay > Duration{0}; }))
    return longest;
  for (int a = 0; a < topology_.rank_capacity(); ++a) {
    for (int b = 0; b < a; ++b) {
      Duration both{0};
      for (const auto& way : {routing.route(topology_.endpoint(a), topology_.endpoint(b)),
                              routing.route(topology_.endpoint(b), topology_.endpoint(a))})
        for (const LinkId link : way) both += shaping_[link].delay;
      longest = std::max(longest, both);
    }
  }
  return longest;
}

void LabNetwork::create_cables() {
  std::vector<std::string> lines;
  const auto cable = [&](const std::string& name, const std::string& place, Bytes mtu, LinkId link,
                         const std::string& peer, const std::string& peer_place, Bytes peer_mtu, LinkId peer_link) {
    lines.push_back(fmt::format(
        "link add name {} netns {} mtu {} address {} type veth peer name {} netns {} mtu {} address {}", name, place,
        mtu.count(), hardware_address(link), peer, peer_place, peer_mtu.count(), hardware_address(peer_link)));
  };
  std::vector<std::string> wires;
  for (LinkId link = 0; link < topology_.links.size(); link += 2) {
    const auto& a = topology_.links[link];
    const auto& b = topology_.links[link + 1];
    const std::string name = interface_name(link);
    const std::string& from = topology_.devices[a.from].name;
    const std::string& to = topology_.devices[b.from].name;
    if (!shaping_[link].relayed) {
      cable(name, from, a.mtu, link, name, to, b.mtu, link + 1);
      continue;
    }
    if (!wire_) wire_.emplace(".delay-line");  // no device has such a name
    for (const LinkId end : {link, link + 1}) {
      const auto& directed = topology_.links[end];
      const std::string half = fmt::format("w{}", end);
      // No frame is addressed to the line's own interfaces.
      cable(name, end == link ? from : to, directed.mtu, end, half, wire_->name(), directed.mtu,
            end + (std::uint32_t{1} << 31));
      wires.push_back(half);
      delayed_.push_back({half, fmt::format("w{}", reverse(end)), end, shaping_[end].delay, shaping_[end].loss});
    }
  }
  run_batch("ip", lines);
  if (!wire_) return;
  {
    const InNamespace inside(*wire_);
    write_setting("net/ipv6/conf/all/disable_ipv6", "1");
    write_setting("net/ipv6/conf/default/disable_ipv6", "1");
  }
  lines.clear();
  for (const std::string& wire : wires) lines.push_back(fmt::format("link set dev {} arp off up", wire));
  run_batch("ip", lines, [this] { wire_->enter(); });
}

void LabNetwork::configure(DeviceId device) {
  const NetworkNamespace& place = namespaces_[device];
  const DeviceRole role = forwarding_.role[device];
  const auto join = [&place] { place.enter(); };
  const auto links = topology_.links_from(device);
  {
    const InNamespace inside(place);
    write_setting("net/ipv6/conf/all/disable_ipv6", "1");
    write_setting("net/ipv6/conf/default/disable_ipv6", "1");
    for (const char* scope : {"all", "default"}) {
      write_setting(fmt::format("net/ipv4/conf/{}/rp_filter", scope), "0");
      write_setting(fmt::format("net/ipv4/conf/{}/send_redirects", scope), "0");
      write_setting(fmt::format("net/ipv4/conf/{}/accept_redirects", scope), "0");
    }
    for (const LinkId link : links) {
      write_setting(fmt::format("net/ipv4/conf/{}/rp_filter", interface_name(link)), "0");
      write_setting(fmt::format("net/ipv6/conf/{}/disable_ipv6", interface_name(link)), "1");
    }
    if (forwarding_.forwards[device] && !write_setting("net/ipv4/ip_forward", "1"))
      throw RunFailure(
          fmt::format("the lab cannot let the switch '{}' forward: /proc/sys/net/ipv4/ip_forward is not writable",
                      topology_.devices[device].name));
    if (role == DeviceRole::host) {
      auto found = apply_tcp_settings(tcp_wanted_);
      if (tcp_.empty()) {
        tcp_ = std::move(found);
        for (std::size_t i = 0; i < tcp_wanted_.size(); ++i)
          if (!tcp_[i].set)
            notes_.push_back(fmt::format("{} could not be set to '{}' and is '{}'", tcp_[i].name, tcp_wanted_[i].value,
                                         tcp_[i].value));
      }
    }
  }

  std::vector<std::string> lines{"link set dev lo up"};
  if (role == DeviceRole::bridge)
    lines.emplace_back("link add name bridge type bridge stp_state 0 mcast_snooping 0");
  else if (role != DeviceRole::host)
    lines.push_back(fmt::format("addr add {}/32 dev lo", device_address(topology_, device)));
  for (const LinkId link : links) {
    const Bytes gso = role == DeviceRole::host ? host_gso_max_size_ : shaping_[link].gso_max_size;
    lines.push_back(fmt::format("link set dev {} gso_max_size {}{} up", interface_name(link), gso.count(),
                                role == DeviceRole::bridge ? " master bridge" : ""));
  }
  // Libraries look for interfaces with an address (MPI, UCX), and pass over loopback.
  if (role == DeviceRole::host && !links.empty())
    lines.push_back(
        fmt::format("addr add {}/32 dev {}", device_address(topology_, device), interface_name(links.front())));
  if (role == DeviceRole::bridge) lines.emplace_back("link set dev bridge up");

  std::set<std::pair<LinkId, LinkId>> neighbours;
  const auto route = [&](DeviceId destination, const Hop& hop, const std::string& extra) {
    const LinkId entered = reverse(hop.entry);  // leaves the interface that `entry` reaches
    if (neighbours.emplace(hop.out, entered).second)
      lines.push_back(fmt::format("neigh add {} lladdr {} dev {} nud permanent", gateway_address(entered),
                                  hardware_address(entered), interface_name(hop.out)));
    lines.push_back(fmt::format("route add {}/32 via {} dev {} onlink{}", device_address(topology_, destination),
                                gateway_address(entered), interface_name(hop.out), extra));
  };
  std::string host_extra;
  if (role == DeviceRole::host) {
    host_extra = " src " + device_address(topology_, device);
    if (!options_.tcp_defaults)
      host_extra += fmt::format(" initcwnd {} initrwnd {} quickack 1 congctl {}", initial_window(),
                                initial_window_segments, lab_congestion_control(topology_.tcp));
  }
  for (const auto& [destination, hop] : forwarding_.by_destination[device]) route(destination, hop, host_extra);
  // One table per source that leaves by other links than most: a rule per source, not per pair, since rules are walked
  // one by one.
  std::set<DeviceId> ruled;
  for (const auto& [pair, hop] : forwarding_.by_pair[device]) {
    const std::uint32_t table = 1000 + pair.first;
    if (ruled.insert(pair.first).second)
      lines.push_back(fmt::format("rule add from {}/32 lookup {}", device_address(topology_, pair.first), table));
    route(pair.second, hop, fmt::format(" table {}", table));
  }
  run_batch("ip", lines, join);

  std::vector<std::string> disciplines;
  for (const LinkId link : links)
    for (auto& line : shaping_commands(shaping_[link], interface_name(link))) disciplines.push_back(std::move(line));
  run_batch("tc", disciplines, join);

  std::vector<std::string> entries;
  for (const auto& [entry, leave] : forwarding_.bridge_entries[device])
    entries.push_back(
        fmt::format("fdb add {} dev {} master static", hardware_address(reverse(entry)), interface_name(leave)));
  run_batch("bridge", entries, join);

  const InNamespace inside(place);
  auto& by_index = link_of_index_.emplace_back();
  for (const LinkId link : links) {
    const auto index = ::if_nametoindex(interface_name(link).c_str());
    LOCKSTEP_CHECK(index > 0, "interface {} of {} is missing", interface_name(link), place.name());
    if (by_index.size() <= index) by_index.resize(index + 1, no_id);
    by_index[index] = link;
  }
}

void LabNetwork::enter_host(int rank) const { enter_device(topology_.endpoint(rank)); }

void LabNetwork::enter_device(DeviceId device) const {
  LOCKSTEP_CHECK(device < namespaces_.size(), "no device {}", device);
  namespaces_[device].enter();
}

const NetworkNamespace& LabNetwork::host(int rank) const { return namespaces_[topology_.endpoint(rank)]; }

void LabNetwork::disturb(LinkId link, double loss, Duration jitter, std::uint64_t seed) const {
  LOCKSTEP_CHECK(delay_line_ && shaping_[link].relayed, "link {} is not relayed", link);
  delay_line_->disturb(link, loss, jitter, seed);
}

SendingEnd LabNetwork::sending_end(LinkId link) const {
  return {namespaces_[topology_.links[link].from], interface_name(link), hardware_address(link),
          hardware_address(reverse(link))};
}

std::string LabNetwork::address(int rank) const { return device_address(topology_, topology_.endpoint(rank)); }

std::vector<LinkCounter> LabNetwork::snapshot() const {
  if (counters_of_ != ::getpid()) {
    // A netlink socket shared by two processes would mix up their answers.
    counters_.clear();
    for (const auto& place : namespaces_) counters_.emplace_back(place);
    counters_of_ = ::getpid();
  }
  std::vector<LinkCounter> counters(topology_.links.size());
  for (DeviceId device = 0; device < counters_.size(); ++device) {
    for (const auto& row : counters_[device].read()) {
      const auto index = static_cast<std::size_t>(row.interface);
      if (index < link_of_index_[device].size() && link_of_index_[device][index] != no_id)
        counters[link_of_index_[device][index]] = row.counter;
    }
  }
  return counters;
}

std::vector<Bytes> LabNetwork::difference(const std::vector<LinkCounter>& before,
                                          const std::vector<LinkCounter>& after) {
  LOCKSTEP_CHECK(before.size() == after.size(), "snapshots of two labs");
  std::vector<Bytes> sent;
  for (std::size_t i = 0; i < before.size(); ++i) sent.push_back(after[i].sent - before[i].sent);
  return sent;
}

nlohmann::ordered_json LabNetwork::as_built(const std::vector<Bytes>& wire_bytes) const {
  LOCKSTEP_CHECK(wire_bytes.empty() || wire_bytes.size() == topology_.links.size(), "wire bytes of another topology");
  using Json = nlohmann::ordered_json;
  utsname kernel{};
  ::uname(&kernel);
  Json built;
  built["how"] = isolation_.user_namespace ? "user namespace" : "root";
  built["kernel"] = fmt::format("{} {} {}", kernel.sysname, kernel.release, kernel.machine);
  built["cores"] = usable_cores();
  built["netem"] = netem_;
  built["delays_by"] = wire_ ? Json("relay") : netem_ ? Json("netem") : Json(nullptr);
  built["switches"] = Json::object();
  for (DeviceId device = 0; device < topology_.devices.size(); ++device)
    if (forwarding_.role[device] != DeviceRole::host)
      built["switches"][topology_.devices[device].name] =
          forwarding_.role[device] == DeviceRole::bridge ? "bridge" : "router";
  built["links"] = Json::array();
  for (LinkId link = 0; link < topology_.links.size(); ++link) {
    const auto& shaping = shaping_[link];
    const DeviceId from = topology_.links[link].from;
    Json row;
    row["from"] = topology_.devices[from].name;
    row["to"] = topology_.devices[topology_.links[link].to].name;
    row["rate_Gbps"] = static_cast<double>(shaping.rate.bits_per_second()) * 1e-9;
    row["burst_bytes"] = shaping.burst.count();
    row["queue_bytes"] = shaping.queue.count();
    row["delay_s"] = to_seconds(shaping.delay);
    row["loss"] = shaping.loss;
    row["mtu_bytes"] = shaping.mtu.count();
    row["gso_max_size_bytes"] =
        (forwarding_.role[from] == DeviceRole::host ? host_gso_max_size_ : shaping.gso_max_size).count();
    row["wire_bytes"] = wire_bytes.empty() ? Json(nullptr) : Json(wire_bytes[link].count());
    built["links"].push_back(std::move(row));
  }
  Json tcp;
  for (const auto& setting : tcp_) tcp[setting.name] = setting.value;
  tcp["congestion_control_of_routes"] =
      options_.tcp_defaults ? Json(nullptr) : Json(lab_congestion_control(topology_.tcp));
  tcp["initial_window_segments"] = options_.tcp_defaults ? Json(nullptr) : Json(initial_window());
  tcp["defaults_kept"] = options_.tcp_defaults;
  built["tcp"] = std::move(tcp);
  built["notes"] = notes_;
  if (const std::int64_t lost = delay_line_ ? delay_line_->overrun() : 0; lost > 0)
    built["notes"].push_back(
        fmt::format("the process that delays links was late and lost {} frames that no link should have lost", lost));
  return built;
}

}  // namespace lockstep::real
