// Do schemas and readers say the same? Every file of ours and thousands of mutants of them go through both.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "core/base/error.hpp"
#include "core/collective/algorithm_file.hpp"
#include "core/profile/profile.hpp"
#include "core/schema/catalogue.hpp"
#include "core/topology/topology.hpp"
#include "core/workload/workload.hpp"
#include "tests/core/schema_validator.hpp"

namespace lockstep {
namespace {

using config::Node;
using test::Json;

/// The document as an editor sees it: scalars by their looks. Nothing where that is in dispute (`010`).
std::optional<Json> as_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return Json(nullptr);
    case Node::Kind::scalar:
      switch (config::scalar_kind(node)) {
        case config::ScalarKind::boolean:
          return Json(node.scalar == "true");
        case config::ScalarKind::number:
          return Json::parse(node.scalar);
        case config::ScalarKind::text:
          return Json(node.scalar);
        case config::ScalarKind::malformed_number:
          return std::nullopt;
      }
      return std::nullopt;
    case Node::Kind::sequence: {
      Json list = Json::array();
      for (const auto& item : node.items) {
        const auto value = as_json(item);
        if (!value) return std::nullopt;
        list.push_back(*value);
      }
      return list;
    }
    case Node::Kind::map: {
      Json map = Json::object();
      for (const auto& entry : node.entries) {
        const auto value = as_json(entry.value);
        if (!value) return std::nullopt;
        map[entry.key] = *value;
      }
      return map;
    }
  }
  return std::nullopt;
}

/// Every node of a document, with the way to change it in a copy.
void for_each_node(Node& node, const std::function<void(Node&)>& visit) {
  visit(node);
  for (auto& item : node.items) for_each_node(item, visit);
  for (auto& entry : node.entries) for_each_node(entry.value, visit);
}

Node plain(const std::string& yaml) { return config::parse_text(yaml, "mutant.yaml"); }

/// The document itself and every mutant of it by one change: a value replaced, a key added, a key or an element
/// removed.
std::vector<Node> mutants(const Node& original) {
  std::vector<Node> result{original};
  std::size_t nodes = 0;
  Node counted = original;
  for_each_node(counted, [&](Node&) { ++nodes; });
  const auto change = [&](std::size_t which, const std::function<bool(Node&)>& edit) {
    Node copy = original;
    std::size_t at = 0;
    Node* target = nullptr;
    for_each_node(copy, [&](Node& node) {
      if (at++ == which) target = &node;
    });
    if (edit(*target)) result.push_back(std::move(copy));
  };
  static const std::vector<std::string> replacements = {
      "~",  "true", "0",    "-1",   "7",     "2.5",  "1e30", "'7'",    "word",   "''",     "[]",  "[1]",
      "{}", "1us",  "-1us", "1GiB", "1Gbps", "0bps", "50%",  "{a: 1}", "[word]", "[1GiB]", "ring"};
  for (std::size_t which = 0; which < nodes; ++which) {
    for (const auto& replacement : replacements) {
      change(which, [&](Node& node) {
        node = plain(replacement);
        return true;
      });
    }
    change(which, [](Node& node) {
      if (node.kind != Node::Kind::map) return false;
      node.entries.emplace_back();
      node.entries.back().key = "not_a_key";
      node.entries.back().value = plain("1");
      return true;
    });
    for (std::size_t child = 0; child < 20; ++child) {
      change(which, [&](Node& node) {
        if (child < node.entries.size()) {
          node.entries.erase(node.entries.begin() + static_cast<std::ptrdiff_t>(child));
          return true;
        }
        if (child < node.items.size()) {
          node.items.erase(node.items.begin() + static_cast<std::ptrdiff_t>(child));
          return true;
        }
        return false;
      });
    }
  }
  return result;
}

/// Complaints of readers that a schema cannot make: rules across keys, and what lies in a value.
bool beyond_schema(const std::string& message, const std::vector<std::string>& rules) {
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);)
    if (std::any_of(rules.begin(), rules.end(),
                    [&](const std::string& rule) { return line.find(rule) != std::string::npos; }))
      return true;
  return false;
}

struct Agreement {
  std::size_t documents = 0, accepted = 0, refused = 0, beyond = 0;
};

Agreement compare(const Json& schema, const std::vector<Node>& originals, const std::function<void(const Node&)>& read,
                  const std::vector<std::string>& rules) {
  Agreement agreement;
  for (const auto& original : originals) {
    for (const auto& mutant : mutants(original)) {
      const auto json = as_json(mutant);
      if (!json) continue;
      ++agreement.documents;
      std::string complaint;
      try {
        read(mutant);
      } catch (const InputError& error) {
        complaint = error.what();
      }
      const bool schema_accepts = test::accepts(schema, *json);
      if (complaint.empty()) {
        ++agreement.accepted;
        EXPECT_TRUE(schema_accepts) << "read, but refused by the schema: " << json->dump();
      } else if (schema_accepts) {
        ++agreement.beyond;
        EXPECT_TRUE(beyond_schema(complaint, rules))
            << "accepted by the schema, but refused by the reader: " << json->dump() << "\n"
            << complaint;
      } else {
        ++agreement.refused;
      }
    }
  }
  // Both answers have to occur, or the comparison proves nothing.
  EXPECT_GT(agreement.accepted, 10U);
  EXPECT_GT(agreement.refused, 100U);
  return agreement;
}

std::vector<Node> files_of(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(LOCKSTEP_SOURCE_DIR "/" + folder))
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  std::vector<Node> nodes;
  for (const auto& path : paths) nodes.push_back(config::load_file(path));
  return nodes;
}

TEST(Schema, AgreesWithTheReaderOfWorkloads) {
  auto originals = files_of("workloads");
  originals.push_back(plain(
      "{name: w, ranks: 3, iterations: 1, warmup: 0, collectives: [{kind: reduce, algorithm: tree, size: 1KiB, type: "
      "int32, reduction: min, root: 1, "
      "channels: 2, chunk: 4KiB, in_place: false, ranks_per_node: 4, dimensions: [2, 2]}, {kind: all_reduce, sizes: "
      "{from: 1B, to: 64B}}, {kind: barrier}, {kind: all_to_all_v, counts: [[0, 1], [2, 3]]}]}"));
  originals.push_back(plain(
      "{name: w, kernels: [{kernel: matmul, m: 8, n: [1, 2Ki], k: {from: 1, to: 1k, factor: 10}, type: float64}, "
      "{kernel: softmax, rows: 3, columns: 4}, {kernel: adam, elements: 1Mi}, {kernel: matmul, size: [8, 16]}]}"));
  originals.push_back(plain(
      "{name: w, loader: {dataset: {samples: 10, format: records, size: {quantiles: [1B, 2B]}, alignment: 4KiB, "
      "damage: {corrupt: 1}}, sampler: {order: weighted, weights: [{share: 50%, weight: 2}, {share: 0.5, weight: "
      "1}]}, storage: {kind: nvme, latency: {mean: 1ms, shape: exponential}, depth: 3}, cache: {memory: 1GiB, "
      "start: warm}, readers: {kind: processes, workers: 2, access: io_uring, depth: 4, direct: true, copy_on_write: "
      "1KiB}, "
      "decode: {kind: busy, time: {mean: 1ms, deviation: 1us}, augment: 1us}, batch: {size: 2, staging: pinned, "
      "collate: 1GB/s}, device: {bandwidth: 1GB/s, latency: 1us}, consumer: {think: 1ms, all_reduce: 1MiB, steps: "
      "3, checkpoint: {every: 2, bytes: 1MiB}}, policy: {corrupt: skip, worker_death: retry, retries: 2}}}"));
  compare(workload_schema(), originals, [](const Node& node) { read_workload(node, "w.yaml"); },
          {"needs 'sizes'",
           "a barrier moves no data",
           "does not combine data",
           "has no root",
           "not both",
           "must be positive",
           "is empty; 'to'",
           "deals equal blocks",
           "all_to_all_v needs",
           "it is square",
           "'counts' says the sizes",
           "three dimensions at most",
           "a workload needs 'collectives', 'kernels' or 'loader'",
           "has the shape",
           "'size' says all lengths",
           "is not for a workload with a loader",
           "say it all; remove",
           "a distribution needs 'mean'",
           "'quantiles' must ascend",
           "deviation of its mean",
           "a dataset needs 'size'",
           "images need 'width'",
           "are of 'content: jpeg'",
           "token files hold no images",
           "is of 'format: records'",
           "a power of two",
           "more samples are bad",
           "the rest is of 'format: files'",
           "is of 'order: shuffle_buffer'",
           "goes with 'weights'",
           "add up to",
           "no part of 'weights'",
           "'depth' is of 'access: io_uring'",
           "'direct' is of 'access",
           "'interpreter' is of threads",
           "is of 'kind: processes'",
           "'busy' needs 'time'",
           "nothing is decoded",
           "needs 'content: jpeg'"});
}

TEST(Schema, AgreesWithTheReaderOfProfiles) {
  const std::vector<Node> originals = {
      plain("name: p"),
      plain("{name: p, reduction: {overhead: 1us, intervals: [{up_to: 1KiB, bandwidth: 2GB/s}, {overhead: 1us}]}, "
            "compute: {matmul: {float32: {memory: 1GB/s, rate: 1Gflop/s, overhead: 1us, intervals: [{up_to: 2Mflop, "
            "overhead: 1us, rate: 3Gflop/s}, {rate: 1.5Tflop/s}]}}, adam: {float64: {bandwidth: 1GB/s, intervals: "
            "[{up_to: 1MiB, overhead: 2us}, {bandwidth: 1GB/s}]}, float32: {}}}}"),
      plain("{name: p, tcp: {overhead: 1us, receive_overhead: 1us, latency: 1us, send_bandwidth: 1GB/s, "
            "receive_bandwidth: 1GB/s}}"),
      plain(
          "{schema: lockstep.profile/1, name: p, backend: lab, cores: 2, copy_bandwidth: 1GB/s, reduction: {bandwidth: "
          "1GB/s, granularity: 1KiB}, tcp: "
          "{messages: [{up_to: 1KiB, overhead: 1us}, {latency: 2us, send_bandwidth: 3GB/s}], framing: {packet_header: "
          "52B, frame_header: 14B}, "
          "message_header: 16B, eager_threshold: 1MiB}, loader: {read: {open: 1us, latency: 1ms, stream_bandwidth: "
          "1GB/s}, decode: 1ms, threads: {start: 1ms}, processes: {hand_over: 1us, wake: 1us}, slowdown: 1.5}, "
          "measured: {host: h, runs: [1, 2.5, true, ~], deep: {x: 1}}}")};
  compare(profile_schema(), originals, [](const Node& node) { read_profile(node, "p.yaml"); },
          {"the last interval has no 'up_to'", "only the last interval", "'up_to' must ascend", "must be positive"});
}

TEST(Schema, AgreesWithTheReaderOfTopologies) {
  compare(topology_schema(), files_of("topologies"), [](const Node& node) { read_topology(node, "t.yaml"); },
          {"a link to nowhere",
           "placement on an unknown node",
           "must be positive",
           "are not connected",
           "an empty topology",
           "is no switch",
           "a leaf_spine has either",
           "do not divide",
           "a node with NICs needs 'pcie'",
           "a ring has either",
           "are too many",
           "add up to",
           "deals ports out evenly",
           "is of the uplinks",
           "for a generator, and the file has no",
           "say how many 'sockets'",
           "needs a 'kind'",
           "no cable joins",
           "a failure has either",
           "to fail",
           "changes nothing",
           "is a machine with ranks",
           "not both",
           "a node without a rank",
           "no part '",
           "are named",
           "two nodes",
           "belongs to GPUs",
           "several sockets need",
           "GPUs without nvlink need",
           "do not divide evenly",
           "and the node has none",
           "not joined",
           "goes with"});
}

TEST(Schema, AgreesWithTheReaderOfAlgorithms) {
  auto originals = files_of("algorithms");
  originals.push_back(plain(
      "{schema: lockstep.algorithm/1, name: a, description: d, kind: reduce, ranks: 2, chunks: 1, scratch: 1, "
      "from_source: true, threads: [{when: r < 3, channel: 1, steps: [{copy: {chunk: 0, chunks: 1, from: source, to: "
      "target, to_chunk: 0, combine: false}}, {send: {to: 0, chunk: 0, chunks: 1, from: target, lane: 3}, when: r == "
      "1, "
      "after: {thread: 1, steps: 0}}, {receive: [{from: 1, chunk: 0, into: target, lane: 3, combine: true}], when: r "
      "== "
      "0}]}, {steps: [{repeat: {index: k, times: 1}, steps: [{when: 0}]}]}]}"));
  compare(algorithm_schema(), originals, [](const Node& node) { read_algorithm(node, "a.yaml", 2); },
          // What expressions say, and what the steps do.
          {": '", "must be between", "go together", "not both", "two messages", "cannot be dealt",
           "there is no scratch", "its own peer", "chunks 0 to", "chunks 1 to", "does not wait for itself", "it is for",
           "more than", "sends to", "waits for", "receives", "wrong result", "deadlock", "too many to be checked"});
}

TEST(Schema, CopiesAreCurrent) {
  for (const auto& schema : schema_catalogue()) {
    const std::string path = LOCKSTEP_SOURCE_DIR "/schemas/" + schema.name + ".schema.json";
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_EQ(text, schema_text(schema)) << "refresh it: lockstep schema " << schema.name << " > schemas/"
                                         << schema.name << ".schema.json";
  }
}

TEST(Schema, ValidatorRefusesUnknownKeywords) {
  EXPECT_THROW(test::accepts(Json{{"contains", 2}}, Json(4)), std::logic_error);
  EXPECT_FALSE(test::accepts(Json{{"oneOf", Json::array({Json::object(), Json::object()})}}, Json(1)));
}

}  // namespace
}  // namespace lockstep
