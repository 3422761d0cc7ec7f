// What NCCL says of its choices in its log (NCCL_DEBUG=INFO, NCCL_DEBUG_SUBSYS with TUNING).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep::real::gpu {

struct NcclChoice {
  std::string collective;  ///< as NCCL writes it: "AllReduce"
  std::int64_t bytes = 0;
  std::string algorithm;  ///< "RING", "TREE", ...
  std::string protocol;   ///< "LL", "LL128", "SIMPLE"
  int first_channel = 0, last_channel = 0;

  bool operator==(const NcclChoice&) const = default;
};

/// From "... AllReduce: 8388608 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..1}"; nullopt for any other line.
std::optional<NcclChoice> nccl_choice_in(std::string_view line);

/// All choices in a log, each once: "AllReduce 8388608 B: RING SIMPLE, 2 channels; ..."; empty where there are none.
std::string nccl_choices_text(std::string_view log);

}  // namespace lockstep::real::gpu
