// The module `mpi`: messages over MPI's non-blocking point-to-point calls.
//
// MPI has no way to sleep until a message comes: wait() asks again and again, and gives the processor away between
// (sched_yield), since the ranks of a small machine share its cores. What has not come after a fifth of a millisecond
// is asked for every few microseconds only, so that the others get on. News of a failure is looked for now and then.
#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <map>

#include "core/base/error.hpp"
#include "core/base/version.hpp"
#include "real/mpi/communicators.hpp"
#include "real/mpi/native.hpp"
#include "real/transport/module.hpp"
#include "real/transport/outstanding.hpp"

namespace lockstep::real {
namespace {

constexpr unsigned polls_between_checks = 64;
constexpr std::chrono::microseconds patience{200};
constexpr timespec nap{0, 20'000};

class MpiTransport final : public Transport {
 public:
  explicit MpiTransport(Control& control)
      : control_(control),
        watchdog_(control.rank(), control.timeout()),
        job_(join(control)),
        native_(job_, watchdog_),
        exceptions_at_birth_(std::uncaught_exceptions()) {
    int* upper_bound = nullptr;
    int given = 0;
    ::prctl(PR_SET_TIMERSLACK, 1000);  // naps are short
    MPI_Comm_get_attr(job_.world(), MPI_TAG_UB, static_cast<void*>(&upper_bound), &given);
    largest_tag_ = given != 0 ? static_cast<std::uint64_t>(*upper_bound) : 32767;
  }

  ~MpiTransport() override {
    for (auto& [bytes, type] : large_) MPI_Type_free(&type);
    // Nobody waits for those who failed.
    if (std::uncaught_exceptions() > exceptions_at_birth_ || !requests_.empty() || !announced_.empty()) job_.abandon();
  }
  MpiTransport(const MpiTransport&) = delete;
  MpiTransport& operator=(const MpiTransport&) = delete;

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override {
    const Shape shape = shape_of(data.size());
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Isend(data.data(), shape.count, shape.type, peer, tag_of(tag), job_.world(), &request), "MPI_Isend");
    add(request, {peer, tag, data.size(), token, false});
    ++statistics_.messages_sent;
    statistics_.bytes_sent += data.size();
  }

  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token, std::size_t) override {
    announced_.push_back({{peer, tag, buffer.size(), token, true}, buffer});
  }

  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) override {
    post();
    std::optional<WallClock::time_point> begun;
    bool patient = true;
    for (unsigned polls = 0;; ++polls) {
      if (collect(out)) {
        // Completions can come for ever: the others' news is looked for now and then all the same.
        if (++calls_without_check_ >= polls_between_checks) look_around();
        return true;
      }
      if (polls % polls_between_checks == 0 || !patient) {
        const auto now = WallClock::now();
        if (!begun) begun = now;
        patient = now - *begun < patience;
        if (deadline && now >= *deadline) {
          control_.check();
          return false;
        }
      }
      if (polls % polls_between_checks == polls_between_checks - 1) look_around();
      if (patient)
        ::sched_yield();
      else
        ::nanosleep(&nap, nullptr);
    }
  }

  // The library works only while it is called: nobody leaves before all have come.
  void flush(WallClock::time_point deadline) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibarrier(job_.world(), &request), "MPI_Ibarrier");
    for (unsigned polls = 1;; ++polls) {
      int done = 0;
      check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
      if (done != 0) return;
      if (polls % polls_between_checks == 0) {
        control_.check();
        if (WallClock::now() >= deadline) return;  // a collective's request may not be freed; MPI goes on with it
        ::nanosleep(&nap, nullptr);
      } else {
        ::sched_yield();
      }
    }
  }

  // Other streams may have receives that the others wait for while a collective blocks this one.
  NativeCollectives* native() override {
    post();
    return &native_;
  }
  [[nodiscard]] Statistics statistics() const override { return statistics_; }

  [[nodiscard]] std::string outstanding() const override { return describe_outstanding(messages_); }

 private:
  struct Message {
    int peer;
    std::uint64_t tag;
    std::size_t bytes;
    std::uint64_t token;
    bool receive;
  };
  // MPI counts in 32 bits: what is larger goes as one element of a type of that length.
  struct Shape {
    int count;
    MPI_Datatype type;
  };

  Shape shape_of(std::size_t bytes) {
    if (bytes <= static_cast<std::size_t>(std::numeric_limits<int>::max())) return {static_cast<int>(bytes), MPI_BYTE};
    auto [entry, fresh] = large_.try_emplace(bytes, MPI_DATATYPE_NULL);
    if (fresh) {
      constexpr std::size_t piece = 1 << 20;
      MPI_Datatype pieces = MPI_DATATYPE_NULL;
      check_mpi(MPI_Type_vector(static_cast<int>(bytes / piece), piece, piece, MPI_BYTE, &pieces), "MPI_Type_vector");
      const int lengths[] = {1, static_cast<int>(bytes % piece)};
      const MPI_Aint places[] = {0, static_cast<MPI_Aint>(bytes / piece * piece)};
      const MPI_Datatype types[] = {pieces, MPI_BYTE};
      check_mpi(MPI_Type_create_struct(2, lengths, places, types, &entry->second), "MPI_Type_create_struct");
      check_mpi(MPI_Type_commit(&entry->second), "MPI_Type_commit");
      MPI_Type_free(&pieces);
    }
    return {1, entry->second};
  }

  [[nodiscard]] int tag_of(std::uint64_t tag) const {
    if (tag > largest_tag_)
      throw InputError(fmt::format("this MPI takes tags up to {:#x}, the plan needs {:#x}", largest_tag_, tag));
    return static_cast<int>(tag);
  }

  struct Announced {
    Message message;
    std::span<std::byte> buffer;
  };
  // Receives, behind the sends that were begun with them: see real/ucx/tagged.hpp.
  void post() {
    for (const auto& [message, buffer] : announced_) {
      const Shape shape = shape_of(buffer.size());
      MPI_Request request = MPI_REQUEST_NULL;
      check_mpi(
          MPI_Irecv(buffer.data(), shape.count, shape.type, message.peer, tag_of(message.tag), job_.world(), &request),
          "MPI_Irecv");
      add(request, message);
    }
    announced_.clear();
  }

  void add(MPI_Request request, const Message& message) {
    requests_.push_back(request);
    messages_.push_back(message);
    indices_.resize(requests_.size());
    statuses_.resize(requests_.size());
  }

  // Takes what is complete; true if anything is.
  bool collect(std::vector<Completion>& out) {
    if (requests_.empty()) return false;
    int done = 0;
    const int code =
        MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &done, indices_.data(), statuses_.data());
    if (code != MPI_SUCCESS && code != MPI_ERR_IN_STATUS) check_mpi(code, "MPI_Testsome");
    if (done == 0 || done == MPI_UNDEFINED) return false;
    for (int i = 0; i < done; ++i)
      finish(static_cast<std::size_t>(indices_[i]), statuses_[i], code != MPI_SUCCESS, out);
    // From behind, so that what moves into a gap is not itself one.
    std::sort(indices_.begin(), indices_.begin() + done, std::greater<>());
    for (int i = 0; i < done; ++i) {
      const auto at = static_cast<std::size_t>(indices_[i]);
      requests_[at] = requests_.back();
      messages_[at] = messages_.back();
      requests_.pop_back();
      messages_.pop_back();
    }
    return true;
  }

  void finish(std::size_t index, const MPI_Status& status, bool errors, std::vector<Completion>& out) {
    const Message& message = messages_[index];
    const auto differs = [&](const std::string& what) {
      throw RunFailure(fmt::format("rank {} expects {} bytes with tag {:#x} from rank {}, which sent {}",
                                   control_.rank(), message.bytes, message.tag, message.peer, what));
    };
    if (errors && status.MPI_ERROR != MPI_SUCCESS) {
      int kind = MPI_SUCCESS;
      MPI_Error_class(status.MPI_ERROR, &kind);
      if (kind == MPI_ERR_TRUNCATE) differs("more");
      check_mpi(status.MPI_ERROR, message.receive ? "MPI_Irecv" : "MPI_Isend");
    }
    if (message.receive) {
      MPI_Count bytes = 0;
      MPI_Get_elements_x(&status, shape_of(message.bytes).type, &bytes);
      if (bytes != static_cast<MPI_Count>(message.bytes)) differs(fmt::format("{}", bytes));
    }
    out.push_back({message.receive ? Completion::Kind::received : Completion::Kind::sent, message.token,
                   message.receive ? message.bytes : 0});
  }

  void look_around() {
    calls_without_check_ = 0;
    control_.check();
  }

  MpiJob& join(const Control& control) {
    const Watchdog::Guard guard(watchdog_, "MPI_Init");
    return MpiJob::get(control.rank(), control.size());
  }

  Control& control_;
  Watchdog watchdog_;
  MpiJob& job_;
  MpiCollectives native_;
  const int exceptions_at_birth_;
  std::uint64_t largest_tag_ = 0;
  std::vector<Announced> announced_;
  std::vector<MPI_Request> requests_;
  std::vector<Message> messages_;  // of each request
  std::vector<int> indices_;
  std::vector<MPI_Status> statuses_;
  std::map<std::size_t, MPI_Datatype> large_;
  unsigned calls_without_check_ = 0;
  Statistics statistics_;
};

std::unique_ptr<Transport> make(Control& control, const std::vector<int>&, const std::string&) {
  return std::make_unique<MpiTransport>(control);
}

std::string library() {
  std::string version(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  MPI_Get_library_version(version.data(), &length);
  return version.substr(0, version.find_first_of(std::string(",\n\0", 3)));
}

}  // namespace
}  // namespace lockstep::real

extern "C" __attribute__((visibility("default"))) const lockstep::real::TransportModule* lockstep_transport_module() {
  static const lockstep::real::TransportModule module{lockstep::version, lockstep::real::make, lockstep::real::library};
  return &module;
}
