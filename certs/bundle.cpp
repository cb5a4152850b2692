#include "certs/bundle.h"

#include <openssl/pem.h>

#include <algorithm>

#include "certs/openssl.h"

namespace belay::certs {

std::expected<Bundle, Error> read_bundle(std::string_view pem) {
  const auto chain = openssl::read_chain(pem);
  if (!chain) return std::unexpected(chain.error());
  Bundle bundle;
  for (const openssl::Certificate& certificate : *chain) {
    Authority authority{.pem = "", .facts = openssl::facts_of(certificate.get())};
    if (!authority.facts.is_ca) continue;
    auto text = openssl::pem_of(certificate.get());
    if (!text) return std::unexpected(text.error());
    authority.pem = std::move(*text);
    add_to(bundle, authority);
  }
  return bundle;
}

std::string bundle_pem(const Bundle& bundle) {
  std::string text;
  for (const Authority& authority : bundle) text += authority.pem;
  return text;
}

bool holds(const Bundle& bundle, std::string_view fingerprint) {
  return std::ranges::any_of(bundle, [&](const Authority& authority) {
    return authority.facts.fingerprint == fingerprint;
  });
}

void add_to(Bundle& bundle, const Authority& authority) {
  if (!holds(bundle, authority.facts.fingerprint)) bundle.push_back(authority);
}

const Authority* issuer_of(const Bundle& bundle, std::string_view leaf) {
  const auto found = std::ranges::find_if(
      bundle, [&](const Authority& authority) { return is_signed_by(leaf, authority.pem); });
  return found == bundle.end() ? nullptr : &*found;
}

bool is_signed_by(std::string_view leaf, std::string_view authority) {
  const auto leaf_chain = openssl::read_chain(leaf);
  const auto issuer = openssl::read_chain(authority);
  if (!leaf_chain || !issuer) return false;
  X509* const certificate = leaf_chain->front().get();
  X509* const ca = issuer->front().get();
  const bool signed_by = X509_check_issued(ca, certificate) == X509_V_OK &&
                         X509_verify(certificate, X509_get0_pubkey(ca)) == 1;
  ERR_clear_error();
  return signed_by;
}

}  // namespace belay::certs
