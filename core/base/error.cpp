#include "core/base/error.hpp"

#include <cstring>

namespace lockstep {

void broken_invariant(const char* file, int line, const char* condition, const std::string& message) {
  const char* name = std::strrchr(file, '/');
  throw BrokenInvariant(
      fmt::format("{}:{}: {} (expected: {})", name != nullptr ? name + 1 : file, line, message, condition));
}

}  // namespace lockstep
