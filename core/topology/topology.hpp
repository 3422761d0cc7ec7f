// The hardware as a graph: devices (hosts, GPUs, NICs, switches) joined by directed links.
//
// A *node* is a machine: a plain host (one device, one rank) or a node with GPUs (one rank per GPU). A network switch
// is a device outside every node. Every duplex link of a file is two directed links; a half-duplex one is two directed
// links that share one resource. `bandwidth` counts whole frames on the wire, per direction.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/document.hpp"
#include "core/config/keys.hpp"
#include "core/config/type.hpp"
#include "core/faults/fault.hpp"
#include "core/topology/host_tcp.hpp"
#include "core/topology/switching.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

using DeviceId = std::uint32_t;
using LinkId = std::uint32_t;
using NodeId = std::uint32_t;
inline constexpr std::uint32_t no_id = std::numeric_limits<std::uint32_t>::max();

enum class DeviceKind : std::uint8_t { host, gpu, nic, network_switch, nvswitch, pcie_switch, cpu };
/// What a link is made of. roce, efa and slingshot are Ethernet with a transport of their own: RDMA over Converged
/// Ethernet, Amazon's Elastic Fabric Adapter (SRD), HPE Slingshot. xgmi joins AMD GPUs; socket joins processors with
/// each other (UPI, xGMI) or with a GPU of their own (NVLink-C2C).
enum class LinkKind : std::uint8_t { ethernet, infiniband, roce, efa, slingshot, nvlink, pcie, xgmi, socket };

struct Device {
  std::string name;  ///< unique in the topology; inside a node "node0.gpu3"
  DeviceKind kind = DeviceKind::host;
  NodeId node = no_id;  ///< no_id for network switches
  Duration latency{0};  ///< a switch's own forwarding latency
  std::string model{};  ///< of a GPU: its name in gpu_models() (core/topology/gpu_model.hpp); empty: not said
};

struct Link {
  DeviceId from = no_id;
  DeviceId to = no_id;
  Bandwidth bandwidth;
  Duration latency{0};         ///< one way, of this link alone
  std::optional<Bytes> burst;  ///< token bucket: what passes at once after a quiet spell; none: no token bucket
  std::optional<Bytes> queue;  ///< bytes that may wait; none: unlimited
  Bytes mtu{1500};
  double loss = 0.0;  ///< probability per packet
  LinkKind kind = LinkKind::ethernet;
  std::uint32_t resource = 0;  ///< links with the same resource share one capacity (half duplex)
};

struct Node {
  std::string name;
  std::vector<DeviceId> devices;
  std::vector<DeviceId> endpoints;  ///< where its ranks sit: the host itself, or its GPUs in order
  std::string kind{};               ///< the node template's name; "inline" if described in the file
  /// NICs read and write the memory of GPUs; if not, what leaves or enters a GPU is staged in the memory of its CPU.
  bool gpudirect = true;
};

/// How flows choose among equally short paths, `routing:` of a file; core/topology/routing.hpp says what each does.
enum class RoutingMode : std::uint8_t { ecmp, shortest, spray, adaptive, static_rail };
struct RoutingPolicy {
  RoutingMode mode = RoutingMode::ecmp;
  bool pxn = false;  ///< what goes to another rail first crosses NVLink to the GPU of that rail
  friend bool operator==(const RoutingPolicy&, const RoutingPolicy&) = default;
};

class Topology {
 public:
  std::string name;
  std::string file;    ///< as given; empty when built in memory
  std::string sha256;  ///< of the canonical text after --set
  std::vector<Device> devices;
  std::vector<Link> links;  ///< links 2k and 2k+1 are the two directions of one cable
  std::vector<Node> nodes;
  std::vector<config::GivenKey> given;  ///< the keys of its document
  std::vector<Fault> faults;            ///< as the file states them: core/faults/changes.hpp resolves them
  std::vector<std::string> placement;   ///< node names in the order in which ranks fill them; empty: file order

  RoutingPolicy routing;
  Switching switching;
  HostTcp tcp;
  std::vector<std::string> failed;    ///< what the file says is failed, as text: "leaf0 - spine1", "spine3"
  std::vector<std::string> degraded;  ///< "leaf1 - spine0: 200Gbps"

  [[nodiscard]] int rank_capacity() const;          ///< how many ranks it has places for
  [[nodiscard]] DeviceId endpoint(int rank) const;  ///< device of a rank (ranks fill nodes in placement order)
  [[nodiscard]] NodeId node_of_rank(int rank) const;
  [[nodiscard]] std::span<const LinkId> links_from(DeviceId device) const;
  [[nodiscard]] DeviceId find_device(std::string_view name) const;  ///< no_id if absent
  [[nodiscard]] std::uint32_t resource_count() const;
  [[nodiscard]] bool inside_a_node(const Link& link) const;  ///< both ends are of one machine

  DeviceId add_device(Device device);
  /// Both directions, with the same figures; returns the first (from -> to), the second is the next id.
  LinkId add_duplex(Link link, bool half_duplex = false);
  /// Takes cables out, `gone` by cable (links 2k and 2k+1); the others keep their order. Before finish().
  void remove_cables(const std::vector<bool>& gone);
  /// Builds the indexes; call once after the last add, before any query. Checks what files cannot break.
  void finish();

 private:
  std::vector<LinkId> adjacency_;
  std::vector<std::uint32_t> adjacency_begin_;
  std::vector<DeviceId> rank_endpoint_;
  std::vector<NodeId> rank_node_;
  std::vector<DeviceId> by_name_;
  std::uint32_t resources_ = 0;
};

/// The declaration of topology files (reader, messages, schema).
nlohmann::ordered_json topology_schema();

/// Names as they stand in files and results: "network_switch" is "switch".
std::string_view to_string(DeviceKind kind);
std::string_view to_string(LinkKind kind);
std::string_view to_string(RoutingMode mode);

/// Reads a topology. Throws InputError with every error of the file. `root` has --set already applied.
Topology read_topology(const config::Node& root, const std::string& file);
/// load_file + read_topology.
Topology load_topology(const std::string& path);

}  // namespace lockstep
