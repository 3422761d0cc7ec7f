// Do logs of nccl-tests and of the OSU micro-benchmarks become the right rows, and broken ones an error with its line?
#include "study/logs/logs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/json.hpp"
#include "study/comparison.hpp"
#include "study/logs/nccl_programs.hpp"

namespace lockstep {
namespace {

std::string path_of(const std::string& name) { return std::string(LOCKSTEP_SOURCE_DIR) + "/tests/data/logs/" + name; }

std::string message_of(const std::string& text, const std::string& file = "x.log", const MeasurementHints& hints = {}) {
  try {
    logs::read_measurement(text, file, hints);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

bool has_note(const Result& result, const std::string& part) {
  for (const auto& note : result.notes)
    if (note.find(part) != std::string::npos) return true;
  return false;
}

TEST(NcclTests, NewFormat) {
  const Result result = load_measurement(path_of("all_reduce_h100x8.log"));
  EXPECT_EQ(result.kind, Result::Kind::measurement);
  EXPECT_EQ(result.backend, "nccl");
  EXPECT_EQ(result.ranks, 8);
  ASSERT_EQ(result.collectives.size(), 8U);
  const auto& last = result.collectives.back();
  EXPECT_EQ(last.kind, CollectiveKind::all_reduce);
  EXPECT_EQ(last.algorithm, "");
  EXPECT_EQ(last.ranks, 8);
  EXPECT_EQ(last.size_bytes, 16777216);
  EXPECT_NEAR(last.time_s, 137.2e-6, 1e-15);
  EXPECT_EQ(last.wrong, 0);
  EXPECT_EQ(last.iterations, 20);
  EXPECT_EQ(last.type, "float32");
  EXPECT_EQ(last.reduction, "sum");
  EXPECT_NEAR(last.busbw_GBps(), 214.0, 0.2) << "our bandwidth is theirs";
  EXPECT_TRUE(has_note(result, "1 lines of the log belong to no table"));
}

TEST(NcclTests, OldFormatNamesNoCollective) {
  const Result result = load_measurement(path_of("old_all_reduce.log"));
  ASSERT_EQ(result.collectives.size(), 3U);
  EXPECT_EQ(result.collectives[0].kind, CollectiveKind::all_reduce);
  EXPECT_EQ(result.collectives[0].ranks, 4);
  EXPECT_EQ(result.collectives[0].wrong, std::nullopt) << "'error' is a deviation, not a count";
  EXPECT_TRUE(has_note(result, "its columns are those of all_reduce"));
}

TEST(NcclTests, TheFileNameTellsGatherFromAllToAll) {
  const Result result = load_measurement(path_of("all_gather_old_columns.log"));
  ASSERT_EQ(result.collectives.size(), 2U);
  EXPECT_EQ(result.collectives[0].kind, CollectiveKind::all_gather);
  EXPECT_TRUE(has_note(result, "taken from the file's name"));
  const std::string text = read_text_file(path_of("all_gather_old_columns.log"));
  EXPECT_EQ(
      logs::read_measurement(text, "x.log", {.kind = CollectiveKind::all_to_all, .ranks = {}}).collectives[0].kind,
      CollectiveKind::all_to_all);
  EXPECT_EQ(message_of(text),
            "x.log: the log does not say which collective it measured; name it in the file's name (all_gather.log), or "
            "keep the command "
            "line ('all_gather_perf ...') in the log");
}

constexpr const char* head =
    "# Collective test starting: reduce_scatter_perf\n# nThread 1 nGpus 2 minBytes 8 maxBytes 8 step: 2(factor) warmup "
    "iters: 5 iters: 7 agg iters: 1\n"
    "#  Rank  0 Group  0 Pid 1 on h device 0 [0x1] X\n#  Rank  1 Group  0 Pid 1 on h device 1 [0x2] X\n"
    "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw "
    "#wrong\n";

Result read(const std::string& rows) { return logs::read_measurement(head + rows, "x.log", {}); }

TEST(NcclTests, RowsOfOddShape) {
  const Result blank_redop = read("  8  2  float  -1  5.0  0.00  0.00  0  6.0  0.00  0.00  0\n");
  EXPECT_EQ(blank_redop.collectives[0].reduction, std::nullopt);
  EXPECT_NEAR(blank_redop.collectives[0].time_s, 5e-6, 1e-18);
  const Result in_place = read("  8  2  float  sum  -1      6.0  0.00  0.00  N/A\n");
  EXPECT_NEAR(in_place.collectives[0].time_s, 6e-6, 1e-18);
  EXPECT_EQ(in_place.collectives[0].wrong, std::nullopt);
  EXPECT_TRUE(has_note(in_place, "1 rows are in-place times"));
  const Result wrong = read("  8  2  half  max  -1  1.2e+05  0.00  0.00  3  6.0  0.00  0.00  0\r\n");
  EXPECT_EQ(wrong.collectives[0].wrong, 3);
  EXPECT_EQ(wrong.collectives[0].type, "float16");
  EXPECT_EQ(wrong.collectives[0].reduction, "max");
  EXPECT_EQ(wrong.collectives[0].iterations, 7);
  EXPECT_NEAR(wrong.collectives[0].time_s, 0.12, 1e-15);
}

TEST(NcclTests, SeveralRunsInOneFile) {
  const std::string row = "  8  2  float  sum  -1  5.0  0.00  0.00  0  6.0  0.00  0.00  0\n";
  std::string second = head;
  second.replace(second.find("reduce_scatter"), 14, "all_reduce");
  const Result result = logs::read_measurement(head + row + second + row, "x.log", {});
  ASSERT_EQ(result.collectives.size(), 2U);
  EXPECT_EQ(result.collectives[0].kind, CollectiveKind::reduce_scatter);
  EXPECT_EQ(result.collectives[1].kind, CollectiveKind::all_reduce);
  EXPECT_EQ(result.collectives[1].ranks, 2) << "ranks are counted per run";
}

TEST(NcclTests, AHeaderThatNamesAColumnTwiceIsRefused) {
  std::string twice = head;
  twice.replace(twice.rfind("busbw"), 5, "redop");
  EXPECT_THAT(message_of(twice + "  8  2  float  sum  -1  5.0  0.00  0.00  0\n"),
              testing::HasSubstr("a header of nccl-tests with an unknown order of columns; expected 'size count"));
}

TEST(NcclTests, BrokenLogs) {
  EXPECT_EQ(message_of(head + std::string("  8  2  float  sum  -1  5.0  0.00\n")),
            "x.log:6: expected 13 columns (size ... #wrong), found 7; is the log cut off?");
  EXPECT_EQ(message_of(head + std::string("  8  2  float  sum  -1  fast  0.00  0.00  0  6.0  0.00  0.00  0\n")),
            "x.log:6: column 'time': expected a number, found 'fast'");
  EXPECT_EQ(message_of(head + std::string(
                                  "  99999999999999999999  2  float  sum  -1  1  0.00  0.00  0  6.0  0.00  0.00  0\n")),
            "x.log:6: column 'size': expected a number of bytes, found '99999999999999999999'");
  EXPECT_EQ(message_of(head), "x.log: the table of nccl-tests has no rows; did the run end before its first size?");
  EXPECT_EQ(message_of("# Collective test starting: gather_perf\n#  size  count  type  time  algbw  busbw\n  8 2 float "
                       "5.0 0.00 0.00\n"),
            "x.log: 'gather_perf' measures a collective that Lockstep does not have; expected one of " +
                logs::nccl_programs());
  EXPECT_EQ(message_of("#  size  count  type  cputime  algbw  busbw\n"),
            "x.log:1: this table has CPU times (option -C); run nccl-tests without it");
}

TEST(Osu, CollectiveWithRanksFromTheCommandLine) {
  const Result result = load_measurement(path_of("osu_allreduce.log"));
  EXPECT_EQ(result.backend, "mpi");
  EXPECT_EQ(result.ranks, 4);
  ASSERT_EQ(result.collectives.size(), 6U);
  EXPECT_EQ(result.collectives[0].kind, CollectiveKind::all_reduce);
  EXPECT_EQ(result.collectives[0].type, "float32");
  EXPECT_EQ(result.collectives[5].size_bytes, 1048576);
  EXPECT_NEAR(result.collectives[5].time_s, 1530.66e-6, 1e-15);
  EXPECT_EQ(result.collectives[5].min_s, std::nullopt);
  EXPECT_EQ(result.run["version"], "7.4");
}

TEST(Osu, SizesPerPairBecomeWholeBuffers) {
  const Result result = load_measurement(path_of("osu_allgather_full.log"));
  ASSERT_EQ(result.collectives.size(), 3U);
  EXPECT_EQ(result.collectives[0].kind, CollectiveKind::all_gather);
  EXPECT_EQ(result.collectives[0].ranks, 8);
  EXPECT_EQ(result.collectives[0].size_bytes, 8 * 1024);
  EXPECT_EQ(result.collectives[2].iterations, 100);
  EXPECT_EQ(result.collectives[2].min_s, std::nullopt) << "OSU's minimum is over ranks, not over iterations";
}

TEST(Osu, SeveralTestsInOneFile) {
  const Result result = load_measurement(path_of("osu_pt2pt.log"));
  ASSERT_EQ(result.collectives.size(), 7U);
  EXPECT_EQ(result.collectives[0].kind, CollectiveKind::send_recv);
  EXPECT_EQ(result.collectives[0].size_bytes, 0);
  EXPECT_EQ(result.collectives[0].ranks, 2);
  EXPECT_NEAR(result.collectives[0].time_s, 1.71e-6, 1e-18);
  EXPECT_NEAR(result.collectives[4].time_s, 1048576 / 11894.25e6, 1e-12);
  EXPECT_TRUE(has_note(result, "many messages in flight"));
  EXPECT_EQ(result.collectives[5].kind, CollectiveKind::barrier);
  EXPECT_NEAR(result.collectives[5].time_s, 4.25e-6, 1e-18);
  EXPECT_EQ(result.collectives[6].kind, CollectiveKind::send_recv);
  EXPECT_NEAR(result.collectives[6].time_s, 2 * 1048576 / 21377.01e6, 1e-12) << "both directions share what it prints";
  EXPECT_TRUE(has_note(result, "osu_bibw keeps many messages in flight"));
}

TEST(Osu, ATestThatNobodyCanCompareWithIsLeftOut) {
  const Result result = logs::read_measurement(
      "# OSU MPI Latency Test v7.4\n# Size   Avg Latency(us)\n8  1.5\n"
      "# OSU MPI_Put Latency Test v7.4\n# Size   Latency (us)\n8  2.0\n",
      "x.log", {});
  ASSERT_EQ(result.collectives.size(), 1U);
  EXPECT_TRUE(has_note(result, "'OSU MPI_Put Latency Test' is no test that Lockstep can compare with"));
}

TEST(Osu, RanksThatTheLogDoesNotState) {
  const std::string text = "# OSU MPI Allreduce Latency Test v5.8\n# Size       Avg Latency(us)\n1024   10.0\n";
  EXPECT_EQ(logs::read_measurement(text, "x.log", {}).collectives[0].ranks, 0);
  EXPECT_EQ(logs::read_measurement(text, "x.log", {.kind = {}, .ranks = 6}).collectives[0].ranks, 6);
  EXPECT_EQ(message_of("# OSU MPI Allgather Latency Test v5.8\n# Size       Avg Latency(us)\n1024   10.0\n"),
            "x.log:1: osu_allgather prints the bytes per pair of ranks, and the log does not state how many ranks "
            "there were; keep the command "
            "line ('mpirun -np N ... osu_allgather') in the log");
}

TEST(Osu, BrokenLogs) {
  const std::string top =
      "# OSU MPI Allreduce Latency Test v5.8\n# Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  "
      "Iterations\n";
  EXPECT_EQ(message_of(top + "1024   10.0   9.0\n"),
            "x.log:3: expected 5 columns (size, avg latency(us), min latency(us), max latency(us), iterations), found "
            "3; is the log cut off?");
  EXPECT_EQ(message_of(top + "1024   ten   9.0  11.0  100\n"),
            "x.log:3: column 'avg latency(us)': expected a number, found 'ten'");
  EXPECT_EQ(message_of(top), "x.log: the table of the OSU test has no rows; did the run end before its first size?");
  EXPECT_EQ(message_of("# OSU MPI_Put Latency Test v5.8\n# Size   Latency (us)\n1  2.0\n"),
            "x.log: 'OSU MPI_Put Latency Test' is no test that Lockstep can compare with; expected one of osu_latency, "
            "osu_bw, osu_bibw, osu_allreduce, "
            "osu_allgather, osu_reduce_scatter, osu_bcast, osu_reduce, osu_alltoall, osu_barrier");
}

TEST(NcclTestsJson, RowsOfAllThreeForms) {
  const Result result = load_measurement(path_of("all_reduce_h100x16.json"));
  EXPECT_EQ(result.kind, Result::Kind::measurement);
  EXPECT_EQ(result.backend, "nccl");
  EXPECT_EQ(result.ranks, 16) << "two processes of eight GPUs, of which the file lists the first each";
  ASSERT_EQ(result.collectives.size(), 3U);
  const auto& mean = result.collectives[0];
  EXPECT_EQ(mean.kind, CollectiveKind::all_reduce);
  EXPECT_EQ(mean.size_bytes, 1024);
  EXPECT_NEAR(mean.time_s, 41.3e-6, 1e-15);
  EXPECT_EQ(mean.min_s, std::nullopt);
  EXPECT_EQ(mean.iterations, 20);
  EXPECT_EQ(mean.wrong, 0);
  EXPECT_EQ(mean.type, "float32");
  EXPECT_EQ(mean.reduction, "sum");
  const auto& in_place = result.collectives[1];
  EXPECT_NEAR(in_place.time_s, 60.5e-6, 1e-15);
  EXPECT_EQ(in_place.wrong, std::nullopt) << "not checked";
  EXPECT_TRUE(has_note(result, "1 rows are in-place times"));
  const auto& each = result.collectives[2];
  EXPECT_NEAR(each.time_s, 203e-6, 1e-15) << "the median of what is not skipped";
  EXPECT_NEAR(*each.min_s, 200e-6, 1e-15);
  EXPECT_NEAR(*each.p95_s, 209.3e-6, 1e-15);
  EXPECT_EQ(each.samples_s.size(), 3U);
  EXPECT_EQ(each.wrong, 2);
}

std::string nccl_json(const std::string& program, const std::string& config, const std::string& results) {
  return R"({"version":3,"args":[")" + program + R"("],"config":)" + config + R"(,"results":)" + results + "}";
}

TEST(NcclTestsJson, RanksFromProcessesAndGroups) {
  const auto ranks = [](const std::string& config) {
    return logs::read_measurement(nccl_json("all_gather_perf", config, R"([{"size":8,"out_of_place":{"time":5.0}}])"),
                                  "x.json", {})
        .ranks;
  };
  EXPECT_EQ(ranks(R"({"nthreads":2,"ngpus":4,"devices":[{"rank":0}]})"), 8);
  EXPECT_EQ(ranks(R"({"nthreads":1,"ngpus":1,"devices":[{"rank":0},{"rank":1},{"rank":2}]})"), 3);
  EXPECT_EQ(ranks(R"({"nthreads":1,"ngpus":2,"devices":[{"rank":0},{"rank":1},{"rank":2},{"rank":3}]})"), 4)
      << "every rank is listed";
  EXPECT_EQ(
      ranks(R"({"nthreads":1,"ngpus":1,"devices":[{"rank":0,"group":0},{"rank":1,"group":1},{"rank":2,"group":0},)"
            R"({"rank":3,"group":1}]})"),
      2);
}

TEST(NcclTestsJson, BrokenFiles) {
  const std::string config = R"({"nthreads":1,"ngpus":2,"devices":[{"rank":0}]})";
  const std::string row = R"([{"size":8,"out_of_place":{"time":5.0}}])";
  EXPECT_EQ(message_of(nccl_json("all_reduce_perf", config, "[]"), "x.json"),
            "x.json: 'results' of nccl-tests has no rows; did the run end before its first size?");
  EXPECT_EQ(message_of(nccl_json("hypercube_perf", config, row), "x.json"),
            "x.json: 'hypercube_perf' measures a collective that Lockstep does not have; expected one of " +
                logs::nccl_programs());
  EXPECT_EQ(message_of(nccl_json("mine", config, row), "x.json"),
            "x.json: args[0] names no program of nccl-tests; expected one of " + logs::nccl_programs() +
                ", or the collective in the file's name");
  EXPECT_EQ(
      message_of(nccl_json("all_reduce_perf", config, R"([{"size":8,"out_of_place":{"cpu_time":5.0}}])"), "x.json"),
      "x.json: results[0].out_of_place: these are CPU times (option -C); run nccl-tests without it");
  EXPECT_EQ(
      message_of(nccl_json("all_reduce_perf", config, R"([{"size":8,"out_of_place":null,"in_place":null}])"), "x.json"),
      "x.json: results[0]: neither 'out_of_place' nor 'in_place' has times");
  EXPECT_EQ(message_of(nccl_json("all_reduce_perf", config, R"([{"size":8,"out_of_place":{"time":"nan"}}])"), "x.json"),
            "x.json: results[0].out_of_place.time: expected a number of microseconds, found \"nan\"");
  EXPECT_EQ(message_of(nccl_json("all_reduce_perf", config, R"([{"size":8,"out_of_place":{"time":0.0}}])"), "x.json"),
            "x.json: results[0].out_of_place.time: expected a time over 0");
  EXPECT_EQ(message_of(nccl_json("all_reduce_perf", R"({"nthreads":1,"ngpus":2,"devices":[]})", row), "x.json"),
            "x.json: config: 'devices' is empty: it says how many ranks there were");
  EXPECT_EQ(
      message_of(
          nccl_json(
              "all_reduce_perf",
              R"({"nthreads":1,"ngpus":1,"devices":[{"rank":0,"group":0},{"rank":1,"group":0},{"rank":2,"group":1}]})",
              row),
          "x.json"),
      "x.json: config.devices: groups of 2 and 1 ranks in one run; expected groups of one size");
  EXPECT_EQ(message_of(nccl_json("all_reduce_perf", config,
                                 R"([{"size":8,"out_of_place":{"time":5.0},)"
                                 R"("out_of_place_per_iter":{"skipped_iterations":2,"times_us":[5.0,5.0]}}])"),
                       "x.json"),
            "x.json: results[0].out_of_place_per_iter: 2 times, of which 2 are skipped: none is left");
}

TEST(Perftest, BandwidthOfAllSizes) {
  const Result result = load_measurement(path_of("ib_write_bw.log"));
  EXPECT_EQ(result.kind, Result::Kind::measurement);
  EXPECT_EQ(result.backend, "rdma");
  EXPECT_EQ(result.ranks, 2);
  ASSERT_EQ(result.collectives.size(), 4U);
  const auto& small = result.collectives[0];
  EXPECT_EQ(small.kind, CollectiveKind::send_recv);
  EXPECT_EQ(small.protocol, "write");
  EXPECT_EQ(small.algorithm, "");
  EXPECT_EQ(small.size_bytes, 2);
  EXPECT_EQ(small.iterations, 5000);
  EXPECT_NEAR(small.time_s, 1 / 4.084204e6, 1e-15) << "the rate of messages has more digits than 7.79 MB/sec";
  const auto& large = result.collectives[3];
  EXPECT_NEAR(large.time_s, 8388608 / (11047.44 * 1048576), 1e-3 * large.time_s) << "perftest's MB are 2^20 bytes";
  EXPECT_EQ(result.run["mtu"], "4096[B]");
  EXPECT_EQ(result.run["link"], "IB");
  EXPECT_EQ(result.run["queue_pairs"], "1");
  EXPECT_TRUE(has_note(result, "ib_write_bw keeps many messages in flight"));
}

TEST(Perftest, BidirectionalGigabitsWithProcessorLoad) {
  const Result result = load_measurement(path_of("ib_write_bw_gbits.log"));
  ASSERT_EQ(result.collectives.size(), 1U);
  EXPECT_NEAR(result.collectives[0].time_s, 2 * 65536 * 8 / 185.21e9, 1e-4 * 5e-6) << "two directions";
  EXPECT_TRUE(has_note(result, "both directions together"));
}

TEST(Perftest, LatenciesOfIterationsAndOfADuration) {
  const Result result = load_measurement(path_of("ib_lat.log"));
  ASSERT_EQ(result.collectives.size(), 3U);
  EXPECT_EQ(result.collectives[1].protocol, "send");
  EXPECT_EQ(result.collectives[1].size_bytes, 4096);
  EXPECT_NEAR(result.collectives[1].time_s, 2.36e-6, 1e-15) << "t_typical";
  EXPECT_NEAR(*result.collectives[1].min_s, 2.31e-6, 1e-15);
  EXPECT_EQ(result.collectives[1].p95_s, std::nullopt);
  EXPECT_EQ(result.collectives[2].protocol, "read");
  EXPECT_NEAR(result.collectives[2].time_s, 2.04e-6, 1e-15);
  EXPECT_EQ(result.collectives[2].min_s, std::nullopt);
  EXPECT_TRUE(has_note(result, "a read is a request and its answer"));
}

TEST(Perftest, BrokenLogs) {
  const std::string title = "   RDMA_Write BW Test\n";
  const std::string header = " #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]\n";
  EXPECT_EQ(message_of(header + " 2 5000 0.1 0.1 2.8\n"),
            "x.log:1: a table of perftest without its title ('RDMA_Write BW Test'), which says what was measured; "
            "expected the whole output of one of ib_write_bw, ib_write_lat, ib_read_bw, ib_read_lat, ib_send_bw, "
            "ib_send_lat");
  EXPECT_EQ(message_of(title + header),
            "x.log: the table of perftest has no rows; did the run end before its first size?");
  EXPECT_EQ(message_of(title + header + " 65536  5000  98.1\n"),
            "x.log:3: expected 5 columns (#bytes, #iterations, BW peak[Gb/sec], BW average[Gb/sec], MsgRate[Mpps]), "
            "found 3; is the log cut off?");
  EXPECT_EQ(message_of(title + header + " 65536  5000  98.1  fast  0.187\n"),
            "x.log:3: column 'BW average[Gb/sec]': expected a number, found 'fast'");
  EXPECT_EQ(message_of(title + header + " 65536  5000  0.00  0.00  0.000000\n"),
            "x.log:3: column 'BW average[Gb/sec]': expected a number over 0, found '0.00'");
  EXPECT_EQ(message_of(title + header + " 65536  5000  98.1  98.0  0.287\n"),
            "x.log:3: columns 'BW average[Gb/sec]' and 'MsgRate[Mpps]' contradict each other: 98.0 and 0.287 for "
            "messages of 65536 bytes");
  EXPECT_EQ(message_of(title + header + " 99999999999999999999  5000  98.1  98.0  0.187\n"),
            "x.log:3: column '#bytes': expected a number of bytes, found '99999999999999999999'");
  EXPECT_EQ(message_of(title + header + " 65536  -1  98.1  98.0  0.187\n"),
            "x.log:3: column '#iterations': expected a whole number, found '-1'");
  EXPECT_EQ(message_of(title + " #bytes #iterations  BW[parsecs]\n"),
            "x.log:2: a table of perftest without a column 'BW average[MiB/sec]', 'BW average[MB/sec]' or 'BW "
            "average[Gb/sec]'");
  EXPECT_EQ(message_of("  Send Latency Test\n #bytes #iterations    t_min[cycles]    t_typical[cycles]\n"),
            "x.log:2: these times are processor cycles; run perftest without -C");
  EXPECT_EQ(message_of("  Send Latency Test\n #bytes #iterations    t_min[usec]    t_max[usec]\n"),
            "x.log:2: a table of perftest without a column 't_typical[usec]' or 't_avg[usec]'");
  EXPECT_EQ(message_of("  Atomic FETCH_AND_ADD BW Test\n" + header + " 8 5000 0.1 0.1 2.8\n"),
            "x.log: 'Atomic FETCH_AND_ADD BW Test' is no test that Lockstep can compare with; expected one of "
            "ib_write_bw, ib_write_lat, ib_read_bw, ib_read_lat, ib_send_bw, ib_send_lat");
}

TEST(Measurement, FormatsAreRecognisedByContent) {
  EXPECT_EQ(
      message_of("hello\n"),
      "x.log: not a measurement; expected a result of Lockstep (JSON), or a log of OSU micro-benchmarks, nccl-tests, "
      "nccl-tests -J, perftest");
  EXPECT_EQ(message_of(" \n"), "x.log: is empty");
  EXPECT_EQ(message_of("{"),
            "x.log:1:2: not valid JSON: syntax error while parsing object key - unexpected end of input; expected "
            "string literal");
  Result result;
  result.notes = {"kept"};
  EXPECT_EQ(logs::read_measurement(to_json(result).dump(), "x.json", {}).notes, result.notes);
}

TEST(Measurement, ALogIsComparedWithAPrediction) {
  Result predicted;
  for (const std::int64_t size : {1024, 1048576}) {
    CollectiveRow row;
    row.algorithm = "ring";
    row.ranks = 4;
    row.size_bytes = size;
    row.time_s = 1000e-6;
    predicted.collectives.push_back(row);
  }
  const Comparison c = compare(predicted, load_measurement(path_of("osu_allreduce.log"), hints_from(predicted)));
  ASSERT_EQ(c.rows.size(), 2U);
  EXPECT_EQ(c.rows[1].algorithm, "ring");
  EXPECT_NEAR(c.rows[1].signed_error, 1000 / 1530.66 - 1, 1e-9);
  EXPECT_EQ(c.unmatched.size(), 4U);
}

}  // namespace
}  // namespace lockstep
