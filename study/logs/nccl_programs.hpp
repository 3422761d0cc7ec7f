// What the names in nccl-tests' output mean: shared by its text and its JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/plan/types.hpp"

namespace lockstep::logs {

struct NcclProgram {
  std::string_view name;               ///< "all_reduce_perf"
  std::optional<CollectiveKind> kind;  ///< none: not a collective of ours
};

/// The program that a line names ("./build/all_reduce_perf -b 8"), not a part of another name; nullptr: none.
const NcclProgram* nccl_program_in(std::string_view line);

/// The programs that measure collectives of ours, for messages: "all_reduce_perf, ...".
std::string nccl_programs();

/// "all-gather-h100.log" -> all_gather.
std::optional<CollectiveKind> nccl_kind_of_file_name(const std::string& file);

/// "float" -> "float32".
std::string nccl_type(std::string_view name);

}  // namespace lockstep::logs
