// Where the serving certificate comes from, and how it stays fresh: files that others write and we
// watch, a directory in which we are our own CA, or memory.
//
// The files are read and written here, at the edge; keys and certificates themselves are certs/'s.
// ServingCertificate is thread-safe; its thread publishes into a certs::Store that the server reads
// at every handshake, so a renewal drops no connection.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certs/authority.h"
#include "certs/key_pair.h"
#include "certs/store.h"

namespace belay::webhook::certificates {

/// Names of the files in a directory of ours.
inline constexpr std::string_view kCaFile = "ca.crt";
inline constexpr std::string_view kCaKeyFile = "ca.key";
inline constexpr std::string_view kCertificateFile = "tls.crt";
inline constexpr std::string_view kKeyFile = "tls.key";

/// Names of a leaf for which none were asked: the service that the chart installs, and this
/// machine.
std::vector<std::string> default_certificate_names();

using SystemClock = std::function<certs::TimePoint()>;

/// The content of a file of at most 1 MiB, or why it cannot be had, with the file's name.
std::expected<std::string, certs::Error> read_pem_file(const std::string& path);

/// What create_directory_certificates() did.
struct DirectoryCertificates {
  certs::PemPair leaf;
  std::string ca;       ///< PEM of the CA certificate
  bool new_ca = false;  ///< clients must be told of a new CA
  bool new_leaf = false;
  std::string reason;  ///< why something was made: "no certificate yet", "two thirds of …"
};

struct DirectoryOptions {
  /// DNS names and addresses of the leaf; empty: those of the leaf that is there, else the default.
  std::vector<std::string> names;
  std::chrono::seconds life = certs::kDefaultCertDuration;
  bool renew = false;  ///< issue a new leaf whatever the old one's state
};

/// Makes sure that `directory` (created where absent, mode 0700) holds a CA and a leaf for
/// `names` that is neither expired nor due: keeps what is good, renews what is not. Keys get mode
/// 0600; each file is replaced by rename, so a reader never sees half a file.
/// A file that is there but is invalid is an error: it may be a user's, so it is never
/// overwritten.
std::expected<DirectoryCertificates, certs::Error> ensure_directory_certificates(
    const std::string& directory, const DirectoryOptions& options, certs::TimePoint now);

/// Which source to use: `certificate_file` and `key_file`, or `directory`, or neither (memory).
struct ServingCertificateOptions {
  std::string certificate_file;
  std::string key_file;
  std::string directory;
  std::vector<std::string> names;  ///< of a leaf that we issue; see DirectoryOptions
  std::chrono::milliseconds poll{10'000};
};

/// What happened to the certificate, for log and metrics. Called on the watching thread.
struct CertificateEvent {
  std::shared_ptr<const certs::KeyPair> pair;  ///< now in force; nullptr for a failure
  std::string message;                         ///< what was done, or why it failed
  /// When the CA expires that issued the pair, where that is known: belay's own.
  std::optional<certs::TimePoint> ca_expiry = std::nullopt;
  /// Without a pair: no failure, but a step on the way to the next one.
  bool progress = false;
};

class ServingCertificate {
 public:
  ServingCertificate(ServingCertificateOptions options, std::shared_ptr<certs::Store> store,
                     SystemClock clock, std::function<void(const CertificateEvent&)> report);
  ~ServingCertificate();  ///< stops the thread
  ServingCertificate(const ServingCertificate&) = delete;
  ServingCertificate& operator=(const ServingCertificate&) = delete;

  /// Has a certificate from the source, publishes it and starts to watch. \return why there is none
  std::expected<void, certs::Error> start();
  /// Looks at the source now, as the thread does every poll; publishes what is new. What does not
  /// read, or does not belong together, leaves the last good pair in force.
  void look();
  void stop();

  /// PEM of the CA that clients must trust, where it is ours; "" otherwise.
  std::string ca() const;

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

}  // namespace belay::webhook::certificates
