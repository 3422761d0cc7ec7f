#include "core/plan/types.hpp"

#include <array>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep {
namespace {

template <class E>
E parse(const char* what, std::string_view name, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<E>(i);
  throw InputError(unknown_name(what, name, names));
}

template <class E>
std::string_view name_of(E value, const std::vector<std::string>& names) {
  const auto index = static_cast<std::size_t>(value);
  LOCKSTEP_CHECK(index < names.size(), "value {} of an enumeration with {} names", index, names.size());
  return names[index];
}

}  // namespace

std::size_t element_bytes(ElementType type) {
  static constexpr std::array<std::size_t, 4> bytes = {4, 8, 4, 2};
  return bytes.at(static_cast<std::size_t>(type));
}

std::string_view to_string(ElementType type) { return name_of(type, element_type_names()); }
std::string_view to_string(Reduction reduction) { return name_of(reduction, reduction_names()); }
std::string_view to_string(CollectiveKind kind) { return name_of(kind, collective_kind_names()); }

ElementType parse_element_type(std::string_view name) {
  return parse<ElementType>("element type", name, element_type_names());
}
Reduction parse_reduction(std::string_view name) { return parse<Reduction>("reduction", name, reduction_names()); }
CollectiveKind parse_collective_kind(std::string_view name) {
  return parse<CollectiveKind>("collective", name, collective_kind_names());
}

// In the order of the enumerations: the index is the value.
const std::vector<std::string>& element_type_names() {
  static const std::vector<std::string> names = {"float32", "float64", "int32", "bfloat16"};
  return names;
}
const std::vector<std::string>& reduction_names() {
  static const std::vector<std::string> names = {"sum", "max", "min", "avg"};
  return names;
}
const std::vector<std::string>& collective_kind_names() {
  static const std::vector<std::string> names = {"all_reduce", "all_gather", "reduce_scatter", "broadcast",
                                                 "reduce",     "all_to_all", "barrier",        "send_recv",
                                                 "gather",     "scatter",    "all_to_all_v"};
  return names;
}

bool rooted(CollectiveKind kind) {
  return kind == CollectiveKind::broadcast || kind == CollectiveKind::reduce || kind == CollectiveKind::gather ||
         kind == CollectiveKind::scatter;
}

bool reduces(CollectiveKind kind) {
  return kind == CollectiveKind::all_reduce || kind == CollectiveKind::reduce_scatter || kind == CollectiveKind::reduce;
}

double bus_factor(CollectiveKind kind, int ranks) {
  LOCKSTEP_CHECK(ranks >= 1, "bus factor of {} ranks", ranks);
  const double n = ranks;
  const double others = ranks == 1 ? 1.0 : n - 1;
  switch (kind) {
    case CollectiveKind::all_reduce:
      return 2 * others / n;
    case CollectiveKind::all_gather:
    case CollectiveKind::reduce_scatter:
    case CollectiveKind::all_to_all:
    case CollectiveKind::gather:
    case CollectiveKind::scatter:
    case CollectiveKind::all_to_all_v:
      return others / n;
    case CollectiveKind::broadcast:
    case CollectiveKind::reduce:
    case CollectiveKind::send_recv:
      return 1;
    case CollectiveKind::barrier:
      return 0;
  }
  LOCKSTEP_CHECK(false, "collective kind {}", static_cast<int>(kind));
}

}  // namespace lockstep
