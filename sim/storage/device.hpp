// A storage as queues: when is a read done that is asked for now?
//
// Quantities: time in picoseconds, bytes. A request passes, in this order: the metadata server (opens: one after
// another at opens_per_s, then `open`), the limit of requests per second of the storage and of its prefix, one of
// `depth` places, and then `latency` and its transfer: at stream_bandwidth alone, and behind all that were asked for
// earlier through the shared pipes (storage, host). Pipes are first come, first served in the order of requests, so
//
//   one request alone   open + latency + bytes / min(stream, storage, host)
//   k at a time         min(k bytes / (latency + bytes / stream), storage, hosts)     (Little's law)
//
// Assumes that a pipe is busy while anything waits for it, whatever the latencies of those before (a request's share of
// a pipe is reserved when it gets its place). When it is wrong: fair sharing lets small requests pass large ones. Calls
// come in the order of time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/loader/storage.hpp"

namespace lockstep::sim {

/// The figures of one read; what a profile measured may stand in for the storage's own.
struct ReadShape {
  std::int64_t bytes = 0;
  int host = 0;
  bool opens = false;
  std::uint64_t key = 0;  ///< of its random draws
};

class StorageDevice {
 public:
  StorageDevice(const StorageSpec& spec, int hosts, bool windows);

  /// When the read is done.
  std::int64_t read(std::int64_t now, const ReadShape& shape);
  /// When so many bytes are written: they take their share of the pipes.
  std::int64_t write(std::int64_t now, std::int64_t bytes, int host);

  /// When so many bytes of other traffic of a host are through its pipe.
  std::int64_t pass_host(std::int64_t now, std::int64_t bytes, int host);

  /// bytes at a rate, in picoseconds.
  static std::int64_t time_for(std::int64_t bytes, const std::optional<Bandwidth>& rate) {
    return rate ? transfer_time(Bytes{bytes}, *rate).count() : 0;
  }

 private:
  struct Unit {  // one storage: shared, or a host's own
    std::int64_t open_free = 0, request_free = 0, pipe_free = 0;
    std::vector<std::int64_t> places;  // when they are free again; a heap, the earliest on top
    std::vector<std::int64_t> prefixes;
  };
  std::int64_t through_pipes(std::int64_t start, std::int64_t bytes, int host, Unit& unit);

  StorageSpec spec_;
  bool windows_;  // waits for windows of read-ahead one after another
  std::int64_t open_gap_ = 0, request_gap_ = 0, prefix_gap_ = 0;
  std::vector<Unit> units_;
  std::vector<std::int64_t> host_free_;
};

}  // namespace lockstep::sim
