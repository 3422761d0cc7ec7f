#include "core/topology/link_spec.hpp"

#include <fmt/format.h>

#include "core/units/parse.hpp"

namespace lockstep {

Link LinkSpec::link(DeviceId from, DeviceId to) const {
  Link made;
  made.from = from;
  made.to = to;
  made.bandwidth = bandwidth;
  made.latency = latency;
  made.burst = burst;
  made.queue = queue;
  made.mtu = mtu.value_or(default_mtu(kind));
  made.loss = loss;
  made.kind = kind;
  return made;
}

Bytes default_mtu(LinkKind kind) { return kind == LinkKind::ethernet ? Bytes{1500} : Bytes{4096}; }

config::Type<bool> half_duplex() {
  return config::choice<bool>("duplex mode", {{"full", false}, {"half", true}, {"true", false}, {"false", true}})
      .with_schema({{"type", {"string", "boolean"}}, {"enum", {"full", "half", true, false}}});
}

config::Type<LinkKind> link_kind() {
  return config::choice<LinkKind>("kind of link", {{"ethernet", LinkKind::ethernet},
                                                   {"infiniband", LinkKind::infiniband},
                                                   {"roce", LinkKind::roce},
                                                   {"efa", LinkKind::efa},
                                                   {"slingshot", LinkKind::slingshot},
                                                   {"nvlink", LinkKind::nvlink},
                                                   {"pcie", LinkKind::pcie},
                                                   {"xgmi", LinkKind::xgmi},
                                                   {"socket", LinkKind::socket}});
}

config::Type<Bytes> mtu() {
  // 68 B is the least that IPv4 allows (RFC 791), 64 KiB the most that its length field can say.
  return config::bytes().where([](const Bytes& value) -> std::optional<std::string> {
    if (value >= Bytes{68} && value <= Bytes{65536}) return std::nullopt;
    return "an MTU is from 68B to 64KiB, not '" + to_text(value) + "'";
  });
}

void check_link(const LinkSpec& link, const config::Node& node, config::Diagnostics& diagnostics) {
  const Bytes packet = link.mtu.value_or(default_mtu(link.kind));
  if (!link.burst || *link.burst >= packet) return;
  const config::Node* burst = node.find("burst");
  diagnostics.error(burst != nullptr ? burst->position : node.position,
                    fmt::format("a burst of {} never lets a packet of {} (the MTU) pass; make it at least that",
                                to_text(*link.burst), to_text(packet)));
}

config::Type<LinkSpec> link_spec() {
  auto declaration = config::record<LinkSpec>("link", "The figures of a link.");
  return with_link_keys(declaration).type();
}

}  // namespace lockstep
