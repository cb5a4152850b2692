// The pull secrets of pods and of their ServiceAccounts, read through the Kubernetes API
// (--pull-secrets). Kept in memory for a minute, never logged, never in a message. Thread-safe.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "webhook/admission/image_source.h"
#include "webhook/kube/api.h"
#include "webhook/registry/credentials.h"

namespace belay::webhook::registry {

class PullSecrets {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kLife{60};
  static constexpr std::size_t kMost = 1'000;  ///< keyrings kept

  /// \param api  outlives this; needs the right to get secrets and serviceaccounts
  explicit PullSecrets(kube::Api& api, Clock::time_point (*now)() = &Clock::now);
  ~PullSecrets();
  PullSecrets(const PullSecrets&) = delete;
  PullSecrets& operator=(const PullSecrets&) = delete;

  /// The keyring if it was read a moment ago; asks nobody.
  std::shared_ptr<const Keyring> known(const admission::PullIdentity& identity) const;
  /// The credentials of every secret the pod or its ServiceAccount names; secrets that are not
  /// there or of another type are passed over, as the kubelet does.
  /// \return why they can't be read, as a clause
  std::expected<std::shared_ptr<const Keyring>, std::string> read(
      const admission::PullIdentity& identity, Clock::time_point deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::registry
