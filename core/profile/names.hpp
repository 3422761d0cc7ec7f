// The names that choices have in files, from the lists that config::choice() reads them by.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

/// Empty if the list has none for it.
template <class E>
std::string_view name_of(E value, const std::vector<std::pair<std::string, E>>& names) {
  for (const auto& [name, known] : names)
    if (known == value) return name;
  return "";
}

}  // namespace lockstep
