#include "real/ucx/worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep::real {

void check_ucx(ucs_status_t status, const char* call) {
  if (status != UCS_OK) throw RunFailure(fmt::format("{}: {}", call, ucs_status_string(status)));
}

UcxWorker::UcxWorker(Control& control, const std::vector<int>& peers, std::uint64_t features)
    : control_(control), endpoints_(static_cast<std::size_t>(control.size()), nullptr) {
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_ESTIMATED_NUM_EPS;
  params.features = features | UCP_FEATURE_WAKEUP;
  params.estimated_num_eps = peers.size();
  check_ucx(ucp_init(&params, nullptr, &context_), "ucp_init");
  ucp_worker_params_t worker{};
  worker.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  worker.thread_mode = UCS_THREAD_MODE_SINGLE;
  check_ucx(ucp_worker_create(context_, &worker, &worker_), "ucp_worker_create");
  check_ucx(ucp_worker_get_efd(worker_, &descriptor_), "ucp_worker_get_efd");

  ucp_address_t* own = nullptr;
  std::size_t length = 0;
  check_ucx(ucp_worker_get_address(worker_, &own, &length), "ucp_worker_get_address");
  const std::string address(reinterpret_cast<const char*>(own), length);
  ucp_worker_release_address(worker_, own);
  const auto addresses = control.all_gather(address);
  for (const int peer : peers) {
    ucp_ep_params_t to{};
    to.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
    // Without UCX's own handling of lost peers, which its shared memory does not have: Control brings that news.
    to.address = reinterpret_cast<const ucp_address_t*>(addresses[static_cast<std::size_t>(peer)].data());
    const ucs_status_t status = ucp_ep_create(worker_, &to, &endpoints_[static_cast<std::size_t>(peer)]);
    if (status != UCS_OK)
      throw RunFailure(fmt::format("rank {} finds no way to rank {}: {} (UCX_TLS={})", control.rank(), peer,
                                   ucs_status_string(status), std::getenv("UCX_TLS") ? std::getenv("UCX_TLS") : "all"));
  }
}

// Endpoints end with their worker; what was sent has been flushed.
UcxWorker::~UcxWorker() {
  if (worker_ != nullptr) ucp_worker_destroy(worker_);
  if (context_ != nullptr) ucp_cleanup(context_);
}

ucp_ep_h UcxWorker::endpoint(int peer) const {
  const ucp_ep_h found =
      peer >= 0 && peer < static_cast<int>(endpoints_.size()) ? endpoints_[static_cast<std::size_t>(peer)] : nullptr;
  LOCKSTEP_CHECK(found != nullptr, "rank {} has no endpoint to rank {}", control_.rank(), peer);
  return found;
}

void UcxWorker::sleep(WallClock::time_point deadline) {
  const ucs_status_t status = ucp_worker_arm(worker_);
  if (status == UCS_ERR_BUSY) return;
  check_ucx(status, "ucp_worker_arm");
  control_.wait_for(descriptor_, deadline);
}

// UCX 1.13 says it only as text for people: lines such as "#  lane[0]:  1:tcp/eth0.0 md[1] -> ..." and
// "#  tag_send: 0..<egr/short>..8185..<egr/zcopy>..20553..<rndv>..(inf)", the latter not of endpoints without tags.
std::string UcxWorker::chosen() const {
  const auto first = std::find_if(endpoints_.begin(), endpoints_.end(), [](ucp_ep_h one) { return one != nullptr; });
  if (first == endpoints_.end()) return {};
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = ::open_memstream(&text, &size);
  if (stream == nullptr) return {};
  ucp_ep_print_info(*first, stream);
  std::fclose(stream);
  const std::string info(text, size);
  std::free(text);
  std::vector<std::string> names;
  for (std::size_t at = info.find("lane["); at != std::string::npos; at = info.find("lane[", at + 1)) {
    const std::size_t slash = info.find('/', at);
    if (slash == std::string::npos || slash > info.find('\n', at)) continue;
    const std::size_t begin = info.find_last_of(": ", slash) + 1;
    std::string name = info.substr(begin, info.find_first_of(". \n", slash) - begin);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  std::string chosen = join(names, ", ");
  const std::string sends = "tag_send: ", asks = "..<rndv>";
  if (const std::size_t line = info.find(sends); line != std::string::npos)
    if (const std::size_t end = info.find(asks, line); end < info.find('\n', line)) {
      const std::size_t begin = info.find_last_not_of("0123456789", end - 1) + 1;
      if (begin < end) chosen += fmt::format("; rendezvous from {} B", info.substr(begin, end - begin));
    }
  return chosen;
}

}  // namespace lockstep::real
