// What a rule may look at: the images and labels of one object as a request shows them, and what an
// UPDATE changed. Filled by webhook/admission from the request, read by policy::evaluate.
//
// Plain views: they borrow from the request body, which outlives the evaluation. No
// synchronisation; one workload belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/selector.h"

namespace belay::policy {

/// The list of a pod that an image is in. The order is the order of findings.
enum class ImageList : std::uint8_t {
  kInitContainers,
  kContainers,
  kEphemeralContainers,
  kVolumes
};

/// One image field of a pod or pod template.
struct ImageField {
  ImageList list = ImageList::kContainers;
  std::uint32_t index = 0;  ///< position in its list
  std::string_view name;    ///< of the container or volume
  std::string_view image;   ///< text as written; "" where the field is absent or empty
};

/// The evaluated part of a pod or a pod template.
struct PodFields {
  std::vector<Label> labels;                   ///< metadata.labels, in the order of the document
  std::vector<ImageField> images;              ///< every image field, in the order of the document
  std::string_view service_account;            ///< spec.serviceAccountName
  std::vector<std::string_view> pull_secrets;  ///< spec.imagePullSecrets[].name

  void clear() {
    labels.clear();
    images.clear();
    service_account = {};
    pull_secrets.clear();
  }
};

/// One object under evaluation: a workload, or a namespace.
struct Workload {
  std::string_view kind;            ///< "Deployment"
  std::string_view namespace_name;  ///< request.namespace, never the object's own claim
  std::string_view name;            ///< request.name, "" on CREATE with generateName
  std::string_view generate_name;   ///< metadata.generateName, for messages
  /// Dotted path from the object to the pod template: "spec.template" (Deployment),
  /// "spec.jobTemplate.spec.template" (CronJob), "template" (PodTemplate), "" for a Pod itself.
  std::string_view pod_path;
  bool is_pod = false;  ///< a Pod; otherwise an object with a pod template
  /// A Namespace: it has no pod, and namespace_name is its own name.
  bool is_namespace = false;
  /// An owner with `controller: true` among metadata.ownerReferences; looked at by pinning only.
  bool is_controlled = false;
  bool is_being_deleted = false;  ///< metadata.deletionTimestamp is set
  bool is_update = false;         ///< old_pod and old_labels are those before it

  std::vector<Label> labels;  ///< the object's own metadata.labels
  std::vector<Label> old_labels;
  PodFields pod;  ///< of the Pod, or of the template
  PodFields old_pod;
  /// userInfo.groups of who asks; of namespaces only.
  std::vector<std::string_view> user_groups;

  void clear();

  /// False only where the same text stood in the same list under the same container name before:
  /// on anything but an UPDATE everything counts as changed.
  bool image_changed(const ImageField& field) const;
  /// Whether the pod's (or template's) label was added, removed or given another value; true on
  /// anything but an UPDATE.
  bool pod_label_changed(std::string_view key) const;
  /// The same for the object's own labels.
  bool object_label_changed(std::string_view key) const;

  /// "spec.template.spec.containers[0].image", "spec.volumes[1].image.reference".
  std::string image_path(const ImageField& field) const;
  /// The same as a JSON Pointer (RFC 6901): "/spec/template/spec/containers/0/image".
  std::string image_pointer(const ImageField& field) const;
  /// "spec.template.metadata.labels.environment"; keys with other characters in brackets
  /// ("metadata.labels[app.kubernetes.io/part-of]"); a key that is absent: "metadata.labels".
  std::string pod_label_path(std::string_view key) const;
  std::string object_label_path(std::string_view key) const;
  /// "shop/checkout", "shop/job-*" for a generated name, "checkout" without namespace (and of a
  /// namespace), "shop/(no name)" where the request gives neither name.
  std::string display_name() const;
};

}  // namespace belay::policy
