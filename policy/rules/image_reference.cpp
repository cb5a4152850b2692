// image-reference: refuses text that is not an image reference, a Pod without any image, and images
// that are left empty. Always on, in its policy's mode. Pure.
#include <algorithm>
#include <string>
#include <utility>

#include "policy/gaps.h"
#include "policy/rules/rule.h"
#include "policy/rules/words.h"
#include "policy/text/ascii.h"

namespace belay::policy {

namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";
constexpr std::size_t kShownRest = 32;  ///< bytes of the text that follow where parsing ended

/// The text with upper-case letters of its name made lower, where that is a reference; else "".
std::string in_lower_case(std::string_view text) {
  // A tag may hold upper-case letters, so leave what follows the last ":" after the last "/".
  const std::size_t digest = std::min(text.find('@'), text.size());
  const std::size_t slash = text.substr(0, digest).rfind('/');
  const std::size_t colon =
      text.substr(0, digest).find(':', slash == std::string_view::npos ? 0 : slash);
  const std::size_t end = std::min(colon, digest);
  std::string lower = lower_case(text.substr(0, end)) + std::string(text.substr(end));
  return parse_image_reference(lower) ? lower : std::string();
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// Where the text stops being a reference, unless that is at its start.
std::string where(std::string_view text, std::size_t offset) {
  if (offset == 0) return {};
  if (offset >= text.size()) return " (at its end)";
  const std::string_view rest = text.substr(offset);
  return " (from " + quote(rest.substr(0, kShownRest)) + (rest.size() > kShownRest ? "..." : "") +
         " on)";
}

/// \param proposal  a text that is a reference, or a form of one, or ""
Fix fix_of(std::string advice, std::string_view proposal = {}) {
  return {.advice = std::move(advice),
          .joint = proposal.empty() ? ", as in " : ": ",
          .proposal = std::string(proposal)};
}

Fix fix_for(std::string_view text, ReferenceErrorCode code) {
  if (const std::string_view bare = trimmed(text);
      bare.size() < text.size() && parse_image_reference(bare)) {
    return fix_of("Remove the white space around it", bare);
  }
  switch (code) {
    case ReferenceErrorCode::kUppercaseName: {
      const std::string lower = in_lower_case(text);
      return fix_of(lower.empty() ? "Write the repository in lower case" : "Write it in lower case",
                    lower);
    }
    case ReferenceErrorCode::kNameTooLong:
      return fix_of("Use a registry and repository of at most 255 characters");
    case ReferenceErrorCode::kIdentifier:
      return fix_of("Write the repository in front of it",
                    std::string(kRepositoryGap) + "@sha256:" + std::string(text));
    case ReferenceErrorCode::kUnsupportedDigest:
      return fix_of("Use a sha256, sha384 or sha512 digest");
    case ReferenceErrorCode::kInvalidDigest:
      return fix_of("Copy the whole digest in lower case",
                    std::string(text.substr(0, text.find('@'))) + "@" + std::string(kDigestGap));
    case ReferenceErrorCode::kScheme: {
      const std::string_view bare = text.substr(std::min(text.find("://") + 3, text.size()));
      return fix_of("Remove the scheme", parse_image_reference(bare) ? bare : std::string_view());
    }
    case ReferenceErrorCode::kWhitespace:
      return fix_of("Remove the white space");
    case ReferenceErrorCode::kInvalidRegistry:
      return {.advice = "Write the registry as host or host:port",
              .joint = ", as in ",
              .proposal = std::string(kRegistryGap)
                              .append("/")
                              .append(kRepositoryGap)
                              .append(":")
                              .append(kVersionGap)};
    case ReferenceErrorCode::kInvalidTag:
    case ReferenceErrorCode::kTagTooLong:
      return fix_of("Use a tag of at most 128 letters, digits, \"_\", \".\" and \"-\"");
    case ReferenceErrorCode::kEmpty:
    case ReferenceErrorCode::kInvalidFormat:
      break;
  }
  return fix_of("Write it as [registry/]repository[:tag][@digest]");
}

void report_empty(const Evaluation& evaluation, const EvaluatedImage& image, Findings& findings) {
  if (evaluation.workload.is_pod) {
    findings.image(image, "no image is set", {.advice = "Name an image"});
    return;
  }
  // Something may fill it in before pods are made of the template; pods are evaluated again.
  findings.image(image, "no image is set yet, and a pod without one is refused",
                 {.advice = "Name an image", .otherwise = ", unless something fills it in later"},
                 {.at_most = Mode::kWarn});
}

void evaluate(const Evaluation& evaluation, Findings& findings) {
  const Workload& workload = evaluation.workload;
  const auto is_container = [](const ImageField& field) {
    return field.list != ImageList::kVolumes;
  };
  for (const EvaluatedImage& image : evaluation.images) {
    if (image.placeholder || image.reference) continue;
    const std::string_view text = image.field->image;
    if (text.empty()) {
      report_empty(evaluation, image, findings);
      continue;
    }
    const ReferenceError& error = image.reference.error();
    findings.image(image,
                   std::string("is not an image reference: it ")
                       .append(describe(error.code))
                       .append(where(text, error.offset)),
                   fix_for(text, error.code));
  }
  if (workload.is_pod &&
      std::none_of(workload.pod.images.begin(), workload.pod.images.end(), is_container)) {
    const bool had_one =
        std::any_of(workload.old_pod.images.begin(), workload.old_pod.images.end(), is_container);
    findings.field("spec.containers", "the pod has no container with an image",
                   {.advice = "Add a container with an image", .elsewhere = true}, had_one);
  }
}

}  // namespace

RuleType image_reference_rule() {
  return {.summary = "refuses text that is not an image reference",
          .enabled = [](const Policy&) { return true; },
          .mode = [](const Policy&) { return std::optional<Mode>(); },
          .needs_namespace = needs_namespace<false>,
          .visit = nullptr,
          .evaluate = evaluate};
}

}  // namespace belay::policy
