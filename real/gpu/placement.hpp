// Which rank uses which GPU, and what NCCL has to be told so that it agrees.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::real::gpu {

/// What a rank sees, told to all others.
struct VisibleDevices {
  std::string machine;               ///< the same for all ranks of one machine
  std::vector<std::string> devices;  ///< by CUDA's number: names that are unique on the machine (UUIDs)
  bool operator==(const VisibleDevices&) const = default;
};
std::string to_text(const VisibleDevices& visible);
/// Throws RunFailure on a text that to_text did not make.
VisibleDevices visible_devices_in(std::string_view text);

/// Where a rank is placed: the ranks of a machine take the devices that they see by turns, the first of them device 0,
/// the second device 1, ..., whether a launcher showed all of them to every rank or to each rank its own.
struct Placement {
  int device = 0;               ///< CUDA's number
  std::vector<int> sharing;     ///< other ranks on the same device
  bool machine_shares = false;  ///< two ranks of this machine, not necessarily this one, share a device
  bool one_machine = true;      ///< the whole job
};
/// Throws InputError where a rank sees no device. `all`: of the job's ranks.
Placement place_rank(const std::vector<VisibleDevices>& all, int rank);

/// Environment variables for this rank, each to be set unless the user has set it, before CUDA or NCCL looks.
///
/// NCCL refuses two ranks of one host on one device. Where a machine shares, each of its ranks says that it is another
/// host (NCCL_HOSTID); they then talk over the network, which is the loopback device if there is no other machine.
std::vector<std::pair<std::string, std::string>> nccl_environment(const Placement& placement, int rank,
                                                                  std::uint64_t job);
/// The same for CUDA. Kernels of messages wait for each other: none may have to be loaded while another one waits
/// (CUDA_MODULE_LOADING), and streams must not queue behind each other for want of connections
/// (CUDA_DEVICE_MAX_CONNECTIONS).
std::vector<std::pair<std::string, std::string>> cuda_environment();

/// Thread blocks that NCCL may take for one channel of messages: all channels of all ranks on a device have to run at
/// the same time, since a message waits on the device until its peer comes. A block takes a multiprocessor; half of
/// them stay for other work. At least 1, and not more than 16, beyond which a message gains nothing.
int blocks_per_channel(int multiprocessors, int channels, int ranks_on_device);

/// What is missing for NCCL, in words that name the remedy; empty: nothing. An empty problem is none.
std::string what_nccl_lacks(std::string_view device_problem, std::string_view library_problem);

}  // namespace lockstep::real::gpu
