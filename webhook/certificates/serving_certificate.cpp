#include "webhook/certificates/serving_certificate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "webhook/system/background_loop.h"
#include "webhook/system/file.h"

namespace belay::webhook::certificates {
namespace {

using certs::Error;
using certs::PemPair;
using certs::TimePoint;

constexpr std::size_t kMaxPemBytes = std::size_t{1} << 20U;
constexpr std::string_view kCaName = "belay self-signed CA";

std::string system_problem(std::string_view what, const std::string& path) {
  return fmt::format("{} {}: {}", what, path, std::strerror(errno));
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string in(const std::string& directory, std::string_view file) {
  return fmt::format("{}/{}", directory, file);
}

/// Replaces a file whole: what is read is the old text or the new one.
std::expected<void, Error> write_file(const std::string& path, std::string_view text, mode_t mode) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  (void)::unlink(temporary.c_str());
  const Descriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (file.get() < 0) return std::unexpected(Error{system_problem("cannot write", temporary)});
  if (write_all(file.get(), text) != 0) {
    Error error{system_problem("cannot write", temporary)};
    (void)::unlink(temporary.c_str());
    return std::unexpected(std::move(error));
  }
  if (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    Error error{system_problem("cannot write", path)};
    (void)::unlink(temporary.c_str());
    return std::unexpected(std::move(error));
  }
  return {};
}

/// The pair in two files of a directory, or nothing where neither is there.
std::expected<PemPair, Error> read_pair(const std::string& certificate_file,
                                        const std::string& key_file) {
  auto certificate = read_pem_file(certificate_file);
  if (!certificate) return std::unexpected(certificate.error());
  auto key = read_pem_file(key_file);
  if (!key) return std::unexpected(key.error());
  return PemPair{std::move(*certificate), std::move(*key)};
}

std::expected<std::shared_ptr<const certs::KeyPair>, Error> checked_pair(
    const PemPair& pem, const std::string& certificate_file, const std::string& key_file) {
  auto pair = certs::KeyPair::from_pem(pem.certificate, pem.key);
  if (!pair) {
    return std::unexpected(
        Error{fmt::format("{} and {}: {}", certificate_file, key_file, pair.error().message)});
  }
  return pair;
}

/// Why an old leaf has to go; "" where it is good.
std::string renewal_reason(const certs::KeyPair& leaf, const certs::CertificateFacts& ca,
                           const DirectoryOptions& options, TimePoint now) {
  if (options.renew) return "renewal was requested";
  if (leaf.leaf().issuer != ca.subject) return "its CA changed";
  for (const std::string& name : options.names) {
    if (std::ranges::find(leaf.leaf().names, name) == leaf.leaf().names.end()) {
      return fmt::format("it is not valid for the name \"{}\"", name);
    }
  }
  if (leaf.validity(now) == certs::Validity::kNotYet) return "it is not valid yet";
  if (leaf.validity(now) == certs::Validity::kExpired) return "it has expired";
  if (now >= leaf.renew_at()) return "two thirds of its validity are over";
  return "";
}

/// The CA in the directory; made where there is none, or where it can no longer carry a
/// leaf for most of a leaf's life.
std::expected<PemPair, Error> ensure_ca(const std::string& directory, TimePoint now,
                                        DirectoryCertificates& result) {
  const std::string certificate_file = in(directory, kCaFile);
  const std::string key_file = in(directory, kCaKeyFile);
  if (exists(certificate_file) || exists(key_file)) {
    auto pem = read_pair(certificate_file, key_file);
    if (!pem) return pem;
    const auto pair = checked_pair(*pem, certificate_file, key_file);
    if (!pair) return std::unexpected(pair.error());
    if (!(*pair)->leaf().is_ca) {
      return std::unexpected(Error{fmt::format("{} is not a CA certificate", certificate_file)});
    }
    if ((*pair)->validity(now) == certs::Validity::kValid && now < (*pair)->renew_at()) return pem;
  }
  auto made = certs::create_authority(std::string(kCaName), now);
  if (!made) return made;
  // The key first: a new certificate beside an old key would never be usable.
  if (auto done = write_file(key_file, made->key, 0600); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = write_file(certificate_file, made->certificate, 0644); !done) {
    return std::unexpected(done.error());
  }
  result.new_ca = true;
  return made;
}

std::optional<TimePoint> expiry_of(const std::string& ca_pem) {
  if (ca_pem.empty()) return std::nullopt;
  const auto facts = certs::read_certificates(ca_pem);
  return facts ? std::optional(facts->front().not_after) : std::nullopt;
}

}  // namespace

std::vector<std::string> default_certificate_names() {
  return {"belay.belay-system.svc", "belay.belay-system.svc.cluster.local", "localhost",
          "127.0.0.1", "::1"};
}

std::expected<std::string, Error> read_pem_file(const std::string& path) {
  auto text = read_file(AT_FDCWD, path, kMaxPemBytes);
  if (text) return std::move(*text);
  if (text.error() == EFBIG)
    return std::unexpected(Error{fmt::format("{} is larger than 1 MiB", path)});
  errno = text.error();
  return std::unexpected(Error{system_problem("cannot read", path)});
}

std::expected<DirectoryCertificates, Error> ensure_directory_certificates(
    const std::string& directory, const DirectoryOptions& options, TimePoint now) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(Error{system_problem("cannot create", directory)});
  }
  DirectoryCertificates result;
  const auto ca = ensure_ca(directory, now, result);
  if (!ca) return std::unexpected(ca.error());
  result.ca = ca->certificate;
  const auto ca_facts = certs::read_certificates(ca->certificate);
  if (!ca_facts) return std::unexpected(ca_facts.error());

  const std::string certificate_file = in(directory, kCertificateFile);
  const std::string key_file = in(directory, kKeyFile);
  result.reason = "there was none";
  DirectoryOptions wanted = options;
  if (exists(certificate_file) && exists(key_file)) {
    auto pem = read_pair(certificate_file, key_file);
    if (!pem) return std::unexpected(pem.error());
    const auto pair = checked_pair(*pem, certificate_file, key_file);
    // Two files that do not fit are what a crash between two renames leaves; both are ours.
    if (pair) {
      if (wanted.names.empty()) wanted.names = (*pair)->leaf().names;
      result.reason =
          result.new_ca ? "its CA changed" : renewal_reason(**pair, ca_facts->front(), wanted, now);
      result.leaf = std::move(*pem);
      if (result.reason.empty()) return result;
    } else {
      result.reason = pair.error().message;
    }
  }
  if (wanted.names.empty()) wanted.names = default_certificate_names();
  auto leaf = certs::issue_leaf(*ca, wanted.names, now, wanted.life);
  if (!leaf) return std::unexpected(leaf.error());
  if (auto done = write_file(key_file, leaf->key, 0600); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = write_file(certificate_file, leaf->certificate, 0644); !done) {
    return std::unexpected(done.error());
  }
  result.leaf = std::move(*leaf);
  result.new_leaf = true;
  return result;
}

class ServingCertificate::Watch {
 public:
  Watch(ServingCertificateOptions options, std::shared_ptr<certs::Store> store, SystemClock clock,
        std::function<void(const CertificateEvent&)> report)
      : options_(std::move(options)),
        store_(std::move(store)),
        clock_(std::move(clock)),
        report_(std::move(report)) {}

  std::expected<void, Error> start() {
    if (auto first = refresh(); !first) return first;
    loop_.start(next_look());
    return {};
  }

  void look() {
    if (auto done = refresh(); !done) fail(done.error().message);
  }

  void stop() { loop_.stop(); }

  std::string ca() const {
    const std::lock_guard lock(mutex_);
    return ca_;
  }

 private:
  BackgroundLoop::Clock::time_point next_look() const {
    return BackgroundLoop::Clock::now() + options_.poll;
  }

  std::expected<void, Error> refresh() {
    const std::lock_guard lock(mutex_);
    if (!options_.certificate_file.empty()) return from_files();
    if (!options_.directory.empty()) return from_directory();
    return from_memory();
  }

  std::expected<void, Error> from_files() {
    auto pem = read_pair(options_.certificate_file, options_.key_file);
    if (!pem) return std::unexpected(pem.error());
    if (pem->certificate == in_force_.certificate && pem->key == in_force_.key) {
      last_failure_.clear();
      return {};
    }
    return publish(std::move(*pem), fmt::format("read from {} and {}", options_.certificate_file,
                                                options_.key_file));
  }

  std::expected<void, Error> from_directory() {
    auto found =
        ensure_directory_certificates(options_.directory, {.names = options_.names}, clock_());
    if (!found) return std::unexpected(found.error());
    ca_ = found->ca;
    if (found->leaf.certificate == in_force_.certificate) {
      last_failure_.clear();
      return {};
    }
    return publish(std::move(found->leaf),
                   found->new_leaf
                       ? fmt::format("issued in {}: {}", options_.directory, found->reason)
                       : fmt::format("read from {}", options_.directory));
  }

  std::expected<void, Error> from_memory() {
    const TimePoint now = clock_();
    if (const auto current = store_->current(); current && now < current->renew_at()) return {};
    auto ca = certs::create_authority(std::string(kCaName), now);
    if (!ca) return std::unexpected(ca.error());
    const auto names = options_.names.empty() ? default_certificate_names() : options_.names;
    auto leaf = certs::issue_leaf(*ca, names, now);
    if (!leaf) return std::unexpected(leaf.error());
    ca_ = ca->certificate;
    return publish(std::move(*leaf), "issued in memory");
  }

  std::expected<void, Error> publish(PemPair pem, std::string message) {
    auto pair = certs::KeyPair::from_pem(pem.certificate, pem.key);
    if (!pair) {
      return std::unexpected(Error{options_.certificate_file.empty()
                                       ? pair.error().message
                                       : fmt::format("{} and {}: {}", options_.certificate_file,
                                                     options_.key_file, pair.error().message)});
    }
    in_force_ = std::move(pem);
    last_failure_.clear();
    store_->publish(*pair);
    report_({.pair = *pair, .message = std::move(message), .ca_expiry = expiry_of(ca_)});
    return {};
  }

  /// Says a failure once, not at every poll.
  void fail(const std::string& message) {
    {
      const std::lock_guard lock(mutex_);
      if (message == last_failure_) return;
      last_failure_ = message;
    }
    report_({.pair = nullptr, .message = message});
  }

  const ServingCertificateOptions options_;
  const std::shared_ptr<certs::Store> store_;
  const SystemClock clock_;
  const std::function<void(const CertificateEvent&)> report_;

  mutable std::mutex mutex_;  // of the four below
  PemPair in_force_;
  std::string ca_;
  std::string last_failure_;

  BackgroundLoop loop_{"certificate", [this](const std::stop_token&) {
                         look();
                         return next_look();
                       }};
};

ServingCertificate::ServingCertificate(ServingCertificateOptions options,
                                       std::shared_ptr<certs::Store> store, SystemClock clock,
                                       std::function<void(const CertificateEvent&)> report)
    : watch_(std::make_unique<Watch>(std::move(options), std::move(store), std::move(clock),
                                     std::move(report))) {}

ServingCertificate::~ServingCertificate() { watch_->stop(); }

std::expected<void, Error> ServingCertificate::start() { return watch_->start(); }
void ServingCertificate::look() { watch_->look(); }
void ServingCertificate::stop() { watch_->stop(); }
std::string ServingCertificate::ca() const { return watch_->ca(); }

}  // namespace belay::webhook::certificates
