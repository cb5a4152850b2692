// The way of one request: read -> what is missing -> ask -> evaluate -> response. Used by the
// server's handler, `belay review` and `belay check` alike; admission.cpp has the steps in order.
//
// A request is read once. What has to be waited for is asked for through the caller's Waiter, which
// blocks or takes the request along; then the same review is looked at again.
//
// Not thread-safe; one Admission a thread. Blocks nowhere itself, logs nothing: what happened is
// returned.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "webhook/admission/config_map_review.h"
#include "webhook/admission/evaluation_budget.h"
#include "webhook/admission/image_source.h"
#include "webhook/admission/missing.h"
#include "webhook/admission/namespace_source.h"
#include "webhook/admission/result.h"
#include "webhook/admission/review_reader.h"

namespace belay::webhook::admission {

/// Today's date in UTC; comes in so that tests choose it.
using Today = std::function<std::chrono::year_month_day()>;

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

struct AdmissionOptions {
  Today today = [] {
    return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  };
  std::vector<ExtraTemplate> extra_templates = {};  ///< custom resources that hold a pod template
  ImageAccess images = {};
  /// Of those who answer many; left out, an object takes as long as it takes.
  std::optional<EvaluationBudget::Limits> limits = {};
  ConfigMapReviewer config_maps = {};  ///< left out, a ConfigMap is a bad request
};

/// A request, as far as it moves with a wait.
struct Request {
  Endpoint endpoint = Endpoint::kValidate;
  Learned learned = {};
};

class Admission {
 public:
  /// \param namespaces  outlives it
  explicit Admission(const NamespaceSource& namespaces, AdmissionOptions options = {});
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// Answers one AdmissionReview under `policies`; replaces `out` with the response's JSON.
  /// \param body  read in place; the byte behind its end is written
  /// \return nothing where the request waits now, by the word of `waiter`; `out` is then empty
  std::optional<Result> admit(Request& request, const policy::PolicySet& policies,
                              std::span<char> body, std::string& out, Waiter& waiter);

  /// The same for those who have nobody to ask: what is missing stays so.
  Result admit(Endpoint endpoint, const policy::PolicySet& policies, std::span<char> body,
               std::string& out);

  /// Looks again at a request that has waited, under the policies of now.
  /// \param review  of OwnedReview
  std::optional<Result> go_on(Request& request, const policy::PolicySet& policies,
                              const Review& review, std::string& out, Waiter& waiter);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::admission
