// Workload -> plan: every row is a loop of {fill, start together, collective, verify}.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"
#include "core/collective/schedule.hpp"
#include "core/plan/program.hpp"
#include "core/workload/workload.hpp"

namespace lockstep {
namespace {

struct Row {
  const CollectiveSpec* spec;
  std::string algorithm;
  Bytes size;
};

[[noreturn]] void refuse(const CollectiveSpec& spec, const std::string& message) {
  const std::string position = spec.position.file.empty() ? std::string{} : spec.position.text() + ": ";
  throw InputError(position + message);
}

std::vector<Row> rows_of(const Workload& workload, int ranks, AutoRows auto_rows) {
  std::vector<Row> rows;
  for (const auto& spec : workload.collectives) {
    const auto width = static_cast<std::int64_t>(element_bytes(spec.type));
    const bool rooted = spec.kind == CollectiveKind::broadcast || spec.kind == CollectiveKind::reduce;
    if (rooted && spec.root >= ranks)
      refuse(spec, fmt::format("root: {} is not one of the {} ranks (0..{})", spec.root, ranks, ranks - 1));
    auto algorithms = spec.algorithms;
    if (algorithms.empty()) algorithms.push_back(default_algorithm(spec.kind));
    const auto sizes = spec.kind == CollectiveKind::barrier ? std::vector<Bytes>{Bytes{0}} : spec.sizes;
    for (const auto& algorithm : algorithms) {
      if (algorithm == "auto") {
        if (auto_rows == AutoRows::refuse)
          refuse(spec,
                 "algorithm 'auto' is chosen from a topology and a profile, by 'simulate', 'bench', 'check' and "
                 "'explain'; under a profile with 'nccl:' it is NCCL's and can only be predicted");
      } else if (algorithm != "native") {
        try {
          find_algorithm(spec.kind, algorithm);
        } catch (const InputError& error) {
          refuse(spec, error.what());
        }
      }
      for (const Bytes size : sizes) {
        if (size.count() % width != 0)
          refuse(spec, fmt::format("sizes: {}B is no multiple of the {} bytes of a {}", size.count(), width,
                                   to_string(spec.type)));
        rows.push_back({&spec, algorithm, size});
      }
    }
  }
  return rows;
}

}  // namespace

PlannedWorkload plan_workload(const Workload& workload, int ranks, AutoRows auto_rows) {
  PlannedWorkload planned;
  Plan& plan = planned.plan;
  plan.name = workload.name;
  plan.ranks = ranks;
  GroupFamily world;
  world.name = "world";
  world.size = ranks;
  plan.groups.push_back(world);

  const auto rows = rows_of(workload, ranks, auto_rows);
  Bytes largest{0};
  bool separate = false;
  for (const auto& row : rows) {
    largest = std::max(largest, row.size);
    separate = separate || !row.spec->in_place || needs_separate_source(row.spec->kind);
  }
  Role role;
  role.name = "all";
  role.buffers.push_back({"target", largest});
  if (separate) role.buffers.push_back({"source", largest});
  Stream stream;
  stream.name = "main";
  std::vector<std::uint32_t> operations;
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    Collective collective;
    collective.kind = row.spec->kind;
    collective.algorithm = row.algorithm;
    collective.root = row.spec->root;
    collective.type = row.spec->type;
    collective.reduction = row.spec->reduction;
    collective.count = row.size.count() / static_cast<std::int64_t>(element_bytes(row.spec->type));
    collective.target = {0, {}, row.size};
    const bool in_place = row.spec->in_place && !needs_separate_source(row.spec->kind);
    collective.source = in_place ? collective.target : Span{1, {}, row.size};
    collective.channels = row.spec->channels;
    collective.chunk = row.spec->chunk;
    Repeat repeat;
    repeat.count = workload.warmup + workload.iterations;
    repeat.warmup = workload.warmup;
    repeat.independent = true;
    const std::string tag = std::to_string(i);
    repeat.body.push_back(Operation{"fill" + tag, Fill{collective}, {}});
    repeat.body.push_back(Operation{"start" + tag, Mark{"start", true, true}, {}});
    repeat.body.push_back(Operation{"collective" + tag, collective, {}});
    // The check is work for the processors: no rank may begin it while another is still on its way.
    repeat.body.push_back(Operation{"finish" + tag, Mark{"finish", true, false}, {}});
    repeat.body.push_back(Operation{"verify" + tag, Verify{collective}, {}});
    stream.items.emplace_back(std::move(repeat));
    PlannedCollective entry;
    entry.spec = *row.spec;
    entry.spec.algorithms = {row.algorithm};
    entry.spec.sizes = {row.size};
    entry.operation = id + 2;
    entry.start = id + 1;
    entry.verify = id + 4;
    id += 5;
    planned.rows.push_back(std::move(entry));
  }
  role.streams.push_back(std::move(stream));
  plan.roles.push_back(std::move(role));
  plan.role_ranges.push_back({0, ranks - 1, 0});
  return planned;
}

}  // namespace lockstep
