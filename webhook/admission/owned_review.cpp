// Every text of a review is visited by one walk. The walk takes each struct apart by structured
// bindings, which name every member: a member that is added stops the build here, where it would
// otherwise keep a view of a buffer that is gone.
#include "webhook/admission/owned_review.h"

#include <string_view>
#include <vector>

namespace belay::webhook::admission {
namespace {

template <class Visit>
void visit_texts(std::vector<policy::Label>& labels, const Visit& visit) {
  for (auto& [key, value] : labels) {
    visit(key);
    visit(value);
  }
}

template <class Visit>
void visit_texts(std::vector<std::string_view>& texts, const Visit& visit) {
  for (std::string_view& text : texts) visit(text);
}

template <class Visit>
void visit_texts(policy::PodFields& pod, const Visit& visit) {
  auto& [labels, images, service_account, pull_secrets] = pod;
  visit_texts(labels, visit);
  for (auto& [list, index, name, image] : images) {
    visit(name);
    visit(image);
  }
  visit(service_account);
  visit_texts(pull_secrets, visit);
}

template <class Visit>
void visit_texts(policy::Workload& workload, const Visit& visit) {
  auto& [kind, namespace_name, name, generate_name, pod_path, is_pod, is_namespace, is_controlled,
         is_being_deleted, is_update, labels, old_labels, pod, old_pod, user_groups] = workload;
  for (std::string_view* text : {&kind, &namespace_name, &name, &generate_name, &pod_path}) {
    visit(*text);
  }
  visit_texts(labels, visit);
  visit_texts(old_labels, visit);
  visit_texts(pod, visit);
  visit_texts(old_pod, visit);
  visit_texts(user_groups, visit);
}

template <class Visit>
void visit_texts(Review& review, const Visit& visit) {
  auto& [uid, kind, resource, subresource, operation, dry_run, user, evaluated, metric_kind,
         workload, is_config_map, data, old_data] = review;
  auto& [group, version, kind_name] = kind;
  for (std::string_view* text :
       {&uid, &group, &version, &kind_name, &resource, &subresource, &user, &metric_kind}) {
    visit(*text);
  }
  visit_texts(workload, visit);
  visit_texts(data, visit);
  visit_texts(old_data, visit);
}

/// Memory of the lists, which are copied without spare room.
std::size_t bytes_of_lists(const Review& review) {
  const policy::Workload& workload = review.workload;
  std::size_t labels = workload.labels.size() + workload.old_labels.size() + review.data.size() +
                       review.old_data.size();
  std::size_t images = 0;
  std::size_t texts = workload.user_groups.size();
  for (const policy::PodFields* pod : {&workload.pod, &workload.old_pod}) {
    labels += pod->labels.size();
    images += pod->images.size();
    texts += pod->pull_secrets.size();
  }
  return labels * sizeof(policy::Label) + images * sizeof(policy::ImageField) +
         texts * sizeof(std::string_view);
}

}  // namespace

OwnedReview::OwnedReview(const Review& review) : review_(review) {
  std::size_t size = 0;
  visit_texts(review_, [&size](const std::string_view& text) { size += text.size(); });
  texts_ = std::make_unique_for_overwrite<char[]>(size);
  char* end = texts_.get();
  visit_texts(review_, [&end](std::string_view& text) {
    const std::size_t length = text.copy(end, text.size());
    text = {end, length};
    end += length;
  });
  bytes_ = sizeof(*this) + size + bytes_of_lists(review_);
}

}  // namespace belay::webhook::admission
