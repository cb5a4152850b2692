// The words of a verdict. Runs for denials and warnings only, after evaluate(). Pure.
#include "policy/message.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "policy/fix_text.h"
#include "policy/policy.h"
#include "policy/text/quote.h"

namespace belay::policy {

namespace {

// How much of each part is shown, so that a hostile name leaves room for the rest.
constexpr std::size_t kMaxFirstLine = 700;
constexpr std::size_t kMaxLine = 2200;
constexpr std::size_t kMaxLastLine = 900;
constexpr std::size_t kMaxField = 256;
constexpr std::size_t kMaxName = 130;
constexpr std::size_t kMaxValue = 512;
constexpr std::size_t kMaxValueInWarning = 120;
constexpr std::size_t kMaxSentence = 640;
constexpr std::size_t kMaxNamesShown = 4;
constexpr std::size_t kMaxExpiredShown = 3;
constexpr std::string_view kCut = "...";
constexpr std::size_t kLongestEscape = 10;  // \u{10ffff}

/// Bytes of the UTF-8 sequence at the front of `text` and its code point; a byte that starts none
/// counts as itself.
std::pair<std::size_t, std::uint32_t> first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t size = lead >= 0xF0 && lead <= 0xF4   ? 4
                           : lead >= 0xE0 && lead <= 0xEF ? 3
                           : lead >= 0xC2 && lead <= 0xDF ? 2
                                                          : 1;
  if (size == 1 || text.size() < size) return {1, lead};
  std::uint32_t code = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {1, lead};
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kSmallest[size] || code > 0x10FFFF || surrogate) return {1, lead};
  return {size, code};
}

/// The start of the \u{…} that the position is inside of; the position itself otherwise.
std::size_t start_of_escape(std::string_view escaped, std::size_t position) {
  const std::size_t from = position > kLongestEscape ? position - kLongestEscape : 0;
  const std::string_view before = escaped.substr(from, position - from);
  const std::size_t open = before.rfind("\\u{");
  if (open != std::string_view::npos && before.find('}', open) == std::string_view::npos) {
    return from + open;
  }
  // The position may also be within the three bytes that open one.
  for (const std::string_view half : {"\\u", "\\"}) {
    if (before.ends_with(half) && escaped.substr(position - half.size()).starts_with("\\u{")) {
      return position - half.size();
    }
  }
  return position;
}

/// The text within `max` bytes, what is cut off at its end shown as "...".
std::string clip(std::string escaped, std::size_t max) {
  if (escaped.size() <= max) return escaped;
  escaped.resize(start_of_escape(escaped, max - kCut.size()));
  return escaped.append(kCut);
}

/// User text escaped and within `max` bytes; what is cut is the middle, as the end of an image (its
/// tag) matters more.
std::string escape_within(std::string_view text, std::size_t max) {
  // No byte can take part in what is shown that lies further from both ends than `max`.
  std::string shortened;
  if (text.size() > 2 * max + 8) {
    shortened.append(text.substr(0, max + 4)).append(text.substr(text.size() - max - 4));
    text = shortened;
  }
  std::string escaped = escape(text);
  if (escaped.size() <= max && shortened.empty()) return escaped;
  const std::size_t half = (max - kCut.size()) / 2;
  const std::size_t head = start_of_escape(escaped, half);
  std::size_t tail = escaped.size() - half;
  if (start_of_escape(escaped, tail) != tail) {
    tail = std::min(escaped.find('}', tail), escaped.size() - 1) + 1;
  }
  return escaped.substr(0, head).append(kCut).append(escaped.substr(tail));
}

/// A name in quotes, fit to be shown.
std::string quoted_name(std::string_view name) { return quote(escape_within(name, kMaxName)); }

/// Joins the first few texts; "and 3 more" after them where there are more.
std::string join(const std::vector<std::string>& texts) {
  std::string joined;
  const std::size_t shown = std::min(texts.size(), kMaxNamesShown);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) joined += ", ";
    joined += texts[i];
  }
  if (shown < texts.size()) {
    joined.append(" and ").append(std::to_string(texts.size() - shown)).append(" more");
  }
  return joined;
}

/// `policy "a"`, `policies "a", "b"`.
std::string named(const std::vector<const Policy*>& policies) {
  std::vector<std::string> names;
  names.reserve(policies.size());
  for (const Policy* policy : policies) names.push_back(quoted_name(policy->name));
  return (names.size() == 1 ? "policy " : "policies ") + join(names);
}

/// Adds what is not yet there.
template <class T>
void add_once(std::vector<T>& list, T value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(std::move(value));
}

std::string text_within(const Finding& finding, std::size_t max_value) {
  std::string text;
  if (finding.has_value) {
    text.append("\"").append(escape_within(finding.value, max_value)).append("\" ");
  }
  return text.append(clip(escape(finding.problem), kMaxSentence));
}

/// `spec.containers[0].image (web)`.
std::string place(const Finding& finding) {
  std::string text = escape_within(finding.field, kMaxField);
  if (!finding.container.empty()) {
    text.append(" (").append(escape_within(finding.container, kMaxName)).append(")");
  }
  return text;
}

/// `Deployment shop/checkout`.
std::string subject(const Workload& workload) {
  return escape_within(workload.kind, kMaxName) + " " +
         escape_within(workload.display_name(), 2 * kMaxName);
}

/// Where people find a policy: `ConfigMap belay-system/production`, `file production.yaml`.
std::string source_of(const Policy& policy) {
  switch (policy.source.kind) {
    case PolicySource::Kind::kConfigMap:
      return "ConfigMap " + escape_within(policy.source.name, 2 * kMaxName);
    case PolicySource::Kind::kFile: {
      // Its name alone: its path on the server means nothing to the reader.
      const std::string_view path = policy.source.name;
      return "file " + escape_within(path.substr(path.rfind('/') + 1), 2 * kMaxName);
    }
    case PolicySource::Kind::kBuiltin:
      break;
  }
  return "built-in";
}

std::string last_line(const Workload& workload, const std::vector<const Policy*>& policies) {
  std::vector<std::string> sources;
  std::vector<std::string> urls;
  for (const Policy* policy : policies) {
    add_once(sources, source_of(*policy));
    if (!policy->help_url.empty()) add_once(urls, escape_within(policy->help_url, kMaxField));
  }
  // A dry run meets the same policies; of a namespace there is no manifest to try.
  std::string line =
      workload.is_namespace ? "" : "Try it first: kubectl apply --dry-run=server -f deploy.yaml   ";
  line.append("Policy: ").append(join(sources));
  if (!urls.empty()) line.append("   Help: ").append(join(urls));
  return clip(std::move(line), kMaxLastLine);
}

std::string two_digits(unsigned number) {
  return (number < 10 ? "0" : "") + std::to_string(number);
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    if (c >= 0x20 && c < 0x7F) {
      out += c;
      text.remove_prefix(1);
      continue;
    }
    auto [size, code] = first_code_point(text);
    std::array<char, 8> hex{};
    std::size_t digits = 0;
    do {
      hex[digits++] = "0123456789abcdef"[code & 0xFU];
      code >>= 4U;
    } while (code != 0);
    out += "\\u{";
    while (digits > 0) out += hex[--digits];
    out += '}';
    text.remove_prefix(size);
  }
  return out;
}

std::string finding_text(const Finding& finding) {
  return text_within(finding, kMaxValue)
      .append(". ")
      .append(clip(escape(fix_text(finding)), kMaxSentence));
}

std::string finding_line(const Finding& finding, bool name_policies) {
  std::string line(name_of(finding.rule));
  line.append("  ").append(place(finding)).append(": ").append(finding_text(finding));
  if (name_policies) line.append(" (").append(named(finding.policies)).append(")");
  return line;
}

std::string expired_text(const ExpiredExemption& expired) {
  const Exemption& exemption = expired.policy->exemptions[expired.index];
  std::vector<std::string> images;
  images.reserve(exemption.images.size());
  for (const RepositoryGlob& glob : exemption.images) images.push_back(quoted_name(glob.pattern()));
  std::string text = "exemption for " + join(images) + " expired";
  if (exemption.expires) {
    text.append(" on ")
        .append(std::to_string(static_cast<int>(exemption.expires->year())))
        .append("-")
        .append(two_digits(static_cast<unsigned>(exemption.expires->month())))
        .append("-")
        .append(two_digits(static_cast<unsigned>(exemption.expires->day())));
  }
  if (!exemption.ticket.empty()) {
    text.append(" (").append(escape_within(exemption.ticket, kMaxName)).append(")");
  }
  return text;
}

std::string denial_message(const Workload& workload, const Verdict& verdict) {
  std::string message = subject(workload);
  if (!verdict.undecided.empty()) {
    message.append(": could not be evaluated: ")
        .append(clip(escape(verdict.undecided), kMaxSentence))
        .append(
            ". Try again in a moment; if that does not help, ask the admins of the cluster to "
            "look at belay's log");
    return message;
  }

  std::vector<const Finding*> shown;
  std::vector<const Policy*> policies;
  for (const Finding& finding : verdict.findings) {
    if (finding.effective_mode() != Mode::kEnforce) continue;
    shown.push_back(&finding);
    for (const Policy* policy : finding.policies) add_once(policies, policy);
  }
  if (shown.empty()) return {};
  std::stable_sort(policies.begin(), policies.end(),
                   [](const Policy* a, const Policy* b) { return a->name < b->name; });

  message.append(": ")
      .append(std::to_string(shown.size()))
      .append(shown.size() == 1 ? " problem, " : " problems, ")
      .append(named(policies));
  message = clip(std::move(message), kMaxFirstLine);

  std::string end;
  for (std::size_t i = 0; i < std::min(verdict.expired.size(), kMaxExpiredShown); ++i) {
    end.append("\n  note  ").append(clip(expired_text(verdict.expired[i]), kMaxField));
  }
  end.append("\n").append(last_line(workload, policies));

  for (std::size_t i = 0; i < shown.size(); ++i) {
    const std::size_t left = shown.size() - i;
    const std::string line = "\n  " + clip(finding_line(*shown[i], policies.size() > 1), kMaxLine);
    // Room is kept for counting the rest, unless this is the last.
    const std::string rest = "\n  and " + std::to_string(left) + " more";
    const std::size_t reserved = end.size() + (left > 1 ? rest.size() : 0);
    if (message.size() + line.size() + reserved > kMaxMessageBytes) {
      message += rest;
      break;
    }
    message += line;
  }
  return message += end;
}

std::vector<std::string> warnings(const Workload& workload, const Verdict& verdict) {
  std::vector<std::string> all;
  std::size_t left_out = 0;
  for (const Finding& finding : verdict.findings) {
    if (finding.effective_mode() != Mode::kWarn) continue;
    if (all.size() == kMaxWarnings) {
      ++left_out;
      continue;
    }
    std::string text(name_of(finding.rule));
    text.append(": ")
        .append(text_within(finding, kMaxValueInWarning))
        .append("; ")
        .append(subject(workload))
        .append(" ")
        .append(place(finding))
        .append(", ")
        .append(named(finding.policies))
        .append(". ")
        .append(escape(fix_text(finding)));
    all.push_back(clip(std::move(text), kMaxWarningBytes));
  }
  if (left_out > 0) {
    all.back() = "and " + std::to_string(left_out + 1) +
                 " more findings; belay check -f deploy.yaml shows them all";
  }
  return all;
}

}  // namespace belay::policy
