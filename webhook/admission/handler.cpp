// What stands between HTTP and Admission.
#include "webhook/admission/handler.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "webhook/admission/owned_review.h"
#include "webhook/admission/review_writer.h"

namespace belay::webhook::admission {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_space(char c) { return c == ' ' || c == '\t'; }

/// A Go duration of whole numbers: "5s", "500ms", "1m30s".
std::optional<std::chrono::milliseconds> read_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> kUnits{
      {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};
  constexpr std::int64_t kMost = 1'000'000;  // so that nothing overflows
  if (text.empty()) return std::nullopt;
  std::chrono::milliseconds sum{0};
  while (!text.empty()) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number < 0 || number > kMost) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto unit =
        std::ranges::find_if(kUnits, [&](const auto& row) { return text.starts_with(row.first); });
    if (unit == kUnits.end()) return std::nullopt;
    text.remove_prefix(unit->first.size());
    sum += std::chrono::milliseconds(number * unit->second);
  }
  return sum;
}

Endpoint endpoint_of(std::string_view path) {
  for (const Endpoint other : {Endpoint::kMutate, Endpoint::kValidatePolicy}) {
    if (path == path_of(other)) return other;
  }
  return Endpoint::kValidate;
}

AdmissionOptions limited(AdmissionOptions options) {
  if (!options.limits) options.limits.emplace();
  return options;
}

}  // namespace

std::string_view name_of(Rejection reason) {
  constexpr std::array<std::string_view, 2> kNames{"media-type", "not-ready"};
  return kNames.at(static_cast<std::size_t>(reason));
}

bool is_json_media_type(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json";
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && is_space(type.front())) type.remove_prefix(1);
  while (!type.empty() && is_space(type.back())) type.remove_suffix(1);
  return std::ranges::equal(type, kJson, {}, lower);
}

std::chrono::milliseconds time_to_wait(std::string_view query, std::chrono::milliseconds limit) {
  constexpr std::string_view kName = "timeout=";
  constexpr std::chrono::milliseconds kMargin{300};
  for (std::string_view rest = query; !rest.empty();) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view field = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!field.starts_with(kName)) continue;
    const auto timeout = read_duration(field.substr(kName.size()));
    return timeout ? std::clamp(*timeout - kMargin, std::chrono::milliseconds(0), limit) : limit;
  }
  return limit;
}

/// A request that waits, with all that it needs to go on: the buffer that it came in serves others.
/// Workers write `namespace_problem`, then say ready().
class AdmissionHandler::Waiting final : public http::PendingResponse {
 public:
  Waiting(AdmissionHandler& handler, Clock::time_point deadline, Pending pending,
          std::unique_ptr<const OwnedReview> review)
      : PendingResponse(deadline, sizeof(Waiting) + review->bytes()),
        handler_(handler),
        pending_(std::move(pending)),
        review_(std::move(review)) {}

  void respond(http::Resumed why, http::Response& response) override;

  Pending& pending() { return pending_; }
  std::unique_ptr<const OwnedReview> take_review() { return std::move(review_); }

  std::string namespace_problem;              ///< looked at once ready
  std::shared_ptr<const ImageLookup> images;  ///< the reactor's thread only

 private:
  AdmissionHandler& handler_;
  Pending pending_;
  std::unique_ptr<const OwnedReview> review_;
};

/// Has a request wait beside the reactor: it moves into a Waiting, and the handler is done with it.
class AdmissionHandler::Parking final : public Waiter {
 public:
  /// \param pending  moves away with the request
  /// \param review   of a request that has waited before
  Parking(AdmissionHandler& handler, Pending& pending, http::Response& response,
          std::unique_ptr<const OwnedReview> review = nullptr)
      : handler_(handler), pending_(pending), response_(response), owned_(std::move(review)) {}

  bool wait(const Missing& missing, const Review& review, Learned& learned) override {
    return missing.images != nullptr ? wait_for_images(review, learned)
                                     : wait_for_namespace(missing.namespace_name, review, learned);
  }

 private:
  bool wait_for_namespace(std::string_view name, const Review& review, Learned& learned) {
    NamespaceLookups* const lookups = handler_.lookups_.namespaces;
    if (lookups == nullptr) return true;
    const auto deadline = pending_.namespaces_until;
    if (deadline <= pending_.begin) {
      learned.namespace_problem = "the webhook's timeout leaves no time to ask the API server";
      return true;
    }
    const auto waiting = move_into_wait(review, deadline);
    const bool started = lookups->start(name, deadline, [waiting](const std::string& problem) {
      waiting->namespace_problem = problem;
      waiting->ready();
    });
    if (started) return park(waiting);
    move_back(*waiting);
    learned.namespace_problem = "too many namespace lookups are waiting";
    return true;
  }

  bool wait_for_images(const Review& review, Learned& learned) {
    const auto give_up = [&](std::string_view problem) {
      learned.give_up_images(problem);
      return true;
    };
    if (handler_.lookups_.images == nullptr) return give_up("no registries are configured");
    const auto deadline = pending_.images_until;
    if (deadline <= Clock::now()) return give_up("there was no time left to ask the registry");
    ImageInquiry inquiry = learned.images;
    const auto waiting = move_into_wait(review, deadline);
    // Held weakly, or the two would hold each other.
    waiting->images = handler_.lookups_.images->start(std::move(inquiry), deadline,
                                                      [weak = std::weak_ptr<Waiting>(waiting)] {
                                                        if (const auto held = weak.lock())
                                                          held->ready();
                                                      });
    if (waiting->images != nullptr) return park(waiting);
    move_back(*waiting);
    return give_up("too many image lookups are waiting");
  }

  /// Only here is anything copied, and of a request that waits once more nothing is.
  std::shared_ptr<Waiting> move_into_wait(const Review& review, Clock::time_point deadline) {
    if (owned_ == nullptr) owned_ = std::make_unique<const OwnedReview>(review);
    return std::make_shared<Waiting>(handler_, deadline, std::move(pending_), std::move(owned_));
  }

  /// Nobody could be asked, so the request goes on at once.
  void move_back(Waiting& waiting) {
    pending_ = std::move(waiting.pending());
    owned_ = waiting.take_review();
  }

  bool park(std::shared_ptr<Waiting> waiting) {
    response_.pending = std::move(waiting);
    return false;
  }

  AdmissionHandler& handler_;
  Pending& pending_;
  http::Response& response_;
  std::unique_ptr<const OwnedReview> owned_;
};

void AdmissionHandler::Waiting::respond(http::Resumed why, http::Response& response) {
  Pending pending = std::move(pending_);
  Learned& learned = pending.request.learned;
  if (images != nullptr) {
    learned.images = images->result();
  } else {
    learned.namespace_problem =
        why == http::Resumed::kReady ? namespace_problem : "the API server did not respond in time";
  }
  const Review& review = review_->review();  // stays where it is when its owner moves
  Parking parking(handler_, pending, response, std::move(review_));
  const auto result = handler_.admission_.go_on(pending.request, *handler_.policies_.get(), review,
                                                response.body, parking);
  handler_.finish(result, pending, response);
}

AdmissionHandler::AdmissionHandler(const Snapshot<policy::PolicySet>& policies,
                                   const NamespaceSource& namespaces, DecisionObserver& observer,
                                   AdmissionOptions options, Lookups lookups)
    : policies_(policies),
      observer_(observer),
      lookups_(lookups),
      admission_(namespaces, limited(std::move(options))) {}

void AdmissionHandler::handle(const http::Request& request, http::Response& response) {
  Pending pending;
  pending.begin = Clock::now();
  pending.request.endpoint = endpoint_of(request.path);
  const Endpoint endpoint = pending.request.endpoint;
  const auto reject = [&](Rejection reason, int status, std::string_view message) {
    response.status = status;
    write_error(name_of(reason), message, response.body);
    observer_.rejected(reason, endpoint);
  };
  if (!is_json_media_type(request.content_type)) {
    return reject(Rejection::kMediaType, 415, "Content-Type must be application/json");
  }
  const policy::PolicySet* policies = policies_.get();
  static const policy::PolicySet kNone;
  if (policies == nullptr && endpoint == Endpoint::kValidatePolicy) policies = &kNone;
  if (policies == nullptr) {
    return reject(Rejection::kNotReady, 503, "no policies have been read yet");
  }
  if (lookups_.namespaces != nullptr) {
    pending.namespaces_until =
        pending.begin + time_to_wait(request.query, lookups_.namespaces->deadline());
  }
  if (lookups_.images != nullptr) {
    pending.images_until = pending.begin + time_to_wait(request.query, lookups_.images->deadline());
  }
  Parking parking(*this, pending, response);
  const auto result =
      admission_.admit(pending.request, *policies, request.body, response.body, parking);
  finish(result, pending, response);
}

/// Tells what became of a request that is answered; of one that waits there is nothing to tell.
void AdmissionHandler::finish(const std::optional<Result>& result, const Pending& pending,
                              http::Response& response) {
  if (!result) return;
  response.status = result->http_status;
  observer_.decided(*result, pending.request.endpoint, Clock::now() - pending.begin);
}

}  // namespace belay::webhook::admission
