#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/base/hash.hpp"
#include "core/profile/profile.hpp"

namespace lockstep {
namespace {

/// What one message costs, as far as a file states it: an interval of `messages`, or the keys beside them.
struct CostKeys {
  config::Position position;
  std::optional<Bytes> up_to;
  std::optional<Duration> overhead, receive_overhead, latency;
  std::optional<Bandwidth> send_bandwidth, receive_bandwidth;

  [[nodiscard]] bool any() const {
    return overhead || receive_overhead || latency || send_bandwidth || receive_bandwidth;
  }
  void apply_to(MessageCost& cost) const {
    if (overhead) cost.overhead = *overhead;
    if (receive_overhead) cost.receive_overhead = *receive_overhead;
    if (latency) cost.latency = *latency;
    if (send_bandwidth) cost.send_bandwidth = send_bandwidth;
    if (receive_bandwidth) cost.receive_bandwidth = receive_bandwidth;
  }
};

struct TransportKeys : CostKeys {
  std::optional<std::vector<CostKeys>> messages;
  Framing framing;
  Duration switch_overhead{0};
  Bytes message_header{0};
  std::optional<Bytes> eager_threshold;
  std::optional<Bytes> send_buffer;
  bool copied = false;
  bool ordered = false;
};

struct ReductionKeys : TrafficKeys {
  Bytes granularity{0};
};

struct ProfileKeys {
  std::string schema;
  std::string name;
  std::string backend;
  std::optional<int> cores;
  Duration start_latency{0};
  Duration start_overhead{0};
  std::optional<Bandwidth> copy_bandwidth;
  std::optional<TrafficKeys> copies;
  ReductionKeys reduction;
  ComputeProfile compute;
  TransportKeys tcp;
  PacketTransport transport;
  std::optional<NcclProfile> nccl;
  std::optional<LoaderCosts> loader;
  config::Json measured;
};

template <class Keys>
void declare_costs(config::Record<Keys>& record) {
  record
      .optional("overhead", static_cast<std::optional<Duration> Keys::*>(&CostKeys::overhead), config::duration(),
                "CPU time of the sender per message")
      .optional("receive_overhead", static_cast<std::optional<Duration> Keys::*>(&CostKeys::receive_overhead),
                config::duration(), "CPU time of the receiver per message")
      .optional("latency", static_cast<std::optional<Duration> Keys::*>(&CostKeys::latency), config::duration(),
                "wake-up per message, on nobody's CPU: interrupt, scheduler")
      .optional("send_bandwidth", static_cast<std::optional<Bandwidth> Keys::*>(&CostKeys::send_bandwidth),
                config::bandwidth().positive(), "CPU of the sender per byte; absent: free")
      .optional("receive_bandwidth", static_cast<std::optional<Bandwidth> Keys::*>(&CostKeys::receive_bandwidth),
                config::bandwidth().positive(), "CPU of the receiver per byte; absent: free");
}

config::Type<CostKeys> interval_type() {
  auto record = config::record<CostKeys>(
      "interval", "The cost of messages of at most `up_to` bytes, and more than the interval before.");
  record.optional("up_to", &CostKeys::up_to, config::bytes(),
                  "the largest message of this interval; absent in the last one");
  declare_costs(record);
  return record.keep_position(&CostKeys::position).type();
}

config::Type<Framing> framing_type() {
  return config::record<Framing>("framing",
                                 "Of every frame of MTU + frame_header bytes, MTU - packet_header carry payload.")
      .optional("packet_header", &Framing::packet_header, config::bytes(),
                "inside the MTU: IP and TCP headers with options")
      .optional("frame_header", &Framing::frame_header, config::bytes(), "outside the MTU, counted by the link's rate")
      .optional("acknowledgement", &Framing::acknowledgement, config::bytes(),
                "frame of an acknowledgement, which takes its share of the opposite direction")
      .optional("acknowledged", &Framing::acknowledged, config::bytes(),
                "payload per acknowledgement; absent or 0B: acknowledgements cost nothing")
      .type();
}

config::Type<TransportKeys> transport_type() {
  auto record = config::record<TransportKeys>("tcp",
                                              "What a message costs in software. The keys of an interval beside "
                                              "`messages` replace that figure in every interval.");
  declare_costs(record);
  return record
      .optional("messages", &TransportKeys::messages, config::list(interval_type(), 1),
                "intervals of message size, ascending in up_to")
      .optional("framing", &TransportKeys::framing, framing_type(), "how payload becomes frames; absent: no headers")
      .optional("switch_overhead", &TransportKeys::switch_overhead, config::duration(),
                "CPU time of the sender per message and switch on its way, where this machine is the network")
      .optional("message_header", &TransportKeys::message_header, config::bytes(),
                "our own header, on the wire before every message")
      .optional("eager_threshold", &TransportKeys::eager_threshold, config::bytes(),
                "above it a send waits for its receiver; absent: never")
      .optional("send_buffer", &TransportKeys::send_buffer, config::bytes(),
                "what a connection holds of its sender's data: a send is done when its last byte is there; absent: "
                "when it has left. Needs ordered: true")
      .optional("copied", &TransportKeys::copied, config::boolean(),
                "what the last interval takes per byte is time of the processors, as in the others: copies, of which "
                "one begins when the other is done; absent: a rate, at which sender and receiver go on side by side")
      .optional("ordered", &TransportKeys::ordered, config::boolean(),
                "one connection per pair of ranks: its messages go one after another")
      .rule([](const TransportKeys& keys, const config::Node& node, config::Diagnostics& diagnostics) {
        if (keys.send_buffer && !keys.ordered)
          diagnostics.error(node.position, "'send_buffer' is a connection's: it needs 'ordered: true'");
        if (keys.messages) check_intervals(*keys.messages, format_bytes, "messages", diagnostics);
      })
      .type();
}

config::Type<ReductionKeys> reduction_type() {
  auto record = config::record<ReductionKeys>("reduction", "Rate of local reductions.");
  declare_rates(record, traffic_words("largest operand"), "bytes of one operand per second; absent: free");
  return record
      .optional("granularity", &ReductionKeys::granularity, config::bytes(),
                "combined while data arrive, in pieces of this size; 0B: only when complete")
      .type();
}

config::Type<TrafficKeys> copies_type() {
  auto record = config::record<TrafficKeys>("copies", "Rate of local copies.");
  declare_rates(record, traffic_words("largest copy"), "bytes per second; absent: free");
  return record.type();
}

config::Type<ProfileKeys> profile_type() {
  return config::record<ProfileKeys>("profile", "The measured constants of one software and hardware stack.")
      .optional("schema", &ProfileKeys::schema, config::name_of("profile format", {"lockstep.profile/1"}),
                "the format of this file")
      .required("name", &ProfileKeys::name, config::text(), "the name of the profile, as results show it")
      .optional("backend", &ProfileKeys::backend, config::text(),
                "the backend it was measured on: tcp, lab, ...; absent: any")
      .optional("cores", &ProfileKeys::cores, config::integer(1, 1'000'000),
                "ranks of one machine share so many cores; absent: a core per rank")
      .optional("start_latency", &ProfileKeys::start_latency, config::duration(),
                "from a common start, for which ranks sleep or wait awake, until a rank runs")
      .optional("start_overhead", &ProfileKeys::start_overhead, config::duration(),
                "CPU of a rank after a common start, before it goes on")
      .optional("copy_bandwidth", &ProfileKeys::copy_bandwidth, config::bandwidth().positive(),
                "local copies, whatever their size: replaces `copies`; absent: free")
      .optional("copies", &ProfileKeys::copies, copies_type(), "local copies, by their size; absent: free")
      .optional("reduction", &ProfileKeys::reduction, reduction_type(), "rate of local reductions; absent: free")
      .optional("compute", &ProfileKeys::compute, compute_profile_type(),
                "how fast kernels are; absent: nothing is known of them")
      .optional("tcp", &ProfileKeys::tcp, transport_type(), "what a message costs in software; absent: nothing")
      .optional("transport", &ProfileKeys::transport, packet_transport_type(),
                "how messages become packets; absent: what suits the links")
      .optional("nccl", &ProfileKeys::nccl, nccl_profile_type(),
                "collectives with `algorithm: auto` are NCCL's; absent: Lockstep's own algorithms")
      .optional("loader", &ProfileKeys::loader, loader_costs_type(),
                "what loading costs on this machine; absent: no more than the workload says")
      .optional("measured", &ProfileKeys::measured, config::json_map(),
                "how it was obtained: host, date, residuals; kept as it is")
      .type();
}

TransportProfile transport(const TransportKeys& keys) {
  TransportProfile profile;
  profile.framing = keys.framing;
  profile.switch_overhead = keys.switch_overhead;
  profile.message_header = keys.message_header;
  profile.eager_threshold = keys.eager_threshold;
  profile.send_buffer = keys.send_buffer;
  profile.copied = keys.copied;
  profile.ordered = keys.ordered;
  if (keys.messages) {
    for (const auto& interval : *keys.messages) {
      MessageCost cost;
      cost.up_to = interval.up_to;
      interval.apply_to(cost);
      profile.messages.push_back(cost);
    }
  } else if (keys.any()) {
    profile.messages.emplace_back();
  }
  for (auto& cost : profile.messages) keys.apply_to(cost);
  return profile;
}

}  // namespace

nlohmann::ordered_json profile_schema() { return config::root_schema(profile_type().schema()); }

Profile read_profile(const config::Node& root, const std::string& file) {
  config::Diagnostics diagnostics;
  static const auto type = profile_type();  // its schemas make it slow to build
  auto keys = type.read(root, diagnostics);
  diagnostics.throw_if_errors();
  Profile profile;
  profile.name = keys->name;
  profile.file = file;
  profile.given = config::given_keys(root);
  profile.sha256 = sha256(config::canonical_text(root));
  profile.backend = keys->backend;
  profile.tcp = transport(keys->tcp);
  profile.reduction = {intervals_of(keys->reduction), keys->reduction.granularity};
  profile.compute = std::move(keys->compute);
  if (keys->copies) profile.copies = intervals_of(*keys->copies);
  if (keys->copy_bandwidth) profile.copies = at_bandwidth(*keys->copy_bandwidth);
  profile.cores = keys->cores;
  profile.start_latency = keys->start_latency;
  profile.start_overhead = keys->start_overhead;
  profile.transport = keys->transport;
  profile.nccl = std::move(keys->nccl);
  profile.loader = keys->loader;
  profile.measured = std::move(keys->measured);
  return profile;
}

const std::vector<std::string>& built_in_profile_names() {
  static const std::vector<std::string> names{"ideal", "nccl"};
  return names;
}

config::Node load_profile_document(const std::string& path) {
  if (path == "ideal") return config::parse_text("name: ideal\n", "profile ideal");
  if (path == "nccl") return config::parse_text("name: nccl\nnccl: {}\n", "profile nccl");
  return config::load_file(path);
}

std::string profile_file(const std::string& path) {
  const auto& names = built_in_profile_names();
  return std::find(names.begin(), names.end(), path) == names.end() ? path : std::string{};
}

Profile load_profile(const std::string& path) { return read_profile(load_profile_document(path), profile_file(path)); }

Profile ideal_profile() { return load_profile("ideal"); }

}  // namespace lockstep
