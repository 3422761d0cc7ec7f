// Verbs: a work request from post to completion, alone and with many under way.
//
// A lone message is the sum of its stages (stage.hpp). With many under way every resource is a server: the processor
// that posts (post + doorbell a message, a poll for every signalled completion), each queue pair (one request per
// interval), the NIC, the fetches of contexts that are not cached, and the Channel.
//   window      of each queue pair `depth` requests are posted and not known to be complete; completions are signalled
//               for every `moderation`-th
//   acknowledge a write or send is complete at the sender when the last packet's acknowledgement has come and the
//               completion is in memory; receivers acknowledge when the packet is in the NIC
//   read        a request, and the payload as packets the other way; of each queue pair so many are under way as the
//   NIC
//               allows
//   contexts    of q queue pairs, used in turn, C are cached: a share (q - C) / q of requests reads its context first
// So throughput is at most depth / round trip, bytes under way of reads / round trip, and every server's rate.
// Assumptions: one thread posts, a request at a time (BlueFlame: the request is in the doorbell; or it is fetched);
// receives are posted in time; nothing is lost.
// Source: InfiniBand Architecture Specification, volume 1, chapters 9 and 10; perftest for what the tests do.
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/rdma/channel.hpp"
#include "sim/rdma/software.hpp"

namespace lockstep::sim::rdma {

enum class Verb : std::uint8_t { write, read, send };

/// "write": also the `protocol` of rows in results.
std::string_view to_string(Verb verb);

struct VerbsTest {
  Verb verb = Verb::write;
  Bytes size;
  std::int64_t depth = 128;
  std::int64_t queue_pairs = 1;
  std::int64_t moderation = 100;  ///< at most depth
  Bytes inline_up_to;             ///< payloads up to this go inside the work request (not of reads)
  bool immediate = false;         ///< immediate data, and so a completion at the receiver (writes)
  bool blueflame = true;          ///< the work request is part of the doorbell; else the NIC fetches it
  bool register_each = false;     ///< memory is registered for every message
  std::int64_t outstanding_reads = 16;
};

struct Throughput {
  Duration per_message{0};  ///< in steady state
  Duration total{0};        ///< of all iterations, from the first post to the last completion
  std::int64_t iterations = 0;
  Stage limit = Stage::wire;  ///< the resource that is never idle; `window`: none
  [[nodiscard]] double messages_per_s() const { return static_cast<double>(iterations) / to_seconds(total); }
  [[nodiscard]] double peak_messages_per_s() const { return 1.0 / to_seconds(per_message); }
};

/// One message, one way: from the call that posts it until the other side sees it; of a read until the reader sees it.
Breakdown verbs_latency(const Path& path, const Software& software, const VerbsTest& test);

/// `iterations` messages in all, dealt out to the queue pairs in turn. Some tens of thousands of packets are simulated;
/// where iterations have more, the rest passes at the rate of the second half.
Throughput verbs_throughput(const Path& path, const Software& software, const VerbsTest& test, std::int64_t iterations);

}  // namespace lockstep::sim::rdma
