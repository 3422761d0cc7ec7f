#include "real/ucx/transport.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <thread>

#include "core/base/error.hpp"
#include "real/launch/machine.hpp"
#include "real/transport/outstanding.hpp"

namespace lockstep::real {
namespace {

constexpr int spins = 64;
// A core that is woken takes tens of microseconds, so a rank with a core of its own looks for longer than that.
constexpr std::chrono::microseconds longest_look{200};
constexpr unsigned calls_between_checks = 16;
// Shared memory wakes nobody in another network namespace: never for long.
constexpr std::chrono::milliseconds longest_sleep{5};

}  // namespace

UcxTransport::UcxTransport(Control& control, const std::vector<int>& peers, std::uint64_t features)
    : control_(control),
      worker_(control, peers, features),
      looks_(std::ssize(gather_here(control, {}).texts) <= ::get_nprocs()) {}

UcxTransport::~UcxTransport() { close(); }

void UcxTransport::close() {
  closing_ = true;
  for (const UcxMessage& message : messages_)
    if (message.request != nullptr) ucp_request_cancel(worker_.worker(), message.request);
  for (int i = 0; i < spins && !messages_.empty() && worker_.progress(); ++i) {
  }
}

UcxMessage& UcxTransport::begin(int peer, std::uint64_t tag, std::size_t bytes, std::uint64_t token, bool receive) {
  const auto place = messages_.insert(messages_.end(), {peer, tag, bytes, token, receive, this, nullptr, nullptr, {}});
  place->self = place;
  return *place;
}

void UcxTransport::complete(UcxMessage& message) {
  ready_.push_back({message.receive ? Completion::Kind::received : Completion::Kind::sent, message.token,
                    message.receive ? message.bytes : 0});
  messages_.erase(message.self);
}

void UcxTransport::differs(const UcxMessage& message, std::size_t sent) {
  fail(fmt::format("rank {} expects {} bytes with tag {:#x} from rank {}, which sent {}", rank(), message.bytes,
                   message.tag, message.peer, sent));
}

void UcxTransport::request_failed(const UcxMessage& message, ucs_status_t status) {
  const bool gone = status == UCS_ERR_CONNECTION_RESET || status == UCS_ERR_ENDPOINT_TIMEOUT ||
                    status == UCS_ERR_UNREACHABLE || status == UCS_ERR_NOT_CONNECTED || status == UCS_ERR_REJECTED;
  if (gone)
    lost_ = fmt::format("rank {} lost rank {}: {}", rank(), message.peer, ucs_status_string(status));
  else
    fail(fmt::format("a message between rank {} and rank {} failed: {}", rank(), message.peer,
                     ucs_status_string(status)));
}

bool UcxTransport::look() {
  // Two ranks may yet be on one core, until the scheduler has moved one of them.
  for (const auto until = WallClock::now() + longest_look; WallClock::now() < until; ::sched_yield())
    if (worker_.progress()) return true;
  return false;
}

bool UcxTransport::wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) {
  post();
  for (;;) {
    bool moved = false;
    for (int i = 0; i < spins && ready_.empty(); ++i) {
      moved = worker_.progress();
      if (!moved) break;
    }
    if (looks_ && !moved && ready_.empty()) moved = look();
    if (out_of_memory_) throw std::bad_alloc();
    if (!problem_.empty()) throw RunFailure(problem_);
    if (!ready_.empty()) {
      out.insert(out.end(), ready_.begin(), ready_.end());
      ready_.clear();
      if (++calls_without_check_ >= calls_between_checks) {
        calls_without_check_ = 0;
        control_.check();
      }
      return true;
    }
    if (!lost_.empty()) lose();
    if (moved && ++calls_without_check_ < calls_between_checks) continue;
    calls_without_check_ = 0;
    const auto now = WallClock::now();
    if (deadline && now >= *deadline) {
      control_.check();
      return false;
    }
    if (moved)
      control_.check();
    else
      worker_.sleep(std::min(deadline.value_or(now + longest_sleep), now + longest_sleep));
  }
}

void UcxTransport::flush(WallClock::time_point deadline) {
  ucp_request_param_t param{};
  ucs_status_ptr_t request = ucp_worker_flush_nbx(worker_.worker(), &param);
  if (UCS_PTR_IS_ERR(request)) check_ucx(UCS_PTR_STATUS(request), "ucp_worker_flush_nbx");
  if (request == nullptr) return;
  ucs_status_t status = UCS_INPROGRESS;
  while ((status = ucp_request_check_status(request)) == UCS_INPROGRESS) {
    if (worker_.progress()) continue;
    control_.check();
    if (WallClock::now() >= deadline) break;
    worker_.sleep(WallClock::now() + longest_sleep);
  }
  ucp_request_free(request);
  if (status != UCS_INPROGRESS) check_ucx(status, "ucp_worker_flush_nbx");
}

std::string UcxTransport::outstanding() const { return describe_outstanding(messages_); }

// The cause (a rank that failed, and why) may be on its way over Control.
void UcxTransport::lose() {
  const auto until = WallClock::now() + std::chrono::milliseconds(300);
  while (WallClock::now() < until) {
    control_.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw PeerFailure(fmt::format("{}; {}", lost_, outstanding()));
}

}  // namespace lockstep::real
