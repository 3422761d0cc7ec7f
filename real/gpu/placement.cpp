#include "real/gpu/placement.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.hpp"

namespace lockstep::real::gpu {
namespace {

// The ranks of one machine, by number, take their devices by turns.
std::size_t device_of(const std::vector<VisibleDevices>& all, std::size_t rank) {
  const VisibleDevices& own = all[rank];
  if (own.devices.empty()) throw InputError(fmt::format("rank {} sees no CUDA device", rank));
  const auto before = std::count_if(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rank),
                                    [&](const VisibleDevices& other) { return other.machine == own.machine; });
  return static_cast<std::size_t>(before) % own.devices.size();
}

}  // namespace

std::string to_text(const VisibleDevices& visible) {
  std::string text = visible.machine;
  for (const std::string& device : visible.devices) text += "\n" + device;
  return text;
}

VisibleDevices visible_devices_in(std::string_view text) {
  VisibleDevices visible;
  for (bool first = true;; first = false) {
    const auto end = text.find('\n');
    const std::string line(text.substr(0, end));
    if (line.empty()) throw RunFailure("a rank's list of CUDA devices has an empty name");
    if (first)
      visible.machine = line;
    else
      visible.devices.push_back(line);
    if (end == std::string_view::npos) return visible;
    text.remove_prefix(end + 1);
  }
}

Placement place_rank(const std::vector<VisibleDevices>& all, int rank) {
  const auto own = static_cast<std::size_t>(rank);
  Placement placement;
  const std::size_t device = device_of(all, own);
  placement.device = static_cast<int>(device);
  std::vector<std::string> taken;  // on this machine
  for (std::size_t other = 0; other < all.size(); ++other) {
    if (all[other].machine != all[own].machine) {
      placement.one_machine = false;
      continue;
    }
    const std::string& takes = all[other].devices[device_of(all, other)];
    if (std::find(taken.begin(), taken.end(), takes) != taken.end()) placement.machine_shares = true;
    taken.push_back(takes);
    if (other != own && takes == all[own].devices[device]) placement.sharing.push_back(static_cast<int>(other));
  }
  return placement;
}

std::vector<std::pair<std::string, std::string>> nccl_environment(const Placement& placement, int rank,
                                                                  std::uint64_t job) {
  std::vector<std::pair<std::string, std::string>> settings;
  if (!placement.machine_shares) return settings;
  settings.emplace_back("NCCL_HOSTID", fmt::format("lockstep-{:x}-rank{}", job, rank));
  if (!placement.one_machine) return settings;
  settings.emplace_back("NCCL_NET", "Socket");
  settings.emplace_back("NCCL_SOCKET_IFNAME", "lo");
  return settings;
}

std::vector<std::pair<std::string, std::string>> cuda_environment() {
  return {{"CUDA_MODULE_LOADING", "EAGER"}, {"CUDA_DEVICE_MAX_CONNECTIONS", "32"}};
}

int blocks_per_channel(int multiprocessors, int channels, int ranks_on_device) {
  constexpr int useful = 16;
  const int at_once = std::max(1, channels) * std::max(1, ranks_on_device);
  return std::clamp(multiprocessors / 2 / at_once, 1, useful);
}

std::string what_nccl_lacks(std::string_view device_problem, std::string_view library_problem) {
  std::string lacks;
  if (!device_problem.empty())
    lacks =
        fmt::format("no usable GPU: {} (an NVIDIA GPU and its driver, package nvidia-driver; nvidia-smi shows both)",
                    device_problem);
  if (!library_problem.empty())
    lacks += fmt::format("{}no NCCL: {} (package libnccl2, or LD_LIBRARY_PATH to the NCCL of a framework)",
                         lacks.empty() ? "" : "; ", library_problem);
  return lacks;
}

}  // namespace lockstep::real::gpu
