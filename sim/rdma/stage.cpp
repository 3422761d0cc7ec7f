#include "sim/rdma/stage.hpp"

namespace lockstep::sim::rdma {

std::string_view to_string(Stage stage) {
  static constexpr std::array<std::string_view, stage_count> names{
      "software_send", "registration",  "copy_in",      "stage_out", "rendezvous",
      "post",          "doorbell",      "fetch",        "context",   "queue_pair",
      "nic_send",      "request",       "payload_read", "wire",      "network",
      "nic_receive",   "payload_write", "completion",   "poll",      "software_receive",
      "copy_out",      "stage_in",      "wake_up",      "window"};
  return names[static_cast<std::size_t>(stage)];
}

}  // namespace lockstep::sim::rdma
