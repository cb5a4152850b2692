// A bundle of authorities as it stands in a Secret's ca.crt or a webhook configuration's caBundle:
// PEM certificates one after the other. Pure and thread-safe.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "certs/key_pair.h"

namespace belay::certs {

/// One authority of a bundle.
struct Authority {
  std::string pem;  ///< this certificate alone, as OpenSSL writes it
  CertificateFacts facts;
};

using Bundle = std::vector<Authority>;

/// \return the authorities in order, each once; certificates that are no CA are left out. An error
///         where the text is empty or a certificate in it does not read.
std::expected<Bundle, Error> read_bundle(std::string_view pem);

std::string bundle_pem(const Bundle& bundle);

bool holds(const Bundle& bundle, std::string_view fingerprint);

/// Appends what `bundle` does not hold yet.
void add_to(Bundle& bundle, const Authority& authority);

/// Whether `authority` signed the first certificate of `leaf`, whatever their lives. Both PEM.
bool is_signed_by(std::string_view leaf, std::string_view authority);

/// The one of `bundle` that signed it, or nullptr.
const Authority* issuer_of(const Bundle& bundle, std::string_view leaf);

}  // namespace belay::certs
