#include "real/virtual_ranks/virtual_ranks.hpp"

#include <fmt/format.h>

#include <thread>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/collective/schedule.hpp"
#include "real/virtual_ranks/hub.hpp"

namespace lockstep::real {
namespace {

// Strings of all ranks of a process in one, and back.
std::string packed(const std::vector<std::string>& strings) { return Json(strings).dump(); }
std::vector<std::string> unpacked(const std::vector<std::string>& processes) {
  std::vector<std::string> all;
  for (const std::string& process : processes)
    for (const Json& one : Json::parse(process)) all.push_back(one.get<std::string>());
  return all;
}

class VirtualControl final : public Control {
 public:
  VirtualControl(Hub& hub, int rank, const ClockOffset& clock) : hub_(hub), rank_(rank), clock_(clock) {}

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return hub_.placement().ranks; }
  std::vector<std::string> all_gather(const std::string& own) override {
    return unpacked(meet_for<std::vector<std::string>>(
        own, [this](const auto& brought) { return hub_.control().all_gather(packed(brought)); }));
  }
  std::vector<std::string> gather(const std::string& own) override {
    auto all = all_gather(own);
    return rank_ == 0 ? all : std::vector<std::string>();
  }
  [[nodiscard]] std::vector<Traffic> traffic() const override {
    return std::vector<Traffic>(static_cast<std::size_t>(size()));  // the process has it
  }
  void barrier() override {
    hub_.meet(rank_, {}, [this](const auto&) { hub_.control().barrier(); });
  }
  WallClock::time_point start_together(std::chrono::nanoseconds margin, const Waking& waking) override {
    return meet_for<WallClock::time_point>({},
                                           [&](const auto&) { return hub_.control().start_together(margin, waking); });
  }
  ClockOffset estimate_clock_offset() override { return clock_; }
  void fail(std::string_view reason) noexcept override {
    hub_.fail(std::make_exception_ptr(RunFailure(std::string(reason))), std::string(reason));
  }
  void throw_if_failed() const override { hub_.throw_if_failed(); }
  void check() override { hub_.throw_if_failed(); }
  void wait_for(int, WallClock::time_point) override { refuse(); }
  boost::asio::io_context& events() override { refuse(); }
  [[nodiscard]] std::string own_address() const override { return hub_.control().own_address(); }
  [[nodiscard]] std::uint64_t job() const override { return hub_.control().job(); }
  void set_timeout(std::chrono::milliseconds) override {}  // the process's own holds
  [[nodiscard]] std::chrono::milliseconds timeout() const override { return hub_.control().timeout(); }

 private:
  [[noreturn]] static void refuse() { throw BrokenInvariant("a transport of its own for one rank of several"); }

  // What the meeting brings is the same for all ranks of the process: whichever's function ran keeps it in the hub.
  template <class Value, class Meet>
  Value meet_for(const std::string& own, Meet meet) {
    hub_.meet(rank_, own, [&](const auto& brought) { hub_.keep(std::make_any<Value>(meet(brought))); });
    return std::any_cast<Value>(hub_.kept());
  }

  Hub& hub_;
  const int rank_;
  const ClockOffset clock_;
};

class VirtualTransport final : public Transport {
 public:
  VirtualTransport(Hub& hub, int rank) : hub_(hub), rank_(rank) {}

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override {
    hub_.post({rank_, peer, tag, data, {}, token, 0, false, data.size()});
  }
  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
               std::size_t granularity) override {
    hub_.post({rank_, peer, tag, {}, buffer, token, granularity, true, buffer.size()});
  }
  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) override {
    return hub_.wait(rank_, out, deadline);
  }
  void flush(WallClock::time_point deadline) override {
    hub_.meet(rank_, {}, [&](const auto&) { hub_.transport().flush(deadline); });
  }
  [[nodiscard]] Statistics statistics() const override { return hub_.statistics(rank_); }
  [[nodiscard]] std::string chosen() const override { return hub_.transport().chosen(); }
  [[nodiscard]] std::string outstanding() const override { return hub_.outstanding(rank_); }

 private:
  Hub& hub_;
  const int rank_;
};

}  // namespace

int Placement::first(int process) const {
  return process == processes ? ranks : static_cast<int>(partition(ranks, processes, process).begin);
}

int Placement::process_of(int rank) const {
  int process = static_cast<int>(std::int64_t{rank} * processes / ranks);
  while (first(process) > rank) --process;
  while (first(process + 1) <= rank) ++process;
  return process;
}

std::vector<std::string> run_virtual_ranks(
    Control& control, Transport& transport, const Placement& placement,
    const std::function<std::string(Control& control, Transport& transport)>& body) {
  const int first = placement.first(control.rank());
  const int count = placement.count(control.rank());
  if (placement.processes != control.size() || placement.ranks < placement.processes || count > max_ranks_per_process)
    throw InputError(fmt::format("{} ranks in {} processes: each has one at least and {} at most", placement.ranks,
                                 placement.processes, max_ranks_per_process));
  const auto clock = control.estimate_clock_offset();
  Hub hub(control, transport, placement);
  std::vector<std::string> results(static_cast<std::size_t>(count));
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i)
      threads.emplace_back([&, i] {
        try {
          VirtualControl own_control(hub, first + i, clock);
          VirtualTransport own_transport(hub, first + i);
          results[static_cast<std::size_t>(i)] = body(own_control, own_transport);
        } catch (const std::exception& error) {
          hub.fail(std::current_exception(), error.what());
        }
        hub.ended();
      });
    hub.serve();
  }
  if (const auto error = hub.error()) std::rethrow_exception(error);
  return results;
}

}  // namespace lockstep::real
