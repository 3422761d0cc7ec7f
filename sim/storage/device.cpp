#include "sim/storage/device.hpp"

#include "core/base/hash.hpp"

namespace lockstep::sim {
namespace {

std::int64_t gap(double per_second) { return per_second > 0 ? static_cast<std::int64_t>(1e12 / per_second + 0.5) : 0; }

/// Waits until `free`, and holds it for `time`.
std::int64_t pass(std::int64_t now, std::int64_t& free, std::int64_t time) {
  const std::int64_t start = std::max(now, free);
  free = start + time;
  return start;
}

}  // namespace

StorageDevice::StorageDevice(const StorageSpec& spec, int hosts, bool windows)
    : spec_(spec),
      windows_(windows && spec.read_ahead.count() > 0),
      open_gap_(gap(spec.opens_per_s)),
      request_gap_(gap(spec.requests_per_s)),
      prefix_gap_(gap(spec.prefix_rate)),
      units_(static_cast<std::size_t>(spec.local ? hosts : 1)),
      host_free_(static_cast<std::size_t>(hosts)) {
  for (auto& unit : units_) {
    unit.places.resize(static_cast<std::size_t>(spec.depth));
    unit.prefixes.resize(prefix_gap_ > 0 ? static_cast<std::size_t>(spec.prefixes) : 0);
  }
}

std::int64_t StorageDevice::through_pipes(std::int64_t start, std::int64_t bytes, int host, Unit& unit) {
  std::int64_t end = start;
  if (spec_.bandwidth) {
    const std::int64_t time = time_for(bytes, spec_.bandwidth);
    end = std::max(end, pass(start, unit.pipe_free, time) + time);
  }
  if (spec_.client_bandwidth) {
    const std::int64_t time = time_for(bytes, spec_.client_bandwidth);
    end = std::max(end, pass(start, host_free_[static_cast<std::size_t>(host)], time) + time);
  }
  return end;
}

std::int64_t StorageDevice::read(std::int64_t now, const ReadShape& shape) {
  Unit& unit = units_[spec_.local ? static_cast<std::size_t>(shape.host) : 0];
  std::int64_t time = now;
  if (shape.opens) {
    if (open_gap_ > 0) time = pass(time, unit.open_free, open_gap_);
    time += spec_.open.draw(mix64(shape.key ^ 0x09E));
  }
  if (request_gap_ > 0) time = pass(time, unit.request_free, request_gap_);
  if (prefix_gap_ > 0) time = pass(time, unit.prefixes[mix64(shape.key) % unit.prefixes.size()], prefix_gap_);
  if (!unit.places.empty()) {
    std::pop_heap(unit.places.begin(), unit.places.end(), std::greater<>());
    time = std::max(time, unit.places.back());
  }
  std::int64_t latency = spec_.latency.draw(mix64(shape.key ^ 0x1A7));
  if (windows_) latency *= (shape.bytes + spec_.read_ahead.count() - 1) / spec_.read_ahead.count();
  const std::int64_t alone = time + time_for(shape.bytes, spec_.stream_bandwidth);
  const std::int64_t done = std::max(alone, through_pipes(time, shape.bytes, shape.host, unit)) + latency;
  if (!unit.places.empty()) {
    unit.places.back() = done;
    std::push_heap(unit.places.begin(), unit.places.end(), std::greater<>());
  }
  return done;
}

std::int64_t StorageDevice::pass_host(std::int64_t now, std::int64_t bytes, int host) {
  const std::int64_t time = time_for(bytes, spec_.client_bandwidth);
  return pass(now, host_free_[static_cast<std::size_t>(host)], time) + time;
}

std::int64_t StorageDevice::write(std::int64_t now, std::int64_t bytes, int host) {
  Unit& unit = units_[spec_.local ? static_cast<std::size_t>(host) : 0];
  const std::int64_t alone = now + time_for(bytes, spec_.stream_bandwidth);
  return std::max(alone, through_pipes(now, bytes, host, unit)) + spec_.latency.expected();
}

}  // namespace lockstep::sim
