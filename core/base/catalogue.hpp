// One catalogue per extension point: {name, one-line description, entry}. Help, documentation and "did you mean" come
// from it. A catalogue is a plain function that returns a constant list, in one .cpp: no registration at start-up.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep {

/// Entry needs the members `name` and `description` (std::string).
template <class Entry>
std::vector<std::string> names_of(std::span<const Entry> catalogue) {
  std::vector<std::string> names;
  for (const auto& entry : catalogue) names.push_back(entry.name);
  return names;
}

template <class Entry>
const Entry* find_in(std::span<const Entry> catalogue, std::string_view name) {
  for (const auto& entry : catalogue)
    if (entry.name == name) return &entry;
  return nullptr;
}

/// Throws InputError with the nearest valid name.
template <class Entry>
const Entry& get_from(std::span<const Entry> catalogue, std::string_view what, std::string_view name) {
  if (const Entry* entry = find_in(catalogue, name)) return *entry;
  throw InputError(unknown_name(what, name, names_of(catalogue)));
}

}  // namespace lockstep
