// Field paths of a workload as Kubernetes writes them, and what an UPDATE
// changed. Pure; used by every rule and by message.cpp.
#include "policy/workload.h"

#include <algorithm>
#include <array>

namespace belay::policy {
namespace {

constexpr std::array<std::string_view, 4> kListNames{"initContainers", "containers",
                                                     "ephemeralContainers", "volumes"};

/// `base.key`, `base[key]` where the key has other characters, `base` where the label is absent.
std::string label_path(std::string base, Labels labels, std::string_view key) {
  if (find_label(labels, key) == nullptr) return base;
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  base += plain ? '.' : '[';
  base += key;
  if (!plain) base += ']';
  return base;
}

bool label_changed(Labels before, Labels now, std::string_view key) {
  const std::string_view* old_value = find_label(before, key);
  const std::string_view* value = find_label(now, key);
  if (old_value == nullptr || value == nullptr) return old_value != value;
  return *old_value != *value;
}

}  // namespace

void Workload::clear() {
  kind = namespace_name = name = generate_name = pod_path = {};
  is_pod = is_namespace = is_update = is_controlled = is_being_deleted = false;
  labels.clear();
  old_labels.clear();
  pod.clear();
  old_pod.clear();
  user_groups.clear();
}

bool Workload::image_changed(const ImageField& field) const {
  if (!is_update) return true;
  return std::none_of(old_pod.images.begin(), old_pod.images.end(), [&](const ImageField& old) {
    return old.list == field.list && old.name == field.name && old.image == field.image;
  });
}

bool Workload::pod_label_changed(std::string_view key) const {
  return !is_update || label_changed(old_pod.labels, pod.labels, key);
}

bool Workload::object_label_changed(std::string_view key) const {
  return !is_update || label_changed(old_labels, labels, key);
}

std::string Workload::image_path(const ImageField& field) const {
  std::string path(pod_path);
  if (!path.empty()) path += '.';
  path += "spec.";
  path += kListNames[static_cast<std::size_t>(field.list)];
  path += '[';
  path += std::to_string(field.index);
  path += field.list == ImageList::kVolumes ? "].image.reference" : "].image";
  return path;
}

std::string Workload::image_pointer(const ImageField& field) const {
  std::string pointer = "/" + image_path(field);
  for (char& sign : pointer) {
    if (sign == '.' || sign == '[') sign = '/';
  }
  std::erase(pointer, ']');
  return pointer;
}

std::string Workload::pod_label_path(std::string_view key) const {
  std::string base(pod_path);
  if (!base.empty()) base += '.';
  base += "metadata.labels";
  return label_path(std::move(base), pod.labels, key);
}

std::string Workload::object_label_path(std::string_view key) const {
  return label_path("metadata.labels", labels, key);
}

std::string Workload::display_name() const {
  std::string out(is_namespace ? std::string_view() : namespace_name);
  if (!out.empty()) out += '/';
  if (!name.empty()) {
    out += name;
  } else if (!generate_name.empty()) {
    out += generate_name;
    out += '*';
  } else {
    out += "(no name)";
  }
  return out;
}

}  // namespace belay::policy
