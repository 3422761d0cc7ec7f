// What switches do with packets: `switching:` of a topology file. Only fidelity packet looks at it, but for
// `reduction`, which only the others know.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/config/type.hpp"
#include "core/topology/name_in_file.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

/// How a full switch defends itself: it drops, it pauses who sends (IEEE 802.1Qbb), or it hands out room (InfiniBand).
enum class FlowControl : std::uint8_t { none, pfc, credits };

/// Which switches combine and copy messages on their way (algorithm in_network).
enum class SwitchReduction : std::uint8_t { none, nvswitch, network, all };

struct Switching {
  std::optional<FlowControl> flow_control;  ///< none given: what suits the transport (docs/models/packet.md)
  Bytes buffer{32_MiB};                     ///< shared by the ports of a switch
  std::optional<double> alpha;              ///< of what is free, a queue (none) or an ingress (pfc) may have: 1, 1/8
  std::optional<Bytes> xoff;                ///< pfc: an ingress that stores more is paused, in place of alpha
  std::optional<Bytes> headroom;            ///< pfc: for what comes until the pause holds; none: as much as that is
  std::optional<Bytes> credit_buffer;       ///< credits: input buffer of a port; none: twice what the link holds
  bool trimming = false;                    ///< what does not fit loses its payload, and its header goes on
  std::optional<Bytes> ecn_min, ecn_max;    ///< none: 4 and 16 kB per Gbit/s
  double ecn_probability = 0.2;             ///< at ecn_max; 0: nothing is ever marked
  std::vector<NameInFile> packets;  ///< mixed: messages over these switches are packets; none: all between machines
  std::optional<SwitchReduction> reduction;  ///< none given: NVSwitches between GPUs of Hopper and later
  std::int64_t samples = 0;                  ///< intervals that each port's queue is recorded in, for the result
};

std::string_view to_string(FlowControl control);
/// The declaration of the section (reader, messages, schema).
config::Type<Switching> switching_type();

}  // namespace lockstep
