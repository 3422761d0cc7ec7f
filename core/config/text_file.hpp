#pragma once

#include <string>

namespace lockstep::config {

/// The bytes of a file, up to one more than max_file_bytes. Throws InputError as load_file does.
std::string load_text(const std::string& path);

}  // namespace lockstep::config
