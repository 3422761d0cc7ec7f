// Question: is an algorithm from a file done as it says, and is what is wrong with one found, and where?
#include "core/collective/algorithm_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/collective/expression.hpp"
#include "core/collective/msccl.hpp"
#include "core/plan/interpret.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {
namespace {

const std::string folder = LOCKSTEP_SOURCE_DIR "/algorithms/";

template <class Run>
std::string message_of(Run run) {
  try {
    run();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

// An all-reduce of two ranks in two chunks; `steps` are those of the only thread.
std::string two_ranks(const std::string& steps, const std::string& more = "") {
  return "schema: lockstep.algorithm/1\nname: a\nkind: all_reduce\n" + more + "threads:\n  - steps:\n" + steps;
}
std::string error(const std::string& text, int ranks = 2) {
  return message_of([&] { read_algorithm(config::parse_text(text, "a.yaml"), "a.yaml", ranks); });
}
std::string value(const std::string& text) {
  try {
    return std::to_string(evaluate({text, {"a.yaml", 1, 1}}, {{"n", 8}, {"r", 3}, {"k", 0}}));
  } catch (const InputError& error) {
    return error.what();
  }
}

// Plans, validates and interprets the file in several types and sizes.
void expect_right(const std::string& file, int ranks, CollectiveKind kind = CollectiveKind::all_reduce) {
  const CustomAlgorithm algorithm = load_algorithm(folder + file, ranks);
  int number = 0;
  for (const std::int64_t elements : {0, 1, 7, 8 * 9 * 5 * 7, 12 * 35 * 16}) {
    if (algorithm.equal_chunks && elements % algorithm.chunks != 0) continue;
    for (const bool in_place : {true, false}) {
      Workload workload;
      workload.name = file;
      CollectiveSpec spec;
      spec.kind = kind;
      spec.algorithms = {"file:" + folder + file};
      spec.type = static_cast<ElementType>(number++ % 4);
      spec.reduction = static_cast<Reduction>(number % 4);
      spec.sizes = {Bytes{elements * static_cast<std::int64_t>(element_bytes(spec.type))}};
      spec.in_place = in_place;
      workload.collectives = {spec};
      const PlannedWorkload planned = plan_workload(workload, ranks);
      const auto findings = validate(planned.plan);
      ASSERT_TRUE(findings.empty()) << file << ": " << findings.front().message;
      Timeline timeline;
      InterpretOptions options;
      options.shuffle = static_cast<std::uint64_t>(number);
      EXPECT_EQ(Interpreter(options).interpret(planned.plan, timeline).wrong, 0)
          << file << ", " << ranks << " ranks, " << elements << " elements, " << to_string(spec.reduction)
          << (in_place ? " in place" : "");
    }
  }
}

TEST(AlgorithmFiles, TheExamplesAreRightForAnyNumberOfRanks) {
  for (const int ranks : {1, 2, 3, 4, 5, 7, 8, 16})
    for (const std::string file : {"ring.yaml", "two_way_ring.yaml", "star.yaml"}) expect_right(file, ranks);
  expect_right("allpairs4.xml", 4);
}

TEST(AlgorithmFiles, CostAndRoundsAreCounted) {
  const CustomAlgorithm ring = load_algorithm(folder + "ring.yaml", 4);
  EXPECT_EQ(ring.rounds, 6);
  EXPECT_TRUE(ring.averages);
  EXPECT_FALSE(ring.equal_chunks);
  ScheduleRequest request;
  request.size = 4;
  request.count = 17;
  request.custom = &ring;
  const Cost mine = custom_algorithm().cost(request);
  const Cost theirs = find_algorithm(CollectiveKind::all_reduce, "ring").cost(request);
  EXPECT_EQ(mine.steps, theirs.steps);
  EXPECT_EQ(mine.messages, theirs.messages);
  EXPECT_EQ(mine.bytes, theirs.bytes);
  EXPECT_EQ(load_algorithm(folder + "star.yaml", 5).rounds, 5);
  EXPECT_TRUE(load_algorithm(folder + "allpairs4.xml", 0).equal_chunks);
}

TEST(AlgorithmFiles, KindsWithBlocksAndSources) {
  // Everybody sends its block for rank r + k + 1 straight from the source.
  const std::string exchange =
      "schema: lockstep.algorithm/1\nname: a\nkind: all_to_all\nthreads:\n  - steps:\n"
      "      - copy: {chunk: r}\n"
      "      - repeat: {index: k, times: n - 1}\n"
      "        steps:\n"
      "          - send: {to: r + k + 1, chunk: r + k + 1, from: source}\n"
      "            receive: {from: r - k - 1, chunk: r - k - 1}\n";
  EXPECT_EQ(error(exchange, 5), "accepted");
  const std::string scatter =
      "schema: lockstep.algorithm/1\nname: a\nkind: scatter\nchunks: 2 * n\nthreads:\n  - steps:\n"
      "      - repeat: {index: k, times: n - 1}\n"
      "        when: r == 0\n"
      "        steps: [{send: {to: k + 1, chunk: 2 * (k + 1), chunks: 2}}]\n"
      "      - receive: {from: 0, chunk: 2 * r, chunks: 2}\n"
      "        when: r > 0\n";
  EXPECT_EQ(error(scatter, 5), "accepted");
  EXPECT_EQ(error(scatter + "      - copy: {chunk: 0, from: scratch}\n", 5),
            "a.yaml:12:23: there is no scratch; 'scratch: N' at the top of the file asks for it");
}

TEST(AlgorithmFiles, WrongResultsAreFoundAtTheirStep) {
  // The second exchange sends what is already complete and combines it again.
  EXPECT_EQ(error(two_ranks("      - send: {to: r + 1, chunk: 0, chunks: 2}\n"
                            "        receive: {from: r + 1, chunk: 0, chunks: 2, combine: true}\n"
                            "      - send: {to: r + 1, chunk: 0, chunks: 2}\n"
                            "        receive: {from: r + 1, chunk: 0, chunks: 2, combine: true}\n")),
            "a.yaml:8:9: wrong result: chunk 0 of rank 0 ends with chunk 0 of rank 0 2 times, with chunk 0 of rank 1 2 "
            "times; this step is the last to write it");
  EXPECT_EQ(error(two_ranks("      - send: {to: r + 1, chunk: 0}\n"
                            "        receive: {from: r + 1, chunk: 0, combine: true}\n")),
            "a.yaml: wrong result: chunk 1 of rank 0 ends without chunk 1 of rank 1; no step writes it");
}

TEST(AlgorithmFiles, MessagesWithoutAnOtherEndAndDeadlocksAreFound) {
  EXPECT_EQ(error(two_ranks("      - send: {to: 1, chunk: 0}\n        when: r == 0\n")),
            "a.yaml:6:9: rank 0 sends to rank 1 on lane 0, which receives 0 of 1 messages");
  EXPECT_EQ(error(two_ranks("      - receive: {from: r + 1, chunk: 0}\n")),
            "a.yaml:6:9: rank 1 waits for a message from rank 0 on lane 0, which sends 0 where 1 are received");
  EXPECT_EQ(error(two_ranks("      - receive: {from: r + 1, chunk: 0, chunks: 2, combine: true}\n"
                            "      - send: {to: r + 1, chunk: 0, chunks: 2}\n")),
            "a.yaml:6:9: deadlock: rank 0, thread 0 waits for ever for a message from rank 1");
  EXPECT_EQ(
      error(two_ranks("      - send: {to: r + 1, chunk: 0, chunks: 2}\n"
                      "      - receive: {from: r + 1, chunk: 0, chunks: 2, combine: true}\n")),
      "a.yaml:6:9: deadlock when every send waits for its receiver: rank 0, thread 0 waits for ever for rank 1 to "
      "receive");
  EXPECT_EQ(error(two_ranks("      - send: {to: r + 1, chunk: 0, chunks: 2}\n"
                            "        receive: {from: r + 1, chunk: 0}\n")),
            "a.yaml:6:9: rank 1 receives 1 chunk where rank 0 sends 2");
  EXPECT_EQ(error(two_ranks("      - send: {to: r + 1, chunk: 0}\n"
                            "        receive: {from: r + 1, chunk: 0, combine: true}\n"
                            "  - steps:\n"
                            "      - send: {to: r + 1, chunk: 1, lane: 0}\n"
                            "        receive: {from: r + 1, chunk: 1, combine: true, lane: 0}\n")),
            "a.yaml:9:9: rank 0 sends to rank 1 on lane 0 from two threads; messages of two threads need two lanes");
}

TEST(AlgorithmFiles, BadInputIsNamedWithItsPlace) {
  EXPECT_EQ(error(two_ranks("      - send: {to: r + q, chunk: 0}\n")),
            "a.yaml:6:20: 'r + q': unknown name 'q'; did you mean 'n'? known: n, log2n, chunks, r");
  EXPECT_EQ(error(two_ranks("      - send: {to: r, chunk: 0}\n")), "a.yaml:6:20: rank 0 is its own peer");
  EXPECT_EQ(error(two_ranks("      - send: {to: r + 1, chunk: 1, chunks: 2}\n")),
            "a.yaml:6:34: chunks 1 to 2 of 2 (rank 0)");
  EXPECT_EQ(error(two_ranks("      - send: {to: r + 1, chunk: 0}\n        after: {thread: 0}\n")),
            "a.yaml:7:25: a thread does not wait for itself");
  EXPECT_EQ(error(two_ranks("      - repeat: {index: k, times: 3}\n")), "a.yaml:6:9: 'repeat' and 'steps' go together");
  EXPECT_EQ(error(two_ranks("      - send: {to: 1, chunk: 0}\n", "ranks: 3\n")), "a.yaml: it is for 3 ranks, not 2");
  EXPECT_EQ(error(two_ranks("      - send: {to: 1, chunk: 0}\n"), 0),
            "a.yaml: it is for any number of ranks; say how many, with --ranks N");
  EXPECT_EQ(
      error("schema: lockstep.algorithm/2\nname: a\nkind: barrier\nthreads: []\n"),
      "a.yaml:1:9: unknown schema 'lockstep.algorithm/2'; did you mean 'lockstep.algorithm/1'? known: "
      "lockstep.algorithm/1\n"
      "a.yaml:3:7: unknown collective 'barrier'; known: all_reduce, all_gather, reduce_scatter, broadcast, reduce, "
      "all_to_all, send_recv, gather, scatter\n"
      "a.yaml:4:10: needs at least 1 element");
  EXPECT_EQ(
      error("schema: lockstep.algorithm/1\nname: a\nkind: all_gather\nchunks: 3\nthreads: [{steps: [{copy: {chunk: "
            "0}}]}]\n"),
      "a.yaml:4:9: 3 chunks cannot be dealt to 2 ranks, each of which has a block of its own in all_gather");
}

TEST(Expressions, HaveTheOperatorsOfC) {
  EXPECT_EQ(value("1 + 2 * 3"), "7");
  EXPECT_EQ(value("(r - 4) % n"), "7");
  EXPECT_EQ(value("-7 / 2"), "-4");
  EXPECT_EQ(value("r ^ 1 << k"), "2");
  EXPECT_EQ(value("r & 1 && n >= 8 || 0"), "1");
  EXPECT_EQ(value("!(r<n)+ -2"), "-2");
  EXPECT_EQ(value("n >> 2 == 2"), "1");
  EXPECT_EQ(value("1 << 39 | 3"), "549755813891");
  EXPECT_EQ(value("1 / k"), "a.yaml:1:1: '1 / k': division by zero");
  EXPECT_EQ(value("(r"), "a.yaml:1:1: '(r': a ')' is missing");
  EXPECT_EQ(value("r 1"), "a.yaml:1:1: 'r 1': unexpected '1'");
  EXPECT_EQ(value("2.5"), "a.yaml:1:1: '2.5': '2.5' is no whole number");
  EXPECT_EQ(value("r +"), "a.yaml:1:1: 'r +': ends where a value is expected");
  EXPECT_EQ(value("1 << 41"), "a.yaml:1:1: '1 << 41': a shift by 41");
  EXPECT_EQ(value("2000000 * 2000000"), "a.yaml:1:1: '2000000 * 2000000': a value beyond 2^40");
  EXPECT_EQ(value(std::string(100, '-') + "1").substr(0, 10), "a.yaml:1:1");
}

std::string msccl(const std::string& body, const std::string& attributes = "inplace=\"1\"") {
  return message_of([&] {
    read_msccl("<algo name=\"a\" nchunksperloop=\"2\" ngpus=\"2\" coll=\"allreduce\" " + attributes + ">\n" + body +
                   "</algo>\n",
               "a.xml", 0);
  });
}
std::string gpu(int id, const std::string& steps) {
  return fmt::format(
      "<gpu id=\"{}\" i_chunks=\"2\" o_chunks=\"2\" s_chunks=\"0\">\n<tb id=\"0\" send=\"{}\" recv=\"{}\" "
      "chan=\"0\">\n{}"
      "</tb>\n</gpu>\n",
      id, 1 - id, 1 - id, steps);
}

TEST(Msccl, StepsBecomeOurs) {
  // Every GPU sums one chunk and hands it out; a send and the receive behind it go together.
  const auto step = [](int s, const std::string& type, int at, int count = 1) {
    return fmt::format(
        "<step s=\"{}\" type=\"{}\" srcbuf=\"i\" srcoff=\"{}\" dstbuf=\"i\" dstoff=\"{}\" cnt=\"{}\" depid=\"-1\" "
        "deps=\"-1\" hasdep=\"0\"/>\n",
        s, type, at, at, count);
  };
  EXPECT_EQ(msccl(gpu(0, step(0, "s", 1) + step(1, "rrcs", 0) + step(2, "r", 1)) +
                  gpu(1, step(0, "s", 0) + step(1, "rrcs", 1) + step(2, "r", 0))),
            "accepted");
  // rrs keeps nothing of what it passes on: GPU 1 gets the sum back.
  const std::string first = gpu(0, step(0, "s", 0, 2) + step(1, "r", 0, 2) + step(2, "s", 0, 2));
  EXPECT_EQ(msccl(first + gpu(1, step(0, "rrs", 0, 2) + step(1, "r", 0, 2))), "accepted");
  EXPECT_EQ(msccl(first + gpu(1, step(0, "rrs", 0, 2))),
            "a.xml:6:2: rank 0 sends to rank 1 on lane 0, which receives 1 of 2 messages");
  EXPECT_EQ(
      msccl(first + gpu(1, step(0, "rcs", 0, 2) + step(1, "r", 0, 2))),
      "a.xml:5:2: wrong result: chunk 0 of rank 0 ends without chunk 0 of rank 1; this step is the last to write it\n"
      "a.xml:12:2: wrong result: chunk 0 of rank 1 ends without chunk 0 of rank 1; this step is the last to write it");
}

TEST(Msccl, BadInputIsNamedWithItsPlace) {
  EXPECT_EQ(msccl("<gpu id=\"0\">"), "a.xml:2:15: Start-end tags mismatch");
  EXPECT_EQ(message_of([] { read_msccl("<topology/>", "a.xml", 0); }),
            "a.xml:1:2: expected <algo>, the root of an MSCCL algorithm, got <topology>");
  EXPECT_EQ(
      msccl("", "loops=\"1\""),
      "a.xml:1:2: unknown attribute of <algo> 'loops'; known: name, proto, nchannels, nchunksperloop, ngpus, coll, "
      "inplace, outofplace, redop, minBytes, maxBytes");
  EXPECT_EQ(msccl(""), "a.xml:1:2: no <gpu> with the id 0\na.xml:1:2: no <gpu> with the id 1");
  EXPECT_EQ(
      msccl(gpu(0, "<step s=\"0\" type=\"rcx\"/>\n") + gpu(1, "<step s=\"1\" type=\"nop\" cnt=\"x\"/>\n")),
      "a.xml:4:2: unknown type of step 'rcx'; did you mean 'rcs'? known: cpy, nop, r, rcs, re, rrc, rrcs, rrs, s\n"
      "a.xml:9:2: expected s=\"0\": steps are numbered from 0");
  EXPECT_EQ(msccl(gpu(0, "<step s=\"0\" type=\"s\" srcbuf=\"i\" srcoff=\"1\" cnt=\"2\"/>\n") + gpu(1, "")),
            "a.xml:4:2: srcoff=\"1\" with cnt=\"2\": beyond the 2 chunks of the buffer");
  EXPECT_EQ(msccl(gpu(0, "<step s=\"0\" type=\"nop\" depid=\"3\" deps=\"0\"/>\n") + gpu(1, "")),
            "a.xml:4:2: depends on step 0 of thread block 3, which is not there");
  EXPECT_EQ(message_of([] { load_algorithm(folder + "allpairs4.xml", 8); }),
            folder + "allpairs4.xml:2:2: it is for 4 ranks, not 8");
}

}  // namespace
}  // namespace lockstep
