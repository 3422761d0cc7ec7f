// What the executor does with the bytes of its buffers: here, where they are the host's, else by the transport's
// device.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/base/error.hpp"
#include "core/collective/data.hpp"
#include "real/transport/device.hpp"

namespace lockstep::real {

class Memory {
 public:
  /// Null: the host's.
  explicit Memory(Device* device) : device_(device) {}
  [[nodiscard]] Device* device() const { return device_; }

  void copy(std::span<const std::byte> from, std::byte* to) const {
    if (from.empty() || from.data() == to) return;
    if (device_ == nullptr) {
      std::memmove(to, from.data(), from.size());
      return;
    }
    const std::less<> before;
    LOCKSTEP_CHECK(!before(to, from.data() + from.size()) || !before(from.data(), to + from.size()),
                   "a copy of {} bytes within a device overlaps itself", from.size());
    device_->copy(from, to);
  }
  void combine(ElementType type, Reduction reduction, const std::byte* source, std::byte* target,
               std::int64_t count) const {
    if (device_ == nullptr)
      combine_elements(type, reduction, source, target, count);
    else if (count > 0)
      device_->combine(type, reduction, source, target, count);
  }
  void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks) const {
    if (device_ == nullptr)
      lockstep::finish_average(type, target, count, ranks);
    else if (count > 0)
      device_->finish_average(type, target, count, ranks);
  }

  /// `write(source, target)` with both where the host can write; the same span twice where they are the same memory.
  template <class Write>
  void change(std::span<std::byte> source, std::span<std::byte> target, Write&& write) {
    if (device_ == nullptr) return write(source, target);
    const bool in_place = source.data() == target.data();
    const auto host_target = on_host(target, host_target_);
    const auto host_source = in_place ? host_target.first(source.size()) : on_host(source, host_source_);
    write(host_source, host_target);
    if (!in_place) device_->copy_in(host_source, source);
    device_->copy_in(host_target, target);
  }
  /// The same bytes where the host can read them, until the next call.
  [[nodiscard]] std::span<const std::byte> read(std::span<const std::byte> from) {
    return device_ == nullptr ? from : on_host(from, host_target_);
  }

 private:
  std::span<std::byte> on_host(std::span<const std::byte> from, std::vector<std::byte>& host) const {
    host.resize(from.size());
    if (!from.empty()) device_->copy_out(from, host);
    return host;
  }

  Device* device_;
  std::vector<std::byte> host_source_, host_target_;
};

}  // namespace lockstep::real
