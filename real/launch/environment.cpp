// Which job this process belongs to, from what launchers leave in the environment.
//
// Names: torchrun's are documented with torch.distributed.run; Open MPI's OMPI_COMM_WORLD_* with mpirun(1); PMI_* are
// set by Hydra (MPICH, Intel MPI); PMIX_* by PMIx servers (Open MPI, PRRTE, srun --mpi=pmix); SLURM_* with srun(1),
// "output environment variables".
#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/number.hpp"
#include "real/launch/local.hpp"

namespace lockstep::real {
namespace {

struct Variable {
  std::string name;
  std::string text;
};

std::optional<Variable> variable(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return Variable{name, text};
}

int whole_number(const Variable& from, int least, int most) {
  int value = 0;
  const char* end = from.text.data() + from.text.size();
  const auto [stop, error] = std::from_chars(from.text.data(), end, value);
  if (error != std::errc() || stop != end || value < least || value > most) {
    throw InputError(most == std::numeric_limits<int>::max()
                         ? fmt::format("{}={} is not a whole number of at least {}", from.name, from.text, least)
                         : fmt::format("{}={} is not a whole number from {} to {}", from.name, from.text, least, most));
  }
  return value;
}

struct Launcher {
  const char* name;
  const char* rank;
  const char* size;
};

// The first that names both a rank and a size counts. torchrun stands first: under `srun torchrun` the inner one gave
// the ranks.
constexpr Launcher launchers[] = {
    {"torchrun", "RANK", "WORLD_SIZE"},
    {"OpenMPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {"PMI", "PMI_RANK", "PMI_SIZE"},
    {"PMIx", "PMIX_RANK", "PMIX_SIZE"},
    {"Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
    {"Slurm", "SLURM_PROCID", "SLURM_NTASKS"},
    {"Slurm", "SLURM_PROCID", "SLURM_NPROCS"},
};

/// The first address in "…;tcp://10.0.0.1,10.0.1.1:40001;…"; empty if there is none.
std::string address_in(std::string_view uri) {
  constexpr std::string_view scheme = "tcp://";
  const auto at = uri.find(scheme);
  if (at == std::string_view::npos) return {};
  const auto rest = uri.substr(at + scheme.size());
  return std::string(rest.substr(0, rest.find_first_of(",:;")));
}

struct Hint {
  std::string job;      ///< what is the same on all ranks of the job, and on no others
  std::string address;  ///< of the host of rank 0, if the launcher tells
  bool one_host = false;
};

Hint hint_of(std::string_view launcher, int size) {
  Hint hint;
  if (launcher == "OpenMPI" || launcher == "PMIx") {
    // mpirun's own address. Rank 0 runs on the first host of the allocation, where mpirun itself runs too on a laptop
    // or in a batch script. (PMIX_SERVER_URI* would be the daemon of each rank's own host, another one on every host.)
    if (const auto uri = variable("OMPI_MCA_orte_hnp_uri")) hint.address = address_in(uri->text);
    for (const char* name : {"OMPI_MCA_ess_base_jobid", "PMIX_NAMESPACE", "OMPI_MCA_orte_hnp_uri"}) {
      if (const auto id = variable(name)) hint.job += id->text + "|";
    }
    if (const auto local = variable("OMPI_COMM_WORLD_LOCAL_SIZE"))
      hint.one_host = whole_number(*local, 1, std::numeric_limits<int>::max()) == size;
  } else if (launcher == "Slurm") {
    for (const char* name : {"SLURM_JOB_ID", "SLURM_STEP_ID"})
      if (const auto id = variable(name)) hint.job += id->text + "|";
    if (const auto nodes = variable("SLURM_STEP_NUM_NODES"); nodes && nodes->text == "1") hint.one_host = true;
    if (const auto nodes = variable("SLURM_STEP_NODELIST")) {
      // "node[03-07,9]" begins with node03; "a,b" with a.
      const std::string& list = nodes->text;
      const auto bracket = list.find('[');
      const auto comma = list.find(',');
      if (bracket != std::string::npos && (comma == std::string::npos || bracket < comma)) {
        hint.address =
            list.substr(0, bracket) + list.substr(bracket + 1, list.find_first_of(",-]", bracket) - bracket - 1);
      } else {
        hint.address = list.substr(0, comma);
      }
    } else if (const auto launch = variable("SLURM_LAUNCH_NODE_IPADDR")) {
      hint.address = launch->text;
    }
  } else if (launcher == "PMI") {
    // Set by Hydra and by Slurm's own PMI where they give one out; it names the process group.
    for (const char* name : {"PMI_KVSNAME", "PMI_JOBID"})
      if (const auto id = variable(name)) hint.job += id->text + "|";
    if (const auto local = variable("MPI_LOCALNRANKS"))
      hint.one_host = whole_number(*local, 1, std::numeric_limits<int>::max()) == size;
  }
  if (hint.one_host) hint.address = "127.0.0.1";
  return hint;
}

/// Between the ports that need privileges or are well known and those that the kernel gives out by itself (32768 and
/// up).
std::uint16_t port_of(const std::string& job) {
  const auto digest = whole_number_in<std::uint64_t>(sha256(job).substr(0, 12), 16);
  LOCKSTEP_CHECK(digest.has_value(), "a hash is hexadecimal digits");
  return static_cast<std::uint16_t>(20000 + *digest % 12000);
}

}  // namespace

std::optional<JobEnvironment> job_from_environment() {
  // A batch script has SLURM_PROCID=0 and the SLURM_NTASKS of what it may start; only srun makes ranks, and numbers the
  // step.
  const bool batch_script = variable("SLURM_JOB_ID") && !variable("SLURM_STEP_ID");
  for (const Launcher& launcher : launchers) {
    if (batch_script && std::string_view(launcher.name) == "Slurm") continue;
    const auto rank = variable(launcher.rank);
    const auto size = variable(launcher.size);
    if (!rank && !size) continue;
    if (!rank || !size) {
      // Some launchers set the one here and the other under another name; torchrun's come in pairs.
      if (std::string_view(launcher.name) != "torchrun") continue;
      const auto& there = rank ? *rank : *size;
      throw InputError(fmt::format("{}={} is set but {} is not: set both, or neither to run without a launcher",
                                   there.name, there.text, rank ? launcher.size : launcher.rank));
    }
    JobEnvironment job;
    job.launcher = launcher.name;
    job.size = whole_number(*size, 1, std::numeric_limits<int>::max());
    job.rank = whole_number(*rank, 0, std::numeric_limits<int>::max());
    if (job.rank >= job.size) {
      throw InputError(fmt::format("{}={} but {}={}: ranks count from 0 to {}", rank->name, rank->text, size->name,
                                   size->text, job.size - 1));
    }
    const Hint hint = hint_of(job.launcher, job.size);
    const auto address = variable("MASTER_ADDR");
    const auto port = variable("MASTER_PORT");
    if (port) job.master_port = static_cast<std::uint16_t>(whole_number(*port, 1, 65535));
    if (address) job.master_address = address->text;
    if (job.size == 1) return job;
    if (!address) {
      if (hint.address.empty()) {
        throw InputError(
            fmt::format("{} started {} ranks but does not say where rank 0 is: set MASTER_ADDR to the address of its "
                        "host, and MASTER_PORT to a free port",
                        job.launcher, job.size));
      }
      job.master_address = hint.address;
    }
    if (!port) {
      if (hint.job.empty()) {
        throw InputError(fmt::format(
            "{} started {} ranks but MASTER_PORT is not set: set it to a port that is free on the host of rank 0",
            job.launcher, job.size));
      }
      job.master_port = port_of(hint.job);
    }
    return job;
  }
  return std::nullopt;
}

}  // namespace lockstep::real
