// Where facts about images come from: a registry with its caches, the tag history, pull
// secrets. The admission room knows nothing of how; webhook/registry/image_facts implements it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "policy/image_reference.h"
#include "policy/registry_facts.h"

namespace belay::webhook::admission {

/// A pod's claim on pull secrets: names, never secrets.
struct PullIdentity {
  std::string_view namespace_name;
  std::string_view service_account;            ///< "" for "default"
  std::vector<std::string_view> pull_secrets;  ///< spec.imagePullSecrets[].name
};

/// What is wanted of one image.
struct ImageFactRequest {
  policy::ImageReference reference;  ///< borrows from the request
  policy::ImageNeed need;
};

/// Thread-safe.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  /// Fills `facts` with what is known without asking anyone; quick, called on reactors.
  /// \return whether all that is needed is known now (or known not to be had: facts.problem)
  virtual bool known(const PullIdentity& identity, const ImageFactRequest& question,
                     policy::ImageFacts& facts) = 0;

  /// The digest of a tag if some cache holds it, "" else: for a fix to copy. Never asks anyone.
  virtual std::string known_digest(const PullIdentity& identity,
                                   const policy::ImageReference& reference) = 0;

  /// The same as known(), and asks. Blocks until `deadline` at most; called on workers. Never
  /// throws; what could not be learned is told in facts.problem.
  virtual void ask(const PullIdentity& identity, const ImageFactRequest& question,
                   std::chrono::steady_clock::time_point deadline, policy::ImageFacts& facts) = 0;

  /// A tag was admitted (not in a dry run) with this digest, for that pod. Quick; never blocks.
  virtual void admitted(const PullIdentity& identity, const policy::ImageReference& reference,
                        std::string_view digest) = 0;
};

}  // namespace belay::webhook::admission
