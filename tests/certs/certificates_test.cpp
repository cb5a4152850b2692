// Authority, leaf, key pair and store, with OpenSSL's own verification as the oracle.
#include <doctest/doctest.h>
#include <openssl/pem.h>

#include <thread>

#include "certs/authority.h"
#include "certs/openssl.h"
#include "certs/store.h"
#include "tests/certs/verify.h"

namespace {

using namespace belay::certs;
using namespace std::chrono_literals;

const TimePoint kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};

PemPair authority() { return create_authority("belay test CA", kNow).value(); }

}  // namespace

TEST_CASE("a certificate is trusted under its CA for every name it was issued for") {
  const PemPair ca = authority();
  const auto leaf =
      issue_leaf(ca, {"belay.belay-system.svc", "localhost", "127.0.0.1", "::1"}, kNow);
  REQUIRE(leaf);
  for (const char* const host : {"belay.belay-system.svc", "localhost", "127.0.0.1", "::1"}) {
    CAPTURE(host);
    CHECK(verify(leaf->certificate, ca.certificate, host, kNow) == X509_V_OK);
  }
  CHECK(verify(leaf->certificate, ca.certificate, "example.com", kNow) ==
        X509_V_ERR_HOSTNAME_MISMATCH);
  CHECK(verify(leaf->certificate, authority().certificate, "localhost", kNow) != X509_V_OK);
}

TEST_CASE("a certificate is valid from an hour before it was issued until its validity ends") {
  const PemPair ca = authority();
  const auto leaf = issue_leaf(ca, {"localhost"}, kNow, 24h);
  REQUIRE(leaf);
  CHECK(verify(leaf->certificate, ca.certificate, "localhost", kNow - 59min) == X509_V_OK);
  CHECK(verify(leaf->certificate, ca.certificate, "localhost", kNow - 61min) ==
        X509_V_ERR_CERT_NOT_YET_VALID);
  CHECK(verify(leaf->certificate, ca.certificate, "localhost", kNow + 24h + 1s) ==
        X509_V_ERR_CERT_HAS_EXPIRED);
  const auto pair = KeyPair::from_pem(leaf->certificate, leaf->key);
  REQUIRE(pair);
  CHECK((*pair)->validity(kNow - 61min) == Validity::kNotYet);
  CHECK((*pair)->validity(kNow) == Validity::kValid);
  CHECK((*pair)->validity(kNow + 24h + 1s) == Validity::kExpired);
  CHECK((*pair)->renew_at() == kNow - 1h + 1000min);
}

TEST_CASE("a certificate never outlives its CA") {
  const PemPair ca = create_authority("short", kNow, 48h).value();
  const auto leaf = issue_leaf(ca, {"localhost"}, kNow);
  REQUIRE(leaf);
  CHECK(read_certificates(leaf->certificate)->front().not_after == kNow + 48h);
  const auto late = issue_leaf(ca, {"localhost"}, kNow + 49h);
  REQUIRE_FALSE(late);
  CHECK(late.error().message == "the CA's certificate is not valid now");
}

TEST_CASE("names that are not names are refused, so none can add another extension value") {
  const PemPair ca = authority();
  for (const std::string name : {"", "a b", "evil,IP:10.0.0.1", "a\nb", "@section", "..", "a..b",
                                 ".a", "a.", "http://x", "*", "*.", "exämple.com"}) {
    CAPTURE(name);
    CHECK_FALSE(issue_leaf(ca, {name}, kNow));
  }
  CHECK(issue_leaf(ca, {"*.belay-system.svc"}, kNow));
  CHECK_FALSE(issue_leaf(ca, {}, kNow));
  CHECK_FALSE(create_authority("", kNow));
  CHECK_FALSE(create_authority(std::string(65, 'a'), kNow));
}

TEST_CASE("a certificate cannot act as CA") {
  const PemPair ca = authority();
  const auto leaf = issue_leaf(ca, {"localhost"}, kNow);
  const auto below = issue_leaf(*leaf, {"localhost"}, kNow);
  REQUIRE_FALSE(below);
  CHECK(below.error().message == "the CA's certificate is not a CA certificate");
}

TEST_CASE("the facts of a certificate say what it contains") {
  const PemPair ca = authority();
  const auto leaf = issue_leaf(ca, {"belay.svc", "10.0.0.1"}, kNow);
  const auto facts = read_certificates(leaf->certificate + ca.certificate);
  REQUIRE(facts);
  REQUIRE(facts->size() == 2);
  CHECK(facts->at(0).subject == "CN=belay.svc");
  CHECK(facts->at(0).issuer == "CN=belay test CA");
  CHECK(facts->at(0).names == std::vector<std::string>{"belay.svc", "10.0.0.1"});
  CHECK(facts->at(0).key == "ECDSA P-256");
  CHECK(facts->at(0).serial.size() == 32);
  CHECK(facts->at(0).fingerprint.size() == 64);
  CHECK_FALSE(facts->at(0).is_ca);
  CHECK(facts->at(1).is_ca);
  CHECK(facts->at(1).names.empty());
}

TEST_CASE("a pair of certificate and key that do not belong together is refused with the reason") {
  const PemPair ca = authority();
  const auto one = issue_leaf(ca, {"localhost"}, kNow);
  const auto other = issue_leaf(ca, {"localhost"}, kNow);
  const auto message = [](std::string_view chain, std::string_view key) {
    const auto pair = KeyPair::from_pem(chain, key);
    return pair ? std::string() : pair.error().message;
  };
  CHECK(message(one->certificate, one->key).empty());
  CHECK(message(one->certificate + ca.certificate, one->key).empty());
  CHECK(message(one->certificate, other->key) == "certificate and key do not belong together");
  CHECK(message("", one->key) == "the certificate contains no PEM certificate");
  CHECK(message(one->certificate, "") == "the key: contains no PEM private key");
  CHECK(message(one->key, one->key) == "the certificate contains no PEM certificate");
  std::string broken = one->certificate;
  broken.replace(100, 4, "####");
  CHECK(message(broken, one->key).starts_with("the certificate is not a valid certificate"));
  CHECK(message(
            one->certificate,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n") ==
        "the key: private key is encrypted; store it without a passphrase");
}

TEST_CASE("a TLS connection takes chain and key of a pair") {
  const PemPair ca = authority();
  const auto leaf = issue_leaf(ca, {"localhost"}, kNow);
  const auto pair = KeyPair::from_pem(leaf->certificate + ca.certificate, leaf->key);
  REQUIRE(pair);
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  SSL* const ssl = SSL_new(context);
  CHECK((*pair)->use_for(ssl));
  CHECK(SSL_get_certificate(ssl) != nullptr);
  CHECK(SSL_check_private_key(ssl) == 1);
  STACK_OF(X509)* chain = nullptr;
  SSL_get0_chain_certs(ssl, &chain);
  CHECK(sk_X509_num(chain) == 1);
  SSL_free(ssl);
  SSL_CTX_free(context);
}

TEST_CASE("whoever reads the store while it is published into gets a whole pair") {
  const PemPair ca = authority();
  std::vector<std::shared_ptr<const KeyPair>> pairs;
  for (int i = 0; i < 2; ++i) {
    const auto leaf = issue_leaf(ca, {"localhost"}, kNow);
    pairs.push_back(KeyPair::from_pem(leaf->certificate, leaf->key).value());
  }
  Store store;
  CHECK(store.current() == nullptr);
  store.publish(pairs[0]);
  std::thread writer([&] {
    for (int i = 0; i < 2000; ++i) store.publish(pairs[static_cast<std::size_t>(i) % 2]);
  });
  int strange = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto current = store.current();
    if (current != pairs[0] && current != pairs[1]) ++strange;
  }
  writer.join();
  CHECK(strange == 0);
}
