#include <array>

#include "study/logs/logs.hpp"

namespace lockstep::logs {

std::span<const Format> format_catalogue() {
  static const std::array catalogue{
      Format{"OSU micro-benchmarks", "osu_latency, osu_bw, osu_allreduce, ...", looks_like_osu, read_osu},
      Format{"nccl-tests", "the table on standard output", looks_like_nccl_tests, read_nccl_tests},
      Format{"nccl-tests -J", "JSON, from 2.17 on", looks_like_nccl_tests_json, read_nccl_tests_json},
      Format{"perftest", "ib_write_bw, ib_write_lat, ib_send_*, ib_read_*", looks_like_perftest, read_perftest},
  };
  return catalogue;
}

}  // namespace lockstep::logs
