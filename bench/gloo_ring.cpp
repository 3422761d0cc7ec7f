// Gloo's ring all-reduce between processes of this machine over loopback, timed as `lockstep run` times its own: from a
// common start to the end of the slowest rank. Prints the median in microseconds.
#include <gloo/allreduce.h>
#include <gloo/barrier.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/statistics.hpp"
#include "real/executor/buffers.hpp"

namespace {

struct Options {
  int ranks = 2;
  std::int64_t bytes = 64 << 20;
  int iterations = 20;
  int warmup = 3;
};

using Clock = std::chrono::steady_clock;

// Writes this rank's time of every iteration, in seconds.
void be_rank(const Options& options, int rank, const std::string& folder, double* times) {
  gloo::transport::tcp::attr attributes;
  attributes.hostname = "127.0.0.1";
  auto device = gloo::transport::tcp::CreateDevice(attributes);
  gloo::rendezvous::FileStore store(folder);
  auto context = std::make_shared<gloo::rendezvous::Context>(rank, options.ranks);
  context->connectFullMesh(store, device);
  // The memory that our own ranks have: with huge pages where there are any.
  const lockstep::real::AlignedBuffer memory(static_cast<std::size_t>(options.bytes));
  auto* data = reinterpret_cast<float*>(memory.bytes().data());
  const auto count = static_cast<std::size_t>(options.bytes) / sizeof(float);
  for (int i = 0; i < options.warmup + options.iterations; ++i) {
    std::fill(data, data + count, 1.0F);
    gloo::BarrierOptions barrier(context);
    barrier.setTag(1);
    gloo::barrier(barrier);
    const auto start = Clock::now();
    gloo::AllreduceOptions all_reduce(context);
    all_reduce.setAlgorithm(gloo::AllreduceOptions::Algorithm::RING);
    all_reduce.setTag(2);
    all_reduce.setOutput(data, count);
    void (*sum)(void*, const void*, const void*, std::size_t) = &gloo::sum<float>;
    all_reduce.setReduceFunction(sum);
    gloo::allreduce(all_reduce);
    if (i >= options.warmup) times[i - options.warmup] = std::chrono::duration<double>(Clock::now() - start).count();
    for (std::size_t k = 0; k < count; k += 4096)
      if (data[k] != static_cast<float>(options.ranks)) throw std::runtime_error("a wrong sum");
  }
}

int run(const Options& options) {
  std::string folder = std::filesystem::temp_directory_path() / "gloo-ring-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 3;
  const auto per_rank = static_cast<std::size_t>(options.iterations);
  auto* times =
      static_cast<double*>(::mmap(nullptr, per_rank * static_cast<std::size_t>(options.ranks) * sizeof(double),
                                  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int rank = 0; rank < options.ranks; ++rank) {
    if (::fork() != 0) continue;
    try {
      be_rank(options, rank, folder, times + per_rank * static_cast<std::size_t>(rank));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "rank %d: %s\n", rank, error.what());
      ::_exit(3);
    }
    ::_exit(0);
  }
  bool good = true;
  for (int rank = 0; rank < options.ranks; ++rank) {
    int status = 0;
    ::wait(&status);
    good = good && status == 0;
  }
  std::filesystem::remove_all(folder);
  if (!good) return 3;
  std::vector<double> slowest;
  for (std::size_t i = 0; i < per_rank; ++i) {
    double most = 0;
    for (int rank = 0; rank < options.ranks; ++rank)
      most = std::max(most, times[per_rank * static_cast<std::size_t>(rank) + i]);
    slowest.push_back(most);
  }
  std::printf("%.2f\n", lockstep::median(slowest) * 1e6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Gloo's ring all-reduce over loopback: the median of its times in microseconds"};
  app.add_option("--ranks", options.ranks)->capture_default_str();
  app.add_option("--bytes", options.bytes)->capture_default_str();
  app.add_option("--iterations", options.iterations)->capture_default_str();
  app.add_option("--warmup", options.warmup)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
