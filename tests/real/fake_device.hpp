// A device without one: memory at addresses that the host cannot follow, work that is done as late as the contract
// allows, messages over another transport. Who touches the bytes of a buffer by himself, sends over a channel that he
// did not announce, or asks for memory while messages are under way, fails.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/collective/data.hpp"
#include "real/transport/device.hpp"
#include "tests/real/ranks.hpp"

namespace lockstep::real {

class FakeDevice final : public Device {
 public:
  void connect(const std::vector<MessageChannel>& channels) override {
    require(std::is_sorted(channels.begin(), channels.end()), "channels come in order");
    channels_.insert(channels.begin(), channels.end());
  }
  /// Between two plans: nothing is under way.
  void rest() { working_ = false; }
  std::span<std::byte> allocate(std::size_t bytes) override {
    require(!working_ || bytes == 0, "{} bytes are asked for while messages are under way", bytes);
    memory_.push_back(std::make_unique<std::byte[]>(bytes));
    return {shown(memory_.back().get()), bytes};
  }
  void copy_in(std::span<const std::byte> host, std::span<std::byte> device) override {
    do_work();
    if (!host.empty()) std::memcpy(hidden(device.data()), host.data(), host.size());
  }
  void copy_out(std::span<const std::byte> device, std::span<std::byte> host) override {
    do_work();
    if (!device.empty()) std::memcpy(host.data(), hidden(device.data()), device.size());
  }
  void copy(std::span<const std::byte> from, std::byte* to) override {
    begin([=] { std::memcpy(hidden(to), hidden(from.data()), from.size()); });
  }
  void combine(ElementType type, Reduction reduction, const std::byte* source, std::byte* target,
               std::int64_t count) override {
    begin([=] { combine_elements(type, reduction, hidden(source), hidden(target), count); });
  }
  void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks) override {
    begin([=] { lockstep::finish_average(type, hidden(target), count, ranks); });
  }
  std::optional<WallClock::time_point> finish() override {
    if (work_.empty()) return std::nullopt;
    do_work();
    return WallClock::now();
  }

  void do_work() {
    for (const auto& one : std::exchange(work_, {})) one();
  }
  void begin_message(const MessageChannel& channel) {
    require(channels_.contains(channel), "the channel from {} to {} with tag {:#x} was not announced", channel.source,
            channel.target, channel.tag);
    working_ = true;
    do_work();
  }

  static std::byte* hidden(const std::byte* address) { return flipped(address); }

 private:
  static std::byte* shown(const std::byte* address) { return flipped(address); }
  // No address of a process has this bit.
  static std::byte* flipped(const std::byte* address) {
    const auto flipped = reinterpret_cast<std::uintptr_t>(address) ^ (std::uintptr_t{1} << 62);
    return reinterpret_cast<std::byte*>(flipped);  // NOLINT(performance-no-int-to-ptr): nobody follows it
  }
  void begin(std::function<void()> work) { work_.push_back(std::move(work)); }

  std::set<MessageChannel> channels_;
  std::vector<std::unique_ptr<std::byte[]>> memory_;
  std::vector<std::function<void()>> work_;
  bool working_ = false;
};

class OnFakeDevice final : public Transport {
 public:
  OnFakeDevice(Control& control, std::unique_ptr<Transport> inner) : rank_(control.rank()), inner_(std::move(inner)) {}

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override {
    device_.begin_message({rank_, peer, tag});
    inner_->send(peer, tag, {FakeDevice::hidden(data.data()), data.size()}, token);
  }
  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token, std::size_t) override {
    device_.begin_message({peer, rank_, tag});
    inner_->receive(peer, tag, {FakeDevice::hidden(buffer.data()), buffer.size()}, token);
  }
  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) override {
    const std::size_t before = out.size();
    const bool any = inner_->wait(out, deadline);
    for (std::size_t i = before; i < out.size(); ++i) out[i].when = WallClock::now();
    return any;
  }
  void flush(WallClock::time_point deadline) override { inner_->flush(deadline); }
  [[nodiscard]] Statistics statistics() const override { return inner_->statistics(); }
  [[nodiscard]] std::string outstanding() const override { return inner_->outstanding(); }
  Device* device() override { return &device_; }
  void rest() { device_.rest(); }

 private:
  int rank_;
  std::unique_ptr<Transport> inner_;
  FakeDevice device_;
};

}  // namespace lockstep::real
