// Profiles from text, for tests of their readers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "core/profile/profile.hpp"
#include "tests/core/messages.hpp"

namespace lockstep::test {

/// The profile in `text`, called p.yaml, with --set of `settings`.
inline Profile profile_in(const std::string& text,
                          const std::vector<std::pair<std::string, std::string>>& settings = {}) {
  auto root = config::parse_text(text, "p.yaml");
  for (const auto& [key, value] : settings) config::set_key(root, key, value);
  return read_profile(root, "p.yaml");
}

/// What its reader objects to.
inline std::string profile_error(const std::string& text) {
  return message_of<InputError>([&] { profile_in(text); });
}

}  // namespace lockstep::test
