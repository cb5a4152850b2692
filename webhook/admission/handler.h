// HTTP request -> Admission -> HTTP response: the media type, the endpoint by its path, the
// policies in force; and asking for what is not known (a namespace, facts of registries) before a
// request is given up.
// One handler a reactor, so nothing here is locked; not thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "policy/policy.h"
#include "webhook/admission/admission.h"
#include "webhook/admission/image_lookups.h"
#include "webhook/admission/namespace_lookups.h"
#include "webhook/admission/observer.h"
#include "webhook/http/server.h"
#include "webhook/system/snapshot.h"

namespace belay::webhook::admission {

/// Whether a Content-Type is JSON as the API server sends it: application/json, with or without
/// parameters, in any case (RFC 9110, section 8.3.1).
bool is_json_media_type(std::string_view content_type);

/// How long a request may wait for something, by the `timeout` of its query (a Go duration, as the
/// API server sends it): what is left of it after 300 ms for the way there and back, at most
/// `limit`. Without a timeout that reads, `limit`.
std::chrono::milliseconds time_to_wait(std::string_view query, std::chrono::milliseconds limit);

/// Who is asked while requests wait; outlives the handler, and may be shared by many.
struct Lookups {
  NamespaceLookups* namespaces = nullptr;  ///< nullptr: such a request is undecided at once
  ImageLookups* images = nullptr;          ///< nullptr: only what is known at once counts
};

class AdmissionHandler final : public http::Handler {
 public:
  /// Everything handed in by reference or pointer outlives the handler.
  /// \param options  without limits, those of EvaluationBudget hold
  AdmissionHandler(const Snapshot<policy::PolicySet>& policies, const NamespaceSource& namespaces,
                   DecisionObserver& observer, AdmissionOptions options = {}, Lookups lookups = {});

  /// 200 with a verdict, 400 for a body that is no review, 415 for another media type, 503 while no
  /// policies have been read. Errors carry {"error": {"code", "message"}}, never a verdict.
  void handle(const http::Request& request, http::Response& response) override;
  void flush() override { observer_.flush(); }

 private:
  using Clock = std::chrono::steady_clock;
  class Parking;
  class Waiting;

  /// A request that has not been answered yet.
  struct Pending {
    Request request;
    Clock::time_point begin, namespaces_until, images_until;
  };

  void finish(const std::optional<Result>& result, const Pending& pending,
              http::Response& response);

  SnapshotReader<policy::PolicySet> policies_;
  DecisionObserver& observer_;
  const Lookups lookups_;
  Admission admission_;
};

}  // namespace belay::webhook::admission
