// The webhook's ImageSource: resolver, credentials, pull secrets and the tag history, put
// together. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/admission/image_source.h"
#include "webhook/registry/credentials.h"
#include "webhook/registry/pull_secrets.h"
#include "webhook/registry/registries.h"
#include "webhook/registry/resolver.h"
#include "webhook/registry/tag_records.h"
#include "webhook/system/worker_pool.h"

namespace belay::webhook::registry {

class ImageFactSource final : public admission::ImageSource {
 public:
  /// \param resolver, pull_secrets, tag_history  outlive this; the last two may be nullptr
  /// \param registries  that are asked at all, so that known() can tell of the others; outlive
  ///     this; nullptr: the resolver's reader knows
  ImageFactSource(Resolver& resolver, Keyring keyring, PullSecrets* pull_secrets,
                  TagRecords* tag_history, const Registries* registries = nullptr);

  bool known(const admission::PullIdentity& identity, const admission::ImageFactRequest& request,
             policy::ImageFacts& facts) override;
  std::string known_digest(const admission::PullIdentity& identity,
                           const policy::ImageReference& reference) override;
  void ask(const admission::PullIdentity& identity, const admission::ImageFactRequest& request,
           std::chrono::steady_clock::time_point deadline, policy::ImageFacts& facts) override;
  /// A digest that a user wrote behind a tag is remembered only once the registry says the same of
  /// the tag: else whoever deploys first could fix what a tag counts as for everyone.
  void admitted(const admission::PullIdentity& identity, const policy::ImageReference& reference,
                std::string_view digest) override;

 private:
  struct Asker;
  /// What may be shown, and why secrets of the pod are not among it ("" where they are).
  struct Credentials {
    std::vector<Credential> all;
    std::string problem;
  };

  bool asks_registry(const admission::ImageFactRequest& request, policy::ImageFacts& facts) const;
  std::vector<Credential> credentials(const Keyring* of_pod, const ImageName& image) const;
  Credentials read_credentials(const admission::PullIdentity& identity, const ImageName& image,
                               std::chrono::steady_clock::time_point deadline) const;
  void take_tag_record(const admission::ImageFactRequest& request, policy::ImageFacts& facts) const;

  Resolver& resolver_;
  const Registries* const registries_;
  const Keyring keyring_;
  PullSecrets* const pull_secrets_;
  TagRecords* const tag_history_;
  WorkerPool checkers_;  ///< last: its threads end first
};

}  // namespace belay::webhook::registry
