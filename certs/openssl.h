// Owners of OpenSSL's objects, and its error queue as a sentence. Inside certs/ only.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certs/key_pair.h"

namespace belay::certs::openssl {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;

/// `what`, with OpenSSL's reason where it gives one. Empties the thread's error queue.
Error failure(std::string_view what);

/// A BIO that reads `text`, which must outlive it.
Bio reader(std::string_view text);

/// Every certificate of a PEM text; at least one.
std::expected<std::vector<Certificate>, Error> read_chain(std::string_view pem);

/// A private key of a PEM text. Never asks for a passphrase.
std::expected<Key, Error> read_key(std::string_view pem);

CertificateFacts facts_of(const X509* certificate);

/// The certificate alone in PEM.
std::expected<std::string, Error> pem_of(X509* certificate);

}  // namespace belay::certs::openssl
