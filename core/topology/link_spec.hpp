// The figures of a link as files give them: the same keys for `link:` of a generator and for an element of `links:`.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "core/config/type.hpp"
#include "core/topology/topology.hpp"

namespace lockstep {

struct LinkSpec {
  Bandwidth bandwidth;
  Duration latency{0};
  std::optional<Bytes> burst;
  std::optional<Bytes> queue;
  std::optional<Bytes> mtu;  ///< none: that of the kind
  double loss = 0.0;
  bool half_duplex = false;
  LinkKind kind = LinkKind::ethernet;

  [[nodiscard]] Link link(DeviceId from, DeviceId to) const;
};

/// What a link carries per packet unless its file says otherwise: 1500 B on Ethernet; 4096 B, the usual RDMA MTU,
/// elsewhere.
Bytes default_mtu(LinkKind kind);

config::Type<bool> half_duplex();
config::Type<LinkKind> link_kind();
config::Type<Bytes> mtu();
/// A rule across the keys of a link: a token bucket that never holds a whole packet would never let one pass.
void check_link(const LinkSpec& link, const config::Node& node, config::Diagnostics& diagnostics);

/// Adds the keys of a link to the declaration of R, which derives from LinkSpec or is one.
template <class R>
config::Record<R>& with_link_keys(config::Record<R>& record) {
  const auto member = [](auto LinkSpec::*field) {
    return static_cast<std::remove_reference_t<decltype(std::declval<LinkSpec&>().*field)> R::*>(field);
  };
  return record
      .required("bandwidth", member(&LinkSpec::bandwidth), config::bandwidth().positive(),
                "whole frames on the wire, per direction")
      .optional("latency", member(&LinkSpec::latency), config::duration(), "one way, of this link alone (default 0s)")
      .optional("burst", member(&LinkSpec::burst), config::bytes().positive(),
                "token bucket: what passes at once after a quiet spell (default: none)")
      .optional("queue", member(&LinkSpec::queue), config::bytes().positive(),
                "bytes that may wait for the link (default: unlimited)")
      .optional("mtu", member(&LinkSpec::mtu), mtu(),
                "bytes of a packet (default: 1500B on ethernet, 4096B on other kinds)")
      .optional("loss", member(&LinkSpec::loss), config::fraction(), "probability that a packet is lost (default 0)")
      .optional("duplex", member(&LinkSpec::half_duplex), half_duplex(),
                "full: each direction has the bandwidth (default); half: they share it")
      .optional("kind", member(&LinkSpec::kind), link_kind(), "what the link is made of (default ethernet)")
      .rule([](const R& link, const config::Node& node, config::Diagnostics& diagnostics) {
        check_link(link, node, diagnostics);
      });
}

config::Type<LinkSpec> link_spec();

}  // namespace lockstep
