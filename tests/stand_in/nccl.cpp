// A stand-in for NCCL, of what real/nccl/ calls, between processes of one machine over Unix sockets. It has what makes
// NCCL easy to use wrongly: making a communicator and the first use of one wait on the host for the other ranks, a
// communicator does one thing after the other, operations wait on their stream for their peers, and two ranks of one
// host on one device are refused. Messages carry their length, which is checked.
#include <nccl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/collective/data.hpp"
#include "tests/stand_in/streams.hpp"

namespace lockstep::test {
namespace {

// What NCCL does not promise to survive ends the rank.
[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "stand-in for NCCL: %s\n", why);
  ::_exit(99);
}

void write_all(int socket, const void* data, std::size_t bytes) {
  const auto* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const auto written = ::write(socket, at, bytes);
    if (written <= 0) give_up("a peer is gone");
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void read_all(int socket, void* data, std::size_t bytes) {
  auto* at = static_cast<char*>(data);
  while (bytes > 0) {
    const auto got = ::read(socket, at, bytes);
    if (got <= 0) give_up("a peer is gone");
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

std::pair<sockaddr_un, socklen_t> address_of(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());  // no file: it begins with a zero
  return {address, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())};
}

int listen_at(const std::string& name) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto [address, length] = address_of(name);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), length) != 0 || ::listen(socket, 64) != 0)
    give_up("cannot listen");
  return socket;
}

int dial(const std::string& name) {
  const auto [address, length] = address_of(name);
  for (;;) {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), length) == 0) return socket;
    ::close(socket);
    ::usleep(1000);
  }
}

ElementType element_type(ncclDataType_t type) {
  switch (type) {
    case ncclFloat32:
      return ElementType::float32;
    case ncclFloat64:
      return ElementType::float64;
    case ncclInt32:
      return ElementType::int32;
    case ncclBfloat16:
      return ElementType::bfloat16;
    default:
      give_up("an unknown type");
  }
}
std::size_t width(ncclDataType_t type) { return type == ncclUint8 ? 1 : element_bytes(element_type(type)); }

Reduction reduction(ncclRedOp_t op) {
  return op == ncclMax ? Reduction::max : op == ncclMin ? Reduction::min : Reduction::sum;
}

struct Job {
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false, done = false;
  std::function<void()> work;
};

}  // namespace
}  // namespace lockstep::test

struct ncclComm {
  using Job = lockstep::test::Job;
  int rank = 0, size = 1;
  std::vector<int> data, host;  // sockets, by rank

  // The job runs when its stream has come to it and all jobs before it are done; the stream goes on when it is done.
  void add(std::function<void()> work, cudaStream_t stream) {
    const auto job = std::make_shared<Job>();
    job->work = std::move(work);
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(job);
    }
    changed_.notify_all();
    lockstep::test::put_on_stream(stream, [job] {
      std::unique_lock lock(job->mutex);
      job->ready = true;
      job->changed.notify_all();
      job->changed.wait(lock, [&] { return job->done; });
    });
  }
  void end() {
    {
      const std::lock_guard lock(mutex_);
      if (!jobs_.empty()) lockstep::test::give_up("a communicator is destroyed that has work");
      ended_ = true;
    }
    changed_.notify_all();
    thread_.join();
    for (const auto* sockets : {&data, &host})
      for (const int socket : *sockets)
        if (socket >= 0) ::close(socket);
  }

  // The first use with a peer waits on the host until it comes.
  void meet(int peer) {
    if (peer == rank || !met_.insert(peer).second) return;
    char hello = 1;
    lockstep::test::write_all(host[static_cast<std::size_t>(peer)], &hello, 1);
    lockstep::test::read_all(host[static_cast<std::size_t>(peer)], &hello, 1);
  }

  void send(int peer, const void* from, std::size_t bytes) {
    const int socket = data[static_cast<std::size_t>(peer)];
    lockstep::test::write_all(socket, &bytes, sizeof bytes);
    lockstep::test::write_all(socket, from, bytes);
  }
  void receive(int peer, void* to, std::size_t bytes) {
    const int socket = data[static_cast<std::size_t>(peer)];
    std::size_t comes = 0;
    lockstep::test::read_all(socket, &comes, sizeof comes);
    if (comes != bytes) lockstep::test::give_up("a message of another length");
    lockstep::test::read_all(socket, to, bytes);
  }

  using Bytes = std::vector<std::byte>;
  /// Every rank's `bytes` bytes.
  std::vector<Bytes> exchange(const void* from, std::size_t bytes) {
    std::vector<Bytes> all(static_cast<std::size_t>(size), Bytes(bytes));
    Bytes& own = all[static_cast<std::size_t>(rank)];
    if (bytes > 0) std::memcpy(own.data(), from, bytes);
    std::vector<std::thread> threads;
    for (int peer = 0; peer < size; ++peer) {
      if (peer == rank) continue;
      threads.emplace_back([&, peer] { send(peer, own.data(), bytes); });
      threads.emplace_back([&, peer] { receive(peer, all[static_cast<std::size_t>(peer)].data(), bytes); });
    }
    for (auto& thread : threads) thread.join();
    return all;
  }
  Bytes reduced(const void* from, std::size_t count, ncclDataType_t type, ncclRedOp_t op) {
    const auto element = lockstep::test::element_type(type);
    const auto all = exchange(from, count * lockstep::test::width(type));
    Bytes result = all.front();
    for (std::size_t other = 1; other < all.size(); ++other)
      lockstep::combine_elements(element, lockstep::test::reduction(op), all[other].data(), result.data(),
                                 static_cast<std::int64_t>(count));
    if (op != ncclAvg) return result;
    if ((size & (size - 1)) != 0) lockstep::test::give_up("ncclAvg of ranks that are no power of two is not exact");
    lockstep::finish_average(element, result.data(), static_cast<std::int64_t>(count), size);
    return result;
  }

 private:
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ended_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      const auto job = jobs_.front();
      jobs_.pop_front();
      lock.unlock();
      {
        std::unique_lock waiting(job->mutex);
        job->changed.wait(waiting, [&] { return job->ready; });
      }
      lockstep::test::dawdle(60);
      job->work();
      const std::lock_guard ending(job->mutex);
      job->done = true;
      job->changed.notify_all();
    }
  }

  std::set<int> met_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> jobs_;
  bool ended_ = false;
  std::thread thread_{[this] { work(); }};
};

namespace lockstep::test {
namespace {

struct Message {
  bool send = false;
  const void* from = nullptr;
  void* to = nullptr;
  std::size_t bytes = 0;
  int peer = 0;
};

// The calls of a group for one communicator and stream.
struct Calls {
  ncclComm* communicator = nullptr;
  cudaStream_t stream = nullptr;
  std::vector<Message> messages;
  std::vector<std::function<void()>> collectives;
};

int depth = 0;
std::vector<Calls> group;

Calls& calls_of(ncclComm* communicator, cudaStream_t stream) {
  for (Calls& calls : group)
    if (calls.communicator == communicator && calls.stream == stream) return calls;
  group.push_back({communicator, stream, {}, {}});
  return group.back();
}

// Messages of one pair and direction one after the other, all others at the same time.
void run_messages(ncclComm& communicator, const std::vector<Message>& messages) {
  std::vector<Message> to_self, from_self;
  std::vector<std::vector<Message>> queues(2 * static_cast<std::size_t>(communicator.size));
  for (const Message& message : messages) {
    if (message.peer == communicator.rank)
      (message.send ? to_self : from_self).push_back(message);
    else
      queues[2 * static_cast<std::size_t>(message.peer) + (message.send ? 1 : 0)].push_back(message);
  }
  if (to_self.size() != from_self.size()) give_up("a rank sends to itself and does not receive");
  for (std::size_t i = 0; i < to_self.size(); ++i) std::memcpy(from_self[i].to, to_self[i].from, to_self[i].bytes);
  std::vector<std::thread> threads;
  for (const auto& queue : queues)
    if (!queue.empty())
      threads.emplace_back([&] {
        for (const Message& message : queue)
          message.send ? communicator.send(message.peer, message.from, message.bytes)
                       : communicator.receive(message.peer, message.to, message.bytes);
      });
  for (auto& thread : threads) thread.join();
}

ncclResult_t launch() {
  if (depth > 0) return ncclSuccess;
  for (const Calls& calls : std::exchange(group, {})) {
    for (const Message& message : calls.messages) calls.communicator->meet(message.peer);
    if (!calls.collectives.empty())
      for (int peer = 0; peer < calls.communicator->size; ++peer) calls.communicator->meet(peer);
    calls.communicator->add(
        [calls] {
          run_messages(*calls.communicator, calls.messages);
          for (const auto& collective : calls.collectives) collective();
        },
        calls.stream);
  }
  return ncclSuccess;
}

ncclResult_t collective(ncclComm* communicator, cudaStream_t stream, std::function<void()> work) {
  calls_of(communicator, stream).collectives.push_back(std::move(work));
  return launch();
}

std::FILE* log_file = nullptr;
bool logs = false;

}  // namespace
}  // namespace lockstep::test

using namespace lockstep::test;  // NOLINT: the functions below are C's

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t) { return "refused"; }
const char* ncclGetLastError(ncclComm_t) { return "two ranks of one host on one device"; }
void ncclResetDebugInit() {
  const char* level = std::getenv("NCCL_DEBUG");
  const char* file = std::getenv("NCCL_DEBUG_FILE");
  logs = level != nullptr && std::strcmp(level, "INFO") == 0;
  if (log_file != nullptr) std::fclose(log_file);
  log_file = file != nullptr ? std::fopen(file, "w") : nullptr;
}
ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static int made = 0;
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "lockstep-%d-%d", ::getpid(), made++);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t*, int, ncclUniqueId, int) { return ncclInvalidUsage; }
ncclResult_t ncclCommInitRankConfig(ncclComm_t* made, int size, ncclUniqueId id, int rank, ncclConfig_t* config) {
  if (config->magic != 0xcafebeef || config->maxCTAs == 0) return ncclInvalidArgument;
  auto communicator = std::make_unique<ncclComm>();
  communicator->rank = rank;
  communicator->size = size;
  communicator->data.assign(static_cast<std::size_t>(size), -1);
  communicator->host = communicator->data;
  const auto name = [&](int of) { return std::string(id.internal) + "-" + std::to_string(of); };
  const int listener = listen_at(name(rank));
  const auto& all = std::array{&communicator->data, &communicator->host};
  for (int peer = 0; peer < rank; ++peer)
    for (int kind = 0; kind < 2; ++kind) {
      const int socket = dial(name(peer));
      const int greeting[] = {rank, kind};
      write_all(socket, greeting, sizeof greeting);
      (*all[static_cast<std::size_t>(kind)])[static_cast<std::size_t>(peer)] = socket;
    }
  for (int i = 0; i < 2 * (size - 1 - rank); ++i) {
    const int socket = ::accept(listener, nullptr, nullptr);
    int greeting[2];
    read_all(socket, greeting, sizeof greeting);
    (*all[static_cast<std::size_t>(greeting[1])])[static_cast<std::size_t>(greeting[0])] = socket;
  }
  ::close(listener);
  const char* host = std::getenv("NCCL_HOSTID");
  std::array<char, 128> own{};
  std::snprintf(own.data(), own.size(), "%s/%d", host == nullptr ? "" : host, current_device());
  bool twice = false;
  for (int peer = 0; peer < size; ++peer)
    if (peer != rank) write_all(communicator->host[static_cast<std::size_t>(peer)], own.data(), own.size());
  for (int peer = 0; peer < size; ++peer) {
    if (peer == rank) continue;
    std::array<char, 128> other{};
    read_all(communicator->host[static_cast<std::size_t>(peer)], other.data(), other.size());
    twice = twice || other == own;
  }
  *made = communicator.release();
  return twice ? ncclInvalidUsage : ncclSuccess;
}
ncclResult_t ncclCommDestroy(ncclComm_t communicator) {
  communicator->end();
  delete communicator;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t) { return ncclSuccess; }
ncclResult_t ncclCommGetAsyncError(ncclComm_t, ncclResult_t* error) {
  *error = ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  --depth;
  return launch();
}
ncclResult_t ncclSend(const void* from, std::size_t count, ncclDataType_t type, int peer, ncclComm_t communicator,
                      cudaStream_t stream) {
  calls_of(communicator, stream).messages.push_back({true, from, nullptr, count * width(type), peer});
  return launch();
}
ncclResult_t ncclRecv(void* to, std::size_t count, ncclDataType_t type, int peer, ncclComm_t communicator,
                      cudaStream_t stream) {
  calls_of(communicator, stream).messages.push_back({false, nullptr, to, count * width(type), peer});
  return launch();
}
ncclResult_t ncclAllReduce(const void* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t communicator, cudaStream_t stream) {
  if (logs && log_file != nullptr && communicator->rank == 0) {
    std::fprintf(log_file, "AllReduce: %zu Bytes -> Algo RING proto LL channel{Lo..Hi}={0..1}\n", count * width(type));
    std::fflush(log_file);
  }
  return collective(communicator, stream, [=] {
    const auto result = communicator->reduced(from, count, type, op);
    std::memcpy(to, result.data(), result.size());
  });
}
ncclResult_t ncclReduce(const void* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t op, int root,
                        ncclComm_t communicator, cudaStream_t stream) {
  return collective(communicator, stream, [=] {
    const auto result = communicator->reduced(from, count, type, op);
    if (communicator->rank == root) std::memcpy(to, result.data(), result.size());
  });
}
ncclResult_t ncclBroadcast(const void* from, void* to, std::size_t count, ncclDataType_t type, int root,
                           ncclComm_t communicator, cudaStream_t stream) {
  return collective(communicator, stream, [=] {
    const auto all = communicator->exchange(from, count * width(type));
    std::memcpy(to, all[static_cast<std::size_t>(root)].data(), count * width(type));
  });
}
ncclResult_t ncclAllGather(const void* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t communicator,
                           cudaStream_t stream) {
  return collective(communicator, stream, [=] {
    auto* at = static_cast<std::byte*>(to);
    for (const auto& part : communicator->exchange(from, count * width(type))) {
      std::memcpy(at, part.data(), part.size());
      at += part.size();
    }
  });
}
ncclResult_t ncclReduceScatter(const void* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t op,
                               ncclComm_t communicator, cudaStream_t stream) {
  return collective(communicator, stream, [=] {
    const auto result = communicator->reduced(from, count * static_cast<std::size_t>(communicator->size), type, op);
    const std::size_t part = count * width(type);
    std::memcpy(to, result.data() + static_cast<std::size_t>(communicator->rank) * part, part);
  });
}

}  // extern "C"
