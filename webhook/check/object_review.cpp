// Only what the reader of reviews asks for is written.
#include "webhook/check/object_review.h"

#include <algorithm>

#include "webhook/workload/workload_kinds.h"

namespace belay::webhook::check {
namespace {

using policy::Node;

void append_text(std::string_view text, std::string& json) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.text = text;
  policy::append_json(node, json);
}

}  // namespace

std::string object_problem(const ManifestObject& object) {
  if (object.node->kind != Node::Kind::kMapping) {
    return "not a Kubernetes object, which is a mapping with kind";
  }
  if (object.kind.empty()) return "not a Kubernetes object: it has no kind";
  if (object.api_version.empty()) return "not a Kubernetes object: it has no apiVersion";
  return "";
}

bool is_evaluated(const ManifestObject& object,
                  const std::vector<admission::ExtraTemplate>& extra_templates) {
  return workload::find_workload_kind(object.group(), object.kind) != nullptr ||
         std::ranges::any_of(extra_templates, [&](const admission::ExtraTemplate& extra) {
           return extra.group == object.group() && extra.kind == object.kind;
         });
}

std::string_view namespace_of(const ManifestObject& object, std::string_view default_namespace) {
  const std::string_view ns = text_at(*object.node, "metadata.namespace");
  return ns.empty() ? default_namespace : ns;
}

void write_review(const ManifestObject& object, std::string_view ns, std::string& body) {
  body = R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"check")";
  body += R"(,"operation":"CREATE","kind":{"group":)";
  append_text(object.group(), body);
  body += R"(,"kind":)";
  append_text(object.kind, body);
  body += R"(},"namespace":)";
  append_text(ns, body);
  body += R"(,"name":)";
  append_text(text_at(*object.node, "metadata.name"), body);
  body += R"(,"object":)";
  policy::append_json(*object.node, body);
  body += "}}";
}

std::string object_message(std::string_view review_message) {
  constexpr std::string_view kObject = "request.object.";
  if (review_message.starts_with(kObject)) review_message.remove_prefix(kObject.size());
  return std::string(review_message);
}

std::string_view object_field(std::string_view review_field) {
  constexpr std::string_view kObject = "request.object";
  if (!review_field.starts_with(kObject)) return "";
  review_field.remove_prefix(kObject.size());
  if (review_field.starts_with('.')) review_field.remove_prefix(1);
  return review_field;
}

}  // namespace belay::webhook::check
