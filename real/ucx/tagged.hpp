// Messages as UCX's tagged sends and receives.
//
// Receives are given to UCX behind the sends that were begun with them. To a large message that is already there UCX
// answers at once, its sender begins, and whatever that one has to say over the same connection, its answer to a
// message of ours too, then waits until all of it has left: both ways would go one after the other.
#pragma once

#include <span>
#include <vector>

#include "real/ucx/transport.hpp"

namespace lockstep::real {

class UcxTagged final : public UcxTransport {
 public:
  UcxTagged(Control& control, const std::vector<int>& peers);

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override;
  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
               std::size_t granularity = 0) override;

 private:
  struct Announced {
    UcxMessage* message;
    std::span<std::byte> buffer;
  };
  void post() override;
  void post(const Announced& receive);

  std::vector<Announced> announced_;
};

}  // namespace lockstep::real
