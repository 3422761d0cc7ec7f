// Published tables of perftest and the OSU micro-benchmarks between two machines, and what the model of RDMA says.
//
// A table is two files: NAME.csv (size_bytes and bw_avg_Gbps, bandwidth_MBps or latency_us) and NAME.json with what is
// known of the system. Only three facts reach the model: the generation of the link, the test, the software. The
// network is topologies/hdr200_pair.yaml at the rate of the link, or, for TCP, topologies/ethernet_vm_pair.yaml.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::p2p {

struct Row {
  std::int64_t bytes = 0;
  double measured = 0;   ///< microseconds, or GB/s
  double predicted = 0;  ///< the same
  [[nodiscard]] double error() const { return predicted / measured - 1; }
};

struct Table {
  std::string name;
  bool latency = false;
  std::string test;  ///< "write", "read", "send"
  std::string nic, software;
  std::vector<Row> rows;
};

/// Every table of a folder, by name, with predictions. `topologies`: the folder of the two files named above. Throws
/// InputError naming the file; tables of systems that the model does not know are left out, with the reason in
/// `left_out`.
std::vector<Table> load_tables(const std::string& folder, const std::string& topologies,
                               std::vector<std::string>& left_out);

/// Absolute relative errors of the rows that count: all sizes for bandwidth, 64 B and more for latency.
std::vector<double> errors_of(const Table& table);

}  // namespace lockstep::p2p
