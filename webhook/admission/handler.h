// HTTP request -> Admission -> HTTP response: the media type, the endpoint by its path, the
// policies in force; and asking for what is not known (a namespace, facts of registries) before a
// request is given up.
// One handler a reactor, so nothing here is locked; not thread-safe.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "webhook/admission/admit.h"
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

/// Who is asked while requests wait; all of it outlives the handler, and may be shared by many.
struct Questions {
  NamespaceLookups* namespaces = nullptr;  ///< nullptr: such a request is undecided at once
  ImageLookups* images = nullptr;          ///< with `source`: facts that no cache holds
  ImageSource* source = nullptr;           ///< nullptr: no registry is asked anything
};

class AdmissionHandler final : public http::Handler {
 public:
  /// Everything handed in by reference or pointer outlives the handler.
  AdmissionHandler(const Snapshot<policy::PolicySet>& policies, const NamespaceSource& namespaces,
                   Today today, DecisionObserver& observer,
                   std::vector<ExtraTemplate> extra_templates = {}, Questions questions = {},
                   ConfigMapReviewer config_maps = {});

  /// 200 with a verdict, 400 for a body that is no review, 415 for another media type, 503 while no
  /// policies have been read. Errors carry {"error": {"code", "message"}}, never a verdict.
  void handle(const http::Request& request, http::Response& response) override;
  void flush() override { observer_.flush(); }

 private:
  using Clock = std::chrono::steady_clock;
  class Waiting;

  /// A request that is not answered yet, with what was learned for it.
  struct Pending {
    Endpoint endpoint = Endpoint::kValidate;
    Clock::time_point begin, namespaces_until, images_until;
    bool asked_namespace = false, asked_images = false;
    std::string ns_problem;
    ImageInquiry images;  ///< where asked_images
  };

  bool may_wait(const Pending& pending) const;
  void keep(std::span<const char> body);
  void proceed(Pending pending, std::span<char> body, http::Response& response);
  bool wait_for_namespace(Pending& pending, std::string_view ns, http::Response& response);
  bool wait_for_images(Pending& pending, const ImageInquiry& wanted, http::Response& response);

  SnapshotReader<policy::PolicySet> policies_;
  DecisionObserver& observer_;
  const Questions questions_;
  Admission admission_;
  std::vector<char> kept_;  ///< the body as it came and a byte more; reading changes the original
};

}  // namespace belay::webhook::admission
