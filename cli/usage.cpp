#include "cli/usage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/base/text.hpp"

namespace lockstep::cli {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// The first word that looks like an option and is none; empty if there is none.
std::string unknown_option(const CLI::App& command, int argc, const char* const* argv, int first) {
  std::vector<std::string> names;
  std::string letters;
  for (const CLI::Option* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    for (const auto& name : option->get_snames()) letters += name;
  }
  for (int i = first; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") break;
    if (word.size() < 2 || word[0] != '-' || (word[1] >= '0' && word[1] <= '9')) continue;
    const std::string name(word[1] == '-' ? word.substr(0, word.find('=')) : word.substr(0, 2));
    const bool known = word[1] == '-' ? std::find(names.begin(), names.end(), name) != names.end()
                                      : letters.find(word[1]) != std::string::npos;
    if (!known) return unknown_name("option", name, names);
  }
  return {};
}

std::string complaint(const CLI::App& command, const std::string& path, const CLI::ParseError& error, int argc,
                      const char* const* argv, int first) {
  std::string said = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    if (auto unknown = unknown_option(command, argc, argv, first); !unknown.empty()) return unknown;
    if (const auto rest = command.remaining(); !rest.empty())
      return fmt::format("'{}' is one word too many for '{}'", rest.front(), path);
  }
  constexpr std::string_view conversion = "Could not convert: ";
  if (said.starts_with(conversion)) {
    std::string text = said.substr(conversion.size());
    if (const auto equals = text.find(" = "); equals != std::string::npos) text.replace(equals, 3, " ");
    return text + ": no number, or too large a one";
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !commands_of(command).empty()) {
    std::vector<std::string> names;
    for (const CLI::App* known : commands_of(command)) names.push_back(known->get_name());
    return fmt::format("'{}' needs one of its commands: {}", path, join(names, ", "));
  }
  return said;
}

}  // namespace

std::string explain_usage(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv) {
  const CLI::App* command = &app;
  std::string path = app.get_name();
  int first = 1;
  for (bool found = true; found && first < argc;) {
    found = false;
    for (const CLI::App* known : commands_of(*command)) {
      if (known->get_name() != argv[first]) continue;
      path += " " + known->get_name();
      command = known;
      ++first;
      found = true;
      break;
    }
  }
  return fmt::format("{}\nRun '{} --help' for the options.", complaint(*command, path, error, argc, argv, first), path);
}

std::string refuse_odd_numbers(const std::string& text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  if (digits && (text.size() == 1 || text.front() != '0')) return {};
  return fmt::format("'{}' is no plain whole number (digits alone: no sign, no leading zeros, no 0x)", text);
}

}  // namespace lockstep::cli
