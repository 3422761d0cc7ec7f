// Messages as UCX's tagged sends and receives.
#pragma once

#include <vector>

#include "real/ucx/transport.hpp"

namespace lockstep::real {

class UcxTagged final : public UcxTransport {
 public:
  UcxTagged(Control& control, const std::vector<int>& peers);

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override;
  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
               std::size_t granularity = 0) override;
};

}  // namespace lockstep::real
