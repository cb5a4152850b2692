// What the walk keeps, and the words for what it refuses.
#include "webhook/admission/review_sax.h"

#include <algorithm>
#include <numeric>

#include "policy/message.h"

namespace belay::webhook::admission {
namespace {

constexpr std::size_t kShownKeyBytes = 64;

/// A key as people may see it: short and printable.
std::string shown_key(std::string_view key) {
  std::string out = policy::escape(key.substr(0, kShownKeyBytes));
  if (key.size() > kShownKeyBytes) out += "...";
  return out;
}

/// Keys that need no brackets in a path.
bool is_plain(std::string_view key) {
  return !key.empty() && key.find_first_of("./[]") == std::string_view::npos;
}

std::string_view expected_type(Field field) {
  switch (field) {
    case Field::kText:
    case Field::kGenerateName:
    case Field::kContainerName:
    case Field::kContainerImage:
    case Field::kVolumeName:
    case Field::kVolumeReference:
    case Field::kGroup:
    case Field::kDataText:
    case Field::kDeletionTime:
    case Field::kServiceAccount:
    case Field::kPullSecretName:
      return "a string";
    case Field::kLabel:
      return "a string (quote it)";
    case Field::kDryRun:
    case Field::kController:
      return "true or false";
    case Field::kContainers:
    case Field::kVolumes:
    case Field::kGroups:
    case Field::kList:
      return "a list";
    default:
      return "an object";
  }
}

template <class T>
void empty(std::vector<T>& values, std::size_t kept) {
  values.clear();
  if (values.capacity() > kept) values.shrink_to_fit();
}

}  // namespace

void ObjectFields::clear() {
  present = controlled = being_deleted = false;
  generate_name = {};
  labels.clear();
  data.clear();
  for (policy::PodFields& pod : pods) pod.clear();
  problems.clear();
  spoiled = 0;
}

const ReadError* ObjectFields::problem_of(std::size_t place) const {
  if ((spoiled >> place & 1U) == 0) return nullptr;
  for (const auto& [places, error] : problems) {
    if ((places >> place & 1U) != 0) return &error;
  }
  return nullptr;
}

ReviewSax::ReviewSax(const FieldTree& tree) : tree_(tree) {
  new_object_.pods.resize(tree.places().size());
  old_object_.pods.resize(tree.places().size());
}

void ReviewSax::start(std::string_view body) {
  body_begin_ = body.data();
  body_end_ = body.data() + body.size();
  depth_ = 0;
  frames_[0] = {};
  node_ = tree_.root();
  empty(keys_, kKeptKeys);
  empty(sorted_, kKeptKeys);
  empty(groups_, kKeptGroups);
  texts_.fill({});
  dry_run_ = false;
  new_object_.clear();
  old_object_.clear();
  object_ = &new_object_;
  error_.reset();
}

bool ReviewSax::enter_object() {
  switch (tree_[node_].field) {
    case Field::kBranch:
    case Field::kObjectLabels:
    case Field::kPodLabels:
    case Field::kData:
      return true;
    case Field::kNewObject:
      object_ = &new_object_;
      object_->present = true;
      return true;
    case Field::kOldObject:
      object_ = &old_object_;
      object_->present = true;
      return true;
    case Field::kContainer:
    case Field::kVolume:
      entry_ = {static_cast<policy::ImageList>(tree_[node_].detail), frames_[depth_].index, {}, {}};
      entry_has_image_ = tree_[node_].field == Field::kContainer;
      return true;
    case Field::kVolumeImage:
      entry_has_image_ = true;
      return true;
    default:
      return wrong_type("an object");
  }
}

void ReviewSax::leave_object(const FieldNode& node) {
  if (node.field == Field::kContainer || (node.field == Field::kVolume && entry_has_image_)) {
    keep_entry(node);
  }
}

bool ReviewSax::enter_array() {
  const Field field = tree_[node_].field;
  if (field == Field::kContainers || field == Field::kVolumes || field == Field::kGroups ||
      field == Field::kList) {
    return true;
  }
  return wrong_type("a list");
}

bool ReviewSax::take_text(std::string_view value) {
  const FieldNode& node = tree_[node_];
  switch (node.field) {
    case Field::kText:
      texts_[node.detail] = value;
      return true;
    case Field::kGroup:
      groups_.push_back(value);
      return true;
    case Field::kGenerateName:
      object_->generate_name = value;
      return true;
    case Field::kLabel:
      keep_label(value);
      return true;
    case Field::kDataText:
      keep_data(value);
      return true;
    case Field::kContainerName:
    case Field::kVolumeName:
      entry_.name = value;
      return true;
    case Field::kContainerImage:
    case Field::kVolumeReference:
      entry_.image = value;
      return true;
    case Field::kDeletionTime:
      object_->being_deleted = !value.empty();
      return true;
    case Field::kServiceAccount:
      object_->pods[node.place].service_account = value;
      return true;
    case Field::kPullSecretName:
      keep_pull_secret(node, value);
      return true;
    default:
      return wrong_type("a string");
  }
}

bool ReviewSax::take_bool(bool value) {
  const Field field = tree_[node_].field;
  if (field == Field::kController) {
    object_->controlled |= value;
    return true;
  }
  if (field != Field::kDryRun) return wrong_type(value ? "true" : "false");
  dry_run_ = value;
  return true;
}

// null means absent, as Go decodes it: an empty text, an empty list, a container without fields.
void ReviewSax::take_null() {
  const FieldNode& node = tree_[node_];
  if (node.field == Field::kLabel) keep_label({});
  if (node.field == Field::kContainer) {
    entry_ = {static_cast<policy::ImageList>(node.detail), frames_[depth_].index, {}, {}};
    keep_entry(node);
  }
}

void ReviewSax::keep_entry(const FieldNode& node) {
  std::vector<policy::ImageField>& images = object_->pods[node.place].images;
  if (images.size() < kMaxImages) {
    images.push_back(entry_);
  } else if ((object_->spoiled & node.places) != node.places) {
    spoil(node, {ReadErrorCode::kTooManyImages,
                 "more than " + std::to_string(kMaxImages) + " image fields in one pod", path()});
  }
}

void ReviewSax::keep_label(std::string_view value) {
  const FieldNode& map = tree_[frames_[depth_].node];
  std::vector<policy::Label>& labels =
      map.field == Field::kObjectLabels ? object_->labels : object_->pods[map.place].labels;
  if (labels.size() < kMaxLabels) {
    labels.push_back({keys_.back().text, value});
  } else if ((object_->spoiled & map.places) != map.places) {
    spoil(map, {ReadErrorCode::kTooManyImages,
                "more than " + std::to_string(kMaxLabels) + " labels on one object", path()});
  }
}

void ReviewSax::keep_data(std::string_view value) {
  if (object_->data.size() < kMaxData) {
    object_->data.push_back({keys_.back().text, value});
    return;
  }
  const FieldNode& map = tree_[frames_[depth_].node];
  if ((object_->spoiled & map.places) == map.places) return;
  spoil(map, {ReadErrorCode::kTooManyImages,
              "more than " + std::to_string(kMaxData) + " keys in one ConfigMap", path()});
}

void ReviewSax::keep_pull_secret(const FieldNode& node, std::string_view name) {
  std::vector<std::string_view>& secrets = object_->pods[node.place].pull_secrets;
  if (!name.empty() && secrets.size() < kMaxPullSecrets) secrets.push_back(name);
}

bool ReviewSax::has_duplicate_among_many(std::size_t first) const {
  sorted_.clear();
  for (std::size_t i = first; i < keys_.size(); ++i) sorted_.push_back(keys_[i].text);
  std::sort(sorted_.begin(), sorted_.end(), [](std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return std::adjacent_find(sorted_.begin(), sorted_.end()) != sorted_.end();
}

bool ReviewSax::duplicate_key(std::size_t first) {
  // Only the way out of a bad review, but it may be a large one: find the pair by sorting indices.
  std::vector<std::size_t> order(keys_.size() - first);
  std::iota(order.begin(), order.end(), first);
  std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return keys_[a].text != keys_[b].text ? keys_[a].text < keys_[b].text : a < b;
  });
  const auto pair = std::adjacent_find(
      order.begin(), order.end(),
      [this](std::size_t a, std::size_t b) { return keys_[a].text == keys_[b].text; });
  const std::string_view key = keys_[*(pair + 1)].text;
  const char* const begin = key.data();
  const std::size_t offset = offset_of(begin);

  --depth_;  // the object that is being left
  keys_.resize(first);
  const std::string place = path();
  error_ = ReadError{ReadErrorCode::kDuplicateKey,
                     "duplicate key \"" + shown_key(key) + "\" at byte " + std::to_string(offset) +
                         (place.empty() ? "" : " in " + place) + ". Keep one of the two",
                     place};
  return false;
}

bool ReviewSax::too_deep() {
  error_ = ReadError{
      ReadErrorCode::kDepth,
      "objects and lists are nested deeper than " + std::to_string(kMaxDepth) + " levels", path()};
  return false;
}

/// \return false where the request itself is spoiled; an object's fields spoil the places they
/// belong to, and whether one of these is the object's is not known yet.
bool ReviewSax::wrong_type(std::string_view found) {
  const FieldNode& node = tree_[node_];
  if (node.field == Field::kNewObject) object_ = &new_object_;
  if (node.field == Field::kOldObject) object_ = &old_object_;
  if (node.places == 0 || (object_->spoiled & node.places) != node.places) {
    const std::string place = path();
    ReadError error{ReadErrorCode::kWrongType,
                    (place.empty() ? "the body" : place) + " must be " +
                        std::string(expected_type(node.field)) + ", not " + std::string(found),
                    place};
    if (node.places == 0) {
      error_ = std::move(error);
      return false;
    }
    spoil(node, std::move(error));
  }
  node_ = kUnused;  // what stands inside is passed over
  return true;
}

void ReviewSax::spoil(const FieldNode& node, ReadError error) {
  object_->problems.emplace_back(node.places, std::move(error));
  object_->spoiled |= node.places;
}

std::string ReviewSax::path() const {
  std::string out;
  for (std::size_t i = 1; i <= depth_; ++i) {
    if (frames_[i].array) {
      out += "[" + std::to_string(frames_[i].index) + "]";
      continue;
    }
    const std::size_t next_key = i < depth_ ? frames_[i + 1].first_key : keys_.size();
    if (next_key == frames_[i].first_key) continue;  // no key of it has been read
    const std::string_view key = keys_[next_key - 1].text;
    if (is_plain(key)) {
      if (!out.empty()) out += ".";
      out += shown_key(key);
    } else {
      out += "[" + shown_key(key) + "]";
    }
  }
  return out;
}

std::size_t ReviewSax::offset_of(const char* at) const {
  return static_cast<std::size_t>(at - body_begin_);
}

}  // namespace belay::webhook::admission
