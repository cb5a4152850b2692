// A certificate authority that signs serving certificates: ECDSA P-256, SHA-256. Pure but for the
// randomness of keys and serials: time comes in, PEM goes out.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "certs/key_pair.h"

namespace belay::certs {

/// PEM texts of a certificate and its key.
struct PemPair {
  std::string certificate;
  std::string key;
};

inline constexpr std::chrono::hours kDefaultCaDuration{24 * 365 * 5};
inline constexpr std::chrono::hours kDefaultCertDuration{24 * 90};
/// notBefore lies this far back, so that a peer whose clock runs behind accepts the certificate.
inline constexpr std::chrono::hours kBackdate{1};

/// A new self-signed CA (path length 0, keyCertSign).
std::expected<PemPair, Error> create_authority(const std::string& common_name, TimePoint now,
                                               std::chrono::seconds life = kDefaultCaDuration);

/// A serving certificate (serverAuth) for `names` (DNS names or IP addresses), signed by
/// `authority`; its life never reaches beyond the authority's.
std::expected<PemPair, Error> issue_leaf(const PemPair& authority,
                                         const std::vector<std::string>& names, TimePoint now,
                                         std::chrono::seconds life = kDefaultCertDuration);

}  // namespace belay::certs
