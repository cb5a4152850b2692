// Building the tree: the request's own fields, then below the object every place of a pod.
#include "webhook/admission/field_tree.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "policy/workload.h"
#include "webhook/workload/workload_kinds.h"

namespace belay::webhook::admission {
namespace {

using policy::ImageList;

struct ContainerList {
  std::string_view key;
  ImageList list;
};
constexpr std::array<ContainerList, 3> kContainerLists{{
    {"initContainers", ImageList::kInitContainers},
    {"containers", ImageList::kContainers},
    {"ephemeralContainers", ImageList::kEphemeralContainers},
}};

}  // namespace

FieldTree::FieldTree(const std::vector<ExtraTemplate>& extra_templates) {
  add(Field::kNone);  // kUnused
  root_ = add(Field::kBranch);
  add_text(root_, "apiVersion", Text::kApiVersion);
  add_text(root_, "kind", Text::kKind);

  const NodeId request = child(root_, "request", Field::kBranch);
  add_text(request, "uid", Text::kUid);
  const NodeId kind = child(request, "kind", Field::kBranch);
  add_text(kind, "group", Text::kRequestGroup);
  add_text(kind, "version", Text::kRequestVersion);
  add_text(kind, "kind", Text::kRequestKind);
  add_text(child(request, "resource", Field::kBranch), "resource", Text::kResource);
  add_text(request, "subResource", Text::kSubresource);
  add_text(request, "operation", Text::kOperation);
  add_text(request, "namespace", Text::kNamespace);
  add_text(request, "name", Text::kName);
  const NodeId user = child(request, "userInfo", Field::kBranch);
  add_text(user, "username", Text::kUser);
  const NodeId groups = child(user, "groups", Field::kGroups);
  nodes_[groups].item = add(Field::kGroup);
  child(request, "dryRun", Field::kDryRun);

  const NodeId object = child(request, "object", Field::kNewObject, ~PlaceSet{0});
  const NodeId metadata = child(object, "metadata", Field::kBranch, ~PlaceSet{0});
  child(metadata, "generateName", Field::kGenerateName, ~PlaceSet{0});
  const NodeId labels = child(metadata, "labels", Field::kObjectLabels, ~PlaceSet{0});
  nodes_[labels].item = add(Field::kLabel, ~PlaceSet{0});
  child(metadata, "deletionTimestamp", Field::kDeletionTime, ~PlaceSet{0});
  const NodeId owners = child(metadata, "ownerReferences", Field::kList, ~PlaceSet{0});
  const NodeId owner = add(Field::kBranch, ~PlaceSet{0});
  nodes_[owners].item = owner;
  child(owner, "controller", Field::kController, ~PlaceSet{0});

  add_place(object, "");
  for (const workload::WorkloadKind& row : workload::workload_kinds())
    add_place(object, row.pod_path);
  for (const ExtraTemplate& extra : extra_templates) add_place(object, extra.path);

  add_data(object);

  // oldObject looks for the same; which of the two is being read, the reader keeps in mind.
  const NodeId old_object = child(request, "oldObject", Field::kOldObject, ~PlaceSet{0});
  nodes_[old_object].children = nodes_[object].children;
}

std::size_t FieldTree::place_of(std::string_view path) const {
  const auto found = std::find(places_.begin(), places_.end(), path);
  assert(found != places_.end());
  return static_cast<std::size_t>(found - places_.begin());
}

NodeId FieldTree::add(Field field, PlaceSet places, std::size_t place, std::size_t detail) {
  FieldNode node;
  node.field = field;
  node.places = places;
  node.place = static_cast<std::uint8_t>(place);
  node.detail = static_cast<std::uint8_t>(detail);
  nodes_.push_back(std::move(node));
  return static_cast<NodeId>(nodes_.size() - 1);
}

NodeId FieldTree::child(NodeId parent, std::string_view key, Field field, PlaceSet places,
                        std::size_t place, std::size_t detail) {
  const KeyMark mark = mark_of(key, key.data() + key.size());
  if (const NodeId found = nodes_[parent].find(mark, key); found != kUnused) {
    nodes_[found].places |= places;
    return found;
  }
  const NodeId id = add(field, places, place, detail);
  nodes_[parent].children.push_back({mark, std::string(key), id});
  return id;
}

void FieldTree::add_text(NodeId parent, std::string_view key, Text text) {
  child(parent, key, Field::kText, 0, 0, static_cast<std::size_t>(text));
}

void FieldTree::add_place(NodeId object, std::string_view path) {
  if (std::find(places_.begin(), places_.end(), path) != places_.end()) return;
  assert(places_.size() < kMaxPlaces);
  const std::size_t place = places_.size();
  places_.emplace_back(path);

  NodeId pod = object;
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    pod = child(pod, rest.substr(0, dot), Field::kBranch, PlaceSet{1} << place);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  add_pod(pod, place);
}

void FieldTree::add_data(NodeId object) {
  assert(places_.size() < kMaxPlaces);
  const PlaceSet only = PlaceSet{1} << places_.size();
  places_.emplace_back("data");
  const NodeId data = child(object, "data", Field::kData, only);
  nodes_[data].item = add(Field::kDataText, only);
}

void FieldTree::add_pod(NodeId pod, std::size_t place) {
  const PlaceSet only = PlaceSet{1} << place;
  if (place != 0) {  // the labels of a Pod are the object's
    const NodeId metadata = child(pod, "metadata", Field::kBranch, only);
    const NodeId labels = child(metadata, "labels", Field::kPodLabels, only, place);
    nodes_[labels].item = add(Field::kLabel, only, place);
  }
  const NodeId spec = child(pod, "spec", Field::kBranch, only);
  for (const ContainerList& row : kContainerLists) {
    const auto detail = static_cast<std::size_t>(row.list);
    const NodeId list = child(spec, row.key, Field::kContainers, only, place, detail);
    const NodeId container = add(Field::kContainer, only, place, detail);
    nodes_[list].item = container;
    child(container, "name", Field::kContainerName, only, place);
    child(container, "image", Field::kContainerImage, only, place);
  }
  const auto detail = static_cast<std::size_t>(ImageList::kVolumes);
  const NodeId volumes = child(spec, "volumes", Field::kVolumes, only, place, detail);
  const NodeId volume = add(Field::kVolume, only, place, detail);
  nodes_[volumes].item = volume;
  child(volume, "name", Field::kVolumeName, only, place);
  const NodeId image = child(volume, "image", Field::kVolumeImage, only, place);
  child(image, "reference", Field::kVolumeReference, only, place);

  child(spec, "serviceAccountName", Field::kServiceAccount, only, place);
  const NodeId secrets = child(spec, "imagePullSecrets", Field::kList, only, place);
  const NodeId secret = add(Field::kBranch, only, place);
  nodes_[secrets].item = secret;
  child(secret, "name", Field::kPullSecretName, only, place);
}

}  // namespace belay::webhook::admission
