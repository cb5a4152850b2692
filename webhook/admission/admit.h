// The way of one request: body -> Review -> facts -> verdict -> answer. Used by the server's
// handler, `belay review` and `belay check` alike.
//
// Facts that have to be waited for are the caller's to ask for: an answer says what is wanting, and
// the same body is then evaluated again with what was learned.
//
// Not thread-safe; one Admission a thread. Blocks nowhere, logs nothing: what happened is returned.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/evaluate.h"
#include "policy/registry_needs.h"
#include "webhook/admission/config_map_review.h"
#include "webhook/admission/evaluation_budget.h"
#include "webhook/admission/image_inquiry.h"
#include "webhook/admission/mutate.h"
#include "webhook/admission/review.h"
#include "webhook/admission/review_reader.h"

namespace belay::webhook::admission {

/// /validate-policy answers about ConfigMaps of policies only, and does so before any policy was
/// read, so that the first one can be written; /validate knows them by their kind.
enum class Endpoint : std::uint8_t { kValidate, kMutate, kValidatePolicy };
std::string_view path_of(Endpoint endpoint);  ///< "/validate"

/// One thread's view of the namespaces. Not thread-safe; must not block.
class NamespaceReader {
 public:
  virtual ~NamespaceReader() = default;
  /// Fills `labels` with the namespace's labels: views that live until the next find(), whatever
  /// happens to the namespace meanwhile.
  /// \return false where the namespace is not known.
  virtual bool find(std::string_view name, std::vector<policy::Label>& labels) = 0;
};

/// Where namespace labels come from. Implementations must be thread-safe.
class NamespaceSource {
 public:
  virtual ~NamespaceSource() = default;
  /// A view for one thread. The source outlives it.
  virtual std::unique_ptr<NamespaceReader> reader() const = 0;
};

/// Today's date in UTC; comes in so that tests choose it.
using Today = std::function<std::chrono::year_month_day()>;

enum class Outcome : std::uint8_t { kAllowed, kDenied, kUndecided, kBadRequest };
std::string_view name_of(Outcome outcome);

/// Who is asked about images, by one thread's Admission. \pre `source` is thread-safe, outlives it
struct ImageAccess {
  ImageSource* source = nullptr;  ///< nullptr: no registry is listed, and rules treat it as such
  /// Nobody is to be asked, and rules that need a registry only say so (`belay check`).
  bool offline = false;
  /// The time, for ages of images; comes in so that tests choose it.
  std::function<std::chrono::sys_seconds()> now = [] {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  };
};

/// What was learned for a request since it was first looked at; nothing is asked for twice.
struct Learned {
  /// Why the labels of the request's namespace could not be learned, as a clause; told where they
  /// are wanting. "" where nobody asked.
  std::string_view ns_problem = {};
  const ImageInquiry* images = nullptr;  ///< what registries said; nullptr where nobody asked
};

/// What was answered, with what logs and metrics want to know. Views live until the next request.
struct Answer {
  int http_status = 200;
  Outcome outcome = Outcome::kAllowed;
  const Review* review = nullptr;            ///< nullptr for a bad request
  const policy::Verdict* verdict = nullptr;  ///< nullptr where nothing was evaluated
  ReadErrorCode error_code{};                ///< of a bad request
  std::string_view error_message;            ///< of a bad request
  std::string_view error_field;              ///< of a bad request: the field to blame, or ""
  std::string_view refusal;                  ///< why a ConfigMap of policies was denied, or ""
  /// The namespace whose labels were wanting for a decision, "" where none was: once the source
  /// knows it, the request can be evaluated again.
  std::string_view unknown_namespace;
  /// What registries must be asked for before there is an answer: then there is none yet, and the
  /// request is to be evaluated again with what they said. nullptr where nothing is wanting.
  const ImageInquiry* wanted = nullptr;
  PinCounts pins;                ///< of /mutate
  std::string_view pin_problem;  ///< why an image stays unpinned, or was refused for it; or ""
};

class Admission {
 public:
  /// \param config_maps  left out, a ConfigMap is a bad request
  /// \param limits  of those who answer many; left out, an object takes as long as it takes
  Admission(const NamespaceSource& namespaces, Today today,
            std::vector<ExtraTemplate> extra_templates = {}, ImageAccess images = {},
            std::optional<EvaluationBudget::Limits> limits = {},
            ConfigMapReviewer config_maps = {});
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// Answers one AdmissionReview under `policies`; replaces `out` with the answer's JSON.
  /// \param body  read in place; the byte behind its end is written
  Answer admit(Endpoint endpoint, const policy::PolicySet& policies, std::span<char> body,
               std::string& out, const Learned& learned = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::admission
