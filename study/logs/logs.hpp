// Readers of other programs' text logs (what fuzzers call). Each takes the text of a file and its name for messages,
// and throws InputError ("x.log:12: ...").
//
// Contract:
//  - the result is a measurement with one row per line of the table; `run` names the program, `workload.file` the log;
//  - times are the program's means over iterations (medians where it states them), without percentiles unless it lists
//    its samples, so nothing is said about noise;
//  - algorithm is empty: none of these programs knows it;
//  - a line of a table that does not have all its columns is an error; lines that belong to no table (warnings of a
//  launcher, NCCL's
//    own messages) are counted in a note;
//  - what the log does not state and `hints` do not either stays unknown (ranks 0) where the rows can do without, else
//  an error.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "study/comparison.hpp"

namespace lockstep::logs {

/// nccl-tests (all_reduce_perf, ...; also rccl-tests), versions 2.0 to 2.19: `# size count type redop root time algbw
/// busbw #wrong`, out of place and in place. The out-of-place column is taken; where a line has none, the in-place one.
/// Sizes mean what ours mean: the whole buffer of one rank.
/// Formats: nccl-tests src/util.cu (writeBenchmarkLinePreamble and after) and src/common.cu of older versions.
/// The collective is, in this order, what the log names, what redop, root and busbw / algbw say, what the file is
/// called, and the hint.
Result read_nccl_tests(std::string_view text, const std::string& file, const MeasurementHints& hints);

/// The JSON that nccl-tests writes with -J FILE.json (2.17 on; "version" 1 to 3). With -I, rows have minimum, median,
/// p95 and samples of the iterations. Format: nccl-tests src/util.cu.
Result read_nccl_tests_json(std::string_view text, const std::string& file, const MeasurementHints& hints);

/// perftest (ib_write_bw, ib_write_lat, ib_send_*, ib_read_*), one size or -a: send_recv between two ranks, `protocol`
/// the verb. Latencies are t_typical (the median) with t_min; bandwidths become size / bandwidth of one direction. Its
/// "MB/sec" are 2^20 bytes, as its "MiB/sec", its "Gb/sec" (--report_gbits) 10^9 bits.
/// Format: perftest src/perftest_parameters.{h,c}.
Result read_perftest(std::string_view text, const std::string& file, const MeasurementHints& hints);

/// OSU micro-benchmarks 3 to 7: osu_latency, osu_bw, osu_bibw (as send_recv), osu_allreduce, osu_allgather,
/// osu_reduce_scatter, osu_bcast, osu_reduce, osu_alltoall, osu_barrier. osu_allgather and osu_alltoall print the bytes
/// per pair of ranks; rows hold the whole buffer, that times the ranks. Formats: OMB c/util/osu_util_mpi.c.
Result read_osu(std::string_view text, const std::string& file, const MeasurementHints& hints);

bool looks_like_nccl_tests(std::string_view text);
bool looks_like_nccl_tests_json(std::string_view text);
bool looks_like_perftest(std::string_view text);
bool looks_like_osu(std::string_view text);

struct Format {
  std::string name;
  std::string description;
  bool (*recognises)(std::string_view text);
  Result (*read)(std::string_view text, const std::string& file, const MeasurementHints& hints);
};

/// Logs of other programs, the first that recognises a text reads it. Adding one: a file beside this one and a line in
/// catalogue.cpp.
std::span<const Format> format_catalogue();

/// Recognises the format by content.
Result read_measurement(std::string_view text, const std::string& file, const MeasurementHints& hints);

}  // namespace lockstep::logs
