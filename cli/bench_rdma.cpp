#include "cli/bench_rdma.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "cli/bench_size.hpp"
#include "cli/output.hpp"
#include "cli/usage.hpp"
#include "core/base/catalogue.hpp"
#include "core/units/parse.hpp"
#include "sim/rdma/layers.hpp"
#include "sim/rdma/mpi.hpp"
#include "sim/rdma/profile.hpp"

namespace lockstep::cli {
namespace {

namespace rdma = sim::rdma;
using rdma::Breakdown;
using rdma::Stage;
using rdma::Throughput;

struct Kind {
  std::string name;
  std::string description;
  rdma::Verb verb = rdma::Verb::write;
};

std::span<const Kind> kinds() {
  static const std::array catalogue{
      Kind{"rdma_write", "RDMA writes, as ib_write_lat and ib_write_bw", rdma::Verb::write},
      Kind{"rdma_read", "RDMA reads, as ib_read_lat and ib_read_bw", rdma::Verb::read},
      Kind{"rdma_send", "sends, as ib_send_lat and ib_send_bw; osu_latency and osu_bw", rdma::Verb::send}};
  return catalogue;
}

struct Choice {
  std::string name;
  std::string description;
};
constexpr std::int64_t latency_iterations = 1000, bandwidth_iterations = 5000;  // perftest's
constexpr std::int64_t rate_iterations = 8192;
constexpr std::size_t stage_columns = 8;

/// Everything that is worked out before the first size.
struct Plan {
  Kind kind;
  rdma::Path path;
  const rdma::Software* software = nullptr;
  std::vector<Bytes> sizes;
  rdma::VerbsTest test;
  std::optional<Bytes> inlined;
  std::optional<std::int64_t> moderation, iterations;
  bool latency = true, bandwidth = true;

  [[nodiscard]] bool verbs() const { return software->layer == rdma::Layer::verbs; }
  [[nodiscard]] rdma::VerbsTest verbs_test(Bytes size, bool lone) const {
    rdma::VerbsTest one = test;
    one.size = size;
    // perftest: latency tests send what fits inside the work request, bandwidth tests do not.
    one.inline_up_to = inlined.value_or(lone ? path.nic->max_inline : Bytes{0});
    one.moderation = std::min(one.depth, moderation.value_or(size > 8_KiB ? 1 : 100));
    return one;
  }
  [[nodiscard]] Breakdown latency_of(Bytes size) const {
    return rdma::latency(path, *software, verbs_test(size, true));
  }
  [[nodiscard]] Throughput throughput_of(Bytes size) const {
    return rdma::throughput(path, *software, verbs_test(size, false),
                            iterations.value_or(bandwidth_iterations) * test.queue_pairs);
  }
};

struct LatencyRow {
  Bytes size;
  Breakdown parts;
};
struct BandwidthRow {
  Bytes size;
  Throughput found;
};
struct RateRow {
  std::int64_t depth, queue_pairs;
  Throughput found;
};
struct Rows {
  std::vector<LatencyRow> latency;
  std::vector<BandwidthRow> bandwidth;
  std::vector<RateRow> rates;
  Bytes rate_size;
};

double microseconds_of(Duration time) { return to_seconds(time) * 1e6; }
double gigabits(double messages_per_s, Bytes size) { return messages_per_s * static_cast<double>(size.count()) * 8e-9; }

/// A rank's number, or the device where one sits.
DeviceId endpoint_of(const Topology& topology, const std::string& text, const char* option) {
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) {
    if (const auto odd = refuse_odd_numbers(text); !odd.empty()) throw InputError(fmt::format("{} {}", option, odd));
    int rank = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rank);
    if (error != std::errc{} || rank >= topology.rank_capacity())
      throw InputError(
          fmt::format("{} {}: {} has ranks 0 to {}", option, text, topology.name, topology.rank_capacity() - 1));
    return topology.endpoint(rank);
  }
  std::vector<std::string> names;
  for (int rank = 0; rank < topology.rank_capacity(); ++rank) {
    const Device& device = topology.devices[topology.endpoint(rank)];
    if (device.name == text) return topology.endpoint(rank);
    if (names.size() < 16) names.push_back(device.name);
  }
  throw InputError(fmt::format("{} {}: {}", option, text, unknown_name("device of a rank", text, names)));
}

/// The first rank of another node than that of `from`.
DeviceId partner_of(const Topology& topology, DeviceId from) {
  for (int rank = 0; rank < topology.rank_capacity(); ++rank)
    if (topology.devices[topology.endpoint(rank)].node != topology.devices[from].node) return topology.endpoint(rank);
  throw InputError(fmt::format("{}: RDMA is between two nodes, and there is one only", topology.name));
}

const std::string& choice(const std::string& what, const std::string& name, std::span<const Choice> choices) {
  return get_from(choices, what, name).name;
}

void at_least_one(std::int64_t value, const char* option, std::int64_t most) {
  if (value < 1 || value > most) throw InputError(fmt::format("{} {}: from 1 to {}", option, value, most));
}

std::string memory_name(rdma::Memory memory) {
  if (memory == rdma::Memory::host) return "host memory";
  return memory == rdma::Memory::gpu_direct ? "GPU memory (GPUDirect)" : "GPU memory staged in host memory";
}

std::string latency_table(const Rows& rows, std::int64_t iterations) {
  std::vector<std::vector<std::string>> lines{{"#bytes", "#iterations", "t_min[usec]", "t_max[usec]", "t_typical[usec]",
                                               "t_avg[usec]", "99% percentile[usec]"}};
  for (const auto& row : rows.latency) {
    const std::string time = fmt::format("{:.3f}", microseconds_of(row.parts.total()));
    lines.push_back({std::to_string(row.size.count()), std::to_string(iterations), time, time, time, time, time});
  }
  return format_table(lines);
}

std::string bandwidth_table(const Rows& rows) {
  std::vector<std::vector<std::string>> lines{
      {"#bytes", "#iterations", "BW peak[Gb/sec]", "BW average[Gb/sec]", "MsgRate[Mpps]"}};
  for (const auto& [size, found] : rows.bandwidth)
    lines.push_back({std::to_string(size.count()), std::to_string(found.iterations),
                     fmt::format("{:.3f}", gigabits(found.peak_messages_per_s(), size)),
                     fmt::format("{:.3f}", gigabits(found.messages_per_s(), size)),
                     fmt::format("{:.6f}", found.messages_per_s() * 1e-6)});
  return format_table(lines);
}

std::string rate_table(const Rows& rows) {
  std::vector<std::vector<std::string>> lines{{"depth"}};
  for (const auto& row : rows.rates) {
    if (row.depth == rows.rates.front().depth) lines.front().push_back(fmt::format("{} QP", row.queue_pairs));
    if (lines.back().front() != std::to_string(row.depth)) lines.push_back({std::to_string(row.depth)});
    lines.back().push_back(fmt::format("{:.3f}", row.found.messages_per_s() * 1e-6));
  }
  return format_table(lines);
}

/// Stages as rows, a few of the sizes as columns; nanoseconds that add up.
std::string stage_table(const Rows& rows) {
  std::vector<const LatencyRow*> shown;
  const std::size_t step = (rows.latency.size() + stage_columns - 1) / stage_columns;
  for (std::size_t i = 0; i < rows.latency.size(); i += step) shown.push_back(&rows.latency[i]);
  std::vector<std::vector<std::string>> lines{{"stage (ns)"}};
  for (const auto* row : shown) lines.front().push_back(format_bytes(row->size));
  const auto ns = [](Duration time) { return fmt::format("{}.{:03}", time.count() / 1000, time.count() % 1000); };
  for (std::size_t i = 0; i < rdma::stage_count; ++i) {
    const auto stage = static_cast<Stage>(i);
    if (std::all_of(shown.begin(), shown.end(), [&](const auto* row) { return row->parts[stage].count() == 0; }))
      continue;
    lines.push_back({std::string(to_string(stage))});
    for (const auto* row : shown) lines.back().push_back(ns(row->parts[stage]));
  }
  lines.push_back({"sum"});
  for (const auto* row : shown) lines.back().push_back(ns(row->parts.total()));
  return format_table(lines);
}

/// Rows that `lockstep compare` lays beside a log of perftest or OSU: lone messages, or streams if those alone were
/// asked for.
std::vector<CollectiveRow> comparable_rows(const Plan& plan, const Rows& rows) {
  std::vector<CollectiveRow> all;
  const auto add = [&](Bytes size, double time_s, std::int64_t iterations) -> CollectiveRow& {
    CollectiveRow row;
    row.kind = CollectiveKind::send_recv;
    if (plan.verbs()) row.protocol = std::string(to_string(plan.kind.verb));
    row.ranks = 2;
    row.type = "bytes";
    row.size_bytes = size.count();
    row.time_s = time_s;
    row.iterations = iterations;
    return all.emplace_back(std::move(row));
  };
  for (const auto& row : rows.latency)
    add(row.size, to_seconds(row.parts.total()), plan.iterations.value_or(latency_iterations));
  if (!plan.latency)
    for (const auto& row : rows.bandwidth)
      add(row.size, 1.0 / row.found.messages_per_s(), row.found.iterations).throughput = true;
  return all;
}

Json details(const Plan& plan, const Rows& rows, rdma::Memory memory) {
  Json json{{"test", plan.kind.name},
            {"software", plan.software->name},
            {"nic", plan.path.nic->name},
            {"fabric", plan.path.ethernet && plan.software->layer == rdma::Layer::ucx_tcp
                           ? "TCP"
                           : std::string(to_string(plan.path.fabric))},
            {"from", plan.path.from.device},
            {"to", plan.path.to.device},
            {"memory", memory_name(memory)},
            {"line_Gbps", static_cast<double>(plan.path.line.bits_per_second()) * 1e-9},
            {"route_latency_s", to_seconds(plan.path.latency)},
            {"mtu_bytes", plan.path.mtu.count()},
            {"depth", plan.verbs() ? Json(plan.test.depth) : Json(rdma::osu_window)},
            {"queue_pairs", plan.test.queue_pairs},
            {"latency", Json::array()},
            {"bandwidth", Json::array()},
            {"message_rate", Json::array()}};
  for (const auto& row : rows.latency) {
    const double time = to_seconds(row.parts.total());
    Json stages = Json::object();
    for (std::size_t i = 0; i < rdma::stage_count; ++i)
      if (const auto stage = static_cast<Stage>(i); row.parts[stage].count() > 0)
        stages[std::string(to_string(stage))] = to_seconds(row.parts[stage]);
    json["latency"].push_back(Json{{"size_bytes", row.size.count()},
                                   {"iterations", plan.iterations.value_or(latency_iterations)},
                                   {"t_min_s", time},
                                   {"t_typical_s", time},
                                   {"t_avg_s", time},
                                   {"t_99_s", time},
                                   {"stages_s", stages}});
  }
  for (const auto& [size, found] : rows.bandwidth)
    json["bandwidth"].push_back(Json{{"size_bytes", size.count()},
                                     {"iterations", found.iterations},
                                     {"bw_peak_Gbps", gigabits(found.peak_messages_per_s(), size)},
                                     {"bw_average_Gbps", gigabits(found.messages_per_s(), size)},
                                     {"bw_average_GBps", gigabits(found.messages_per_s(), size) / 8},
                                     {"msg_rate_Mpps", found.messages_per_s() * 1e-6},
                                     {"limited_by", std::string(to_string(found.limit))}});
  for (const auto& row : rows.rates)
    json["message_rate"].push_back(Json{{"size_bytes", rows.rate_size.count()},
                                        {"depth", row.depth},
                                        {"queue_pairs", row.queue_pairs},
                                        {"msg_rate_Mpps", row.found.messages_per_s() * 1e-6},
                                        {"limited_by", std::string(to_string(row.found.limit))}});
  return json;
}

Rows rows_of(const Plan& plan) {
  Rows rows;
  for (const Bytes size : plan.sizes) {
    if (plan.latency) rows.latency.push_back({size, plan.latency_of(size)});
    if (plan.bandwidth) rows.bandwidth.push_back({size, plan.throughput_of(size)});
  }
  if (!plan.bandwidth || !plan.verbs()) return rows;
  rows.rate_size = plan.sizes.front();
  std::vector<std::int64_t> depths{1, 4, 16, 64, plan.test.depth}, pairs{1, 2, 4, 16, plan.test.queue_pairs};
  for (auto* list : {&depths, &pairs}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  for (const std::int64_t depth : depths)
    for (const std::int64_t queue_pairs : pairs) {
      rdma::VerbsTest test = plan.verbs_test(rows.rate_size, false);
      test.depth = depth;
      test.queue_pairs = queue_pairs;
      test.moderation = std::min(depth, test.moderation);
      rows.rates.push_back(
          {depth, queue_pairs,
           verbs_throughput(plan.path, *plan.software, test, std::max(rate_iterations, 4 * queue_pairs))});
    }
  return rows;
}

void print(const Plan& plan, const Rows& rows, const Topology& topology, rdma::Memory memory) {
  const auto& path = plan.path;
  const bool tcp = plan.software->layer == rdma::Layer::ucx_tcp;
  fmt::print("# {}: {} to {} over {}, {}, {} of {}, {}, {}\n", plan.kind.name, path.from.device, path.to.device,
             topology.name, plan.software->name, tcp ? "TCP" : path.nic->name, format_bandwidth(path.line),
             tcp ? fmt::format("MTU {}", path.link_mtu.count())
                 : fmt::format("{} MTU {}", to_string(path.fabric), path.mtu.count()),
             memory_name(memory));
  if (plan.latency) {
    fmt::print("\n# latency, one way{}: a prediction has no noise, so all columns are one\n{}",
               plan.kind.verb == rdma::Verb::read ? " and back" : "",
               latency_table(rows, plan.iterations.value_or(latency_iterations)));
    fmt::print("\n# where each nanosecond goes\n{}", stage_table(rows));
  }
  if (plan.bandwidth) {
    fmt::print("\n# bandwidth, {}\n{}",
               plan.verbs() ? fmt::format("depth {}, {} QP", plan.test.depth, plan.test.queue_pairs)
                            : fmt::format("windows of {} messages", rdma::osu_window),
               bandwidth_table(rows));
    if (!rows.rates.empty())
      fmt::print("\n# message rate [Mpps] of {} B by depth and QPs\n{}", rows.rate_size.count(), rate_table(rows));
  }
}

}  // namespace

std::vector<std::string> rdma_bench_names() { return names_of(kinds()); }

bool is_rdma_bench(const std::string& name) { return find_in(kinds(), name) != nullptr; }

void RdmaBench::declare(CLI::App& app) {
  app_ = &app;
  app.footer(app.get_footer() + "\n  lockstep bench rdma_write -t topologies/hdr200_pair.yaml");
  std::string nics, layers;
  for (const auto& nic : rdma::nic_catalogue()) nics += fmt::format("{}{}", nics.empty() ? "" : ", ", nic.name);
  for (const auto& layer : rdma::software_catalogue())
    layers += fmt::format("{}{} ({})", layers.empty() ? "" : "; ", layer.name, layer.description);
  const auto own = [&](CLI::Option* option, const char* type) {
    option->group("Of rdma_write, rdma_read and rdma_send");
    if (*type != '\0') option->type_name(type);
    own_.push_back(option);
    return option;
  };
  const auto number = [&](CLI::Option* option, const char* type) { own(option, type)->check(refuse_odd_numbers); };
  own(app.add_option("-s,--size", options_.size, "One size in place of -b, -e and -f"), "SIZE");
  own(app.add_flag("-a,--all", options_.all, "All sizes from 2 B to 8 MiB (the default)"), "");
  own(app.add_option("--test", options_.test, "latency, bandwidth or all (default)"), "NAME");
  number(app.add_option("--depth", options_.depth,
                        "Requests under way of a queue pair, perftest's --tx-depth (default 128)"),
         "N");
  number(app.add_option("--qps", options_.queue_pairs, "Queue pairs, posted to in turn (default 1)"), "N");
  number(app.add_option("-m,--mtu", options_.mtu,
                        "Of RDMA packets: 256, 512, 1024, 2048, 4096; default: what the links take"),
         "BYTES");
  number(app.add_option(
             "-I,--inline", options_.inlined,
             "Largest payload inside the work request; default, as perftest: 220 in latency tests, 0 in others"),
         "BYTES");
  number(app.add_option("--cq-mod", options_.moderation,
                        "Requests per signalled completion; default: 100 up to 8 KiB, then 1, at most the depth"),
         "N");
  own(app.add_flag("--imm", options_.immediate, "Writes and sends with immediate data"), "");
  own(app.add_option("--post", options_.post,
                     "blueflame: the request is in the doorbell (default); doorbell: the NIC fetches it"),
      "HOW");
  own(app.add_option("--software", options_.software, layers + " (default verbs)"), "NAME");
  own(app.add_option("--nic", options_.nic, "By default from the rate of the links: " + nics), "NAME");
  own(app.add_option("--gpu", options_.gpu, "Payload in GPU memory: direct (GPUDirect) or staged (through the host)"),
      "HOW");
  own(app.add_option("--from", options_.from, "Rank or device that posts (default rank 0)"), "RANK");
  own(app.add_option("--to", options_.to, "The other one; default: the first rank of another node"), "RANK");
  own(app.add_option("--registration", options_.registration, "Of memory: cached (default) or each, for every message"),
      "HOW");
  own(app.add_option("--write-profile", options_.profile,
                     "Write what such messages cost as a profile: collectives over them are simulate -p FILE"),
      "FILE");
  number(
      app.add_option("--max-payload", options_.max_payload, "PCIe: bytes of data in a TLP, 128 to 4096 (default 256)"),
      "BYTES");
  number(app.add_option("--max-read-request", options_.max_read_request,
                        "PCIe: bytes that a read asks for, 128 to 4096 (default 512)"),
         "BYTES");
}

void RdmaBench::refuse_for(const std::string& collective) const {
  for (const CLI::Option* option : own_)
    if (option->count() > 0)
      throw InputError(fmt::format("{} is an option of {} and does nothing for {}", option->get_name(),
                                   join(rdma_bench_names(), ", "), collective));
}

int RdmaBench::run(const RdmaSweep& sweep, const Settings& settings, const OutputOptions& output) const {
  static constexpr std::array<const char*, 12> of_collectives{
      "--warmup_iters", "--datatype", "--op",      "--root",  "--algorithm",   "--backend",
      "--profile",      "--ranks",    "--timeout", "--trace", "--recalibrate", "--rendezvous-timeout"};
  for (const char* name : of_collectives)
    if (const CLI::Option* option = app_->get_option_no_throw(name); option != nullptr && option->count() > 0)
      throw InputError(fmt::format("{} is an option of collectives and does nothing for {}", name, sweep.name));
  settings.require_unused("profile", "tests of RDMA take no profile");
  output.check_writable();

  static const std::array hows{Choice{"blueflame", ""}, Choice{"doorbell", ""}};
  static const std::array registrations{Choice{"cached", ""}, Choice{"each", ""}};
  static const std::array tests{Choice{"latency", ""}, Choice{"bandwidth", ""}, Choice{"all", ""}};
  static const std::array gpus{Choice{"direct", ""}, Choice{"staged", ""}};
  Plan plan;
  plan.kind = *find_in(kinds(), sweep.name);
  plan.software = &get_from(rdma::software_catalogue(), "software", options_.software);
  const std::string& test = choice("test", options_.test, tests);
  plan.latency = test != "bandwidth";
  plan.bandwidth = test != "latency";
  plan.test.verb = plan.kind.verb;
  plan.test.depth = options_.depth;
  plan.test.queue_pairs = options_.queue_pairs;
  plan.test.immediate = options_.immediate;
  plan.test.blueflame = choice("way to post", options_.post, hows) == "blueflame";
  plan.test.register_each = choice("registration", options_.registration, registrations) == "each";
  plan.moderation = options_.moderation;
  plan.iterations = sweep.iterations;
  at_least_one(options_.depth, "--depth", 1 << 15);
  at_least_one(options_.queue_pairs, "--qps", 1 << 16);
  if (options_.moderation) {
    at_least_one(*options_.moderation, "--cq-mod", 1 << 15);
    if (*options_.moderation > options_.depth)
      throw InputError(fmt::format("--cq-mod {}: more than the depth, {}", *options_.moderation, options_.depth));
  }
  if (sweep.iterations) at_least_one(*sweep.iterations, "-n", 1'000'000'000);
  for (const auto& [value, option] :
       {std::pair{options_.max_payload, "--max-payload"}, std::pair{options_.max_read_request, "--max-read-request"}})
    if (value < 128 || value > 4096 || (value & (value - 1)) != 0)
      throw InputError(fmt::format("{} {}: 128, 256, 512, 1024, 2048 or 4096", option, value));
  if (plan.kind.verb == rdma::Verb::read && options_.immediate)
    throw InputError("--imm: reads carry no immediate data");
  if (!plan.verbs()) {
    if (plan.kind.verb != rdma::Verb::send)
      throw InputError(fmt::format("--software {}: MPI sends messages, which is rdma_send", plan.software->name));
    static constexpr std::array<const char*, 7> of_verbs{"--depth", "--qps",  "--inline", "--cq-mod",
                                                         "--imm",   "--post", "--gpu"};
    for (const char* name : of_verbs)
      if (app_->count(name) > 0)
        throw InputError(
            fmt::format("{} is an option of --software verbs and does nothing for {}", name, plan.software->name));
  }

  if (!options_.size.empty()) {
    if (sweep.begin || sweep.end || options_.all) throw InputError("-s is one size; it goes without -a, -b and -e");
    plan.sizes = {parse_bench_size(options_.size, "-s")};
  } else {
    if (options_.all && (sweep.begin || sweep.end)) throw InputError("-a is all sizes; it goes without -b and -e");
    const Bytes begin = sweep.begin.value_or(plan.verbs() ? 2_B : 1_B), end = sweep.end.value_or(8_MiB);
    if (end < begin)
      throw InputError(fmt::format("-e is less than -b: {} and {}", format_bytes(end), format_bytes(begin)));
    if (sweep.factor < 2) throw InputError(fmt::format("-f {}: the factor between sizes is 2 at least", sweep.factor));
    for (std::int64_t size = begin.count();; size *= sweep.factor) {
      plan.sizes.emplace_back(size);
      if (size == 0 || size > end.count() / sweep.factor) break;
    }
  }
  if (plan.sizes.front().count() < 1) throw InputError("a message of 0 bytes has no bandwidth; sizes are 1 at least");
  if (plan.sizes.back() > 1_GiB)
    throw InputError(fmt::format("messages of {}: 1GiB at most", format_bytes(plan.sizes.back())));

  const Topology topology = load_topology_with(sweep.topology, settings);
  const Routing routing(topology, {output.seed});
  const DeviceId from = options_.from.empty() ? topology.endpoint(0) : endpoint_of(topology, options_.from, "--from");
  const DeviceId to = options_.to.empty() ? partner_of(topology, from) : endpoint_of(topology, options_.to, "--to");
  rdma::PathOptions way;
  if (!options_.gpu.empty())
    way.memory = choice("way to GPU memory", options_.gpu, gpus) == "direct" ? rdma::Memory::gpu_direct
                                                                             : rdma::Memory::gpu_staged;
  if (!options_.nic.empty()) way.nic = &get_from(rdma::nic_catalogue(), "NIC", options_.nic);
  if (options_.mtu) way.mtu = Bytes{*options_.mtu};
  way.max_payload = Bytes{options_.max_payload};
  way.max_read_request = Bytes{options_.max_read_request};
  plan.path = rdma::path_between(topology, routing, from, to, way);
  plan.test.outstanding_reads = plan.path.nic->outstanding_reads;
  if (plan.software->layer == rdma::Layer::ucx_tcp && !plan.path.ethernet)
    throw InputError("--software ucx_tcp: TCP needs links of kind ethernet or roce on the route");
  if (options_.inlined) {
    const std::int64_t most = plan.path.nic->max_inline.count();
    if (*options_.inlined < 0 || *options_.inlined > most)
      throw InputError(fmt::format("--inline {}: from 0 to {} for {}", *options_.inlined, most, plan.path.nic->name));
    plan.inlined = Bytes{*options_.inlined};
  }

  if (!options_.profile.empty()) {
    if (plan.kind.verb == rdma::Verb::read || plan.software->layer == rdma::Layer::ucx_tcp)
      throw InputError("--write-profile: of writes and sends by verbs or ucx");
    for (const DeviceId end : {from, to})
      if (const Node& node = topology.nodes[topology.devices[end].node]; node.endpoints.size() > 1)
        throw InputError(fmt::format(
            "--write-profile: {} has {} ranks, and what they send each other would cost the same; it is for "
            "nodes of one rank",
            node.name, node.endpoints.size()));
    const auto route = routing.route(from, to);
    Profile profile =
        rdma::profile_of(plan.path, {route_latency(topology, route), route_bandwidth(topology, route)}, *plan.software,
                         [&](Bytes size, bool lone) { return plan.verbs_test(size, lone); });
    profile.measured["predicted_by"] = fmt::format("lockstep bench {} on {}", plan.kind.name, topology.name);
    write_output(options_.profile, to_yaml(profile));
  }
  const Rows rows = rows_of(plan);
  if (!output.json_to_stdout()) print(plan, rows, topology, way.memory);
  if (output.json.empty()) return 0;
  Result result;
  result.run = run_info(elapsed_s());
  result.topology = source_of(topology);
  result.workload.name = "bench_" + sweep.name;
  result.profile.name = plan.software->name;
  result.ranks = 2;
  result.fidelity = "rdma";
  result.seed = output.seed;
  result.collectives = comparable_rows(plan, rows);
  Json json = to_json(result);
  json["rdma"] = details(plan, rows, way.memory);
  write_output(output.json, json.dump(2) + "\n");
  return 0;
}

}  // namespace lockstep::cli
