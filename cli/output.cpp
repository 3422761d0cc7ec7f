#include "cli/output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "core/base/error.hpp"

namespace lockstep::cli {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

void write_output(const std::string& path, std::string_view text) {
  const auto refuse = [&] {
    throw InputError(fmt::format("cannot write {}: {}", path == "-" ? "standard output" : path,
                                 std::generic_category().message(errno)));
  };
  if (path == "-") {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) refuse();
    return;
  }
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "wb"));
  if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() || std::fflush(file.get()) != 0)
    refuse();
}

void check_writable(const std::string& path, std::string_view option) {
  if (path.empty() || path == "-") return;
  std::error_code ignored;
  const bool existed = std::filesystem::exists(path, ignored);
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "ab"));
  if (!file)
    throw InputError(fmt::format("{} {}: cannot be written: {}", option, path, std::generic_category().message(errno)));
  if (!existed) std::filesystem::remove(path, ignored);
}

}  // namespace lockstep::cli
