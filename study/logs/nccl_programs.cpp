#include "study/logs/nccl_programs.hpp"

#include <array>
#include <cctype>
#include <filesystem>
#include <utility>

#include "core/base/text.hpp"
#include "study/logs/lines.hpp"

namespace lockstep::logs {
namespace {

constexpr std::array<NcclProgram, 11> programs{{{"all_reduce_perf", CollectiveKind::all_reduce},
                                                {"all_gather_perf", CollectiveKind::all_gather},
                                                {"reduce_scatter_perf", CollectiveKind::reduce_scatter},
                                                {"broadcast_perf", CollectiveKind::broadcast},
                                                {"reduce_perf", CollectiveKind::reduce},
                                                {"alltoall_perf", CollectiveKind::all_to_all},
                                                {"sendrecv_perf", CollectiveKind::send_recv},
                                                {"alltoallv_perf", std::nullopt},
                                                {"hypercube_perf", std::nullopt},
                                                {"gather_perf", std::nullopt},
                                                {"scatter_perf", std::nullopt}}};

}  // namespace

const NcclProgram* nccl_program_in(std::string_view line) {
  for (const auto& program : programs) {
    const std::size_t at = line.find(program.name);
    if (at == std::string_view::npos) continue;
    if (at > 0 && (std::isalnum(static_cast<unsigned char>(line[at - 1])) != 0 || line[at - 1] == '_')) continue;
    return &program;
  }
  return nullptr;
}

std::string nccl_programs() {
  std::vector<std::string> names;
  for (const auto& program : programs)
    if (program.kind) names.emplace_back(program.name);
  return join(names, ", ");
}

std::optional<CollectiveKind> nccl_kind_of_file_name(const std::string& file) {
  std::string name;
  for (const char c : lower_case(std::filesystem::path(file).filename().string()))
    if (c != '_' && c != '-') name += c;
  constexpr std::array<std::pair<std::string_view, CollectiveKind>, 7> words{
      {{"allreduce", CollectiveKind::all_reduce},
       {"allgather", CollectiveKind::all_gather},
       {"reducescatter", CollectiveKind::reduce_scatter},
       {"broadcast", CollectiveKind::broadcast},
       {"alltoall", CollectiveKind::all_to_all},
       {"sendrecv", CollectiveKind::send_recv},
       {"reduce", CollectiveKind::reduce}}};
  for (const auto& [word, kind] : words)
    if (name.find(word) != std::string::npos) return kind;
  return std::nullopt;
}

std::string nccl_type(std::string_view name) {
  if (name == "float") return "float32";
  if (name == "double") return "float64";
  if (name == "half") return "float16";
  return std::string(name);
}

}  // namespace lockstep::logs
