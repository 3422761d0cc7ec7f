// One rank of NCCL, in a process of its own: every collective checked on every type, then timed by size.
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "core/collective/data.hpp"
#include "core/collective/schedule.hpp"
#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/cuda/nccl_library.hpp"
#include "real/gpu/cuda/rows.hpp"
#include "real/gpu/cuda/timing.hpp"

namespace lockstep::real::gpu {
namespace {

namespace fs = std::filesystem;

constexpr auto longest_wait = std::chrono::seconds(30);

// Rank 0 makes the id, the others find it in the folder that all share.
ncclUniqueId agree_on_id(const NcclLibrary& nccl, const NcclRank& self) {
  ncclUniqueId id{};
  const fs::path file = fs::path(self.folder) / "id";
  if (self.rank == 0) {
    nccl.check(nccl.get_unique_id(&id), "ncclGetUniqueId");
    const fs::path fresh = fs::path(self.folder) / "id.new";
    std::ofstream(fresh, std::ios::binary).write(id.internal, sizeof id.internal);
    fs::rename(fresh, file);
    return id;
  }
  const auto deadline = std::chrono::steady_clock::now() + longest_wait;
  while (!fs::exists(file)) {
    if (std::chrono::steady_clock::now() > deadline)
      throw RunFailure(fmt::format("rank {}: rank 0 made no id within {} s", self.rank, longest_wait.count()));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::ifstream(file, std::ios::binary).read(id.internal, sizeof id.internal);
  return id;
}

struct Members {
  const NcclLibrary& nccl;
  ncclComm_t communicator;
  int rank, size;
  cudaStream_t stream;
};

// The buffers hold `count` elements, a multiple of the ranks; parts stand where the plan has them.
void enqueue(const Members& m, const DataRequest& request, const std::byte* source, std::byte* target) {
  const auto width = static_cast<std::int64_t>(element_bytes(request.type));
  const auto type = nccl_type(request.type);
  const auto reduction = nccl_reduction(request.reduction);
  const auto count = static_cast<std::size_t>(request.count);
  const auto part = static_cast<std::size_t>(request.count / m.size);
  const std::int64_t own = partition(request.count, m.size, m.rank).begin * width;
  const auto& nccl = m.nccl;
  const auto check = [&](ncclResult_t status, const char* what) { nccl.check(status, what); };
  switch (request.kind) {
    case CollectiveKind::all_reduce:
      return check(nccl.all_reduce(source, target, count, type, reduction, m.communicator, m.stream), "ncclAllReduce");
    case CollectiveKind::all_gather:
      return check(nccl.all_gather(source + own, target, part, type, m.communicator, m.stream), "ncclAllGather");
    case CollectiveKind::reduce_scatter:
      return check(nccl.reduce_scatter(source, target + own, part, type, reduction, m.communicator, m.stream),
                   "ncclReduceScatter");
    case CollectiveKind::broadcast:
      return check(nccl.broadcast(source, target, count, type, request.root, m.communicator, m.stream),
                   "ncclBroadcast");
    case CollectiveKind::reduce:
      return check(nccl.reduce(source, target, count, type, reduction, request.root, m.communicator, m.stream),
                   "ncclReduce");
    case CollectiveKind::all_to_all: {
      check(nccl.group_start(), "ncclGroupStart");
      for (int peer = 0; peer < m.size; ++peer) {
        const std::int64_t at = partition(request.count, m.size, peer).begin * width;
        check(nccl.send(source + at, part, type, peer, m.communicator, m.stream), "ncclSend");
        check(nccl.receive(target + at, part, type, peer, m.communicator, m.stream), "ncclRecv");
      }
      return check(nccl.group_end(), "ncclGroupEnd");
    }
    case CollectiveKind::send_recv: {
      check(nccl.group_start(), "ncclGroupStart");
      check(nccl.send(source, count, type, (m.rank + 1) % m.size, m.communicator, m.stream), "ncclSend");
      check(nccl.receive(target, count, type, (m.rank + m.size - 1) % m.size, m.communicator, m.stream), "ncclRecv");
      return check(nccl.group_end(), "ncclGroupEnd");
    }
    default:
      throw RunFailure(fmt::format("NCCL has no {} of its own", to_string(request.kind)));
  }
}

constexpr CollectiveKind kinds[] = {
    CollectiveKind::all_reduce, CollectiveKind::all_gather, CollectiveKind::reduce_scatter, CollectiveKind::broadcast,
    CollectiveKind::reduce,     CollectiveKind::all_to_all, CollectiveKind::send_recv};

class Rank {
 public:
  Rank(const Members& members, std::size_t largest)
      : members_(members),
        source_(device_memory(largest)),
        target_(device_memory(largest)),
        scratch_(device_memory(64)),
        host_source_(largest),
        host_target_(largest) {}

  /// Wrong elements over all ranks.
  std::int64_t check_once(const DataRequest& request) {
    const std::size_t bytes = static_cast<std::size_t>(request.count) * element_bytes(request.type);
    fill_input(request, std::span(host_source_).first(bytes), std::span(host_target_).first(bytes));
    // On the stream of the collective: it would not wait for copies on the default one.
    const auto move = [&](void* to, const void* from, cudaMemcpyKind kind) {
      check(cudaMemcpyAsync(to, from, bytes, kind, members_.stream), "cudaMemcpyAsync");
    };
    move(source_.data(), host_source_.data(), cudaMemcpyHostToDevice);
    move(target_.data(), host_target_.data(), cudaMemcpyHostToDevice);
    enqueue(members_, request, source_.data(), target_.data());
    move(host_target_.data(), target_.data(), cudaMemcpyDeviceToHost);
    finish(members_.stream);
    const std::int64_t wrong = count_wrong(request, std::span<const std::byte>(host_target_).first(bytes));
    return static_cast<std::int64_t>(over_all_ranks(static_cast<double>(wrong), ncclSum));
  }

  void call_once(const DataRequest& request) {
    enqueue(members_, request, source_.data(), target_.data());
    finish(members_.stream);
  }

  /// Seconds of one call, of the slowest rank: batches of calls between waits, as nccl-tests takes them.
  Times time(const DataRequest& request, double budget_s) {
    const auto call = [&] { enqueue(members_, request, source_.data(), target_.data()); };
    for (int i = 0; i < 2; ++i) call();
    finish(members_.stream);
    const double once = over_all_ranks(host_seconds([&] {
                                         call();
                                         finish(members_.stream);
                                       }),
                                       ncclMax);
    constexpr int batches = 7;
    // The same on every rank, since `once` is.
    const int calls = static_cast<int>(std::min(200.0, std::max(1.0, std::floor(budget_s / batches / once))));
    std::vector<double> seconds;
    for (int batch = 0; batch < batches; ++batch) {
      over_all_ranks(0, ncclSum);  // they start together
      seconds.push_back(over_all_ranks(host_seconds([&] {
                                         for (int i = 0; i < calls; ++i) call();
                                         finish(members_.stream);
                                       }) / calls,
                                       ncclMax));
    }
    return times_of(seconds);
  }

 private:
  double over_all_ranks(double value, ncclRedOp_t op) {
    check(cudaMemcpyAsync(scratch_.data(), &value, sizeof value, cudaMemcpyHostToDevice, members_.stream),
          "cudaMemcpyAsync");
    members_.nccl.check(members_.nccl.all_reduce(scratch_.data(), scratch_.data(), 1, ncclFloat64, op,
                                                 members_.communicator, members_.stream),
                        "ncclAllReduce");
    check(cudaMemcpyAsync(&value, scratch_.data(), sizeof value, cudaMemcpyDeviceToHost, members_.stream),
          "cudaMemcpyAsync");
    finish(members_.stream);
    return value;
  }

  Members members_;
  DeviceMemory source_, target_, scratch_;
  std::vector<std::byte> host_source_, host_target_;
};

nlohmann::ordered_json run(const NcclRank& self) {
  std::string missing;
  const auto nccl = open_nccl(missing);
  if (!nccl) throw RunFailure(missing);
  check(cudaSetDevice(0), "cudaSetDevice");
  const Stream stream = make_stream();
  const ncclUniqueId id = agree_on_id(*nccl, self);
  ncclComm_t communicator = nullptr;
  const double init_s =
      host_seconds([&] { nccl->check(nccl->init_rank(&communicator, self.size, id, self.rank), "ncclCommInitRank"); });

  const std::size_t largest = std::size_t{1} << (self.quick ? 22 : 26);
  auto rows = nlohmann::ordered_json::array();
  auto checks = nlohmann::ordered_json::array();
  {
    Rank rank({*nccl, communicator, self.rank, self.size, stream}, largest);
    const auto request_of = [&](CollectiveKind kind, ElementType type, Reduction reduction, std::int64_t count) {
      DataRequest request;
      request.kind = kind;
      request.rank = self.rank;
      request.size = self.size;
      request.count = count;
      request.type = type;
      request.reduction = reduction;
      request.seed = 5;
      return request;
    };
    for (const auto kind : kinds) {
      if (self.task != NcclTask::everything) break;
      for (const auto type : {ElementType::float32, ElementType::float64, ElementType::int32, ElementType::bfloat16}) {
        for (const auto reduction : {Reduction::sum, Reduction::max, Reduction::min, Reduction::average}) {
          if (!reduces(kind) && reduction != Reduction::sum) continue;
          std::int64_t wrong = 0;
          for (const std::int64_t per_rank : {1, 1003, 70'001})
            wrong += rank.check_once(request_of(kind, type, reduction, per_rank * self.size));
          checks.push_back({{"kind", to_string(kind)},
                            {"type", to_string(type)},
                            {"reduction", to_string(reduction)},
                            {"wrong", wrong}});
        }
      }
    }
    for (const auto kind : kinds) {
      if (self.task == NcclTask::all_reduce && kind != CollectiveKind::all_reduce) continue;
      // Bytes of the whole buffer of one rank, in float32; all_reduce at more sizes than the rest.
      const bool all = kind == CollectiveKind::all_reduce || self.task == NcclTask::choices;
      const std::size_t factor = self.quick ? 64 : all ? 2 : 8;
      for (std::size_t bytes = all ? 64 : 1024; bytes <= largest; bytes *= factor) {
        const auto request = request_of(kind, ElementType::float32, Reduction::sum,
                                        static_cast<std::int64_t>(bytes / 4) / self.size * self.size);
        if (request.count == 0) continue;
        if (self.task == NcclTask::choices) {
          rank.call_once(request);
          continue;
        }
        const std::int64_t wrong = rank.check_once(request);
        const Times times = rank.time(request, self.quick ? 0.05 : 0.2);
        nlohmann::ordered_json row{{"kind", to_string(kind)},
                                   {"algorithm", "native"},
                                   {"ranks", self.size},
                                   {"size_bytes", request.count * 4}};
        put(row, times);
        const double rate = static_cast<double>(request.count * 4) / times.median_s * 1e-9;
        row["algbw_GBps"] = rate;
        row["busbw_GBps"] = rate * bus_factor(kind, self.size);
        row["wrong"] = wrong;
        rows.push_back(row);
      }
    }
  }
  nccl->check(nccl->destroy(communicator), "ncclCommDestroy");
  return {{"init_s", init_s}, {"checks", checks}, {"collectives", rows}};
}

}  // namespace

int run_nccl_rank(const NcclRank& self) {
  const fs::path base = fs::path(self.folder) / fmt::format("rank{}", self.rank);
  try {
    const auto result = run(self);
    std::ofstream(base.string() + ".json") << result.dump(1) << "\n";
    return 0;
  } catch (const std::exception& failure) {
    std::ofstream(base.string() + ".error") << failure.what() << "\n";
    return static_cast<int>(ExitCode::run_failed);
  }
}

}  // namespace lockstep::real::gpu
