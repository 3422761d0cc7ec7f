// What a storage is to its readers: queues with latencies and bandwidths. Kinds with figures from vendors and
// published measurements stand in storage.cpp; every figure can be replaced in the workload.
//
// A read of n bytes at an idle storage takes open + latency + n / min(stream_bandwidth, bandwidth, client_bandwidth);
// all together get `bandwidth`, `requests_per_s` and, for opens, `opens_per_s`.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "core/config/type.hpp"
#include "core/loader/distribution.hpp"

namespace lockstep {

struct StorageSpec {
  std::string kind = "measured";
  Distribution open;                          ///< per file opened
  double opens_per_s = 0;                     ///< of the metadata server; 0: no limit
  Distribution latency;                       ///< per request, to its first byte
  std::optional<Bandwidth> stream_bandwidth;  ///< of one request
  std::optional<Bandwidth> bandwidth;         ///< of the storage
  double requests_per_s = 0;                  ///< 0: no limit
  int depth = 0;                              ///< requests served at a time; 0: no limit
  Bytes read_ahead{0};                        ///< mmap waits for such windows one after another; 0: whole reads
  std::optional<Bandwidth> client_bandwidth;  ///< of one host: its NIC, or its client software
  double prefix_rate = 0;                     ///< object stores: requests per second and prefix; 0: no limit
  int prefixes = 1;
  bool local = false;  ///< every host has its own
};

struct StorageKind {
  std::string name;
  std::string description;
  StorageSpec spec;
};

std::span<const StorageKind> storage_catalogue();
/// A name of the catalogue, or a map with `kind` and what differs from it.
config::Type<StorageSpec> storage_type();

}  // namespace lockstep
