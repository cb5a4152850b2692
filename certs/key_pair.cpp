#include "certs/key_pair.h"

#include "certs/openssl.h"

namespace belay::certs {

struct KeyPair::Parts {
  CertificateFacts leaf;
  openssl::Certificate certificate;
  openssl::Key key;
  std::unique_ptr<STACK_OF(X509), openssl::Deleter<[](STACK_OF(X509) * stack) {
                    sk_X509_pop_free(stack, X509_free);
                  }>>
      intermediates;
};

KeyPair::KeyPair() : parts_(std::make_unique<Parts>()) {}
KeyPair::~KeyPair() = default;

std::expected<std::shared_ptr<const KeyPair>, Error> KeyPair::from_pem(std::string_view chain,
                                                                       std::string_view key) {
  auto certificates = openssl::read_chain(chain);
  if (!certificates) {
    return std::unexpected(Error{"the certificate " + certificates.error().message});
  }
  auto private_key = openssl::read_key(key);
  if (!private_key) return std::unexpected(Error{"the key: " + private_key.error().message});
  if (X509_check_private_key(certificates->front().get(), private_key->get()) != 1) {
    ERR_clear_error();
    return std::unexpected(Error{"certificate and key do not belong together"});
  }

  std::shared_ptr<KeyPair> pair(new KeyPair);
  pair->parts_->leaf = openssl::facts_of(certificates->front().get());
  pair->parts_->certificate = std::move(certificates->front());
  pair->parts_->key = std::move(*private_key);
  pair->parts_->intermediates.reset(sk_X509_new_null());
  for (std::size_t i = 1; i < certificates->size(); ++i) {
    if (sk_X509_push(pair->parts_->intermediates.get(), (*certificates)[i].get()) == 0) {
      return std::unexpected(openssl::failure("chain does not fit in memory"));
    }
    (void)(*certificates)[i].release();  // the stack owns it now
  }
  return pair;
}

const CertificateFacts& KeyPair::leaf() const { return parts_->leaf; }

Validity KeyPair::validity(TimePoint now) const { return certs::validity(parts_->leaf, now); }

TimePoint KeyPair::renew_at() const { return certs::renew_at(parts_->leaf); }

bool KeyPair::use_for(SSL* ssl) const {
  // Without intermediates the argument is an empty stack, which also keeps OpenSSL from looking for
  // a chain on its own. All three are counted up, never copied.
  return SSL_use_cert_and_key(ssl, parts_->certificate.get(), parts_->key.get(),
                              parts_->intermediates.get(), 1) == 1;
}

std::expected<std::vector<CertificateFacts>, Error> read_certificates(std::string_view pem) {
  const auto chain = openssl::read_chain(pem);
  if (!chain) return std::unexpected(chain.error());
  std::vector<CertificateFacts> facts;
  for (const openssl::Certificate& certificate : *chain) {
    facts.push_back(openssl::facts_of(certificate.get()));
  }
  return facts;
}

Validity validity(const CertificateFacts& certificate, TimePoint now) {
  if (now < certificate.not_before) return Validity::kNotYet;
  return now <= certificate.not_after ? Validity::kValid : Validity::kExpired;
}

TimePoint renew_at(const CertificateFacts& certificate) {
  return certificate.not_before + (certificate.not_after - certificate.not_before) * 2 / 3;
}

}  // namespace belay::certs
