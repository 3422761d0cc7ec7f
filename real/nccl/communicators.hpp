// NCCL's communicators: one for each group whose collectives NCCL does, and one of two ranks for each channel of
// messages.
//
// NCCL's messages have no tags and a communicator does one thing after the other. A communicator per channel gives what
// transport.hpp promises: messages of a channel in order, channels independent of each other.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "real/gpu/cuda/nccl_library.hpp"
#include "real/launch/control.hpp"
#include "real/transport/device.hpp"
#include "real/transport/watchdog.hpp"

namespace lockstep::real {

class Communicators {
 public:
  Communicators(const gpu::NcclLibrary& nccl, Control& control, Watchdog& watchdog)
      : nccl_(nccl), control_(control), watchdog_(watchdog) {}
  /// Frees what was not abandoned.
  ~Communicators();
  Communicators(const Communicators&) = delete;
  Communicators& operator=(const Communicators&) = delete;

  /// What a communicator is called by all its members, and who they are; its rank k is members[k].
  struct Wanted {
    std::string name;
    std::vector<int> members;
    int most_blocks = 0;  ///< thread blocks that it may take; 0: what NCCL takes
  };
  static Wanted of_group(const std::vector<int>& members);
  static Wanted of_channel(const MessageChannel& channel, int most_blocks);

  /// Makes those that are not there yet. All ranks call it together, each with those that it is a member of, in an
  /// order that is the same for all (members of one wait for each other before they go on to the next). Throws
  /// RunFailure.
  void make(const std::vector<Wanted>& wanted);
  [[nodiscard]] ncclComm_t get(const std::string& name) const;
  /// Ends what is under way on the device, for a run that has failed.
  void abandon() noexcept;

 private:
  const gpu::NcclLibrary& nccl_;
  Control& control_;
  Watchdog& watchdog_;
  std::map<std::string, ncclComm_t> made_;
};

}  // namespace lockstep::real
