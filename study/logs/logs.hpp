// Readers of other programs' text logs (what fuzzers call). Each takes the text of a file and its name for messages,
// and throws InputError ("x.log:12: ...").
//
// Contract:
//  - the result is a measurement with one row per line of the table; `run` names the program, `workload.file` the log;
//  - the times of both programs are means over iterations, without minimum or percentiles, so nothing is said about
//  noise;
//  - algorithm is empty: neither program knows it;
//  - a line of a table that does not have all its columns is an error; lines that belong to no table (warnings of a
//  launcher, NCCL's
//    own messages) are counted in a note;
//  - what the log does not state and `hints` do not either stays unknown (ranks 0) where the rows can do without, else
//  an error.
#pragma once

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

/// OSU micro-benchmarks 3 to 7: osu_latency, osu_bw (as send_recv), osu_allreduce, osu_allgather, osu_reduce_scatter,
/// osu_bcast, osu_reduce, osu_alltoall, osu_barrier. osu_allgather and osu_alltoall print the bytes per pair of ranks;
/// rows hold the whole buffer, that times the ranks. Formats: OMB c/util/osu_util_mpi.c.
Result read_osu(std::string_view text, const std::string& file, const MeasurementHints& hints);

bool looks_like_nccl_tests(std::string_view text);
bool looks_like_osu(std::string_view text);

/// Recognises the format by content.
Result read_measurement(std::string_view text, const std::string& file, const MeasurementHints& hints);

}  // namespace lockstep::logs
