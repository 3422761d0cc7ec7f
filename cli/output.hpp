// Where a command's results go: a file, or standard output for "-".
#pragma once

#include <string>
#include <string_view>

namespace lockstep::cli {

/// Writes the whole text. Throws InputError if the file cannot be written, with the reason.
void write_output(const std::string& path, std::string_view text);

/// Fails before hours of work, not after: throws InputError, naming the option, if the file cannot be written. Leaves
/// no file behind. An empty path and "-" pass.
void check_writable(const std::string& path, std::string_view option);

}  // namespace lockstep::cli
