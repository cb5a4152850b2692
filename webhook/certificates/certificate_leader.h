// What the leader does for the certificate of all replicas: looks at the Secret and at the webhook
// configurations, asks certs/rotation.h for the next step, writes it, and publishes the bundle.
//
// The configurations are read before the Secret, and each is written only if nobody has written it
// since: so a leader that was slow never publishes a bundle older than one that stands there, and
// two leaders at once do no harm. Not thread-safe: one thread calls look().
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "certs/rotation.h"
#include "webhook/certificates/ca_bundle.h"
#include "webhook/certificates/certificate.h"
#include "webhook/kube/api.h"

namespace belay::webhook::certificates {

class CertificateLeader {
 public:
  using SteadyClock = std::function<std::chrono::steady_clock::time_point()>;

  /// \param report  what was done (CertificateEvent::progress) and what failed, each once
  CertificateLeader(kube::Api& api, CertificateOptions options, SystemClock clock,
                    SteadyClock steady, std::function<void(const CertificateEvent&)> report);

  /// Forgets what it saw: called when leading begins, for others may have led in between.
  void begin();
  /// One look and one step. \return when to look again
  std::chrono::milliseconds look();

 private:
  /// A configuration that is there.
  using Configurations = std::array<std::optional<CaBundles>, kWebhookConfigurationPaths.size()>;
  struct Secret {
    std::string json;  ///< "" where there is none
    certs::Holding holding;
  };

  std::expected<Configurations, kube::ApiError> read_configurations();
  std::expected<Secret, kube::ApiError> read_secret();
  certs::Observation observe(const Configurations& configurations, const Secret& secret);
  std::expected<void, kube::ApiError> write(const Secret& secret, const certs::Holding& holding);
  /// \return whether a configuration was changed
  std::expected<bool, kube::ApiError> publish(const Configurations& configurations,
                                              const std::string& bundle);
  std::string configuration_path(std::size_t which) const;
  std::string secret_path() const;
  std::chrono::milliseconds failed(std::string_view what, const kube::ApiError& error);
  void progress(const std::string& message);

  kube::Api& api_;
  const CertificateOptions options_;
  const SystemClock clock_;
  const SteadyClock steady_;
  const std::function<void(const CertificateEvent&)> report_;

  /// Since when each CA (by fingerprint) stands in every configuration.
  std::map<std::string, std::chrono::steady_clock::time_point, std::less<>> everywhere_since_;
  std::string ca_key_;  ///< of the holding that was seen last
  std::chrono::steady_clock::time_point ca_key_since_;
  std::string last_failure_;
  std::string last_waiting_;
};

}  // namespace belay::webhook::certificates
