// AdmissionReview bytes -> Review: one pass of RapidJSON's SAX reader, in place, with bounded depth
// and duplicate keys refused. Keeps only what rules look at. The order of keys does not matter.
//
// A reader keeps its buffers from one review to the next. Not thread-safe; make one a thread.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "webhook/admission/review.h"

namespace belay::webhook::admission {

/// A custom resource that embeds a pod template (Argo Rollout).
struct ExtraTemplate {
  std::string group;  ///< "argoproj.io"
  std::string kind;   ///< "Rollout"
  std::string path;   ///< of the pod template: "spec.template"
};

/// More of them might stand at more places than the reader can tell apart.
inline constexpr std::size_t kMaxExtraTemplates = 50;

class ReviewReader {
 public:
  /// \param extra_templates  at most kMaxExtraTemplates
  explicit ReviewReader(std::vector<ExtraTemplate> extra_templates = {});
  ~ReviewReader();
  ReviewReader(const ReviewReader&) = delete;
  ReviewReader& operator=(const ReviewReader&) = delete;

  /// Reads a body in place: strings are unescaped inside it, the byte behind its end is written.
  /// \return the review, valid until the next read() or until the body goes; or why it is none.
  std::expected<const Review*, ReadError> read(std::span<char> body);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::admission
