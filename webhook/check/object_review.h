// An object of a manifest -> the AdmissionReview of its creation, as the API server would send it.
// `belay check` evaluates it, `belay pin` finds the images in it. Stateless; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "webhook/admission/review_reader.h"
#include "webhook/check/manifest.h"

namespace belay::webhook::check {

/// Why a document is no Kubernetes object, as a sentence without its end, or "".
std::string object_problem(const ManifestObject& object);

/// Whether belay evaluates objects of its kind.
bool is_evaluated(const ManifestObject& object,
                  const std::vector<admission::ExtraTemplate>& extra_templates);

/// Its namespace: metadata.namespace, else the default.
std::string_view namespace_of(const ManifestObject& object, std::string_view default_namespace);

/// Replaces `body` with the review of its creation under the namespace.
void write_review(const ManifestObject& object, std::string_view ns, std::string& body);

/// What an error about the review says of the object: the review is belay's own.
std::string object_message(std::string_view review_message);
/// The field of the object that an error about the review blames, or "".
std::string_view object_field(std::string_view review_field);

}  // namespace belay::webhook::check
