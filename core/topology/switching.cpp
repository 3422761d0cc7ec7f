#include "core/topology/switching.hpp"

namespace lockstep {

std::string_view to_string(FlowControl control) {
  switch (control) {
    case FlowControl::none:
      return "none";
    case FlowControl::pfc:
      return "pfc";
    case FlowControl::credits:
      return "credits";
  }
  return "";
}

config::Type<Switching> switching_type() {
  return config::record<Switching>(
             "switching",
             "What switches do with packets; only fidelities packet and mixed look at it (but for reduction).")
      .optional("flow_control", &Switching::flow_control,
                config::choice<FlowControl>(
                    "flow control",
                    {{"none", FlowControl::none}, {"pfc", FlowControl::pfc}, {"credits", FlowControl::credits}}),
                "none: full queues drop; pfc: pauses; credits: as InfiniBand (default: what suits the transport)")
      .optional("buffer", &Switching::buffer, config::bytes().positive(),
                "shared by the ports of a switch (default 32MiB)")
      .optional("alpha", &Switching::alpha, config::number(1e-6, 1e6),
                "times what is free of the buffer: what a queue (none: 1) or an ingress (pfc: 0.125) may hold")
      .optional("xoff", &Switching::xoff, config::bytes().positive(),
                "pfc: an ingress that stores more is paused, in place of alpha")
      .optional("headroom", &Switching::headroom, config::bytes(),
                "pfc: room per ingress for what comes until the pause holds (default: as much as that can be)")
      .optional("credit_buffer", &Switching::credit_buffer, config::bytes().positive(),
                "credits: input buffer of a port (default: twice what its link holds, 64KiB at least)")
      .optional("trimming", &Switching::trimming, config::boolean(),
                "what does not fit loses its payload, and its header goes on (default false)")
      .optional("ecn_min", &Switching::ecn_min, config::bytes(),
                "queue below which no packet is marked (default 4kB per Gbit/s)")
      .optional("ecn_max", &Switching::ecn_max, config::bytes().positive(),
                "queue from which every packet is marked (default 16kB per Gbit/s)")
      .optional("ecn_probability", &Switching::ecn_probability, config::fraction(),
                "of a mark just below ecn_max (default 0.2; 0: none is marked at all)")
      .optional("packets", &Switching::packets, config::list(name_in_file(), 1),
                "fidelity mixed: only messages that cross one of these switches are packets (default: all between "
                "machines)")
      .optional("reduction", &Switching::reduction,
                config::choice<SwitchReduction>("switch reduction", {{"none", SwitchReduction::none},
                                                                     {"nvswitch", SwitchReduction::nvswitch},
                                                                     {"network", SwitchReduction::network},
                                                                     {"all", SwitchReduction::all}}),
                "which switches combine and copy messages of algorithm in_network (default: NVSwitches between GPUs of "
                "Hopper and later)")
      .optional("samples", &Switching::samples, config::integer(2, 4096),
                "record queue and rate of every port in so many intervals of time, for the result (default: none)")
      .rule([](const Switching& switching, const config::Node& node, config::Diagnostics& diagnostics) {
        if (switching.ecn_min && switching.ecn_max && *switching.ecn_min > *switching.ecn_max)
          diagnostics.error(node.position, "'ecn_min' is above 'ecn_max'");
        if (switching.trimming && switching.flow_control && *switching.flow_control != FlowControl::none)
          diagnostics.error(node.position, "'trimming' is for switches that drop: it needs 'flow_control: none'");
      })
      .type();
}

}  // namespace lockstep
