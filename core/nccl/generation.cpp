#include "core/nccl/generation.hpp"

#include <algorithm>
#include <string>

#include "core/base/error.hpp"

namespace lockstep::nccl {
namespace {

// speedArrayIntra, speedArrayInter and their sm90 and sm100 forms in search.cc.
constexpr double intra_sm70[] = {40, 30, 20, 18, 15, 12, 10, 9, 7, 6, 5, 4, 3};
constexpr double inter_sm70[] = {48, 30, 28, 24, 20, 18, 15, 12, 10, 9, 7, 6, 5, 4, 3, 2.4, 1.2, 0.24, 0.12};
constexpr double intra_sm90[] = {60, 50, 40, 30, 24, 20, 15, 12, 11, 6, 3};
constexpr double inter_sm90[] = {48, 45, 42, 40, 30, 24, 22, 20, 17.5, 15, 12, 6, 3, 2.4, 1.2, 0.24, 0.12};
constexpr double intra_sm100[] = {90, 80, 70, 60, 50, 45, 40, 30, 24, 20, 19, 18};
constexpr double inter_sm100[] = {96, 86,   80, 48, 45.1, 42, 40,  30,  24,   22,
                                  20, 17.5, 15, 12, 6,    3,  2.4, 1.2, 0.24, 0.12};

// NVLink: links per GPU x NCCL's rate per link (topo.h: SM70 20, SM80 20, SM90 20.6, SM100 40.1 GB/s) over the rate of
// the data sheet: 6 x 20 / 150, 12 x 20 / 300, 18 x 20.6 / 450, 18 x 40.1 / 900.
constexpr GenerationTable volta{.nvlink_share = 0.8,
                                .ll_max = 39,
                                .ring_ll128_channel = 20,
                                .tree_ll128_channel = {20, 20, 20},
                                .tree_simple_channel = {26.5, 18.5, 10},
                                .nvls_tree_channel = {0, 0, 0},
                                .nvls_efficiency = 0,
                                .ring_plateau = 1.9,
                                .speeds_intra = intra_sm70,
                                .speeds_inter = inter_sm70};
constexpr GenerationTable ampere{.nvlink_share = 0.8,
                                 .ll_max = 87.7,
                                 .ring_ll128_channel = 20,
                                 .tree_ll128_channel = {20, 20, 20},
                                 .tree_simple_channel = {24, 23.6, 17.8},
                                 .nvls_tree_channel = {0, 0, 0},
                                 .nvls_efficiency = 0,
                                 .ring_plateau = 1.4,
                                 .speeds_intra = intra_sm70,
                                 .speeds_inter = inter_sm70};
// MI300X: seven links of 64 GB/s; a ring of all eight reaches 313 of 448 GB/s (FIELD-FACTS 1.4).
constexpr GenerationTable cdna3{.nvlink_share = 0.735,
                                .ll_max = 87.7,
                                .ring_ll128_channel = 20,
                                .tree_ll128_channel = {20, 20, 20},
                                .tree_simple_channel = {24, 23.6, 17.8},
                                .nvls_tree_channel = {0, 0, 0},
                                .nvls_efficiency = 0,
                                .ring_plateau = 1.4,
                                .speeds_intra = intra_sm70,
                                .speeds_inter = inter_sm70};
constexpr GenerationTable hopper{.nvlink_share = 0.824,
                                 .ll_max = 141,
                                 .ring_ll128_channel = 36.7,
                                 .tree_ll128_channel = {36.7, 36.7, 29},
                                 .tree_simple_channel = {38.7, 41.4, 36},
                                 .nvls_tree_channel = {0, 57.7, 45.5},
                                 .nvls_efficiency = 0.85,
                                 .ring_plateau = 1.4,
                                 .speeds_intra = intra_sm90,
                                 .speeds_inter = inter_sm90};
constexpr GenerationTable blackwell{.nvlink_share = 0.802,
                                    .ll_max = 282,
                                    .ring_ll128_channel = 40,
                                    .tree_ll128_channel = {55.6, 31.67, 20},
                                    .tree_simple_channel = {70, 42.8, 24},
                                    .nvls_tree_channel = {0, 96, 80},
                                    .nvls_efficiency = 0.74,
                                    .ring_plateau = 1.4,
                                    .speeds_intra = intra_sm100,
                                    .speeds_inter = inter_sm100};

}  // namespace

std::string_view to_string(Generation generation) {
  switch (generation) {
    case Generation::volta:
      return "Volta";
    case Generation::ampere:
      return "Ampere";
    case Generation::cdna3:
      return "CDNA3";
    case Generation::hopper:
      return "Hopper";
    case Generation::blackwell:
      return "Blackwell";
  }
  LOCKSTEP_CHECK(false, "GPU generation {}", static_cast<int>(generation));
}

const GenerationTable& table_of(Generation generation) {
  switch (generation) {
    case Generation::volta:
      return volta;
    case Generation::ampere:
      return ampere;
    case Generation::cdna3:
      return cdna3;
    case Generation::hopper:
      return hopper;
    case Generation::blackwell:
      return blackwell;
  }
  LOCKSTEP_CHECK(false, "GPU generation {}", static_cast<int>(generation));
}

std::optional<Generation> generation_of_model(std::string_view model) {
  std::string lower(model);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  static constexpr std::pair<std::string_view, Generation> names[] = {
      {"gb200", Generation::blackwell}, {"gb300", Generation::blackwell}, {"b200", Generation::blackwell},
      {"b300", Generation::blackwell},  {"gh200", Generation::hopper},    {"h100", Generation::hopper},
      {"h200", Generation::hopper},     {"h800", Generation::hopper},     {"h20", Generation::hopper},
      {"mi300", Generation::cdna3},     {"a100", Generation::ampere},     {"a800", Generation::ampere},
      {"v100", Generation::volta}};
  for (const auto& [name, generation] : names)
    if (lower.find(name) != std::string::npos) return generation;
  return std::nullopt;
}

Generation generation_of_nvlink(double GBps) {
  if (GBps >= 0.75 * 900) return Generation::blackwell;
  if (GBps >= 0.75 * 450) return Generation::hopper;
  if (GBps >= 0.75 * 300) return Generation::ampere;
  return Generation::volta;
}

}  // namespace lockstep::nccl
