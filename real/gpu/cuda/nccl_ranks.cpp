// NCCL with several ranks on one GPU. NCCL refuses two ranks of one host on one device; ranks that each say they are
// another host (NCCL_HOSTID) pass for a cluster of one-GPU nodes and talk over the network, here the loopback device.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "core/base/error.hpp"
#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/nccl_choice.hpp"

namespace lockstep::real::gpu {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Job {
  int ranks = 2;
  NcclTask task = NcclTask::everything;
  bool quick = false;
  std::string algorithm, protocol;  ///< what NCCL is told to take; empty: what it chooses
  std::chrono::seconds limit{120};

  [[nodiscard]] std::string name() const {
    if (!algorithm.empty()) return fmt::format("nccl{}_{}_{}", ranks, algorithm, protocol);
    return fmt::format("nccl{}{}", ranks, task == NcclTask::choices ? "_choices" : "");
  }
};

std::vector<std::string> environment_of(const fs::path& folder, int rank, const Job& job) {
  std::vector<std::string> environment;
  // What the rows say of the network and of NCCL's choice is to be so, whatever the user's environment asks for.
  const auto own = [](std::string_view name) {
    for (const char* start :
         {"NCCL_HOSTID=", "NCCL_DEBUG", "NCCL_ALGO=", "NCCL_PROTO=", "NCCL_NET=", "NCCL_SOCKET_IFNAME="})
      if (name.starts_with(start)) return true;
    return false;
  };
  for (char** entry = ::environ; *entry != nullptr; ++entry)
    if (!own(*entry)) environment.emplace_back(*entry);
  environment.push_back(fmt::format("NCCL_HOSTID=lockstep-rank{}", rank));
  environment.emplace_back("NCCL_NET=Socket");
  environment.emplace_back("NCCL_SOCKET_IFNAME=lo");
  if (!job.algorithm.empty()) {
    environment.push_back("NCCL_ALGO=" + job.algorithm);
    environment.push_back("NCCL_PROTO=" + job.protocol);
  }
  // A log of every call would slow small messages down.
  const bool log = job.task == NcclTask::choices;
  environment.push_back(fmt::format("NCCL_DEBUG={}", log ? "INFO" : "WARN"));
  if (log) environment.emplace_back("NCCL_DEBUG_SUBSYS=INIT,GRAPH,TUNING,NET,ENV");
  environment.push_back(fmt::format("NCCL_DEBUG_FILE={}/rank{}.log", folder.string(), rank));
  return environment;
}

pid_t start_rank(const std::string& program, const fs::path& folder, const Job& job, int rank) {
  // Everything that allocates happens before the fork.
  std::vector<std::string> words{
      program,         "--nccl-rank",  std::to_string(rank), "--nccl-size", std::to_string(job.ranks),
      "--nccl-folder", folder.string()};
  words.insert(words.end(), {"--nccl-task", std::to_string(static_cast<int>(job.task))});
  if (job.quick) words.emplace_back("--quick");
  std::vector<std::string> environment = environment_of(folder, rank, job);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (auto& entry : environment) envp.push_back(entry.data());
  envp.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw RunFailure("cannot start a rank: fork failed");
  if (child == 0) {
    // A rank whose parent is gone has nobody to report to.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(3);
    const int output = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (output >= 0) ::dup2(output, STDOUT_FILENO);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  return child;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Empty where all ranks ended well; else why not. No rank is left behind.
std::string run_ranks(const MeasureSettings& settings, const fs::path& folder, const Job& job) {
  std::vector<pid_t> waiting;
  std::string failed;
  try {
    for (int rank = 0; rank < job.ranks; ++rank) waiting.push_back(start_rank(settings.program, folder, job, rank));
  } catch (const RunFailure& failure) {
    failed = failure.what();
  }
  const auto deadline = Clock::now() + job.limit;
  while (!waiting.empty() && failed.empty()) {
    for (auto child = waiting.begin(); child != waiting.end();) {
      int status = 0;
      if (::waitpid(*child, &status, WNOHANG) != *child) {
        ++child;
        continue;
      }
      child = waiting.erase(child);
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        failed = WIFEXITED(status) ? fmt::format("a rank ended with exit code {}", WEXITSTATUS(status))
                                   : fmt::format("a rank was ended by signal {}", WTERMSIG(status));
    }
    if (Clock::now() > deadline) failed = fmt::format("not done within {} s", job.limit.count());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  for (const pid_t child : waiting) ::kill(child, SIGKILL);
  for (const pid_t child : waiting) ::waitpid(child, nullptr, 0);
  for (int rank = 0; rank < job.ranks; ++rank)
    if (const auto why = text_of(folder / fmt::format("rank{}.error", rank)); !why.empty())
      failed += fmt::format("; rank {}: {}", rank, why.substr(0, why.find('\n')));
  return failed;
}

nlohmann::ordered_json choices_in(const fs::path& log) {
  auto choices = nlohmann::ordered_json::array();
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);)
    if (const auto choice = nccl_choice_in(line))
      choices.push_back({{"collective", choice->collective},
                         {"size_bytes", choice->bytes},
                         {"algorithm", choice->algorithm},
                         {"protocol", choice->protocol},
                         {"channels", choice->last_channel - choice->first_channel + 1}});
  return choices;
}

std::vector<Job> jobs_of(const MeasureSettings& settings) {
  std::vector<Job> jobs;
  for (const int ranks : settings.nccl_ranks) {
    jobs.push_back({ranks, NcclTask::everything, settings.quick, "", ""});
    jobs.push_back({ranks, NcclTask::choices, settings.quick, "", ""});
    if (settings.quick) continue;
    for (const char* algorithm : {"Ring", "Tree"})
      for (const char* protocol : {"LL", "Simple"})  // LL128 does not cross sockets
        jobs.push_back({ranks, NcclTask::all_reduce, false, algorithm, protocol});
  }
  return jobs;
}

}  // namespace

SectionResult measure_nccl(const MeasureSettings& settings) {
  SectionResult result;
  auto& jobs = result.values = nlohmann::ordered_json::array();
  for (const Job& job : jobs_of(settings)) {
    const fs::path folder = fs::path(settings.folder) / job.name();
    fs::remove_all(folder);
    fs::create_directories(folder);
    const std::string failed = run_ranks(settings, folder, job);
    nlohmann::ordered_json row{{"name", job.name()},
                               {"ranks", job.ranks},
                               {"network", "sockets over loopback"},
                               {"sharing", settings.sharing}};
    if (!job.algorithm.empty()) {
      row["algorithm"] = job.algorithm;
      row["protocol"] = job.protocol;
    }
    if (!failed.empty()) {
      result.findings.push_back({job.name(), false, failed});
      row["failed"] = failed;
      jobs.push_back(row);
      continue;
    }
    const auto measured = nlohmann::ordered_json::parse(text_of(folder / "rank0.json"));
    std::int64_t wrong = 0;
    for (const auto& list : {"checks", "collectives"})
      for (const auto& one : measured.at(list)) wrong += one.at("wrong").get<std::int64_t>();
    const std::size_t checks = measured.at("checks").size() + measured.at("collectives").size();
    row["init_s"] = measured.at("init_s");
    if (job.task == NcclTask::choices) {
      row["choices"] = choices_in(folder / "rank0.log");
      result.findings.push_back(
          {job.name(), !row["choices"].empty(), fmt::format("{} choices in the log", row["choices"].size())});
    } else {
      row["collectives"] = measured.at("collectives");
      result.findings.push_back({job.name(), wrong == 0, fmt::format("{} results, {} wrong elements", checks, wrong)});
    }
    jobs.push_back(row);
  }
  return result;
}

}  // namespace lockstep::real::gpu
