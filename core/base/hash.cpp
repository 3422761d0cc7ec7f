#include "core/base/hash.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "core/base/error.hpp"

namespace lockstep {

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  const int ok = EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr);
  LOCKSTEP_CHECK(ok == 1 && length == 32, "SHA-256 failed");
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace lockstep
