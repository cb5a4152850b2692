// What a text in a policy must look like, form by form: the check the reader makes, the pattern the
// JSON Schema shows, the words of the reference page. Pure and thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "policy/settings.h"

namespace belay::policy {

/// \return what is wrong with the text, continuing it ("is not a date, …"), or "".
/// Templates (kTagTemplate) are only checked for being there: compiling needs the environments.
std::string check_text(TextForm form, std::string_view text);

/// The form as far as JSON Schema can express it; never stricter than check_text().
struct FormSchema {
  std::string_view name;     ///< of the type, for people: "glob on a namespace's name"
  std::string_view pattern;  ///< ECMA regular expression, "" for none
  std::string_view format;   ///< "date", "uri", "" for none
};
FormSchema schema_of(TextForm form);

/// YYYY-MM-DD, a date that exists.
std::optional<std::chrono::year_month_day> parse_day(std::string_view text);

/// A number and a unit, d, h, m or s: "90d"; at least a second, at most a hundred years.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

/// "config", "annotations", "attached".
std::optional<LabelSource> find_label_source(std::string_view name);

/// The id with this name, if there is one.
std::optional<RuleId> find_rule_id(std::string_view name);

}  // namespace belay::policy
