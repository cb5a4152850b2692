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
#include <system_error>
#include <utility>

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

/// A request that waits. Workers write `ns_problem`, then say ready().
class AdmissionHandler::Waiting final : public http::PendingResponse {
 public:
  Waiting(AdmissionHandler& handler, Clock::time_point deadline, Pending pending,
          std::vector<char> body)
      : PendingResponse(deadline),
        handler_(handler),
        pending_(std::move(pending)),
        body_(std::move(body)) {}

  void answer(http::Resumed why, http::Response& response) override {
    const bool ready = why == http::Resumed::kReady;
    if (images) {
      pending_.images = images->result();
    } else {
      pending_.ns_problem = ready ? ns_problem : "the API server did not respond in time";
    }
    handler_.proceed(std::move(pending_), {body_.data(), body_.size() - 1}, response);
  }

  std::vector<char> take_body() { return std::move(body_); }

  std::string ns_problem;                     ///< looked at once ready
  std::shared_ptr<const ImageLookup> images;  ///< the reactor's thread only

 private:
  AdmissionHandler& handler_;
  Pending pending_;
  std::vector<char> body_;
};

namespace {

ImageAccess asking(ImageSource* source) {
  ImageAccess images;
  images.source = source;
  return images;
}

}  // namespace

AdmissionHandler::AdmissionHandler(const Snapshot<policy::PolicySet>& policies,
                                   const NamespaceSource& namespaces, Today today,
                                   DecisionObserver& observer,
                                   std::vector<ExtraTemplate> extra_templates, Questions questions,
                                   ConfigMapReviewer config_maps)
    : policies_(policies),
      observer_(observer),
      questions_(questions),
      admission_(namespaces, std::move(today), std::move(extra_templates), asking(questions.source),
                 EvaluationBudget::Limits(), std::move(config_maps)) {}

void AdmissionHandler::handle(const http::Request& request, http::Response& response) {
  const auto begin = Clock::now();
  Endpoint endpoint = Endpoint::kValidate;
  for (const Endpoint other : {Endpoint::kMutate, Endpoint::kValidatePolicy}) {
    if (request.path == path_of(other)) endpoint = other;
  }
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
  Pending pending;
  pending.endpoint = endpoint;
  pending.begin = begin;
  if (questions_.namespaces != nullptr) {
    pending.namespaces_until =
        begin + time_to_wait(request.query, questions_.namespaces->deadline());
  }
  if (questions_.images != nullptr) {
    pending.images_until = begin + time_to_wait(request.query, questions_.images->deadline());
  }
  proceed(std::move(pending), request.body, response);
}

/// Whether something may yet be asked for the request, after which its body is read again.
bool AdmissionHandler::may_wait(const Pending& pending) const {
  if (pending.endpoint == Endpoint::kValidatePolicy) return false;
  return (questions_.namespaces != nullptr && !pending.asked_namespace) ||
         (questions_.images != nullptr && !pending.asked_images);
}

void AdmissionHandler::keep(std::span<const char> body) {
  constexpr std::size_t kMostKept = std::size_t{256} << 10U;
  if (kept_.capacity() > kMostKept && body.size() <= kMostKept) kept_ = {};
  kept_.reserve(body.size() + 1);
  kept_.assign(body.begin(), body.end());
  kept_.push_back('\0');
}

/// Answers, or has the request wait for what is wanting.
/// \param body  read in place, which destroys it
void AdmissionHandler::proceed(Pending pending, std::span<char> body, http::Response& response) {
  std::vector<char> again;  // the body, where it is read a further time here
  for (;;) {
    if (may_wait(pending)) keep(body);
    const Learned learned{.ns_problem = pending.ns_problem,
                          .images = pending.asked_images ? &pending.images : nullptr};
    const Answer answer =
        admission_.admit(pending.endpoint, *policies_.get(), body, response.body, learned);
    if (!answer.unknown_namespace.empty() && questions_.namespaces != nullptr &&
        !pending.asked_namespace) {
      if (wait_for_namespace(pending, answer.unknown_namespace, response)) return;
    } else if (answer.wanted != nullptr) {
      if (wait_for_images(pending, *answer.wanted, response)) return;
    } else {
      response.status = answer.http_status;
      observer_.decided(answer, pending.endpoint, Clock::now() - pending.begin);
      return;
    }
    again = std::move(kept_);
    body = {again.data(), again.size() - 1};
  }
}

/// Has the namespace asked for, and the request wait; takes `pending` and the body that was kept.
/// \return false where that can't be: `pending` then says why
bool AdmissionHandler::wait_for_namespace(Pending& pending, std::string_view ns,
                                          http::Response& response) {
  pending.asked_namespace = true;
  const auto deadline = pending.namespaces_until;
  if (deadline <= pending.begin) {
    pending.ns_problem = "the webhook's timeout leaves no time to ask the API server";
    return false;
  }
  const std::string name(ns);
  const auto later = std::make_shared<Waiting>(*this, deadline, pending, std::move(kept_));
  const bool asked =
      questions_.namespaces->ask(name, deadline, [later](const std::string& problem) {
        later->ns_problem = problem;
        later->ready();
      });
  if (!asked) {
    kept_ = later->take_body();
    pending.ns_problem = "too many namespace lookups are waiting";
    return false;
  }
  response.body.clear();
  response.later = later;
  return true;
}

/// The same for what registries must be asked for.
bool AdmissionHandler::wait_for_images(Pending& pending, const ImageInquiry& wanted,
                                       http::Response& response) {
  pending.asked_images = true;
  pending.images = wanted;
  const auto give_up = [&](std::string_view problem) {
    for (ImageInquiry::Item& item : pending.images.items) item.facts.problem = problem;
    return false;
  };
  if (questions_.images == nullptr) return give_up("no registries are configured");
  const auto deadline = pending.images_until;
  if (deadline <= Clock::now()) return give_up("there was no time left to ask the registry");
  const auto later = std::make_shared<Waiting>(*this, deadline, pending, std::move(kept_));
  // Held weakly, or the two would hold each other.
  later->images =
      questions_.images->ask(wanted, deadline, [waiting = std::weak_ptr<Waiting>(later)] {
        if (const auto answer = waiting.lock()) answer->ready();
      });
  if (!later->images) {
    kept_ = later->take_body();
    return give_up("too many image lookups are waiting");
  }
  response.body.clear();
  response.later = later;
  return true;
}

}  // namespace belay::webhook::admission
