// The TLS settings of the webhook port as an OpenSSL context: TLS 1.2 and 1.3, AEAD ciphers with
// forward secrecy, no renegotiation, no resumption (API servers keep no sessions), certificates
// from the hot store at every handshake. A context may be used by many threads.
#pragma once

#include <openssl/ssl.h>

#include <expected>
#include <memory>
#include <string>

#include "certs/store.h"

namespace belay::webhook::http {

struct Error;

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextDeleter>;

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslHandle = std::unique_ptr<SSL, SslDeleter>;

/// \param store          asked at every handshake; must outlive the context
/// \param client_ca_pem  if set, clients must show a certificate of one of these CAs
std::expected<SslContext, Error> make_tls_context(const certs::Store& store,
                                                  const std::string& client_ca_pem);

}  // namespace belay::webhook::http
