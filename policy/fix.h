// What to do about a finding: words, and changes of fields as data. A rule writes the words; the
// values come from remedy.h, which knows all rules in force. fix_text.h makes the sentence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belay::policy {

/// A field of an object that a finding is about, or that a fix changes.
struct Target {
  enum class Kind : std::uint8_t { kOther, kImage, kPodLabel, kObjectLabel };
  Kind kind = Kind::kOther;
  std::size_t image = 0;  ///< of kImage: index into Workload::pod.images
  std::string key = {};   ///< of a label

  bool is_label() const { return kind == Kind::kPodLabel || kind == Kind::kObjectLabel; }
  friend bool operator==(const Target&, const Target&) = default;
};

/// A field with its new value.
struct Change {
  Target target;
  std::string field;  ///< the target for people: "spec.containers[0].image"
  std::string value;  ///< may have gaps (gaps.h): "shop/web:<version>-prod"
};

/// What a rule has against the repository of an image.
enum class RepositoryUse : std::uint8_t {
  kMayStay,
  kNeedsPrefix,  ///< of its last part
  kMayNotStay,
};

struct Fix {
  /// What to do, without a full stop: "Use a version tag". Of a label: the whole sentence, for
  /// where no value can be offered.
  std::string advice = {};
  std::string_view joint = ", such as ";  ///< between advice and the new image
  std::string_view verb = {};             ///< before a label; "" for "Add" or "Set"
  std::string otherwise = {};             ///< ends the sentence: ", or deploy to another namespace"
  std::string proposal = {};  ///< a value that the rule itself would accept, tried first
  bool digest_helps = false;  ///< the rule would accept the image by digest alone, too
  bool names_digest = false;  ///< the advice says so already
  bool same_image = false;    ///< the image may stay, its tag may not: its digest is kept
  RepositoryUse repository = RepositoryUse::kMayStay;
  /// No value of a field cures it, but another namespace, another image, a registry that responds.
  bool elsewhere = false;

  // What find_fixes() adds.

  /// With these, and those of the other findings that deny, the object is admitted. Empty where
  /// nothing can be offered.
  std::vector<Change> changes = {};
  /// Values that would do as well as that of the first change.
  std::vector<std::string> alternatives = {};
  bool or_digest = false;     ///< the image by digest alone would do as well
  std::string obstacle = {};  ///< why the changes are not enough; "" where they are
};

}  // namespace belay::policy
