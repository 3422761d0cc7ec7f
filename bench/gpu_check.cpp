// What one GPU and its software do: checks, and measurements as JSON. scripts/gpu_check.sh runs it; docs/gpu.md tells
// of it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "real/gpu/cuda/measure.hpp"

namespace {

using namespace lockstep;
using namespace lockstep::real::gpu;

std::vector<Section> chosen_sections(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const auto& section : section_catalogue()) known.push_back(section.name);
  for (const auto& name : names)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw InputError(unknown_name("section", name, known));
  std::vector<Section> chosen;
  for (const auto& section : section_catalogue())
    if (names.empty() || std::find(names.begin(), names.end(), section.name) != names.end()) chosen.push_back(section);
  return chosen;
}

/// Writes to a file beside it first: what was there stays whole until all of the new is.
void write_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  std::ofstream out(fresh);
  out << text;
  out.close();
  if (!out) throw InputError(fmt::format("{}: cannot be written", fresh));
  std::filesystem::rename(fresh, path);
}

int measure(const MeasureSettings& settings, const std::vector<std::string>& names, const std::string& json) {
  const auto sections = chosen_sections(names);
  std::string why;
  if (count_devices(why) == 0) {
    fmt::print(stderr, "error: no GPU to measure: {}\n", why);
    return static_cast<int>(ExitCode::run_failed);
  }
  nlohmann::ordered_json result{{"schema", "lockstep.gpu_check/1"}, {"run", {{"date", utc_date()}}}};
  auto findings = nlohmann::ordered_json::array();
  bool passed = true;
  for (const auto& section : sections) {
    const double start = monotonic_s();
    SectionResult measured;
    try {
      measured = section.measure(settings);
    } catch (const std::exception& failure) {  // what else there is to measure is measured
      measured.findings.push_back({section.name, false, failure.what()});
    }
    for (const auto& finding : measured.findings) {
      fmt::print(stderr, "    {} {}: {}\n", finding.passed ? "ok    " : "FAILED", finding.name, finding.message);
      findings.push_back({{"section", section.name},
                          {"name", finding.name},
                          {"passed", finding.passed},
                          {"message", finding.message}});
      passed = passed && finding.passed;
    }
    if (!measured.values.is_null()) result[section.name] = measured.values;
    fmt::print(stderr, "==> {}: {:.1f} s\n", section.name, monotonic_s() - start);
    // What is measured is kept, whatever comes next.
    result["findings"] = findings;
    if (!json.empty()) write_file(json, result.dump(1) + "\n");
  }
  if (json.empty()) fmt::print("{}\n", result.dump(1));
  return static_cast<int>(passed ? ExitCode::done : ExitCode::fell_short);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Checks our GPU code on this machine's first GPU and measures the GPU and its software.\n"
      "Exit code: 0 done, 1 a check failed, 2 bad usage, 3 no GPU."};
  MeasureSettings settings;
  std::vector<std::string> sections;
  std::string json;
  NcclRank rank;
  std::string known;
  for (const auto& section : section_catalogue())
    known += fmt::format("\n  {:12} {}", section.name, section.description);
  app.add_option("--json", json, "Where to write the result (default: standard output)");
  app.add_option("--sections", sections, "Only these:" + known)->delimiter(',');
  app.add_flag("--quick", settings.quick, "Few sizes: does everything work?");
  app.add_option("--nccl-ranks", settings.nccl_ranks, "Numbers of processes that share the GPU")
      ->delimiter(',')
      ->check(CLI::Range(2, 16));
  app.add_option("--sharing", settings.sharing, "How processes share the GPU, for the rows of NCCL: mps, time slices");
  app.add_option("--folder", settings.folder,
                 "Where NCCL's logs go (default: a fresh folder in the system's temporary one)");
  auto* as_rank =
      app.add_option("--nccl-rank", rank.rank, "Be this rank of NCCL (the program starts itself so)")->group("");
  app.add_option("--nccl-size", rank.size)->group("");
  app.add_option("--nccl-folder", rank.folder)->group("");
  app.add_option("--nccl-task", rank.task)->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::bad_input);
  }
  // A folder of our own in which nobody left a log is not left behind.
  struct OwnFolder {
    std::filesystem::path path;
    ~OwnFolder() {
      std::error_code not_empty;
      if (!path.empty()) std::filesystem::remove(path, not_empty);
    }
  } own_folder;
  try {
    if (*as_rank) {
      rank.quick = settings.quick;
      return run_nccl_rank(rank);
    }
    settings.program = std::filesystem::read_symlink("/proc/self/exe");
    if (settings.folder.empty()) {
      settings.folder = std::filesystem::temp_directory_path() / "lockstep_gpu_check_XXXXXX";
      if (::mkdtemp(settings.folder.data()) == nullptr) throw RunFailure(settings.folder + ": cannot be made");
      own_folder.path = settings.folder;
    }
    std::filesystem::create_directories(settings.folder);
    return measure(settings, sections, json);
  } catch (const Error& failure) {
    fmt::print(stderr, "error: {}\n", failure.what());
    return static_cast<int>(failure.code());
  } catch (const std::exception& failure) {
    fmt::print(stderr, "error: {}\n", failure.what());
    return static_cast<int>(ExitCode::run_failed);
  }
}
