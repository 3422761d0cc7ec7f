// Published tables of nccl-tests, and the systems that they were measured on.
//
// A table is two files: NAME.csv (size_bytes, time_us_out_of_place, ...) and NAME.json with the facts of the system
// (GPU, nodes, NICs, fabric, process model, source). Only those facts reach the model: the topology comes from the node
// templates.
#pragma once

#include <string>
#include <vector>

#include "core/nccl/system.hpp"
#include "core/plan/types.hpp"
#include "sim/nccl/constants.hpp"

namespace lockstep::accuracy {

struct Row {
  std::int64_t bytes = 0;
  double measured_us = 0;
};

struct Table {
  std::string name;
  CollectiveKind kind = CollectiveKind::all_reduce;
  nccl::System system;
  std::vector<Row> rows;
};

/// Every table of a folder, by name. Throws InputError naming the file; tables of systems that the model does not know
/// are left out, with the reason in `left_out`.
std::vector<Table> load_tables(const std::string& folder, std::vector<std::string>& left_out);

/// What the model says of a row, in microseconds.
double predicted_us(const Table& table, std::int64_t bytes,
                    const sim::nccl::Constants& constants = sim::nccl::fitted_constants());

}  // namespace lockstep::accuracy
