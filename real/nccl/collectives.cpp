#include "real/nccl/collectives.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "core/base/error.hpp"
#include "core/collective/schedule.hpp"
#include "real/gpu/cuda/kernels.hpp"
#include "real/gpu/nccl_choice.hpp"

namespace lockstep::real {
namespace {

// By kind, for messages.
constexpr const char* calls[] = {"ncclAllReduce",
                                 "ncclAllGather",
                                 "ncclReduceScatter",
                                 "ncclBroadcast",
                                 "ncclReduce",
                                 "ncclSend and ncclRecv (all_to_all)",
                                 "ncclAllReduce (barrier)",
                                 "ncclSend and ncclRecv (send_recv)",
                                 "ncclSend and ncclRecv (gather)",
                                 "ncclSend and ncclRecv (scatter)",
                                 "ncclSend and ncclRecv (all_to_all_v)"};

const char* call_of(const NativeCollective& collective) { return calls[static_cast<std::size_t>(collective.kind)]; }

bool averages(const NativeCollective& c) { return reduces(c.kind) && c.reduction == Reduction::average; }
bool nccl_averages(const NativeCollective& c) {
  return averages(c) && std::has_single_bit(static_cast<unsigned>(c.members.size()));
}

}  // namespace

/// One collective on one stream, in the words of NCCL's interface.
struct NcclCollectives::Call {
  const gpu::NcclLibrary& nccl;
  const NativeCollective& c;
  ncclComm_t communicator;
  cudaStream_t stream;
  std::byte* token;
  const int size = static_cast<int>(c.members.size());
  const std::int64_t width = static_cast<std::int64_t>(element_bytes(c.type));
  const ncclDataType_t type = gpu::nccl_type(c.type);
  const ncclRedOp_t with = averages(c) && !nccl_averages(c) ? ncclSum : gpu::nccl_reduction(c.reduction);

  void check(ncclResult_t status, const char* what) const { nccl.check(status, what); }
  [[nodiscard]] Range block(int rank) const { return partition(c.count, size, rank); }
  [[nodiscard]] const std::byte* source(std::int64_t element) const { return c.source.data() + element * width; }
  [[nodiscard]] std::byte* target(std::int64_t element) const { return c.target.data() + element * width; }
  [[nodiscard]] bool even() const { return c.count % size == 0; }
  [[nodiscard]] bool in_place() const { return c.source.data() == c.target.data(); }

  // Calls in a group are one operation, whose parts do not wait for each other. A group is closed whatever happens: the
  // next call is not to be part of it.
  template <class Body>
  void in_group(Body&& body) const {
    check(nccl.group_start(), "ncclGroupStart");
    try {
      body();
    } catch (...) {
      static_cast<void>(nccl.group_end());
      throw;
    }
    check(nccl.group_end(), "ncclGroupEnd");
  }
  void send(std::int64_t at, std::int64_t count, int peer) const {
    if (count > 0)
      check(nccl.send(source(at), static_cast<std::size_t>(count), type, peer, communicator, stream), "ncclSend");
  }
  void receive(std::int64_t at, std::int64_t count, int peer) const {
    if (count > 0)
      check(nccl.receive(target(at), static_cast<std::size_t>(count), type, peer, communicator, stream), "ncclRecv");
  }
  void move(std::int64_t from, std::int64_t to, std::int64_t count) const {
    if (count > 0 && source(from) != target(to))
      gpu::check(cudaMemcpyAsync(target(to), source(from), static_cast<std::size_t>(count * width),
                                 cudaMemcpyDeviceToDevice, stream),
                 "cudaMemcpyAsync");
  }
  void refuse_in_place() const {
    if (in_place()) throw InputError(fmt::format("algorithm native: NCCL cannot do {} in place", to_string(c.kind)));
  }

  void all_gather() const {
    if (even()) {
      const auto part = static_cast<std::size_t>(c.count / size);
      return check(nccl.all_gather(source(block(c.own).begin), c.target.data(), part, type, communicator, stream),
                   "ncclAllGather");
    }
    in_group([&] {
      for (int rank = 0; rank < size; ++rank) {
        const Range range = block(rank);
        if (range.size() == 0) continue;
        const std::byte* from = rank == c.own ? source(range.begin) : target(range.begin);
        check(nccl.broadcast(from, target(range.begin), static_cast<std::size_t>(range.size()), type, rank,
                             communicator, stream),
              "ncclBroadcast");
      }
    });
  }

  void reduce_scatter() const {
    if (even()) {
      const auto part = static_cast<std::size_t>(c.count / size);
      return check(
          nccl.reduce_scatter(c.source.data(), target(block(c.own).begin), part, type, with, communicator, stream),
          "ncclReduceScatter");
    }
    in_group([&] {
      for (int rank = 0; rank < size; ++rank) {
        const Range range = block(rank);
        if (range.size() == 0) continue;
        check(nccl.reduce(source(range.begin), target(range.begin), static_cast<std::size_t>(range.size()), type, with,
                          rank, communicator, stream),
              "ncclReduce");
      }
    });
  }

  void all_to_all() const {
    refuse_in_place();
    in_group([&] {
      for (int peer = 0; peer < size; ++peer) {
        const Range range = block(peer);
        send(range.begin, range.size(), peer);
        receive(range.begin, range.size(), peer);
      }
    });
  }

  void all_to_all_v() const {
    refuse_in_place();
    in_group([&] {
      std::int64_t from = 0;
      std::int64_t to = 0;
      for (std::size_t peer = 0; peer < c.members.size(); ++peer) {
        send(from, c.send_counts[peer], static_cast<int>(peer));
        receive(to, c.receive_counts[peer], static_cast<int>(peer));
        from += c.send_counts[peer];
        to += c.receive_counts[peer];
      }
    });
  }

  void gather() const {
    const Range own = block(c.own);
    if (c.own == c.root) move(own.begin, own.begin, own.size());
    if (size == 1) return;
    in_group([&] {
      if (c.own != c.root) return send(own.begin, own.size(), c.root);
      for (int peer = 0; peer < size; ++peer)
        if (peer != c.own) receive(block(peer).begin, block(peer).size(), peer);
    });
  }

  void scatter() const {
    const Range own = block(c.own);
    if (c.own == c.root) move(own.begin, own.begin, own.size());
    if (size == 1) return;
    in_group([&] {
      if (c.own != c.root) return receive(own.begin, own.size(), c.root);
      for (int peer = 0; peer < size; ++peer)
        if (peer != c.own) send(block(peer).begin, block(peer).size(), peer);
    });
  }

  void send_recv() const {
    refuse_in_place();
    in_group([&] {
      send(0, c.count, (c.own + 1) % size);
      receive(0, c.count, (c.own + size - 1) % size);
    });
  }

  // Where this rank has a result of a reduction.
  [[nodiscard]] Range result() const {
    if (c.kind == CollectiveKind::reduce && c.own != c.root) return {};
    if (c.kind == CollectiveKind::reduce_scatter) return block(c.own);
    return {0, c.count};
  }

  void run() const {
    const auto count = static_cast<std::size_t>(c.count);
    switch (c.kind) {
      case CollectiveKind::all_reduce:
        return check(nccl.all_reduce(c.source.data(), c.target.data(), count, type, with, communicator, stream),
                     "ncclAllReduce");
      case CollectiveKind::reduce:
        return check(nccl.reduce(c.source.data(), c.target.data(), count, type, with, c.root, communicator, stream),
                     "ncclReduce");
      case CollectiveKind::broadcast:
        return check(nccl.broadcast(c.source.data(), c.target.data(), count, type, c.root, communicator, stream),
                     "ncclBroadcast");
      case CollectiveKind::barrier:
        return check(nccl.all_reduce(token, token, 1, ncclInt32, ncclSum, communicator, stream), "ncclAllReduce");
      case CollectiveKind::all_gather:
        return all_gather();
      case CollectiveKind::reduce_scatter:
        return reduce_scatter();
      case CollectiveKind::all_to_all:
        return all_to_all();
      case CollectiveKind::all_to_all_v:
        return all_to_all_v();
      case CollectiveKind::gather:
        return gather();
      case CollectiveKind::scatter:
        return scatter();
      case CollectiveKind::send_recv:
        return send_recv();
    }
  }
};

void NcclCollectives::enqueue(const NativeCollective& c, cudaStream_t stream) {
  const Call call{nccl_, c, communicators_.get(Communicators::of_group(c.members).name), stream, token_.data()};
  call.run();
  if (!averages(c) || nccl_averages(c)) return;
  const Range range = call.result();
  if (range.size() > 0) gpu::finish_average(c.type, call.target(range.begin), range.size(), call.size, stream);
}

void NcclCollectives::prepare(const std::vector<NativeCollective>& collectives) {
  if (token_.empty()) {
    token_ = device_.allocate(sizeof(std::int32_t));
    const std::byte zero[sizeof(std::int32_t)]{};
    device_.copy_in(zero, token_);
  }
  std::vector<Communicators::Wanted> wanted;
  for (const NativeCollective& collective : collectives) wanted.push_back(Communicators::of_group(collective.members));
  communicators_.make(wanted);
  if (collectives.empty()) return;
  in_flight_.reserve(collectives.size());
  log_.begin(nccl_);
  const gpu::Stream stream = gpu::make_stream();
  for (const NativeCollective& collective : collectives) {
    // Of the first use NCCL makes connections; it comes back from the call when its peers have come to it.
    const Watchdog::Guard guard(watchdog_, call_of(collective));
    enqueue(collective, stream);
    gpu::finish(stream);
  }
  const std::string said = gpu::nccl_choices_text(log_.end());
  if (!said.empty()) choices_ += (choices_.empty() ? "" : "; ") + said;
}

bool NcclCollectives::run(const NativeCollective& collective, std::uint64_t token) {
  Operation operation;
  operation.kind = Operation::Kind::collective;
  operation.token = token;
  operation.bytes = static_cast<std::size_t>(collective.count) * element_bytes(collective.type);
  operation.call = call_of(collective);
  operation.communicator = communicators_.get(Communicators::of_group(collective.members).name);
  in_flight_.begin(operation, [&](cudaStream_t stream) {
    // NCCL may have to connect first; see prepare().
    const Watchdog::Guard guard(watchdog_, operation.call);
    enqueue(collective, stream);
  });
  return false;
}

}  // namespace lockstep::real
