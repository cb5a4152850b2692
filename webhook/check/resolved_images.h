// Facts about images for `belay check --resolve`: evaluating says what it would like to know, all
// of it is then asked for side by side, and evaluating again finds it. So manifests are evaluated
// by the server's own code, which never waits, and a thousand images take no longer than their
// registries do.
//
// Used by one thread; asks on several.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "webhook/admission/image_source.h"
#include "webhook/check/side_by_side.h"

namespace belay::webhook::check {

class ResolvedImages final : public admission::ImageSource {
 public:
  /// \param source  what is asked; outlives this
  explicit ResolvedImages(admission::ImageSource& source) : source_(source) {}

  // Each takes down what was not asked for yet, and says what is known.

  bool known(const admission::PullIdentity& identity, const admission::ImageFactRequest& question,
             policy::ImageFacts& facts) override;
  std::string known_digest(const admission::PullIdentity& identity,
                           const policy::ImageReference& reference) override;
  void ask(const admission::PullIdentity& identity, const admission::ImageFactRequest& question,
           std::chrono::steady_clock::time_point deadline, policy::ImageFacts& facts) override;
  /// A check admits nothing, so nothing is remembered.
  void admitted(const admission::PullIdentity& identity, const policy::ImageReference& reference,
                std::string_view digest) override;

  /// How many images wait to be asked for.
  std::size_t wanted() const;
  /// Asks for all that was taken down.
  /// \param at_once  how many wait for an answer at a time
  /// \param each     how long one image may take
  void ask_all(std::size_t at_once, std::chrono::milliseconds each, const Progress& progress);

 private:
  struct Item {
    policy::ImageNeed wanted, asked;
    policy::ImageFacts facts;
    bool is_open() const;
  };
  Item& want(const policy::ImageReference& reference, const policy::ImageNeed& need);

  admission::ImageSource& source_;
  std::map<std::string, Item> items_;  ///< by the canonical text of the image
};

}  // namespace belay::webhook::check
