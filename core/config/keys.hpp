// Which keys a document gives: so that one that turns out to do nothing can be named, with its place.
#pragma once

#include <string>
#include <vector>

#include "core/config/document.hpp"

namespace lockstep::config {

/// A key with a scalar value (or a list of scalars), as the user gave it in a file or by --set.
struct GivenKey {
  std::string path;         ///< "links.*.loss": places in lists are *
  Position position;        ///< of the first one; the file is "--set KEY=VALUE" where that gave it
  bool by_setting = false;  ///< --set gave it (any of them)
  bool neutral = true;      ///< every value is 0 with or without unit, `false` or null: what changes nothing by itself
};

/// One entry per path, in the order of the document.
std::vector<GivenKey> given_keys(const Node& root);

}  // namespace lockstep::config
