#include "core/loader/storage.hpp"

#include <array>

#include "core/base/catalogue.hpp"

namespace lockstep {
namespace {

constexpr Bandwidth MBps(std::int64_t n) { return Bandwidth::bytes_per_second(n * 1'000'000); }
constexpr Bandwidth GBps(std::int64_t n) { return MBps(n * 1000); }

StorageSpec memory() {
  StorageSpec spec;
  spec.kind = "memory";
  spec.local = true;
  return spec;
}

StorageSpec measured() {
  StorageSpec spec;
  spec.local = true;
  return spec;
}

// A PCIe generation 4 drive: 7 GB/s sequential, 60 to 100 us per lone 4 KiB read, about a million of them a second; an
// open costs 11 us (opening many small files on local NVMe).
StorageSpec nvme() {
  StorageSpec spec;
  spec.kind = "nvme";
  spec.open = fixed(microseconds(11));
  spec.latency = fixed(microseconds(80));
  spec.stream_bandwidth = GBps(3);
  spec.bandwidth = GBps(7);
  spec.requests_per_s = 1'000'000;
  spec.depth = 256;
  spec.read_ahead = 128_KiB;
  spec.local = true;
  return spec;
}

// SATA 3: 0.55 GB/s behind one queue of 32 commands.
StorageSpec sata() {
  StorageSpec spec;
  spec.kind = "sata";
  spec.open = fixed(microseconds(11));
  spec.latency = fixed(microseconds(120));
  spec.bandwidth = MBps(550);
  spec.requests_per_s = 90'000;
  spec.depth = 32;
  spec.read_ahead = 128_KiB;
  spec.local = true;
  return spec;
}

// A filer on 25GbE: lookups and opens are round trips to one server.
StorageSpec nfs() {
  StorageSpec spec;
  spec.kind = "nfs";
  spec.open = fixed(microseconds(500));
  spec.opens_per_s = 20'000;
  spec.latency = fixed(microseconds(300));
  spec.stream_bandwidth = GBps(1);
  spec.bandwidth = GBps(3);
  spec.read_ahead = 128_KiB;
  spec.client_bandwidth = GBps(3);
  return spec;
}

// 2.3 ms per open (against 11 us on NVMe) was measured on a production Lustre; a client reads 2 to 10 GB/s.
StorageSpec lustre() {
  StorageSpec spec;
  spec.kind = "lustre";
  spec.open = fixed(microseconds(2300));
  spec.opens_per_s = 50'000;
  spec.latency = fixed(microseconds(400));
  spec.stream_bandwidth = GBps(2);
  spec.bandwidth = GBps(100);
  spec.read_ahead = 1_MiB;
  spec.client_bandwidth = GBps(5);
  return spec;
}

// S3: 20 to over 100 ms to the first byte, 80 to 100 MB/s per stream, 5,500 GETs per second and prefix.
StorageSpec object_store() {
  StorageSpec spec;
  spec.kind = "object_store";
  spec.latency.shape = Distribution::Shape::quantiles;
  for (const int ms : {15, 20, 25, 30, 40, 60, 120}) spec.latency.quantiles.push_back(milliseconds(ms).count());
  spec.latency.mean = spec.latency.expected();
  spec.stream_bandwidth = MBps(90);
  spec.client_bandwidth = MBps(12'500);
  spec.prefix_rate = 5'500;
  return spec;
}

}  // namespace

std::span<const StorageKind> storage_catalogue() {
  static const std::array catalogue{
      StorageKind{"measured", "this machine's, as its profile says (calibrate --backend loader); no wait without one",
                  measured()},
      StorageKind{"memory", "no wait at all: what is read is there", memory()},
      StorageKind{"nvme", "a local PCIe generation 4 drive", nvme()},
      StorageKind{"sata", "a local SATA drive", sata()},
      StorageKind{"nfs", "a filer: opens are round trips to one server", nfs()},
      StorageKind{"lustre", "a parallel file system: much bandwidth, slow opens", lustre()},
      StorageKind{"object_store", "an object store: long until the first byte, limits per stream and prefix",
                  object_store()},
  };
  return catalogue;
}

namespace {

struct Keys {
  std::optional<std::string> kind;
  std::optional<Distribution> open, latency;
  std::optional<double> opens_per_s, requests_per_s, prefix_rate;
  std::optional<Bandwidth> stream_bandwidth, bandwidth, client_bandwidth;
  std::optional<int> depth, prefixes;
  std::optional<Bytes> read_ahead;
  std::optional<bool> local;
};

template <class Value>
void take(const std::optional<Value>& given, Value& value) {
  if (given) value = *given;
}
template <class Value>
void take(const std::optional<Value>& given, std::optional<Value>& value) {
  if (given) value = given;
}

}  // namespace

config::Type<StorageSpec> storage_type() {
  const auto name = config::name_of("storage", names_of(storage_catalogue()));
  const auto map =
      config::record<Keys>("storage", "A storage as queues: its kind, and what differs from it.")
          .optional("kind", &Keys::kind, name, "where the figures come from that are not given; default measured")
          .optional("open", &Keys::open, duration_distribution(), "per file opened")
          .optional("opens_per_s", &Keys::opens_per_s, config::number(0, 1e12), "of the metadata server; 0: no limit")
          .optional("latency", &Keys::latency, duration_distribution(), "per request, to its first byte")
          .optional("stream_bandwidth", &Keys::stream_bandwidth, config::bandwidth().positive(), "of one request")
          .optional("bandwidth", &Keys::bandwidth, config::bandwidth().positive(), "of the storage")
          .optional("requests_per_s", &Keys::requests_per_s, config::number(0, 1e12), "0: no limit")
          .optional("depth", &Keys::depth, config::integer(0, 1'000'000), "requests served at a time; 0: no limit")
          .optional("read_ahead", &Keys::read_ahead, config::bytes(),
                    "mmap waits for such windows one after another; 0B: whole reads")
          .optional("client_bandwidth", &Keys::client_bandwidth, config::bandwidth().positive(), "of one host")
          .optional("prefix_rate", &Keys::prefix_rate, config::number(0, 1e12),
                    "object stores: requests per second and prefix; 0: no limit")
          .optional("prefixes", &Keys::prefixes, config::integer(1, 1'000'000), "prefixes that objects are dealt to")
          .optional("local", &Keys::local, config::boolean(), "every host has its own")
          .type();
  return config::Type<StorageSpec>(
      [name, map](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<StorageSpec> {
        Keys keys;
        if (node.kind == config::Node::Kind::map) {
          auto read = map.read(node, diagnostics);
          if (!read) return std::nullopt;
          keys = std::move(*read);
        } else {
          keys.kind = name.read(node, diagnostics);
          if (!keys.kind) return std::nullopt;
        }
        StorageSpec spec = get_from(storage_catalogue(), "storage", keys.kind.value_or("measured")).spec;
        take(keys.open, spec.open);
        take(keys.opens_per_s, spec.opens_per_s);
        take(keys.latency, spec.latency);
        take(keys.stream_bandwidth, spec.stream_bandwidth);
        take(keys.bandwidth, spec.bandwidth);
        take(keys.requests_per_s, spec.requests_per_s);
        take(keys.depth, spec.depth);
        take(keys.read_ahead, spec.read_ahead);
        take(keys.client_bandwidth, spec.client_bandwidth);
        take(keys.prefix_rate, spec.prefix_rate);
        take(keys.prefixes, spec.prefixes);
        take(keys.local, spec.local);
        return spec;
      },
      config::Json{{"oneOf", config::Json::array({name.schema(), map.schema()})}});
}

}  // namespace lockstep
