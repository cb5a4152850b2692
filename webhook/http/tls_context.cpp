// TLS settings. What is off and why stands beside each line.
#include "webhook/http/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <string_view>

#include "webhook/http/server.h"

namespace belay::webhook::http {
namespace {

Error openssl_error(std::string what) {
  std::array<char, 256> text{};
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text.data(), text.size());
    what += ": ";
    what += text.data();
  }
  ERR_clear_error();
  return Error{std::move(what)};
}

int choose_certificate(SSL* ssl, void* argument) {
  const auto pair = static_cast<const certs::Store*>(argument)->current();
  return pair != nullptr && pair->use_for(ssl) ? 1 : 0;
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr std::array<unsigned char, 9> kHttp11 = {8,   'h', 't', 't', 'p',
                                                           '/', '1', '.', '1'};
  unsigned char* protocol = nullptr;
  if (SSL_select_next_proto(&protocol, chosen_size, kHttp11.data(), kHttp11.size(), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = protocol;
  return SSL_TLSEXT_ERR_OK;
}

std::expected<void, Error> require_client_certificates(SSL_CTX* context, const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  int count = 0;
  for (;; ++count) {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
    if (certificate == nullptr) break;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get()) != 1 ||
        SSL_CTX_add_client_CA(context, certificate.get()) != 1) {
      return std::unexpected(openssl_error("cannot use a certificate of the client CA"));
    }
  }
  const unsigned long last = ERR_peek_last_error();
  if (count == 0 || ERR_GET_REASON(last) != PEM_R_NO_START_LINE) {
    return std::unexpected(openssl_error("the client CA is not a PEM certificate"));
  }
  ERR_clear_error();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return {};
}

}  // namespace

std::expected<SslContext, Error> make_tls_context(const certs::Store& store,
                                                  const std::string& client_ca_pem) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return std::unexpected(openssl_error("cannot make a TLS context"));
  SSL_CTX* const ctx = context.get();
  const bool set =
      SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
      SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
      SSL_CTX_set_ciphersuites(
          ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
      SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1;
  if (!set) return std::unexpected(openssl_error("this OpenSSL lacks what belay asks of TLS"));
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION      // costs us, gains nobody
                               | SSL_OP_NO_COMPRESSION  // CRIME
                               | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_num_tickets(ctx, 0);  // client-go never resumes
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  // Idle connections give their 32 KiB of record buffers back; a record is read in one system call.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(ctx, 1);
  SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);
  SSL_CTX_set_cert_cb(ctx, choose_certificate, const_cast<certs::Store*>(&store));
  if (!client_ca_pem.empty()) {
    if (auto required = require_client_certificates(ctx, client_ca_pem); !required) {
      return std::unexpected(required.error());
    }
  }
  return context;
}

}  // namespace belay::webhook::http
