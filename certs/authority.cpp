#include "certs/authority.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "certs/openssl.h"

namespace belay::certs {
namespace {

constexpr std::size_t kSerialBytes = 16;    // RFC 5280, section 4.1.2.2: at most 20 octets
constexpr std::size_t kMaxCommonName = 64;  // RFC 5280, appendix A.1: ub-common-name

/// What stands in one certificate.
struct Description {
  std::string common_name;
  TimePoint not_before;
  TimePoint not_after;
  bool is_ca = false;
  std::string alternative_names;  ///< "DNS:a,IP:b" of X509V3_EXT_conf
};

std::expected<std::string, Error> pem_of_key(EVP_PKEY* key) {
  const openssl::Bio bio(BIO_new(BIO_s_mem()));
  if (!bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return std::unexpected(openssl::failure("the key cannot be written"));
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

/// A positive random serial number.
bool set_serial(X509* certificate) {
  std::array<unsigned char, kSerialBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7fU) | 0x40U);
  const openssl::Number number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_time(ASN1_TIME* field, TimePoint time) {
  return ASN1_TIME_adj(field, std::chrono::system_clock::to_time_t(time), 0, 0) != nullptr;
}

bool add_extension(X509* certificate, const X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
  const openssl::Extension extension(X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_extensions(X509* certificate, const X509* issuer, const Description& description) {
  const auto add = [&](int nid, const std::string& value) {
    return add_extension(certificate, issuer, nid, value);
  };
  if (description.is_ca) {
    return add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add(NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add(NID_subject_key_identifier, "hash");
  }
  return add(NID_basic_constraints, "critical,CA:FALSE") &&
         add(NID_key_usage, "critical,digitalSignature") && add(NID_ext_key_usage, "serverAuth") &&
         add(NID_subject_key_identifier, "hash") &&
         add(NID_authority_key_identifier, "keyid:always") &&
         add(NID_subject_alt_name, description.alternative_names);
}

/// A certificate for a new key; signed by `authority` and its key, or by itself where they are
/// nullptr.
std::expected<PemPair, Error> make_certificate(const Description& description, X509* authority,
                                               EVP_PKEY* authority_key) {
  const openssl::Key key(EVP_EC_gen("P-256"));
  const openssl::Certificate certificate(X509_new());
  if (!key || !certificate) return std::unexpected(openssl::failure("no key can be made"));
  X509* const issuer = authority == nullptr ? certificate.get() : authority;
  EVP_PKEY* const signing_key = authority_key == nullptr ? key.get() : authority_key;

  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  const auto* const name = reinterpret_cast<const unsigned char*>(description.common_name.data());
  const bool made =
      X509_set_version(certificate.get(), X509_VERSION_3) == 1 && set_serial(certificate.get()) &&
      set_time(X509_getm_notBefore(certificate.get()), description.not_before) &&
      set_time(X509_getm_notAfter(certificate.get()), description.not_after) &&
      X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, name,
                                 static_cast<int>(description.common_name.size()), -1, 0) == 1 &&
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer)) == 1 &&
      X509_set_pubkey(certificate.get(), key.get()) == 1 &&
      add_extensions(certificate.get(), issuer, description) &&
      X509_sign(certificate.get(), signing_key, EVP_sha256()) > 0;
  if (!made) return std::unexpected(openssl::failure("no certificate can be made"));

  auto certificate_pem = openssl::pem_of(certificate.get());
  if (!certificate_pem) return std::unexpected(certificate_pem.error());
  auto key_pem = pem_of_key(key.get());
  if (!key_pem) return std::unexpected(key_pem.error());
  return PemPair{std::move(*certificate_pem), std::move(*key_pem)};
}

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

/// A DNS name as certificates carry it (RFC 1035 letters, digits, hyphens; "_" as Kubernetes never
/// writes it; a leading "*." for a wildcard).
bool is_dns_name(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > 253 || name.starts_with('.') || name.ends_with('.')) {
    return false;
  }
  return name.find("..") == std::string_view::npos && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.';
         });
}

std::expected<std::string, Error> alternative_names_text(const std::vector<std::string>& names) {
  if (names.empty()) return std::unexpected(Error{"a certificate needs at least one name"});
  std::string result;
  for (const std::string& name : names) {
    const bool address = is_address(name);
    if (!address && !is_dns_name(name)) {
      return std::unexpected(Error{"\"" + name + "\" is neither a DNS name nor an IP address"});
    }
    result += (result.empty() ? "" : ",") + std::string(address ? "IP:" : "DNS:") + name;
  }
  return result;
}

}  // namespace

std::expected<PemPair, Error> create_authority(const std::string& common_name, TimePoint now,
                                               std::chrono::seconds life) {
  if (common_name.empty() || common_name.size() > kMaxCommonName) {
    return std::unexpected(Error{"the CA's name must have 1 to 64 characters"});
  }
  return make_certificate({.common_name = common_name,
                           .not_before = now - kBackdate,
                           .not_after = now + life,
                           .is_ca = true,
                           .alternative_names = ""},
                          nullptr, nullptr);
}

std::expected<PemPair, Error> issue_leaf(const PemPair& authority,
                                         const std::vector<std::string>& names, TimePoint now,
                                         std::chrono::seconds life) {
  auto alternatives = alternative_names_text(names);
  if (!alternatives) return std::unexpected(alternatives.error());
  const auto chain = openssl::read_chain(authority.certificate);
  if (!chain) return std::unexpected(Error{"the CA " + chain.error().message});
  const auto key = openssl::read_key(authority.key);
  if (!key) return std::unexpected(Error{"the CA's key: " + key.error().message});
  X509* const issuer = chain->front().get();
  const CertificateFacts facts = openssl::facts_of(issuer);
  if (!facts.is_ca) return std::unexpected(Error{"the CA's certificate is not a CA certificate"});
  if (X509_check_private_key(issuer, key->get()) != 1) {
    ERR_clear_error();
    return std::unexpected(Error{"the CA's certificate and key do not belong together"});
  }
  if (validity(facts, now) != Validity::kValid) {
    return std::unexpected(Error{"the CA's certificate is not valid now"});
  }
  return make_certificate({.common_name = names.front().substr(0, kMaxCommonName),
                           .not_before = std::max(now - kBackdate, facts.not_before),
                           .not_after = std::min<TimePoint>(now + life, facts.not_after),
                           .is_ca = false,
                           .alternative_names = std::move(*alternatives)},
                          issuer, key->get());
}

}  // namespace belay::certs
