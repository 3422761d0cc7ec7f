// What is wrong with a command line, in the words of the rest of the program: the nearest option, the commands to
// choose from, the page of help to read.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace lockstep::cli {

/// The message for a command line that `app` refused with `error`.
std::string explain_usage(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv);

/// For Option::check(): plain decimal digits. CLI11 would read 010 as 8 and -1 as the largest unsigned number. Returns
/// the complaint, or nothing.
std::string refuse_odd_numbers(const std::string& text);

}  // namespace lockstep::cli
