// The measured constants of one software and hardware stack.
//
// The software of a point-to-point message of s bytes costs, beside the network:
//   sender CPU:    overhead          + s * send_per_byte
//   wake-up:       latency           (nobody's CPU: interrupt, scheduler)
//   receiver CPU:  receive_overhead  + s * receive_per_byte
// piecewise in s (LogGP with o and G per interval). Ranks that share the cores of one machine (the lab, loopback) also
// queue for them: `cores` servers, first come first served, one message at a time per rank.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/document.hpp"
#include "core/config/keys.hpp"
#include "core/config/type.hpp"
#include "core/loader/costs.hpp"
#include "core/profile/compute_profile.hpp"
#include "core/profile/intervals.hpp"
#include "core/profile/nccl_profile.hpp"
#include "core/profile/packet_transport.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

/// Applies to messages of at most `up_to` bytes (and more than the interval before).
struct MessageCost {
  std::optional<Bytes> up_to;                  ///< none: all larger messages
  Duration overhead{0};                        ///< CPU of the sender per message
  Duration receive_overhead{0};                ///< CPU of the receiver per message
  Duration latency{0};                         ///< wake-up, per message, on no CPU
  std::optional<Bandwidth> send_bandwidth;     ///< CPU of the sender per byte (copy into the kernel); none: free
  std::optional<Bandwidth> receive_bandwidth;  ///< CPU of the receiver per byte; none: free
};

/// How payload becomes frames: of every frame of mtu + frame_header bytes, mtu - packet_header carry payload. Where
/// traffic goes both ways, the acknowledgements of the one direction take their share of the other: `acknowledgement`
/// bytes per `acknowledged` bytes: the largest packet that a host hands to its link.
struct Framing {
  Bytes packet_header{0};    ///< inside the MTU: IP and TCP headers with options
  Bytes frame_header{0};     ///< outside the MTU, counted by the link's rate
  Bytes acknowledgement{0};  ///< a whole frame
  Bytes acknowledged{0};     ///< payload per acknowledgement; 0: acknowledgements cost nothing
};

struct TransportProfile {
  std::vector<MessageCost> messages;  ///< ascending in up_to; empty: no cost
  Framing framing;
  Duration switch_overhead{0};           ///< CPU of the sender per message and switch on its way: switches in software
  Bytes message_header{0};               ///< our own header, on the wire before every message
  std::optional<Bytes> eager_threshold;  ///< above it a send waits for its receiver; none: never
  std::optional<Bytes> send_buffer;      ///< a send is done when its last byte is in it; none: when it has left
  bool copied = false;                   ///< the last interval's bandwidths, too, are time of processors, not rates
  bool ordered = false;                  ///< one connection per pair of ranks: its messages go one after another
};

/// Local reductions, by their size: bytes of one operand.
struct ReductionProfile {
  std::vector<TrafficInterval> intervals;  ///< empty: free
  Bytes granularity{0};  ///< combined while data arrive, in pieces of this size; 0: only when complete
  [[nodiscard]] bool costs() const {
    return std::any_of(intervals.begin(), intervals.end(),
                       [](const TrafficInterval& interval) { return interval.rate || interval.overhead.count() > 0; });
  }
  /// Of `size` bytes at once.
  [[nodiscard]] Duration time_of(Bytes size) const { return interval_time(intervals, size, size); }
  /// Of `piece` bytes out of data of `size`, which decides where they lie: in a cache, in memory.
  [[nodiscard]] Duration time_of_piece(Bytes piece, Bytes size) const { return interval_time(intervals, size, piece); }
};

struct Profile {
  std::string name = "ideal";
  std::string file;
  std::string sha256;
  std::string backend;   ///< "tcp", "lab", ...; empty: any
  TransportProfile tcp;  ///< `profile.tcp.overhead` is the key of --set
  ReductionProfile reduction;
  ComputeProfile compute;
  std::vector<TrafficInterval> copies;  ///< local ones, by their bytes; empty: free
  std::optional<int> cores;             ///< ranks of one machine share so many cores; none: a core per rank
  Duration start_latency{0};            ///< from a common start, for which ranks sleep or wait awake, until a rank runs
  Duration start_overhead{0};           ///< CPU of a rank then, before it goes on: cold caches, the scheduler
  PacketTransport transport;
  std::optional<NcclProfile> nccl;    ///< NCCL does collectives with `algorithm: auto`; none: Lockstep's own algorithms
  std::optional<LoaderCosts> loader;  ///< none: loading costs no more than the workload says
  std::vector<config::GivenKey> given;  ///< the keys of its document
  config::Json measured;  ///< how it was obtained: host, date, residuals, confidence intervals; kept as is
};

/// No overhead, no headers, free reduction. `file` is empty.
Profile ideal_profile();
/// The declaration of profile files (reader, messages, schema).
nlohmann::ordered_json profile_schema();
/// Reads a profile; throws InputError with every error of the file. `root` has --set already applied; sha256 is that of
/// its canonical text. Under `tcp:` the keys of an interval (overhead, receive_overhead, latency, send_bandwidth,
/// receive_bandwidth) may stand alone, as one interval for all sizes, or beside `messages:`, where they replace that
/// figure in every interval: `--set profile.tcp.overhead=3us` means the same whatever the file holds. The same goes for
/// `intervals` of reductions and kernels.
Profile read_profile(const config::Node& root, const std::string& file);
/// `ideal`, and `nccl`: ideal with NCCL for collectives with `algorithm: auto`.
const std::vector<std::string>& built_in_profile_names();
/// The document of a profile, for --set before read_profile: a file, or a built-in profile by its name (`./ideal` is a
/// file of that name).
config::Node load_profile_document(const std::string& path);
/// What `file` is of a profile that is loaded from `path`: empty for a built-in one.
std::string profile_file(const std::string& path);
/// load_profile_document + read_profile.
Profile load_profile(const std::string& path);
/// YAML text that load_profile reads back to the same values.
std::string to_yaml(const Profile& profile);

}  // namespace lockstep
