#include "certs/openssl.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>

#include <array>
#include <climits>

namespace belay::certs {
namespace openssl {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

std::string name_text(const X509_NAME* name) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
    return "";
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string result;
  for (std::size_t i = 0; i < size; ++i) {
    result += kHexDigits[bytes[i] >> 4U];
    result += kHexDigits[bytes[i] & 0xfU];
  }
  return result;
}

std::string serial_text(const X509* certificate) {
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(certificate);
  return hex(ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial)));
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return "";
  return hex(digest.data(), size);
}

std::string key_text(const X509* certificate) {
  EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (key == nullptr) return "unknown";
  std::array<char, 64> group{};
  std::size_t size = 0;
  if (EVP_PKEY_is_a(key, "EC") == 1 &&
      EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1) {
    const std::string_view name(group.data(), size);
    if (name == "prime256v1") return "ECDSA P-256";
    if (name == "secp384r1") return "ECDSA P-384";
    if (name == "secp521r1") return "ECDSA P-521";
    return "ECDSA " + std::string(name);
  }
  const char* const type = EVP_PKEY_get0_type_name(key);
  return std::string(type == nullptr ? "unknown" : type) + " " +
         std::to_string(EVP_PKEY_get_bits(key));
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ASN1_STRING_length(address) == 4    ? AF_INET
                     : ASN1_STRING_length(address) == 16 ? AF_INET6
                                                         : 0;
  if (family == 0 ||
      inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size()) == nullptr) {
    return "";
  }
  return text.data();
}

std::vector<std::string> alternative_names(const X509* certificate) {
  std::vector<std::string> result;
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return result;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      const auto* const data = ASN1_STRING_get0_data(name->d.dNSName);
      result.emplace_back(reinterpret_cast<const char*>(data),
                          static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      result.push_back(address_text(name->d.iPAddress));
    }
  }
  return result;
}

TimePoint time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

/// Answers OpenSSL's question for a passphrase with none, instead of asking the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

}  // namespace

Error failure(std::string_view what) {
  Error error{std::string(what)};
  if (const unsigned long code = ERR_get_error(); code != 0) {
    if (const char* const reason = ERR_reason_error_string(code); reason != nullptr) {
      error.message += ": ";
      error.message += reason;
    }
  }
  ERR_clear_error();
  return error;
}

Bio reader(std::string_view text) {
  return Bio(
      BIO_new_mem_buf(text.data(), static_cast<int>(std::min<std::size_t>(text.size(), INT_MAX))));
}

std::expected<std::vector<Certificate>, Error> read_chain(std::string_view pem) {
  const Bio bio = reader(pem);
  std::vector<Certificate> chain;
  while (bio) {
    Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (!certificate) break;
    chain.push_back(std::move(certificate));
  }
  // The end of the text is no error; a broken block is.
  const unsigned long code = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (chain.empty() && at_end) {
    ERR_clear_error();
    return std::unexpected(Error{"contains no PEM certificate"});
  }
  if (!at_end) return std::unexpected(failure("is not a valid certificate"));
  ERR_clear_error();
  return chain;
}

std::expected<Key, Error> read_key(std::string_view pem) {
  const Bio bio = reader(pem);
  Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  if (key) return key;
  if (pem.find("ENCRYPTED") != std::string_view::npos) {
    ERR_clear_error();
    return std::unexpected(Error{"private key is encrypted; store it without a passphrase"});
  }
  if (pem.find("PRIVATE KEY-----") == std::string_view::npos) {
    ERR_clear_error();
    return std::unexpected(Error{"contains no PEM private key"});
  }
  return std::unexpected(failure("private key is invalid"));
}

CertificateFacts facts_of(const X509* certificate) {
  CertificateFacts facts;
  facts.subject = name_text(X509_get_subject_name(certificate));
  facts.issuer = name_text(X509_get_issuer_name(certificate));
  facts.serial = serial_text(certificate);
  facts.fingerprint = fingerprint_of(certificate);
  facts.key = key_text(certificate);
  facts.names = alternative_names(certificate);
  facts.not_before = time_of(X509_get0_notBefore(certificate));
  facts.not_after = time_of(X509_get0_notAfter(certificate));
  // X509_check_ca caches what it finds in the certificate, which is why it takes it non-const.
  facts.is_ca = X509_check_ca(const_cast<X509*>(certificate)) == 1;
  return facts;
}

std::expected<std::string, Error> pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) {
    return std::unexpected(failure("the certificate cannot be written"));
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace openssl

std::string library_version() { return OpenSSL_version(OPENSSL_VERSION); }

}  // namespace belay::certs
