// lockstep dataset: the files that a data loader reads for real.
#include "real/loader/dataset.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/settings.hpp"
#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/units/quantity.hpp"
#include "real/loader/residency.hpp"

namespace lockstep::cli {
namespace {

struct Options {
  std::string workload, folder;
  Settings settings;
};

LoaderSpec loader_of(const Options& options) {
  const Workload workload = load_workload_with(options.workload, options.settings);
  if (!workload.loader) throw InputError(fmt::format("{}: has no section 'loader'", options.workload));
  return *workload.loader;
}

int make(const Options& options) {
  const LoaderSpec loader = loader_of(options);
  const double begin = monotonic_s();
  if (std::filesystem::exists(options.folder + "/manifest.json")) {
    const auto there = real::load_dataset(loader.dataset, options.folder);  // refuses another one
    fmt::print("{}: is there already, {} samples, manifest {}\n", options.folder, there.samples.size(),
               there.sha256.substr(0, 16));
    return 0;
  }
  real::make_dataset(loader.dataset, options.folder);
  const auto dataset = real::load_dataset(loader.dataset, options.folder);
  fmt::print("{}: {} samples in {} files, {}, manifest {}, made in {:.1f} s\n", options.folder, dataset.samples.size(),
             dataset.files.size(), format_bytes(Bytes{dataset.bytes()}), dataset.sha256.substr(0, 16),
             monotonic_s() - begin);
  return 0;
}

int show(const Options& options) {
  const LoaderSpec loader = loader_of(options);
  const auto dataset = real::load_dataset(loader.dataset, options.folder);
  fmt::print("{}: {} samples in {} files, {} ({} at most), {:.0f}% in the page cache\n", options.folder,
             dataset.samples.size(), dataset.files.size(), format_bytes(Bytes{dataset.bytes()}),
             format_bytes(Bytes{dataset.largest()}), 100 * real::resident_share(dataset));
  return 0;
}

}  // namespace

std::function<int()> declare_dataset(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  const auto action = std::make_shared<std::function<int()>>();
  app.require_subcommand(1);
  const auto subcommand = [&](const char* name, const char* description, int (*run)(const Options&)) {
    CLI::App* command = app.add_subcommand(name, description);
    command->add_option("folder", options->folder, "Where the dataset is")->required()->type_name("FOLDER");
    command->add_option("-w,--workload", options->workload, "Workload file with a loader")
        ->required()
        ->type_name("FILE");
    Settings::declare(*command, options->settings, {"workload"});
    command->callback([options, action, run] { *action = [options, run] { return run(*options); }; });
  };
  subcommand("make", "Generates it from the workload's section 'dataset'", make);
  subcommand("show", "What is there, and how much of it is in the page cache", show);
  return [action] { return (*action)(); };
}

}  // namespace lockstep::cli
