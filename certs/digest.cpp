#include "certs/digest.h"

#include <openssl/evp.h>

#include <array>

namespace belay::certs {

namespace {

const EVP_MD* algorithm(Hash hash) {
  switch (hash) {
    case Hash::kSha384:
      return EVP_sha384();
    case Hash::kSha512:
      return EVP_sha512();
    case Hash::kSha256:
      break;
  }
  return EVP_sha256();
}

}  // namespace

std::string hash_hex(Hash hash, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, algorithm(hash), nullptr) != 1) {
    return {};
  }
  std::string out;
  out.reserve(std::size_t{2} * size);
  for (unsigned i = 0; i < size; ++i) {
    out += kHex[digest[i] >> 4U];
    out += kHex[digest[i] & 0xFU];
  }
  return out;
}

}  // namespace belay::certs
