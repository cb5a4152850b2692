#include "policy/text_form.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

#include "policy/selector.h"
#include "policy/tag.h"
#include "policy/text/ascii.h"
#include "policy/text/spelling.h"

namespace belay::policy {
namespace {

std::string check_any(std::string_view) { return {}; }

/// DNS-1123 subdomain (Kubernetes validation.go: IsDNS1123Subdomain).
std::string check_object_name(std::string_view text) {
  if (text.size() > 253) return "is longer than 253 characters";
  char before = '.';
  for (const char c : text) {
    const bool edge = before == '.' || before == '-';
    const bool fits =
        is_lower(c) || is_digit(c) || (c == '-' && before != '.') || (c == '.' && !edge);
    if (!fits) {
      return "is not a name; use lower-case letters, digits, \"-\" and \".\", such as production";
    }
    before = c;
  }
  return before == '-' || before == '.' ? "must end with a letter or digit" : "";
}

std::string check_name_glob(std::string_view text) {
  const std::array<std::string, 1> one = {std::string(text)};
  const auto globs = NameGlobs::compile(one);
  return globs ? std::string() : globs.error().message;
}

std::string check_tag_glob(std::string_view text) {
  const auto glob = Glob::compile(text, Glob::Case::kInsensitive);
  if (!glob) return glob.error();
  const auto fits = [](char c) {
    return is_alphanumeric(c) || std::string_view("_.-*?").find(c) != std::string_view::npos;
  };
  return std::all_of(text.begin(), text.end(), fits)
             ? ""
             : "can match no tag: tags have only letters, digits, \"_\", \".\" and \"-\"";
}

std::string check_repository_glob(std::string_view text) {
  const auto glob = RepositoryGlob::compile(text);
  return glob ? std::string() : glob.error();
}

std::string check_tag_suffix(std::string_view text) {
  const auto fits = [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; };
  if (text.size() > 127) return "is longer than 127 characters";
  return std::all_of(text.begin(), text.end(), fits)
             ? ""
             : "can end no tag: tags have only letters, digits, \"_\", \".\" and \"-\"";
}

std::string check_rule_id(std::string_view text) {
  if (find_rule_id(text)) return {};
  std::array<std::string_view, kRuleCount> known;
  for (std::size_t i = 0; i < kRuleCount; ++i) known[i] = name_of(static_cast<RuleId>(i));
  std::string message = "is not a rule";
  if (const auto near = nearest(text, known); !near.empty()) {
    message.append("; did you mean \"").append(near).append("\"?");
  }
  return message;
}

std::string check_url(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    const auto rest = text.substr(scheme.size());
    const auto fits = [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; };
    const bool has_host = !rest.empty() && rest[0] != '/' && rest[0] != '?' && rest[0] != '#';
    if (has_host && std::all_of(rest.begin(), rest.end(), fits)) return {};
  }
  return "is not an http or https URL, such as https://platform.example/images";
}

std::string check_date(std::string_view text) {
  return parse_day(text) ? "" : "is not a date; write YYYY-MM-DD, such as 2026-12-31";
}

std::string check_duration(std::string_view text) {
  return parse_duration(text) ? "" : "is not a duration: write 90d, 12h, 30m or 60s";
}

std::string check_label_source(std::string_view text) {
  return find_label_source(text) ? "" : "is not a source; use config, annotations or attached";
}

struct Row {
  TextForm form;
  std::string (*check)(std::string_view);
  FormSchema schema;
};

constexpr std::array<Row, 14> kForms = {{
    {TextForm::kAny, check_any, {"string", "", ""}},
    {TextForm::kObjectName,
     check_object_name,
     {"DNS name", R"(^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$)", ""}},
    {TextForm::kNameGlob, check_name_glob, {"glob on a namespace's name", "^(!.|[^!])", ""}},
    {TextForm::kTagGlob, check_tag_glob, {"glob on a tag", R"(^[A-Za-z0-9_.*?-]+$)", ""}},
    {TextForm::kRepositoryGlob,
     check_repository_glob,
     {"glob on a repository", R"(^(localhost|[^/\s@]*[A-Z.:*?][^/\s@]*)(/[^\s@]*)?$)", ""}},
    {TextForm::kTagTemplate,
     check_any,
     {"tag template", R"(^(regex:[^\n]+|[A-Za-z0-9_.{}-]+)$)", ""}},
    {TextForm::kLabelKey,
     check_label_key,
     {"label", R"(^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$)", ""}},
    {TextForm::kLabelValue,
     check_label_value,
     {"label value", R"(^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$)", ""}},
    {TextForm::kTagSuffix, check_tag_suffix, {"end of a tag", R"(^[A-Za-z0-9_.-]+$)", ""}},
    {TextForm::kRuleId, check_rule_id, {"rule id", "", ""}},
    {TextForm::kUrl, check_url, {"URL", R"(^https?://[^/?#\s"\\])", "uri"}},
    {TextForm::kDate, check_date, {"date", R"(^[0-9]{4}-[0-9]{2}-[0-9]{2}$)", "date"}},
    {TextForm::kDuration, check_duration, {"duration", R"(^[0-9]+[dhms]$)", ""}},
    {TextForm::kLabelSource,
     check_label_source,
     {"config, annotations or attached", R"(^(config|annotations|attached)$)", ""}},
}};

const Row& row_of(TextForm form) {
  return *std::find_if(kForms.begin(), kForms.end(),
                       [form](const Row& row) { return row.form == form; });
}

}  // namespace

std::string check_text(TextForm form, std::string_view text) {
  if (text.empty()) return "is empty";
  return row_of(form).check(text);
}

FormSchema schema_of(TextForm form) { return row_of(form).schema; }

std::optional<std::chrono::year_month_day> parse_day(std::string_view text) {
  return text.size() == std::string_view("YYYY-MM-DD").size() ? parse_date(text) : std::nullopt;
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  constexpr std::array<std::pair<char, std::int64_t>, 4> kUnits = {
      {{'d', 86'400}, {'h', 3'600}, {'m', 60}, {'s', 1}}};
  constexpr std::int64_t kMost = std::int64_t{36'525} * 86'400;
  if (text.empty()) return std::nullopt;
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [&](const auto& row) { return row.first == text.back(); });
  if (unit == kUnits.end()) return std::nullopt;
  std::int64_t number = 0;
  text.remove_suffix(1);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || number <= 0) {
    return std::nullopt;
  }
  if (number > kMost / unit->second) return std::nullopt;
  return std::chrono::seconds(number * unit->second);
}

std::optional<LabelSource> find_label_source(std::string_view name) {
  constexpr std::array<std::string_view, 3> kNames = {"config", "annotations", "attached"};
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<LabelSource>(found - kNames.begin());
}

std::optional<RuleId> find_rule_id(std::string_view name) {
  for (std::size_t i = 0; i < kRuleCount; ++i) {
    if (name_of(static_cast<RuleId>(i)) == name) return static_cast<RuleId>(i);
  }
  return std::nullopt;
}

}  // namespace belay::policy
