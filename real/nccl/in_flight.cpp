#include "real/nccl/in_flight.hpp"

#include <utility>

namespace lockstep::real {

void InFlight::reserve(std::size_t operations) {
  while (busy_.size() + free_.size() < operations) free_.push_back(std::make_unique<Lane>());
}

InFlight::Lane& InFlight::take() {
  if (free_.empty()) free_.push_back(std::make_unique<Lane>());
  busy_.push_back(std::move(free_.back()));
  free_.pop_back();
  return *busy_.back();
}

void InFlight::check_communicators() const {
  for (const auto& lane : busy_) {
    ncclResult_t status = ncclSuccess;
    nccl_.check(nccl_.get_async_error(lane->operation.communicator, &status), "ncclCommGetAsyncError");
    nccl_.check(status, lane->operation.call);
  }
}

}  // namespace lockstep::real
