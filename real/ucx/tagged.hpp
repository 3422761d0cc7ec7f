// Messages as UCX's tagged sends and receives.
#pragma once

#include <vector>

#include "real/transport/transport.hpp"
#include "real/ucx/waiting.hpp"

namespace lockstep::real {

class UcxTagged final : public Transport {
 public:
  UcxTagged(Control& control, const std::vector<int>& peers);
  ~UcxTagged() override;
  UcxTagged(const UcxTagged&) = delete;
  UcxTagged& operator=(const UcxTagged&) = delete;

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override;
  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
               std::size_t granularity = 0) override;
  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) override;
  void flush(WallClock::time_point deadline) override { waiting_.flush(deadline); }
  [[nodiscard]] Statistics statistics() const override { return statistics_; }
  [[nodiscard]] std::string outstanding() const override { return waiting_.outstanding(); }
  [[nodiscard]] std::string chosen() const override { return waiting_.worker().chosen(); }

 private:
  const int rank_;
  UcxWaiting waiting_;
  Statistics statistics_;
};

}  // namespace lockstep::real
