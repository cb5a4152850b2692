// OpenSSL's own verification, as a client does it: the oracle of what belay issues.
#pragma once

#include <openssl/x509_vfy.h>

#include <string>

#include "certs/openssl.h"

namespace belay::certs {

/// X509_V_OK, or why a client that trusts the authorities in `roots` does not take `leaf` for
/// `host` at `at`. X509_V_ERR_UNSPECIFIED where one of the texts does not read.
inline int verify(const std::string& leaf, const std::string& roots, const char* host,
                  TimePoint at) {
  const auto leaf_chain = openssl::read_chain(leaf);
  const auto authorities = openssl::read_chain(roots);
  if (!leaf_chain || !authorities) return X509_V_ERR_UNSPECIFIED;
  X509_STORE* const store = X509_STORE_new();
  for (const auto& authority : *authorities) X509_STORE_add_cert(store, authority.get());
  X509_STORE_CTX* const context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf_chain->front().get(), nullptr);
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_time(parameters, std::chrono::system_clock::to_time_t(at));
  X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1) {
    X509_VERIFY_PARAM_set1_host(parameters, host, 0);
  }
  X509_verify_cert(context);
  const int result = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  ERR_clear_error();
  return result;
}

}  // namespace belay::certs
