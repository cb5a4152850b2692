// From a document to findings with lines.
#include "webhook/check/check.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "policy/document.h"
#include "policy/message.h"
#include "webhook/check/object_review.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/policies/config_map_review.h"

namespace belay::webhook::check {
namespace {

using policy::Node;
using policy::Position;

/// The place of a position in a file whose text starts `origin.line` lines before.
report::Place place_of(const report::Place& origin, Position position) {
  return {origin.file, origin.line + position.line, position.column};
}

}  // namespace

void learn_namespaces(std::string_view text, namespaces::FixedNamespaces& namespaces) {
  for (const Chunk& chunk : split_stream(text)) {
    if (chunk.text.find("Namespace") == std::string_view::npos) continue;
    const auto documents = policy::read_documents(chunk.text);
    if (!documents) continue;
    for (const policy::Document& document : *documents) {
      for_each_object(document.root, [&](const ManifestObject& object) {
        if (object.kind != "Namespace" || object.api_version != "v1") return;
        const std::string_view name = text_at(*object.node, "metadata.name");
        const Node* metadata = object.node->find("metadata");
        const Node* labels = metadata == nullptr ? nullptr : metadata->find("labels");
        if (name.empty() || labels == nullptr || labels->kind != Node::Kind::kMapping) return;
        for (std::size_t i = 0; i < labels->keys.size(); ++i) {
          namespaces.set(name, labels->keys[i].text, labels->items[i].text);
        }
      });
    }
  }
}

Checker::Checker(const policy::PolicySet& policies, const admission::NamespaceSource& namespaces,
                 admission::Today today, std::string default_namespace,
                 std::vector<admission::ExtraTemplate> extra_templates,
                 admission::ImageAccess images)
    : policies_(policies),
      default_namespace_(std::move(default_namespace)),
      extra_templates_(std::move(extra_templates)),
      admission_(namespaces, {.today = std::move(today),
                              .extra_templates = extra_templates_,
                              .images = std::move(images),
                              .config_maps = policies::review_config_map}) {}

admission::ImageAccess Checker::offline() {
  admission::ImageAccess images;
  images.offline = true;
  return images;
}

void Checker::check(const ManifestFile& file, std::string_view text, report::Report& report) {
  ++report.files;
  const std::size_t first = report.findings.size();
  for (const Chunk& chunk : split_stream(text)) {
    const report::Place origin{file.path, chunk.lines_before, 0};
    const auto documents = policy::read_documents(chunk.text);
    if (!documents) {
      std::string message = documents.error().message;
      if (chunk.text.find("{{") != std::string_view::npos) {
        message += ". If this is a Helm template: helm template CHART | belay check -f -";
      }
      report.errors.push_back({place_of(origin, documents.error().position), std::move(message)});
      continue;
    }
    for (const policy::Document& document : *documents) {
      for_each_object(document.root, [&](const ManifestObject& object) {
        check_object(object, origin, file.named, report);
      });
    }
  }
  std::ranges::stable_sort(
      report.findings.begin() + static_cast<std::ptrdiff_t>(first), report.findings.end(), {},
      [](const report::PlacedFinding& f) { return std::pair(f.place.line, f.place.column); });
}

void Checker::check_object(const ManifestObject& object, const report::Place& origin, bool named,
                           report::Report& report) {
  const Node& node = *object.node;
  const auto refuse = [&](Position position, std::string message) {
    report.errors.push_back({place_of(origin, position), std::move(message)});
  };
  const bool is_mapping = node.kind == Node::Kind::kMapping;
  if (!named && (!is_mapping || object.kind.empty())) {
    ++report.passed_over;
    return;
  }
  ++report.objects;
  if (std::string problem = object_problem(object); !problem.empty()) {
    return refuse(node.position, std::move(problem));
  }
  if (!is_evaluated(object, extra_templates_)) return;
  ++report.evaluated;

  const std::string_view name = text_at(node, "metadata.name");
  const std::string_view ns = namespace_of(object, default_namespace_);
  write_review(object, ns, body_);
  const admission::Result result = admission_.admit(admission::Endpoint::kValidate, policies_,
                                                    {body_.data(), body_.size()}, response_);
  if (result.outcome == admission::Outcome::kBadRequest) {
    const std::string_view field = object_field(result.error_field);
    return refuse(locate(node, field), object_message(result.error_message));
  }
  if (result.outcome == admission::Outcome::kUndecided) {
    return refuse(node.position, result.verdict->undecided);
  }
  if (result.verdict->policies.empty()) {
    ++report.unmatched;
    report.unmatched_namespaces.emplace(ns);
  }
  for (const policy::Finding& finding : result.verdict->findings) {
    report.findings.push_back({place_of(origin, locate(node, finding.field)),
                               std::string(object.kind), std::string(ns), std::string(name),
                               finding});
  }
}

}  // namespace belay::webhook::check
