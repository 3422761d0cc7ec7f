// Where a command's results go: a file, or standard output for "-".
#pragma once

#include <string>
#include <string_view>

namespace lockstep::cli {

/// Writes the whole text. Throws InputError if the file cannot be written, with the reason.
void write_output(const std::string& path, std::string_view text);

}  // namespace lockstep::cli
