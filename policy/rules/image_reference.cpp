// image-reference: refuses text that is no image reference, a Pod without any image, and images
// that are left empty. Always on, in its policy's mode. Pure.
#include <algorithm>
#include <array>

#include "policy/ascii.h"
#include "policy/rules/rule.h"
#include "policy/rules/words.h"

namespace belay::policy {

namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";
constexpr std::size_t kShownRest = 32;  ///< bytes of the text that follow where reading ended

/// The text with upper-case letters of its name made lower, where that is a reference; else "".
std::string in_lower_case(std::string_view text) {
  // A tag may hold upper-case letters, so leave what follows the last ":" behind the last "/".
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

/// Where the text stops making sense, unless that is at its start.
std::string where(std::string_view text, std::size_t offset) {
  if (offset == 0) return {};
  if (offset >= text.size()) return " (at its end)";
  const std::string_view rest = text.substr(offset);
  return " (from " + quote(rest.substr(0, kShownRest)) + (rest.size() > kShownRest ? "..." : "") +
         " on)";
}

std::string fix_for(std::string_view text, ReferenceErrorCode code) {
  if (const std::string_view bare = trimmed(text);
      bare.size() < text.size() && parse_image_reference(bare)) {
    return "Remove the white space around it: " + std::string(bare);
  }
  switch (code) {
    case ReferenceErrorCode::kUppercaseName:
      if (std::string lower = in_lower_case(text); !lower.empty()) {
        return "Write it in lower case: " + lower;
      }
      return "Write the repository in lower case";
    case ReferenceErrorCode::kNameTooLong:
      return "Use a registry and repository of at most 255 characters";
    case ReferenceErrorCode::kIdentifier:
      return "Write the repository in front of it, such as shop/web@sha256:<64 hex digits>";
    case ReferenceErrorCode::kUnsupportedDigest:
      return "Use a sha256, sha384 or sha512 digest";
    case ReferenceErrorCode::kInvalidDigest:
      return "Copy the whole digest in lower case, such as sha256:<64 hex digits>";
    case ReferenceErrorCode::kScheme: {
      const std::string_view bare = text.substr(std::min(text.find("://") + 3, text.size()));
      if (parse_image_reference(bare)) return "Leave the scheme out: " + std::string(bare);
      return "Leave the scheme out, as in registry/shop/web:v1.4.2";
    }
    case ReferenceErrorCode::kWhitespace:
      return "Remove the white space";
    case ReferenceErrorCode::kInvalidRegistry:
      return "Write the registry as host or host:port, as in registry:5000/shop/web:v1.4.2";
    case ReferenceErrorCode::kInvalidTag:
    case ReferenceErrorCode::kTagTooLong:
      return "Write a tag of at most 128 letters, digits, \"_\", \".\" and \"-\", such as v1.4.2";
    case ReferenceErrorCode::kEmpty:
    case ReferenceErrorCode::kInvalidFormat:
      break;
  }
  return "Write it as [registry/]repository[:tag][@digest], such as shop/web:v1.4.2";
}

void judge_empty(const Judgement& judgement, const JudgedImage& image, Findings& findings) {
  if (judgement.workload.is_pod) {
    findings.image(image, "no image is set", "Name an image, such as shop/web:v1.4.2");
    return;
  }
  // Somebody may fill it in before pods are made of the template, whose image is judged then.
  findings.image(image, "no image is set yet, and a pod without one is refused",
                 "Name an image, such as shop/web:v1.4.2, unless something fills it in later",
                 {.at_most = Mode::kWarn});
}

void judge(const Judgement& judgement, Findings& findings) {
  const Workload& workload = judgement.workload;
  const auto is_container = [](const ImageField& field) {
    return field.list != ImageList::kVolumes;
  };
  for (const JudgedImage& image : judgement.images) {
    if (image.placeholder || image.reference) continue;
    const std::string_view text = image.field->image;
    if (text.empty()) {
      judge_empty(judgement, image, findings);
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
                   "Add a container with an image, such as shop/web:v1.4.2", had_one);
  }
}

}  // namespace

RuleType image_reference_rule() {
  return {.id = RuleId::kImageReference,
          .key = "",
          .summary = "refuses text that is no image reference",
          .enabled = [](const Policy&) { return true; },
          .mode = [](const Policy&) { return std::optional<Mode>(); },
          .needs_namespace = needs_namespace<false>,
          .visit = nullptr,
          .judge = judge};
}

}  // namespace belay::policy
