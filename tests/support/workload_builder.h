// Builds workloads for tests in a few words. Holds views only: pass literals, or texts that outlive
// the workload.
#pragma once

#include <string_view>

#include "policy/workload.h"

namespace belay::policy::testing {

class WorkloadBuilder {
 public:
  /// A Deployment shop/checkout without labels and images.
  static WorkloadBuilder deployment() {
    WorkloadBuilder builder;
    builder.workload_.kind = "Deployment";
    builder.workload_.name = "checkout";
    builder.workload_.namespace_name = "shop";
    builder.workload_.pod_path = "spec.template";
    return builder;
  }
  static WorkloadBuilder pod() {
    WorkloadBuilder builder = deployment();
    builder.workload_.kind = "Pod";
    builder.workload_.pod_path = "";
    builder.workload_.is_pod = true;
    return builder;
  }

  /// A Namespace without labels.
  static WorkloadBuilder the_namespace(std::string_view name = "shop") {
    WorkloadBuilder builder;
    builder.workload_.kind = "Namespace";
    builder.workload_.name = name;
    builder.workload_.namespace_name = name;
    builder.workload_.is_namespace = true;
    return builder;
  }

  WorkloadBuilder& kind(std::string_view kind, std::string_view pod_path) {
    workload_.kind = kind;
    workload_.pod_path = pod_path;
    return *this;
  }
  WorkloadBuilder& name(std::string_view name) {
    workload_.name = name;
    return *this;
  }
  WorkloadBuilder& generate_name(std::string_view name) {
    workload_.name = {};
    workload_.generate_name = name;
    return *this;
  }
  WorkloadBuilder& in(std::string_view namespace_name) {
    workload_.namespace_name = namespace_name;
    return *this;
  }
  WorkloadBuilder& container(std::string_view image, std::string_view name = "web") {
    return add(ImageList::kContainers, name, image);
  }
  WorkloadBuilder& init_container(std::string_view image, std::string_view name = "init") {
    return add(ImageList::kInitContainers, name, image);
  }
  WorkloadBuilder& ephemeral_container(std::string_view image, std::string_view name = "debug") {
    return add(ImageList::kEphemeralContainers, name, image);
  }
  WorkloadBuilder& volume(std::string_view image, std::string_view name = "model") {
    return add(ImageList::kVolumes, name, image);
  }
  /// A label of the pod (or the template); of a Pod also the object's own.
  WorkloadBuilder& label(std::string_view key, std::string_view value) {
    set(workload_.pod.labels, key, value);
    if (workload_.is_pod) set(workload_.labels, key, value);
    return *this;
  }
  WorkloadBuilder& object_label(std::string_view key, std::string_view value) {
    set(workload_.labels, key, value);
    return *this;
  }
  WorkloadBuilder& remove_label(std::string_view key) {
    std::erase_if(workload_.pod.labels, [key](const Label& label) { return label.key == key; });
    return *this;
  }
  WorkloadBuilder& remove_object_label(std::string_view key) {
    std::erase_if(workload_.labels, [key](const Label& label) { return label.key == key; });
    return *this;
  }
  /// Owned by a controller.
  WorkloadBuilder& controlled() {
    workload_.is_controlled = true;
    return *this;
  }
  WorkloadBuilder& being_deleted() {
    workload_.is_being_deleted = true;
    return *this;
  }
  /// A group of the user who asks.
  WorkloadBuilder& by_member_of(std::string_view group) {
    workload_.user_groups.push_back(group);
    return *this;
  }
  /// Gives the first container of that name another image.
  WorkloadBuilder& image(std::string_view name, std::string_view image) {
    for (ImageField& field : workload_.pod.images) {
      if (field.name == name) field.image = image;
    }
    return *this;
  }
  WorkloadBuilder& no_images() {
    workload_.pod.images.clear();
    return *this;
  }
  /// What stands so far is what stood before; what follows is the update.
  WorkloadBuilder& update() {
    workload_.is_update = true;
    workload_.old_pod = workload_.pod;
    workload_.old_labels = workload_.labels;
    return *this;
  }

  operator const Workload&() const { return workload_; }  // NOLINT: reads as a workload
  const Workload& get() const { return workload_; }

 private:
  WorkloadBuilder& add(ImageList list, std::string_view name, std::string_view image) {
    std::uint32_t index = 0;
    for (const ImageField& field : workload_.pod.images) index += field.list == list ? 1 : 0;
    workload_.pod.images.push_back({list, index, name, image});
    return *this;
  }
  static void set(std::vector<Label>& labels, std::string_view key, std::string_view value) {
    for (Label& label : labels) {
      if (label.key == key) {
        label.value = value;
        return;
      }
    }
    labels.push_back({key, value});
  }

  Workload workload_;
};

}  // namespace belay::policy::testing
