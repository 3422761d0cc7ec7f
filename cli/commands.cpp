#include "cli/commands.hpp"

#include <array>

#include "cli/command.hpp"

namespace lockstep::cli {

std::span<const Command> command_catalogue() {
  static const std::array catalogue{
      Command{"check", "Simulates, runs and compares: predicted, measured and error side by side",
              "lockstep check -t topologies/lab_star4.yaml -w workloads/quickstart.yaml", declare_check},
      Command{"simulate", "Predicts a workload on a topology",
              "lockstep simulate -t topologies/lab_star4.yaml -w workloads/allreduce_sweep.yaml", declare_simulate},
      Command{"run", "Runs a workload for real and measures it",
              "lockstep run -w workloads/quickstart.yaml --backend tcp --ranks 4", declare_run},
      Command{"compare", "Lays a prediction on a measurement (a result file, an nccl-tests or OSU log)",
              "lockstep compare predicted.json measured.json --tolerance 10%", declare_compare},
      Command{"calibrate", "Measures the software's own costs and writes a profile",
              "lockstep calibrate --backend tcp -o profile.yaml", declare_calibrate},
      Command{"bench", "nccl-tests' flags and table, predicted and measured; perftest's tables for RDMA",
              "lockstep bench all_reduce -b 1K -e 1M -f 4 -t topologies/lab_star4.yaml", declare_bench},
      Command{
          "explain",
          "Says which algorithms a collective could take and what flips the choice; why a data loader stalls, and what "
          "would help",
          "lockstep explain -t topologies/h100_node.yaml -w workloads/nccl_sweep.yaml -p nccl", declare_explain},
      Command{"topology", "Shows what a topology file makes; lists generators and node templates",
              "lockstep topology show topologies/lab_star4.yaml --route 0 3", declare_topology},
      Command{"workload", "Shows what a workload file asks for; lists collectives and algorithms",
              "lockstep workload show workloads/quickstart.yaml", declare_workload},
      Command{"dataset", "Generates the files that a data loader reads for real; shows what is there",
              "lockstep dataset make loader_files -w workloads/loader_quick.yaml", declare_dataset},
      Command{"plan", "Shows or validates what every rank will do",
              "lockstep plan show -w workloads/quickstart.yaml --ranks 4", declare_plan},
      Command{"lab", "Builds a topology out of network namespaces; shows what was built, or runs a command in a host",
              "lockstep lab show -t topologies/lab_star4.yaml", declare_lab},
      Command{"doctor", "Says what this machine offers, what is missing, and what brings it", "lockstep doctor",
              declare_doctor},
      Command{"schema", "Prints the JSON Schema of a kind of file", "lockstep schema topology", declare_schema},
  };
  return catalogue;
}

}  // namespace lockstep::cli
