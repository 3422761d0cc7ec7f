#include "core/loader/costs.hpp"

#include <fmt/format.h>

#include "core/units/parse.hpp"

namespace lockstep {
namespace {

config::Type<AccessCost> access_type() {
  return config::record<AccessCost>("access", "What one way to read costs per sample.")
      .optional("open", &AccessCost::open, config::duration(), "CPU per file of its own: open, close")
      .optional("cold_open", &AccessCost::cold_open, config::duration(), "not cached: wait per such file")
      .optional("latency", &AccessCost::latency, config::duration(), "not cached: wait per sample")
      .optional("stream_bandwidth", &AccessCost::stream_bandwidth, config::bandwidth().positive(),
                "not cached: the wait grows with bytes at this rate; absent: not at all")
      .optional("cpu", &AccessCost::cpu, config::duration(), "not cached: CPU per sample")
      .optional("cpu_bandwidth", &AccessCost::cpu_bandwidth, config::bandwidth().positive(),
                "not cached: CPU per byte; absent: free")
      .optional("warm_cpu", &AccessCost::warm_cpu, config::duration(), "cached: CPU per sample")
      .optional("warm_bandwidth", &AccessCost::warm_bandwidth, config::bandwidth().positive(),
                "cached: CPU per byte; absent: free")
      .type();
}

config::Type<WorkerCost> worker_type() {
  return config::record<WorkerCost>("worker", "What a worker costs.")
      .optional("start", &WorkerCost::start, config::duration(), "until it works")
      .optional("hand_over", &WorkerCost::hand_over, config::duration(), "CPU per batch")
      .optional("wake", &WorkerCost::wake, config::duration(), "wait per batch of a consumer that sleeps for it")
      .type();
}

struct Keys {
  std::optional<AccessCost> read, mmap, direct, io_uring;
  std::optional<Bandwidth> bandwidth, decode_bandwidth, check_bandwidth, collate;
  std::optional<Duration> decode;
  WorkerCost threads, processes;
  double slowdown = 1;
  Duration sleep{0};
};

void add(std::string& text, const char* key, Duration value) {
  if (value.count() > 0) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", key, to_text(value));
}
void add(std::string& text, const char* key, const std::optional<Bandwidth>& value) {
  if (value) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", key, to_text(*value));
}

std::string line(const AccessCost& cost) {
  std::string text;
  add(text, "open", cost.open);
  add(text, "cold_open", cost.cold_open);
  add(text, "latency", cost.latency);
  add(text, "stream_bandwidth", cost.stream_bandwidth);
  add(text, "cpu", cost.cpu);
  add(text, "cpu_bandwidth", cost.cpu_bandwidth);
  add(text, "warm_cpu", cost.warm_cpu);
  add(text, "warm_bandwidth", cost.warm_bandwidth);
  return text;
}

std::string line(const WorkerCost& cost) {
  std::string text;
  add(text, "start", cost.start);
  add(text, "hand_over", cost.hand_over);
  add(text, "wake", cost.wake);
  return text;
}

}  // namespace

config::Type<LoaderCosts> loader_costs_type() {
  const auto rate = config::bandwidth().positive();
  const auto keys =
      config::record<Keys>("loader", "What loading costs in software on one machine.")
          .optional("read", &Keys::read, access_type(), "access: read")
          .optional("mmap", &Keys::mmap, access_type(), "access: mmap")
          .optional("direct", &Keys::direct, access_type(), "access: direct")
          .optional("io_uring", &Keys::io_uring, access_type(), "access: io_uring")
          .optional("bandwidth", &Keys::bandwidth, rate, "not cached: of all reads; absent: the storage's")
          .optional("decode", &Keys::decode, config::duration(), "CPU per image; absent: free")
          .optional("decode_bandwidth", &Keys::decode_bandwidth, rate, "CPU per byte of a decoded image")
          .optional("check_bandwidth", &Keys::check_bandwidth, rate, "CPU per byte whose checksum is verified")
          .optional("collate", &Keys::collate, rate, "CPU per byte copied into a batch")
          .optional("threads", &Keys::threads, worker_type(), "workers that are threads")
          .optional("processes", &Keys::processes, worker_type(), "workers that are processes")
          .optional("slowdown", &Keys::slowdown, config::number(0.1, 100),
                    "CPU time of work while all cores are busy, over the same alone; default 1")
          .optional("sleep", &Keys::sleep, config::duration(), "how much later than asked a sleeper goes on")
          .type();
  return config::Type<LoaderCosts>(
      [keys](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<LoaderCosts> {
        const auto read = keys.read(node, diagnostics);
        if (!read) return std::nullopt;
        LoaderCosts costs;
        costs.access = {read->read, read->mmap, read->direct, read->io_uring};
        costs.bandwidth = read->bandwidth;
        costs.decode = read->decode;
        costs.decode_bandwidth = read->decode_bandwidth;
        costs.check_bandwidth = read->check_bandwidth;
        costs.collate = read->collate;
        costs.threads = read->threads;
        costs.processes = read->processes;
        costs.slowdown = read->slowdown;
        costs.sleep = read->sleep;
        return costs;
      },
      keys.schema());
}

std::string to_yaml(const LoaderCosts& costs) {
  std::string text;
  for (std::size_t i = 0; i < access_count; ++i)
    if (costs.access[i]) text += fmt::format("  {}: {{{}}}\n", access_names()[i], line(*costs.access[i]));
  const auto rate = [&text](const char* key, const std::optional<Bandwidth>& value) {
    if (value) text += fmt::format("  {}: {}\n", key, to_text(*value));
  };
  rate("bandwidth", costs.bandwidth);
  if (costs.decode) text += fmt::format("  decode: {}\n", to_text(*costs.decode));
  rate("decode_bandwidth", costs.decode_bandwidth);
  rate("check_bandwidth", costs.check_bandwidth);
  rate("collate", costs.collate);
  text += fmt::format("  threads: {{{}}}\n  processes: {{{}}}\n", line(costs.threads), line(costs.processes));
  text += fmt::format("  slowdown: {:.4f}\n", costs.slowdown);
  text += fmt::format("  sleep: {}\n", to_text(costs.sleep));
  return text;
}

}  // namespace lockstep
