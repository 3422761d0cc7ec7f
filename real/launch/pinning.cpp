#include "real/launch/pinning.hpp"

#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/number.hpp"

namespace lockstep::real {
namespace {

int number_on_machine(int rank) {
  for (const char* name : {"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID"}) {
    const char* text = std::getenv(name);
    if (text == nullptr) continue;
    if (const auto number = whole_number_in<int>(text); number && *number >= 0) return *number;
  }
  return rank;
}

cpu_set_t cores_allowed() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    throw RunFailure("cannot ask for the cores of this process: " + std::generic_category().message(errno));
  return allowed;
}

int core_of(int rank, const cpu_set_t& allowed) {
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  LOCKSTEP_CHECK(!cores.empty(), "a process without cores");
  return cores[static_cast<std::size_t>(number_on_machine(rank)) % cores.size()];
}

bool move_to(int core) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  return ::sched_setaffinity(0, sizeof one, &one) == 0;
}

}  // namespace

int pin_rank(int rank) {
  const int core = core_of(rank, cores_allowed());
  if (!move_to(core)) throw RunFailure("cannot stay on one core: " + std::generic_category().message(errno));
  return core;
}

void visit_core(int rank) {
  const cpu_set_t allowed = cores_allowed();
  if (move_to(core_of(rank, allowed))) ::sched_setaffinity(0, sizeof allowed, &allowed);
}

}  // namespace lockstep::real
