// Outcomes in words and patches. A denial looks like those of the rules (policy/message.cpp).
#include "webhook/admission/mutate.h"

#include <algorithm>
#include <utility>

#include "policy/message.h"
#include "policy/text/base64.h"
#include "webhook/admission/json_out.h"
#include "webhook/admission/json_patch.h"
#include "webhook/admission/response_out.h"
#include "webhook/admission/review_writer.h"

namespace belay::webhook::admission {
namespace {

constexpr std::string_view kReason = "pin";  ///< where denials of rules have their id
constexpr std::string_view kFix =
    "Try again in a moment, or write the digest after the tag yourself";
constexpr std::size_t kMaxShownImage = 300;
constexpr std::size_t kMaxShownName = 130;
constexpr std::size_t kMaxLineBytes = 800;

/// User text, escaped, within `max` bytes; of what is too long the end tells more.
std::string shown(std::string_view text, std::size_t max) {
  constexpr std::string_view kCut = "...";
  const std::string_view end = text.substr(text.size() - std::min(text.size(), max));
  std::string escaped = policy::escape(end);
  if (end.size() == text.size() && escaped.size() <= max) return escaped;
  std::size_t from = escaped.size() - std::min(escaped.size(), max - kCut.size());
  // Not into the middle of an escape, such as \u{10ffff}.
  const std::size_t open = escaped.rfind("\\u{", from);
  const std::size_t close = open == std::string::npos ? open : escaped.find('}', open);
  if (close != std::string::npos && close >= from) from = close + 1;
  return std::string(kCut) + escaped.substr(from);
}

std::string clipped(std::string text, std::size_t max) {
  if (text.size() <= max) return text;
  text.resize(max - 3);
  return text + "...";
}

/// "spec.containers[0].image (web)".
std::string place(const policy::Workload& workload, const policy::ImageField& field) {
  return workload.image_path(field) + " (" + shown(field.name, kMaxShownName) + ")";
}

const policy::ImageField& field_of(const policy::Workload& workload, const PinOutcome& outcome) {
  return workload.pod.images.at(outcome.image);
}

/// `"shop/web:v1" can't be pinned: registry.corp did not respond in time. Try again …`
std::string cause_text(const policy::Workload& workload, const PinOutcome& outcome) {
  return "\"" + shown(field_of(workload, outcome).image, kMaxShownImage) +
         "\" can't be pinned to a digest: " + policy::escape(outcome.problem) + ". " +
         std::string(kFix);
}

bool denies(const PinOutcome& outcome) {
  return outcome.text.empty() && outcome.on_error == policy::OnRegistryError::kDeny;
}

std::string denial(const policy::Workload& workload, std::span<const PinOutcome> outcomes,
                   std::size_t count) {
  std::string text = shown(workload.kind, kMaxShownName) + " " +
                     shown(workload.display_name(), 2 * kMaxShownName) + ": " +
                     std::to_string(count) +
                     (count == 1 ? " image that can't be pinned" : " images that can't be pinned");
  constexpr std::size_t kRoomForTail = 40;
  std::size_t written = 0;
  for (const PinOutcome& outcome : outcomes) {
    if (!denies(outcome)) continue;
    std::string line = "\n  pin  " + place(workload, field_of(workload, outcome)) + ": " +
                       cause_text(workload, outcome);
    line = clipped(std::move(line), kMaxLineBytes);
    if (text.size() + line.size() + kRoomForTail > policy::kMaxMessageBytes) break;
    text += line;
    ++written;
  }
  if (written < count) text += "\n  and " + std::to_string(count - written) + " more";
  return text;
}

void write_denial(JsonOut& json, const Review& review, std::span<const PinOutcome> outcomes,
                  std::string_view message) {
  json.key("status");
  json.open_object();
  json.member("status", "Failure");
  json.member("message", message);
  json.member("reason", "Forbidden");
  json.key("details");
  json.open_object();
  if (!review.workload.name.empty()) json.member("name", review.workload.name);
  if (!review.kind.group.empty()) json.member("group", review.kind.group);
  json.member("kind", review.kind.kind);
  json.key("causes");
  json.open_list();
  std::size_t written = 0;
  for (const PinOutcome& outcome : outcomes) {
    if (!denies(outcome)) continue;
    if (written++ == policy::kMaxCauses) break;
    json.open_object();
    json.member("reason", kReason);
    json.member("message", cause_text(review.workload, outcome));
    json.member("field", review.workload.image_path(field_of(review.workload, outcome)));
    json.close_object();
  }
  json.close_list();
  json.close_object();
  json.key("code");
  json.number(403);
  json.close_object();
}

/// A warning a tag that stays, the cause first; the last one counts those without room.
std::vector<std::string> warnings_of(const policy::Workload& workload,
                                     std::span<const PinOutcome> outcomes, std::size_t count) {
  constexpr std::size_t kMaxCause = 120;
  constexpr std::size_t kMaxName = 40;
  std::vector<std::string> warnings;
  for (const PinOutcome& outcome : outcomes) {
    if (!outcome.text.empty() || denies(outcome)) continue;
    if (warnings.size() + 1 == policy::kMaxWarnings && count > policy::kMaxWarnings) {
      warnings.push_back("and " + std::to_string(count - warnings.size()) +
                         " more images stay without a digest");
      break;
    }
    const policy::ImageField& field = field_of(workload, outcome);
    std::string text = clipped(policy::escape(outcome.problem), kMaxCause) + ": \"";
    const std::string end = "\" (" +
                            shown(field.name.empty() ? field.image : field.name, kMaxName) +
                            ") stays without a digest";
    text += shown(field.image, policy::kMaxWarningBytes - text.size() - end.size());
    warnings.push_back(text + end);
  }
  return warnings;
}

void write_annotations(JsonOut& json, const Mutation& mutation) {
  const std::pair<std::string_view, std::size_t> rows[] = {{"pinned", mutation.counts.pinned},
                                                           {"reused", mutation.counts.reused},
                                                           {"unpinned", mutation.counts.unpinned},
                                                           {"denied", mutation.counts.denied}};
  json.key("auditAnnotations");
  json.open_object();
  for (const auto& [name, count] : rows) {
    if (count > 0) json.member(name, std::to_string(count));
  }
  if (!mutation.problem.empty()) json.member("problem", policy::escape(mutation.problem));
  json.close_object();
}

}  // namespace

void settle(const policy::Workload& workload, std::span<const policy::Pin> pins,
            std::span<const policy::ImageFacts> facts, std::vector<PinOutcome>& outcomes) {
  outcomes.clear();
  for (const policy::Pin& pin : pins) {
    PinOutcome outcome;
    outcome.image = pin.image;
    outcome.digest = pin.reused_digest;
    outcome.on_error = pin.on_error;
    outcome.reused = !pin.reused_digest.empty();
    if (!outcome.reused && pin.image < facts.size()) outcome.digest = facts[pin.image].digest;
    if (!outcome.digest.empty()) {
      outcome.text = policy::pinned(workload.pod.images.at(pin.image).image, outcome.digest);
    }
    if (outcome.text.empty()) {
      const bool told = pin.image < facts.size() && !facts[pin.image].problem.empty();
      outcome.reused = false;
      outcome.problem = told                     ? std::string_view(facts[pin.image].problem)
                        : outcome.digest.empty() ? "its digest is not known"
                                                 : "the registry's response is not a digest";
    }
    outcomes.push_back(std::move(outcome));
  }
}

Mutation write_mutation(const Review& review, std::span<const PinOutcome> outcomes,
                        std::string& out) {
  Mutation mutation;
  std::vector<ImageChange> changes;
  changes.reserve(outcomes.size());
  for (const PinOutcome& outcome : outcomes) {
    if (!outcome.text.empty()) {
      changes.push_back(
          {.image = outcome.image,
           .pointer = review.workload.image_pointer(field_of(review.workload, outcome)),
           .after = outcome.text,
           .digest = outcome.digest});
      ++(outcome.reused ? mutation.counts.reused : mutation.counts.pinned);
      continue;
    }
    ++(denies(outcome) ? mutation.counts.denied : mutation.counts.unpinned);
    if (mutation.problem.empty()) mutation.problem = outcome.problem;
  }
  const bool denied = mutation.counts.denied > 0;
  if (denied) {  // nothing of it comes into being
    mutation.refusal = denial(review.workload, outcomes, mutation.counts.denied);
    mutation.counts.pinned = mutation.counts.reused = 0;
    changes.clear();
  }
  std::string patch;
  if (!changes.empty()) {
    std::string text = json_patch(review.workload, changes);
    patch = policy::base64_encode(text);
    mutation.fault = check_patch(std::move(text), review.workload, changes);
    if (!mutation.fault.empty()) {
      write_error("patch", mutation.fault, out);
      return mutation;
    }
  } else if (outcomes.empty()) {
    write_allowed(review.uid, out);
    return mutation;
  }
  out.clear();
  JsonOut json(out);
  open_response(json, review.uid, !denied);
  if (denied) write_denial(json, review, outcomes, mutation.refusal);
  if (!patch.empty()) write_patch(json, patch);
  write_annotations(json, mutation);
  write_warnings(json, warnings_of(review.workload, outcomes, mutation.counts.unpinned));
  close_response(json);
  return mutation;
}

void write_unpinned(const Review& review, std::string_view problem, std::string& out) {
  out.clear();
  JsonOut json(out);
  open_response(json, review.uid, true);
  json.key("auditAnnotations");
  json.open_object();
  json.member("problem", policy::escape(problem));
  json.close_object();
  write_warnings(json, std::vector<std::string>{
                           clipped(policy::escape(problem) + ": images stay without a digest",
                                   policy::kMaxWarningBytes)});
  close_response(json);
}

}  // namespace belay::webhook::admission
