#include "sim/rdma/layers.hpp"

#include "sim/rdma/mpi.hpp"
#include "sim/rdma/tcp.hpp"

namespace lockstep::sim::rdma {
namespace {

MpiTest mpi_test(const VerbsTest& test) { return {test.size, osu_window, test.register_each}; }

}  // namespace

Breakdown latency(const Path& path, const Software& software, const VerbsTest& test) {
  if (software.layer == Layer::verbs) return verbs_latency(path, software, test);
  return software.layer == Layer::ucx ? mpi_latency(path, software, mpi_test(test))
                                      : tcp_latency(path, software, mpi_test(test));
}

Throughput throughput(const Path& path, const Software& software, const VerbsTest& test, std::int64_t iterations) {
  if (software.layer == Layer::verbs) return verbs_throughput(path, software, test, iterations);
  return software.layer == Layer::ucx ? mpi_throughput(path, software, mpi_test(test), iterations)
                                      : tcp_throughput(path, software, mpi_test(test), iterations);
}

}  // namespace lockstep::sim::rdma
