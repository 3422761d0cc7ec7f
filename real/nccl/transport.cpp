// The module `nccl`: messages and collectives of NCCL between buffers in GPU memory.
//
// CUDA cannot wake the host up when one of many events comes: wait() asks again and again, and gives the processor away
// between. News of a failure, of NCCL's and of other ranks', is looked for now and then. A message or collective that
// is begun is a kernel that waits on the device for its peers.
#include <fmt/format.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <exception>
#include <map>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/number.hpp"
#include "core/base/version.hpp"
#include "real/gpu/placement.hpp"
#include "real/launch/machine.hpp"
#include "real/nccl/batch_copier.hpp"
#include "real/nccl/collectives.hpp"
#include "real/transport/module.hpp"
#include "real/transport/outstanding.hpp"

namespace lockstep::real {
namespace {

constexpr unsigned polls_between_checks = 256;
constexpr unsigned patient_polls = 1024;  // about a millisecond
constexpr timespec nap{0, 20'000};
constexpr std::chrono::seconds longest_set_up{60};  // of one communicator or connection, whatever --timeout says

void set_where_unset(const std::vector<std::pair<std::string, std::string>>& settings) {
  for (const auto& [name, value] : settings) ::setenv(name.c_str(), value.c_str(), 0);
}

// What CUDA says is wrong; empty: there is a device.
std::string device_problem() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) return "NVIDIA's driver is not here";
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  static_cast<void>(cudaGetLastError());
  if (status != cudaSuccess) return cudaGetErrorString(status);
  return devices == 0 ? "no CUDA device is visible" : "";
}

std::string no_device() {
  set_where_unset(gpu::cuda_environment());
  return gpu::what_nccl_lacks(device_problem(), {});
}

std::string missing() {
  set_where_unset(gpu::cuda_environment());
  std::string library_problem;
  try {
    static_cast<void>(gpu::open_nccl(library_problem));
  } catch (const RunFailure& too_old) {  // a function is missing
    library_problem = too_old.what();
  }
  return gpu::what_nccl_lacks(device_problem(), library_problem);
}

gpu::NcclLibrary open_library() {
  if (const std::string lacks = missing(); !lacks.empty())
    throw InputError(fmt::format("this machine cannot run NCCL: {}", lacks));
  std::string problem;
  auto nccl = gpu::open_nccl(problem);
  if (!nccl) throw InputError(fmt::format("NCCL: {}", problem));
  return std::move(*nccl);
}

std::vector<std::string> visible_devices() {
  int count = 0;
  gpu::check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  std::vector<std::string> devices;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    gpu::check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
    std::string name = "GPU-";
    for (const char byte : properties.uuid.bytes) name += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    devices.push_back(name);
  }
  return devices;
}

gpu::Placement place(Control& control) {
  std::vector<gpu::VisibleDevices> all;
  for (const std::string& text : control.all_gather(gpu::to_text({this_machine(), visible_devices()})))
    all.push_back(gpu::visible_devices_in(text));
  gpu::Placement placement = gpu::place_rank(all, control.rank());
  set_where_unset(gpu::nccl_environment(placement, control.rank(), control.job()));
  return placement;
}

class NcclTransport final : public Transport {
 public:
  explicit NcclTransport(Control& control)
      : control_(control),
        watchdog_(control.rank(), std::max<std::chrono::milliseconds>(control.timeout(), longest_set_up)),
        nccl_(open_library()),
        placement_(place(control)),
        device_(placement_.device, [this](const std::vector<MessageChannel>& channels) { connect(channels); }),
        communicators_(nccl_, control, watchdog_),
        in_flight_(nccl_, device_),
        collectives_(nccl_, device_, communicators_, in_flight_, log_, watchdog_),
        nothing_(device_.allocate(1)),
        exceptions_at_birth_(std::uncaught_exceptions()) {}

  ~NcclTransport() override {
    // Operations that nobody will join have to end before the memory that they use is freed.
    if (std::uncaught_exceptions() > exceptions_at_birth_ || !in_flight_.empty()) communicators_.abandon();
  }
  NcclTransport(const NcclTransport&) = delete;
  NcclTransport& operator=(const NcclTransport&) = delete;

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override {
    // NCCL's interface takes what it sends as constant; one type of message serves both ways here.
    post({control_.rank(), peer, tag}, {const_cast<std::byte*>(data.data()), data.size(), token});
    ++statistics_.messages_sent;
    statistics_.bytes_sent += data.size();
  }

  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token, std::size_t) override {
    post({peer, control_.rank(), tag}, {buffer.data(), buffer.size(), token});
  }

  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) override {
    for (unsigned polls = 1;; ++polls) {
      const bool any = in_flight_.collect([&](const Operation& operation, WallClock::time_point when) {
        const bool receive = operation.kind == Operation::Kind::receive;
        out.push_back({receive ? Completion::Kind::received : Completion::Kind::sent, operation.token,
                       receive ? operation.bytes : 0, when});
        if (operation.kind != Operation::Kind::collective) go_on(operation.channel);
      });
      if (any) {
        // Completions can come for ever: the others' news is looked for now and then all the same.
        if (++calls_without_check_ >= polls_between_checks) look_around();
        return true;
      }
      if (polls % polls_between_checks == 0) {
        look_around();
        if (deadline && WallClock::now() >= *deadline) return false;
      }
      if (polls < patient_polls)
        ::sched_yield();
      else
        ::nanosleep(&nap, nullptr);
    }
  }

  // NCCL's own threads go on without us. Nothing is under way, so the clocks can be compared.
  void flush(WallClock::time_point /*deadline*/) override { device_.renew_clock(); }

  [[nodiscard]] Statistics statistics() const override { return statistics_; }
  NativeCollectives* native() override { return &collectives_; }
  Device* device() override { return &device_; }

  [[nodiscard]] std::string chosen() const override {
    std::string text = fmt::format("NCCL {}; device {}, {}", nccl_.version_text(), placement_.device, device_.name());
    if (!placement_.sharing.empty())
      text += fmt::format(", shared with rank{} {}", placement_.sharing.size() == 1 ? "" : "s",
                          fmt::join(placement_.sharing, ", "));
    if (!channels_.empty())
      text += fmt::format("; {} channel{} of messages, {} block{} each at most", channels_.size(),
                          channels_.size() == 1 ? "" : "s", blocks_, blocks_ == 1 ? "" : "s");
    text += fmt::format("; device clock within {:.1f} us",
                        std::chrono::duration<double, std::micro>(device_.clock().worst_uncertainty()).count());
    if (!collectives_.choices().empty()) text += "; " + collectives_.choices();
    return text;
  }

  [[nodiscard]] std::string outstanding() const override {
    std::vector<std::string> lines;
    const auto add = [&](std::string line) {
      if (lines.size() <= described_at_most) lines.push_back(std::move(line));
    };
    in_flight_.for_each([&](const Operation& operation) {
      if (operation.kind == Operation::Kind::collective)
        add(fmt::format("in {} of {} bytes", operation.call, operation.bytes));
      else
        add(operation.kind == Operation::Kind::receive
                ? describe_receive(operation.bytes, operation.tag, operation.peer)
                : describe_send(operation.bytes, operation.tag, operation.peer));
    });
    return joined_outstanding(std::move(lines));
  }

 private:
  struct Message {
    std::byte* data = nullptr;
    std::size_t bytes = 0;
    std::uint64_t token = 0;
  };
  struct Channel {
    MessageChannel name;
    ncclComm_t communicator = nullptr;
    bool busy = false;
    std::deque<Message> queue{};  // behind the one under way
  };

  void connect(const std::vector<MessageChannel>& wanted) {
    std::vector<MessageChannel> fresh;
    for (const MessageChannel& channel : wanted) {
      if (channel.source == channel.target)
        throw InputError(fmt::format("rank {} sends to itself: NCCL's messages go between two ranks", channel.source));
      if (!index_.contains(channel)) fresh.push_back(channel);
    }
    blocks_ = agree_on_blocks(channels_.size() + fresh.size());
    std::vector<Communicators::Wanted> communicators;
    for (const MessageChannel& channel : fresh) communicators.push_back(Communicators::of_channel(channel, blocks_));
    communicators_.make(communicators);
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      index_.emplace(fresh[i], channels_.size());
      channels_.push_back({fresh[i], communicators_.get(communicators[i].name)});
    }
    in_flight_.reserve(channels_.size());
    // A first message over each, in an order that all ranks share: NCCL connects then, and the calls of both ends wait
    // for each other on the host.
    const gpu::Stream stream = gpu::make_stream();
    for (const MessageChannel& channel : fresh) {
      const Watchdog::Guard guard(watchdog_, "the first message over a channel");
      enqueue(channels_[index_.at(channel)], {nothing_.data(), nothing_.size(), 0}, stream);
      gpu::finish(stream);
    }
  }

  // Both ends of a channel take as many: the fewest that any rank can give.
  int agree_on_blocks(std::size_t channels) {
    const int own = gpu::blocks_per_channel(device_.multiprocessors(), static_cast<int>(channels),
                                            static_cast<int>(placement_.sharing.size()) + 1);
    int fewest = own;
    for (const std::string& text : control_.all_gather(std::to_string(own)))
      fewest = std::min(fewest, whole_number_in<int>(text).value_or(1));
    return fewest;
  }

  void post(const MessageChannel& name, const Message& message) {
    const auto found = index_.find(name);
    LOCKSTEP_CHECK(found != index_.end(), "no channel from rank {} to rank {} with tag {:#x} was connected",
                   name.source, name.target, name.tag);
    Channel& channel = channels_[found->second];
    if (channel.busy)
      channel.queue.push_back(message);
    else
      start(found->second, message);
  }

  void go_on(std::size_t index) {
    Channel& channel = channels_[index];
    channel.busy = false;
    if (channel.queue.empty()) return;
    const Message next = channel.queue.front();
    channel.queue.pop_front();
    start(index, next);
  }

  void start(std::size_t index, const Message& message) {
    Channel& channel = channels_[index];
    channel.busy = true;
    const bool sends = channel.name.source == control_.rank();
    Operation operation;
    operation.kind = sends ? Operation::Kind::send : Operation::Kind::receive;
    operation.token = message.token;
    operation.peer = sends ? channel.name.target : channel.name.source;
    operation.tag = channel.name.tag;
    operation.bytes = message.bytes;
    operation.channel = index;
    operation.call = sends ? "ncclSend" : "ncclRecv";
    operation.communicator = channel.communicator;
    in_flight_.begin(operation, [&](cudaStream_t stream) { enqueue(channel, message, stream); });
  }

  // The source of a channel is rank 0 of its communicator. A signal without bytes is sent as one byte that nobody
  // reads.
  void enqueue(const Channel& channel, const Message& message, cudaStream_t stream) const {
    const bool signal = message.bytes == 0;
    std::byte* data = signal ? nothing_.data() : message.data;
    const std::size_t bytes = signal ? nothing_.size() : message.bytes;
    if (channel.name.source == control_.rank())
      nccl_.check(nccl_.send(data, bytes, ncclUint8, 1, channel.communicator, stream), "ncclSend");
    else
      nccl_.check(nccl_.receive(data, bytes, ncclUint8, 0, channel.communicator, stream), "ncclRecv");
  }

  void look_around() {
    calls_without_check_ = 0;
    in_flight_.check_communicators();
    control_.check();
  }

  Control& control_;
  Watchdog watchdog_;
  ChoiceLog log_;
  const gpu::NcclLibrary nccl_;
  const gpu::Placement placement_;
  CudaDevice device_;
  Communicators communicators_;
  InFlight in_flight_;
  NcclCollectives collectives_;
  const std::span<std::byte> nothing_;
  const int exceptions_at_birth_;
  std::vector<Channel> channels_;
  std::map<MessageChannel, std::size_t> index_;
  int blocks_ = 1;  // of the latest channels
  unsigned calls_without_check_ = 0;
  Statistics statistics_;
};

std::unique_ptr<Transport> make(Control& control, const std::vector<int>&, const std::string&) {
  return std::make_unique<NcclTransport>(control);
}

std::string library() {
  std::string problem;
  const auto nccl = gpu::open_nccl(problem);
  const std::string version = nccl ? nccl->version_text() : problem;
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return fmt::format("NCCL {}", version);
  cudaDeviceProp properties{};
  gpu::check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  return fmt::format("NCCL {}, {} GPU{} ({})", version, devices, devices == 1 ? "" : "s", properties.name);
}

}  // namespace
}  // namespace lockstep::real

extern "C" __attribute__((visibility("default"))) const lockstep::real::TransportModule* lockstep_transport_module() {
  static const lockstep::real::TransportModule module{lockstep::version,         lockstep::real::make,
                                                      lockstep::real::library,   lockstep::real::missing,
                                                      lockstep::real::no_device, lockstep::real::make_cuda_copier};
  return &module;
}
