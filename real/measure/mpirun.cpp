#include "real/measure/mpirun.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "real/lab/command.hpp"
#include "real/lab/shared_memory.hpp"
#include "real/launch/local.hpp"
#include "real/launch/outcome.hpp"

namespace lockstep::real {
namespace {

namespace fs = std::filesystem;

class JobFolder {
 public:
  explicit JobFolder(const std::string& parent) {
    std::string name = (parent.empty() ? fs::temp_directory_path() : fs::path(parent)) / "lockstep-job-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw RunFailure(fmt::format("cannot make the folder {}", name));
    path_ = name;
  }
  ~JobFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  JobFolder(const JobFolder&) = delete;
  JobFolder& operator=(const JobFolder&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

std::string kept_file(const std::string& folder) { return folder + "/kept"; }

std::string begun_file(const std::string& folder) { return folder + "/begun"; }

std::string outcome_file(const std::string& folder, int rank) { return fmt::format("{}/rank.{}", folder, rank); }

// Whole or not at all.
void write_file(const std::string& name, const std::string& text) {
  {
    std::ofstream file(name + ".part", std::ios::binary);
    file << text;
    file.flush();
    if (!file) throw RunFailure(fmt::format("cannot write {}: is the disk full?", name));
  }
  fs::rename(name + ".part", name);
}

// Picoseconds by kernel; null: kernels are run.
Json sleep_json(const ExecutorOptions& options) {
  if (!options.sleep) return nullptr;
  Json times = Json::object();
  for (const auto& [kernel, time] : *options.sleep) times[kernel] = time.count();
  return times;
}

Json job_json(const MpirunJob& job, const Plan& plan, const MeasurementOptions& options) {
  return {{"transport", options.transport},
          {"timeout_ms", options.executor.timeout.count()},
          {"quiet_ns", options.executor.quiet.count()},
          {"sleep", sleep_json(options.executor)},
          {"rendezvous_timeout_ms", options.rendezvous_timeout.count()},
          {"cores", options.cores},
          {"pin", options.pin},
          {"processes", processes_of(plan, options)},
          {"same_machine", options.same_machine},
          {"machine_is_network", options.machine_is_network},
          {"master_address", job.master_address},
          {"master_port", job.master_port},
          {"plan", plan_exchange(plan)}};
}

std::vector<Outcome> read_outcomes(const std::string& folder, int ranks) {
  std::vector<Outcome> outcomes;
  for (int rank = 0; rank < ranks; ++rank) {
    std::ifstream file(outcome_file(folder, rank), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.empty()) continue;
    Outcome outcome = decode_outcome(text);
    outcome.rank = rank;
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

// A signal that ends this process is mpirun's to act on: it ends the ranks, and then itself. It gets one, too, when it
// has started no rank in time, for it waits for its daemons as long as they take.
class Forwarding {
 public:
  /// `begun`: a file that the first rank makes.
  Forwarding(std::string begun, std::chrono::milliseconds longest_start) {
    target = &*process_;
    sign = std::move(begun);
    std::signal(SIGTERM, [](int) { end(SIGTERM); });
    std::signal(SIGALRM, [](int) {
      if (::access(sign.c_str(), F_OK) == 0) return;
      end(late ? SIGKILL : SIGTERM);
      late = 1;
      ::alarm(5);
    });
    ::alarm(static_cast<unsigned>(std::chrono::ceil<std::chrono::seconds>(longest_start).count()));
  }
  ~Forwarding() {
    ::alarm(0);
    std::signal(SIGALRM, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;
  /// mpirun was ended because no rank had begun.
  [[nodiscard]] bool was_late() const { return late != 0; }
  /// In the process that is to get the signal, before it becomes another program.
  void here() const {
    ::alarm(0);
    std::signal(SIGALRM, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    *process_ = ::getpid();
  }

 private:
  static void end(int signal) {
    if (const pid_t process = *target; process > 0) ::kill(process, signal);
  }

  static inline std::atomic<pid_t>* target = nullptr;
  static inline std::string sign;
  static inline volatile std::sig_atomic_t late = 0;
  SharedMemory<std::atomic<pid_t>> process_;
};

// What launchers leave in the environment, so that the ranks of this job are not taken for those of another one that
// this process may be part of.
void forget_other_jobs() {
  static constexpr const char* names[] = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"};
  static constexpr const char* families[] = {
      "OMPI_COMM_WORLD_", "OMPI_MCA_ess", "OMPI_MCA_orte", "OMPI_UNIVERSE", "PMI_", "PMIX_", "SLURM_", "MPI_LOCAL"};
  std::vector<std::string> all(std::begin(names), std::end(names));
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    for (const char* family : families)
      if (text.starts_with(family)) all.emplace_back(text.substr(0, text.find('=')));
  }
  for (const auto& name : all) ::unsetenv(name.c_str());
}

// The number that follows `words` in the first line of `text`.
std::optional<int> number_after(std::string_view text, std::string_view words) {
  text = text.substr(0, text.find('\n'));
  const std::size_t at = text.find(words);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + words.size());
  int number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) return std::nullopt;
  return number;
}

// The rank that a signal ended: mpirun alone knows of it ("... noticed that process rank 2 with PID 43 on node h2
// exited on signal 9 (Killed).").
std::optional<Outcome> killed_rank(std::string_view said) {
  const std::size_t at = said.find("noticed that process rank ");
  if (at == std::string_view::npos) return std::nullopt;
  const auto rank = number_after(said.substr(at), "process rank ");
  const auto signal = number_after(said.substr(at), "exited on signal ");
  if (!rank || !signal) return std::nullopt;
  Outcome outcome;
  outcome.kind = Outcome::Kind::killed_by_signal;
  outcome.rank = *rank;
  outcome.number = *signal;
  return outcome;
}

// What a rank said as it ended itself inside a call of MPI (real/transport/watchdog.hpp); empty: none did.
std::string words_of_rank(const std::string& said) {
  static constexpr std::string_view begins = "error: rank ";
  const std::size_t at = said.find(begins);
  if (at == std::string::npos) return {};
  const std::size_t from = at + std::string_view("error: ").size();
  return said.substr(from, said.find('\n', from) - from);
}

// mpirun frames what it says; its last lines with content tell.
std::string last_words(const std::string& said) {
  std::string words;
  std::size_t end = said.size();
  while (end > 0 && words.size() < 1500) {
    const std::size_t begin = said.rfind('\n', end - 1);
    const std::size_t from = begin == std::string::npos ? 0 : begin + 1;
    const std::string line = said.substr(from, end - from);
    if (line.find_first_not_of("- \t\n") != std::string::npos)
      words = words.empty() ? line : fmt::format("{}\n{}", line, words);
    if (begin == std::string::npos) break;
    end = begin;
  }
  return words;
}

MpirunResult measure_in_folder(const std::string& folder, const MpirunJob& job, const Plan& plan,
                               const MeasurementOptions& options) {
  write_file(folder + "/job.json", job_json(job, plan, options).dump());
  // Daemons by the remote shell even inside a batch job; time for the ranks to say what they saw before the last
  // signal.
  const int processes = processes_of(plan, options);
  std::vector<std::string> command{"mpirun", "-np", std::to_string(processes)};
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, std::string>>{
           {"plm", "rsh"}, {"orte_leave_session_attached", "1"}, {"odls_base_sigkill_timeout", "2"}})
    command.insert(command.end(), {"--mca", key, value});
  command.insert(command.end(), job.arguments.begin(), job.arguments.end());
  command.push_back(job.program.empty() ? fs::read_symlink("/proc/self/exe").string() : job.program);
  command.insert(command.end(), {"rank", folder});

  // A process of its own stands between, which ends with this one, at SIGINT and at SIGTERM, and mpirun with it.
  LocalRanks launcher;
  launcher.count = 1;
  launcher.grace = std::chrono::seconds(5);
  launcher.body = [&](const JobEnvironment&) {
    const Forwarding forwarding(begun_file(folder), options.rendezvous_timeout);
    const pid_t self = ::getpid();
    const auto output = run_command(command, {}, [&] {
      forwarding.here();
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (::getppid() != self) ::_exit(1);  // it had ended already
      forget_other_jobs();
      ::setenv("TMPDIR", folder.c_str(), 1);  // what is left there goes with the folder
      ::setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
      ::setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
      if (job.enter) {
        job.enter();
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // lost with the credentials
      }
    });
    return Json{{"status", output.status}, {"said", output.output + output.errors}, {"late", forwarding.was_late()}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  const Json ended = Json::parse(run_local_ranks(launcher));
  const int status = ended.at("status").get<int>();
  const std::string said = ended.at("said").get<std::string>();
  auto outcomes = read_outcomes(folder, processes);
  if (const auto killed = killed_rank(said); killed && status != 0) outcomes.push_back(*killed);
  for (const Outcome& outcome : outcomes)
    if (outcome.kind != Outcome::Kind::result) throw_cause(outcomes);
  if (ended.at("late").get<bool>())
    throw RunFailure(
        fmt::format("mpirun started no rank within {} s (--rendezvous-timeout waits longer); it ended with "
                    "status {}:\n{}",
                    std::chrono::duration<double>(options.rendezvous_timeout).count(), status, last_words(said)));
  if (const std::string words = words_of_rank(said); status != 0 && !words.empty()) throw RunFailure(words);
  if (status != 0 || outcomes.empty() || outcomes.front().rank != 0)
    throw RunFailure(fmt::format("mpirun ended with status {}:\n{}", status, last_words(said)));
  return {outcomes.front().text, said};
}

}  // namespace

MpirunResult measure_with_mpirun(const MpirunJob& job, const Plan& plan, const MeasurementOptions& options) {
  if (find_program("mpirun").empty())
    throw InputError("the ranks of --transport mpi are started by mpirun, and there is none: install openmpi-bin");
  const JobFolder folder(job.folder);
  const KeptFile kept(kept_file(folder.path()));
  try {
    return measure_in_folder(folder.path(), job, plan, options);
  } catch (const RunFailure&) {
    if (options.kept != nullptr) options.kept->copy(kept);
    throw;
  }
}

int run_started_rank(const std::string& folder) {
  // mpirun ends the others by SIGTERM when one has died: a moment to say what they saw.
  std::signal(SIGTERM, [](int) { ::alarm(1); });
  std::signal(SIGPIPE, SIG_IGN);
  const auto environment = job_from_environment();
  if (!environment) throw InputError("'lockstep rank' is started by mpirun, for 'lockstep run --backend mpi'");
  std::ofstream(begun_file(folder)).put('\n');
  Outcome outcome;
  try {
    const Json json = parse_json(read_text_file(folder + "/job.json"), folder + "/job.json");
    MeasurementOptions options;
    options.transport = json.at("transport").get<std::string>();
    options.executor.timeout = std::chrono::milliseconds(json.at("timeout_ms").get<std::int64_t>());
    options.executor.quiet = std::chrono::nanoseconds(json.at("quiet_ns").get<std::int64_t>());
    if (const Json& sleep = json.at("sleep"); sleep.is_object()) {
      options.executor.sleep.emplace();
      for (const auto& [kernel, time] : sleep.items())
        (*options.executor.sleep)[kernel] = Duration{time.get<std::int64_t>()};
    }
    options.rendezvous_timeout = std::chrono::milliseconds(json.at("rendezvous_timeout_ms").get<std::int64_t>());
    options.cores = json.at("cores").get<int>();
    options.pin = json.at("pin").get<bool>();
    options.processes = json.at("processes").get<int>();
    options.same_machine = json.at("same_machine").get<bool>();
    options.machine_is_network = json.at("machine_is_network").get<bool>();
    std::optional<KeptFile> kept;
    if (environment->rank == 0) options.kept = &kept.emplace(kept_file(folder));
    JobEnvironment job = *environment;
    job.master_address = json.at("master_address").get<std::string>();
    job.master_port = json.at("master_port").get<std::uint16_t>();
    outcome.text = measure_rank(job, read_plan(json.at("plan").get<std::string>(), folder + "/job.json"), options);
    outcome.kind = Outcome::Kind::result;
  } catch (...) {
    outcome = outcome_of(std::current_exception());
  }
  write_file(outcome_file(folder, environment->rank), encode(outcome));
  if (outcome.kind == Outcome::Kind::result) return 0;
  // Without the exit handlers: they wait for ranks that are gone.
  std::fflush(nullptr);
  ::_exit(static_cast<int>(ExitCode::run_failed));
}

Measurement measure_with_local_mpirun(const Plan& plan, const MeasurementOptions& options) {
  MpirunJob job;
  const PortReservation port;
  job.master_address = "127.0.0.1";
  job.master_port = port.number();
  // Ranks wander between the cores as those of other backends do, and give them away while they wait.
  job.arguments = {"--host",
                   fmt::format("localhost:{}", processes_of(plan, options)),
                   "--oversubscribe",
                   "--bind-to",
                   "none",
                   "--mca",
                   "mpi_yield_when_idle",
                   "1"};
  return keep_if_it_fails(options, [&](const MeasurementOptions& keeping) {
    const MpirunResult result = measure_with_mpirun(job, plan, keeping);
    Measurement measurement = parse_measurement(result.measured);
    if (!result.said.empty()) measurement.notes.push_back(result.said);
    return measurement;
  });
}

}  // namespace lockstep::real
