// A certificate chain with its private key, checked to belong together, and what people ask about
// it. Knows OpenSSL, not Kubernetes. Immutable once made, so shared between threads freely.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/ssl.h>

namespace belay::certs {

using TimePoint = std::chrono::system_clock::time_point;

struct Error {
  std::string message;  ///< a sentence for people; never key material
};

/// What stands in a certificate.
struct CertificateFacts {
  std::string subject;
  std::string issuer;
  std::string serial;              ///< hex
  std::string fingerprint;         ///< SHA-256, hex
  std::string key;                 ///< "ECDSA P-256", "RSA 2048"
  std::vector<std::string> names;  ///< DNS names and IP addresses of subjectAltName
  TimePoint not_before;
  TimePoint not_after;
  bool is_ca = false;
};

enum class Validity { kNotYet, kValid, kExpired };

class KeyPair {
 public:
  /// Reads a PEM chain (leaf first) and a PEM private key and checks that they belong together.
  static std::expected<std::shared_ptr<const KeyPair>, Error> from_pem(std::string_view chain,
                                                                       std::string_view key);
  ~KeyPair();
  KeyPair(const KeyPair&) = delete;
  KeyPair& operator=(const KeyPair&) = delete;

  const CertificateFacts& leaf() const;
  Validity validity(TimePoint now) const;
  /// See renew_at() below.
  TimePoint renew_at() const;

  /// Puts chain and key into one connection (from SSL_CTX_set_cert_cb). Thread-safe.
  bool use_for(SSL* ssl) const;

 private:
  KeyPair();
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Facts of every certificate in a PEM text, in order.
std::expected<std::vector<CertificateFacts>, Error> read_certificates(std::string_view pem);

/// Where `now` stands in the life of a certificate.
Validity validity(const CertificateFacts& certificate, TimePoint now);

/// When to renew it: two thirds into its life.
TimePoint renew_at(const CertificateFacts& certificate);

/// The version of the OpenSSL that runs, such as "OpenSSL 3.0.22 8 Sep 2026".
std::string library_version();

}  // namespace belay::certs
