// One question to whatever software stands on top: verbs, MPI over UCX, MPI over TCP.
#pragma once

#include "sim/rdma/verbs.hpp"

namespace lockstep::sim::rdma {

/// Of `test` MPI knows size and registration only; its streams go in windows of osu_window messages.
Breakdown latency(const Path& path, const Software& software, const VerbsTest& test);
Throughput throughput(const Path& path, const Software& software, const VerbsTest& test, std::int64_t iterations);

}  // namespace lockstep::sim::rdma
