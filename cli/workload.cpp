// lockstep workload: what a workload file asks for.
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/settings.hpp"
#include "core/base/text.hpp"
#include "core/collective/schedule.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string file;
  Settings settings;
};

/// A data loader: what there is, and what its consumer asks for.
int show_loader(const Workload& workload) {
  const LoaderSpec& loader = *workload.loader;
  const std::int64_t bytes = loader.dataset.size.expected();
  fmt::print("workload '{}': a data loader, {} samples of {} ({} in all), batches of {}, {} step{} of one rank\n",
             workload.name, loader.dataset.samples, format_bytes(Bytes{bytes}),
             format_bytes(Bytes{bytes * loader.dataset.samples}), loader.batch.size, loader.steps(1),
             loader.steps(1) == 1 ? "" : "s");
  fmt::print("readers: {} {}, prefetch {}, {}; storage {}\n", loader.readers.workers,
             loader.readers.kind == ReadersSpec::Kind::threads ? "threads" : "processes", loader.readers.prefetch,
             to_string(loader.readers.access), loader.storage.kind);
  if (loader.consumer.think.count() > 0) {
    const double rate = static_cast<double>(loader.batch.size) / to_seconds(loader.consumer.think);
    fmt::print("a rank that never waits takes {:.1f} samples/s, {:.3f} GB/s\n", rate,
               rate * static_cast<double>(bytes) * 1e-9);
  }
  return 0;
}

int show(const Options& options) {
  const Workload workload = load_workload_with(options.file, options.settings);
  if (workload.loader) return show_loader(workload);
  fmt::print("workload '{}': {} iterations after {} of warm-up\n", workload.name, workload.iterations, workload.warmup);
  std::vector<std::vector<std::string>> rows{{"kind", "algorithm", "size", "type", "reduction", "channels"}};
  for (const auto& spec : workload.collectives) {
    auto algorithms = spec.algorithms;
    if (algorithms.empty()) algorithms.push_back(default_algorithm(spec.kind));
    for (const auto& algorithm : algorithms)
      for (const Bytes size : spec.sizes.empty() ? std::vector<Bytes>{Bytes{0}} : spec.sizes)
        rows.push_back(
            {std::string(to_string(spec.kind)), algorithm, format_bytes(size), std::string(to_string(spec.type)),
             reduces(spec.kind) ? std::string(to_string(spec.reduction)) : "-", std::to_string(spec.channels)});
  }
  if (rows.size() > 1) fmt::print("{}", format_table(rows));
  std::vector<std::vector<std::string>> kernels{{"kernel", "flops", "memory traffic", "working set"}};
  for (const auto& spec : workload.kernels)
    for (const Kernel& kernel : spec.kernels)
      kernels.push_back({to_text(kernel), std::to_string(kernel.flops().count()), format_bytes(kernel.traffic()),
                         format_bytes(kernel.working_set())});
  if (kernels.size() > 1) fmt::print("{}", format_table(kernels));
  return 0;
}

int list() {
  std::vector<std::vector<std::string>> rows{{"algorithm", "collectives", "what it does"}};
  for (const auto& algorithm : algorithm_catalogue()) {
    std::vector<std::string> kinds;
    for (const auto kind : algorithm.kinds) kinds.emplace_back(to_string(kind));
    rows.push_back({algorithm.name, join(kinds, ", "), algorithm.description});
  }
  fmt::print("{}", format_table(rows));
  std::vector<std::vector<std::string>> kernels{{"kernel", "shape", "what it computes"}};
  for (const KernelKind& kind : kernel_catalogue())
    kernels.push_back({kind.name, join(kind.dimensions, " x "), kind.description});
  fmt::print("{}", format_table(kernels));
  return 0;
}

}  // namespace

std::function<int()> declare_workload(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  const auto action = std::make_shared<std::function<int()>>();
  app.require_subcommand(1);
  CLI::App* shown = app.add_subcommand("show", "The rows that a workload file makes");
  shown->add_option("file", options->file, "Workload file")->required()->type_name("FILE");
  Settings::declare(*shown, options->settings, {"workload"});
  shown->callback([options, action] { *action = [options] { return show(*options); }; });
  app.add_subcommand("list", "The algorithms and kernels, and what they do")->callback([action] { *action = list; });
  return [action] { return (*action)(); };
}

}  // namespace lockstep::cli
