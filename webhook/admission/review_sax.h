// The SAX events of one AdmissionReview, walked in step with the FieldTree: what is of use is kept
// as views, everything else costs a key comparison. Also where depth and duplicate keys are
// watched. Hot functions stand here so that they are inlined into the parser; what goes wrong is
// worded in review_sax.cpp.
//
// Knows nothing of the JSON library beyond the names of its events. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/workload.h"
#include "webhook/admission/field_tree.h"
#include "webhook/admission/review.h"

namespace belay::webhook::admission {

inline constexpr std::size_t kMaxDepth = 64;        ///< of objects and arrays in each other
inline constexpr std::size_t kMaxImages = 1'000;    ///< image fields of one pod
inline constexpr std::size_t kMaxLabels = 1'000;    ///< labels of one object
inline constexpr std::size_t kMaxData = 10'000;     ///< keys of one ConfigMap
inline constexpr std::size_t kMaxPullSecrets = 64;  ///< of one pod; further ones are not looked at
inline constexpr std::size_t kMaxPairwise = 32;     ///< keys compared pair by pair; more are sorted
inline constexpr std::size_t kKeptKeys = 1U << 13;  ///< room for keys kept from review to review
inline constexpr std::size_t kKeptGroups = 1U << 10U;  ///< the same for groups of a user

/// What was read of request.object or request.oldObject.
struct ObjectFields {
  bool present = false;
  bool controlled = false;     ///< an owner is its controller
  bool being_deleted = false;  ///< it has a deletionTimestamp
  std::string_view generate_name;
  std::vector<policy::Label> labels;
  std::vector<policy::Label> data;      ///< of a ConfigMap
  std::vector<policy::PodFields> pods;  ///< by place
  /// What is wrong, and for which places; looked at once the kind has told the place.
  std::vector<std::pair<PlaceSet, ReadError>> problems;
  PlaceSet spoiled = 0;  ///< places that have a problem

  void clear();
  /// The first problem of a place, or nullptr.
  const ReadError* problem_of(std::size_t place) const;
};

class ReviewSax {
 public:
  explicit ReviewSax(const FieldTree& tree);

  /// Forgets the last review. \param body  the text that is parsed in place
  void start(std::string_view body);

  std::string_view text(Text which) const { return texts_[static_cast<std::size_t>(which)]; }
  bool dry_run() const { return dry_run_; }
  std::vector<std::string_view>& user_groups() { return groups_; }
  ObjectFields& new_object() { return new_object_; }
  ObjectFields& old_object() { return old_object_; }
  /// Why the walk was stopped, if an event returned false.
  std::optional<ReadError>& error() { return error_; }

  // Events: true to go on.
  bool Null() {
    if (node_ != kUnused) take_null();
    return value_done();
  }
  bool Bool(bool value) {
    if (node_ != kUnused && !take_bool(value)) return false;
    return value_done();
  }
  bool RawNumber(const char* /*digits*/, unsigned /*size*/, bool /*copy*/) {
    if (node_ != kUnused && !wrong_type("a number")) return false;
    return value_done();
  }
  // The parser hands numbers over as text; these are here because it wants their names.
  bool Int(int /*value*/) { return false; }
  bool Uint(unsigned /*value*/) { return false; }
  bool Int64(std::int64_t /*value*/) { return false; }
  bool Uint64(std::uint64_t /*value*/) { return false; }
  bool Double(double /*value*/) { return false; }

  bool String(const char* data, unsigned size, bool /*copy*/) {
    if (node_ != kUnused && !take_text({data, size})) return false;
    return value_done();
  }

  bool Key(const char* data, unsigned size, bool /*copy*/) {
    const std::string_view key(data, size);
    const KeyMark mark = mark_of(key, body_end_);
    keys_.push_back({key, mark});
    const FieldNode& node = tree_[frames_[depth_].node];
    node_ = node.children.empty() ? node.item : node.find(mark, key);
    return true;
  }

  bool StartObject() {
    if (depth_ == kMaxDepth) return too_deep();
    if (node_ != kUnused && !enter_object()) return false;
    frames_[++depth_] = {node_, false, keys_.size(), 0};
    return true;
  }
  bool EndObject(unsigned /*members*/) {
    const Frame& frame = frames_[depth_];
    if (has_duplicate(frame.first_key)) return duplicate_key(frame.first_key);
    keys_.resize(frame.first_key);
    if (frame.node != kUnused) leave_object(tree_[frame.node]);
    return leave();
  }
  bool StartArray() {
    if (depth_ == kMaxDepth) return too_deep();
    if (node_ != kUnused && !enter_array()) return false;
    frames_[++depth_] = {node_, true, keys_.size(), 0};
    node_ = tree_[node_].item;
    return true;
  }
  bool EndArray(unsigned /*elements*/) { return leave(); }

 private:
  /// An object or array that is open.
  struct Frame {
    NodeId node = kUnused;
    bool array = false;
    std::size_t first_key = 0;  ///< index of its first key
    std::uint32_t index = 0;    ///< values read so far: of an array, the index of the next
  };
  struct SeenKey {
    std::string_view text;
    KeyMark mark = 0;
  };

  bool value_done() {
    ++frames_[depth_].index;
    return true;
  }
  bool leave() {
    --depth_;
    node_ = tree_[frames_[depth_].node].item;  // of an object the next key says better
    return value_done();
  }
  bool has_duplicate(std::size_t first) const {
    const std::size_t end = keys_.size();
    if (end - first > kMaxPairwise) return has_duplicate_among_many(first);
    for (std::size_t i = first + 1; i < end; ++i) {
      for (std::size_t j = first; j < i; ++j) {
        if (keys_[i].mark == keys_[j].mark && keys_[i].text == keys_[j].text) return true;
      }
    }
    return false;
  }

  bool enter_object();
  void leave_object(const FieldNode& node);
  bool enter_array();
  bool take_text(std::string_view value);
  bool take_bool(bool value);
  void take_null();
  void keep_entry(const FieldNode& node);
  void keep_label(std::string_view value);
  void keep_data(std::string_view value);
  void keep_pull_secret(const FieldNode& node, std::string_view name);

  bool has_duplicate_among_many(std::size_t first) const;
  bool duplicate_key(std::size_t first);
  bool too_deep();
  bool wrong_type(std::string_view found);
  void spoil(const FieldNode& node, ReadError error);
  std::string path() const;
  std::size_t offset_of(const char* at) const;

  const FieldTree& tree_;
  const char* body_begin_ = nullptr;
  const char* body_end_ = nullptr;

  std::array<Frame, kMaxDepth + 1> frames_;  ///< frame 0 stands for the text itself
  std::size_t depth_ = 0;
  NodeId node_ = kUnused;      ///< of the value that comes next
  std::vector<SeenKey> keys_;  ///< of all open objects, outermost first
  mutable std::vector<std::string_view> sorted_;

  std::array<std::string_view, kTextCount> texts_;
  bool dry_run_ = false;
  std::vector<std::string_view> groups_;  ///< of the user
  ObjectFields new_object_, old_object_;
  ObjectFields* object_ = &new_object_;  ///< the one being read
  policy::ImageField entry_;             ///< container or volume being read
  bool entry_has_image_ = false;
  std::optional<ReadError> error_;
};

}  // namespace belay::webhook::admission
