// Which fields of an AdmissionReview are of use, as a tree of keys that the reader walks in step
// with the document. Built once from the table of workload kinds and the extra templates, so that
// pods are found wherever any kind keeps them, before it is known which kind the object is.
//
// Immutable once built; safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/admission/review_reader.h"

namespace belay::webhook::admission {

/// A key as one word: its length and its first seven bytes. Equal keys have equal marks, so most
/// comparisons end here.
using KeyMark = std::uint64_t;

/// \param readable_end  first byte behind the buffer that `key` stands in
inline KeyMark mark_of(std::string_view key, const char* readable_end) {
  static_assert(sizeof(KeyMark) == 8);
  constexpr std::size_t kPrefix = 7;
  std::uint64_t word = 0;
  if (static_cast<std::size_t>(readable_end - key.data()) >= sizeof word) {
    std::memcpy(&word, key.data(), sizeof word);  // one load, then the bytes behind are cut off
    const std::size_t used = key.size() < kPrefix ? key.size() : kPrefix;
    word &= (std::uint64_t{1} << (8 * used)) - 1;
  } else {
    std::memcpy(&word, key.data(), key.size() < kPrefix ? key.size() : kPrefix);
  }
  return word | (static_cast<std::uint64_t>(key.size() & 0xFFU) << 56U);
}

using NodeId = std::uint16_t;
inline constexpr NodeId kUnused = 0;  ///< a value that nothing looks at

/// What the reader does with a value at a node.
enum class Field : std::uint8_t {
  kNone,
  kBranch,     ///< an object with fields of use in it
  kText,       ///< one of the request's own texts, see Text
  kDryRun,     ///< a boolean
  kGroups,     ///< userInfo.groups
  kGroup,      ///< one of them
  kNewObject,  ///< request.object
  kOldObject,  ///< request.oldObject
  kGenerateName,
  kDeletionTime,  ///< metadata.deletionTimestamp
  kList,          ///< of objects with fields of use in them
  kController,    ///< metadata.ownerReferences[].controller, a boolean
  kData,          ///< data of a ConfigMap
  kDataText,      ///< one value of it
  kObjectLabels,  ///< metadata.labels of the object
  kPodLabels,     ///< metadata.labels of a pod template
  kLabel,         ///< one value of either
  kContainers,    ///< one of the three lists of containers
  kContainer,
  kContainerName,
  kContainerImage,
  kVolumes,
  kVolume,
  kVolumeName,
  kVolumeImage,
  kVolumeReference,
  kServiceAccount,
  kPullSecretName,  ///< spec.imagePullSecrets[].name
};

/// Texts that stand once in a request.
enum class Text : std::uint8_t {
  kApiVersion,
  kKind,
  kUid,
  kRequestGroup,
  kRequestVersion,
  kRequestKind,
  kResource,
  kSubresource,
  kOperation,
  kNamespace,
  kName,
  kUser,
};
inline constexpr std::size_t kTextCount = 12;

/// A set of pod places, one bit each.
using PlaceSet = std::uint64_t;
inline constexpr std::size_t kMaxPlaces = 60;

struct FieldNode {
  struct Child {
    KeyMark mark;
    std::string key;
    NodeId node;
  };
  Field field = Field::kNone;
  std::uint8_t detail = 0;  ///< Text, or policy::ImageList
  std::uint8_t place = 0;   ///< index of the pod place that it belongs to
  NodeId item = kUnused;    ///< of a list: its elements; of a label map: its values
  PlaceSet places = 0;      ///< whose reading a wrong type here spoils; 0: the request's
  std::vector<Child> children;

  NodeId find(KeyMark mark, std::string_view key) const {
    for (const Child& child : children) {
      if (child.mark == mark && child.key == key) return child.node;
    }
    return kUnused;
  }
};

class FieldTree {
 public:
  explicit FieldTree(const std::vector<ExtraTemplate>& extra_templates);

  const FieldNode& operator[](NodeId id) const { return nodes_[id]; }
  NodeId root() const { return root_; }
  /// Paths of the places where pods may stand; place 0 is the object itself (""), the last is that
  /// of a ConfigMap's data.
  const std::vector<std::string>& places() const { return places_; }
  /// The place of a path, which must be one of them.
  std::size_t place_of(std::string_view path) const;
  std::size_t data_place() const { return places_.size() - 1; }

 private:
  NodeId add(Field field, PlaceSet places = 0, std::size_t place = 0, std::size_t detail = 0);
  NodeId child(NodeId parent, std::string_view key, Field field, PlaceSet places = 0,
               std::size_t place = 0, std::size_t detail = 0);
  void add_text(NodeId parent, std::string_view key, Text text);
  void add_place(NodeId object, std::string_view path);
  void add_pod(NodeId pod, std::size_t place);
  void add_data(NodeId object);

  std::vector<FieldNode> nodes_;
  std::vector<std::string> places_;
  NodeId root_ = kUnused;
};

}  // namespace belay::webhook::admission
