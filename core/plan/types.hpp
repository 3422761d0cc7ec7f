// Words that plans, schedules, executors and results share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/units/quantity.hpp"

namespace lockstep {

using Rank = int;
/// Lengths of a grid's dimensions, slowest first; unused ones are 0.
using Dimensions = std::array<int, 3>;

enum class ElementType : std::uint8_t { float32, float64, int32, bfloat16 };
enum class Reduction : std::uint8_t { sum, max, min, average };
enum class CollectiveKind : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  broadcast,
  reduce,
  all_to_all,
  barrier,
  send_recv,
  gather,
  scatter,
  all_to_all_v
};

std::size_t element_bytes(ElementType type);

// Names as they stand in files and results: "float32", "avg" (average), "all_reduce". parse_* throw InputError with the
// nearest name.
std::string_view to_string(ElementType type);
std::string_view to_string(Reduction reduction);
std::string_view to_string(CollectiveKind kind);
ElementType parse_element_type(std::string_view name);
Reduction parse_reduction(std::string_view name);
CollectiveKind parse_collective_kind(std::string_view name);
const std::vector<std::string>& element_type_names();
const std::vector<std::string>& reduction_names();
const std::vector<std::string>& collective_kind_names();

/// True where one rank is the root (broadcast, reduce, gather, scatter).
bool rooted(CollectiveKind kind);

/// True where the kind combines data (all_reduce, reduce_scatter, reduce).
bool reduces(CollectiveKind kind);

/// Bus bandwidth / algorithm bandwidth as nccl-tests defines it (FIELD-FACTS 1.3): all_reduce 2(n-1)/n; all_gather,
/// reduce_scatter, all_to_all, gather, scatter (n-1)/n, and all_to_all_v as all_to_all; broadcast, reduce, send_recv 1;
/// barrier 0. One rank: 1 where n-1 stands.
double bus_factor(CollectiveKind kind, int ranks);

}  // namespace lockstep
