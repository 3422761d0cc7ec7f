#include "real/launch/pinning.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <cerrno>
#include <cmath>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "core/base/error.hpp"
#include "real/launch/machine.hpp"

namespace lockstep::real {
namespace {

// Empty where the system does not say.
std::vector<int> cores_allowed() {
  std::vector<int> cores;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  return cores;
}

bool allow(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

int core_at(int place, const std::vector<int>& cores) { return cores[static_cast<std::size_t>(place) % cores.size()]; }

// What the control group (version 2) of a container lets its processes use together; none: it does not say.
std::optional<double> cores_of_control_group() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (!(file >> quota >> period) || period <= 0) return std::nullopt;  // "max" is no number
  return quota / period;
}

}  // namespace

RanksHere find_ranks_here(Control& control) {
  const SaidHere said = gather_here(control, fmt::format("{}", fmt::join(cores_allowed(), " ")));
  RanksHere here{static_cast<int>(said.texts.size()), static_cast<int>(said.place), false};
  std::set<int> cores;
  for (const std::string& text : said.texts) {
    std::istringstream numbers(text);
    for (int core = 0; numbers >> core;) cores.insert(core);
  }
  const double most = cores_of_control_group().value_or(static_cast<double>(cores.size()));
  here.own_cores = here.count <= static_cast<int>(cores.size()) && here.count <= static_cast<int>(std::floor(most));
  return here;
}

int pin_rank(int place) {
  const auto cores = cores_allowed();
  if (cores.empty())
    throw RunFailure("cannot ask for the cores of this process: " + std::generic_category().message(errno));
  const int core = core_at(place, cores);
  if (!allow({core})) throw RunFailure("cannot stay on one core: " + std::generic_category().message(errno));
  return core;
}

void visit_core(int place) {
  const auto cores = cores_allowed();
  if (!cores.empty() && allow({core_at(place, cores)})) allow(cores);
}

}  // namespace lockstep::real
