#include "real/lab/shaping.hpp"

#include <algorithm>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

constexpr Bytes least_burst = 16_KiB;
constexpr std::int64_t burst_per_second = 1000;  // a burst of rate / 1000: 1 ms
constexpr Bytes deep_queue = 64_MiB;             // "unlimited": deeper than any window of tcp_settings
constexpr Bytes legacy_gso_limit{65536};         // GSO_LEGACY_MAX_SIZE of the kernel, for IPv4 without BIG TCP
constexpr std::int64_t ethernet_header = 14;

}  // namespace

Shaping shape(const Link& link, bool netem) {
  LOCKSTEP_CHECK(link.bandwidth.bits_per_second() > 0, "a link without bandwidth");
  Shaping shaping;
  shaping.rate = link.bandwidth;
  shaping.mtu = link.mtu;
  const Bytes frame{link.mtu.count() + ethernet_header};
  const Bytes in_one_ms{link.bandwidth.bits_per_second() / 8 / burst_per_second};
  // tbf drops what is larger than its bucket: a frame has to fit.
  shaping.burst = link.burst ? std::max(*link.burst, frame) : std::max({least_burst, in_one_ms, 2 * frame});
  shaping.queue = link.queue ? std::max(*link.queue, frame) : deep_queue;
  shaping.gso_max_size = std::clamp(shaping.burst / 2, 2 * frame, std::max(legacy_gso_limit, 2 * frame));
  if (netem) {
    shaping.delay = link.latency;
    shaping.loss = link.loss;
  }
  return shaping;
}

std::vector<std::string> shaping_commands(const Shaping& shaping, const std::string& interface) {
  const std::string bucket = fmt::format("tbf rate {}bit burst {}b limit {}b", shaping.rate.bits_per_second(),
                                         shaping.burst.count(), shaping.queue.count());
  std::vector<std::string> lines{fmt::format("qdisc add dev {} root handle 1: {}", interface, bucket)};
  if (!shaping.relayed && (shaping.delay > Duration{0} || shaping.loss > 0)) {
    // The delay comes after the bucket in the file's order of thought (serialise, then propagate); inside the
    // discipline it must stand in front, as the bucket's child, because only the root's dequeue is timed by the rate.
    // The sum is the same. netem's own limit counts packets; the smallest has 64 bytes.
    std::string line = fmt::format("qdisc add dev {} parent 1:1 handle 10: netem limit {}", interface,
                                   std::max<std::int64_t>(1000, shaping.queue.count() / 64));
    if (shaping.delay > Duration{0}) line += fmt::format(" delay {}us", (shaping.delay.count() + 500'000) / 1'000'000);
    if (shaping.loss > 0) line += fmt::format(" loss {:.6f}%", shaping.loss * 100);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace lockstep::real
