// UCX as one rank has it: a context, a worker, an endpoint per peer. Addresses go round by way of Control, so no MPI is
// needed to start.
#pragma once

#include <ucp/api/ucp.h>

#include <string>
#include <vector>

#include "real/launch/control.hpp"

namespace lockstep::real {

/// Throws RunFailure with UCX's own words.
void check_ucx(ucs_status_t status, const char* call);

class UcxWorker {
 public:
  /// All ranks of the job make theirs together. `features`: UCP_FEATURE_*.
  UcxWorker(Control& control, const std::vector<int>& peers, std::uint64_t features);
  ~UcxWorker();
  UcxWorker(const UcxWorker&) = delete;
  UcxWorker& operator=(const UcxWorker&) = delete;

  [[nodiscard]] ucp_context_h context() const { return context_; }
  [[nodiscard]] ucp_worker_h worker() const { return worker_; }
  [[nodiscard]] ucp_ep_h endpoint(int peer) const;

  /// Makes progress; false: there was none to make.
  bool progress() { return ucp_worker_progress(worker_) != 0; }
  /// Sleeps until UCX may have something to do, there is news of a failure (which is thrown), or the deadline.
  void sleep(WallClock::time_point deadline);
  /// Transports that the endpoint to the first peer uses: "tcp/eth0".
  [[nodiscard]] std::string chosen() const;

 private:
  Control& control_;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  std::vector<ucp_ep_h> endpoints_;  ///< by rank; null: no peer
  int descriptor_ = -1;
};

}  // namespace lockstep::real
