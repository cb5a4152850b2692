// Gaps in what a fix offers: belay does not know which tags exist, so it offers a form with gaps to
// fill in, "shop/web:<version>-prod". Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace belay::policy {

/// A value that fits the gap of that name ("version"); "" for a name that is not known.
std::string_view sample_of(std::string_view gap);

/// The form with `value_of(name)` in place of each gap; one for which that is "" stays as it is.
template <class ValueOf>
std::string fill_gaps(std::string_view form, const ValueOf& value_of) {
  std::string filled;
  for (std::size_t open = form.find('<'); open != std::string_view::npos; open = form.find('<')) {
    const std::size_t close = form.find('>', open);
    if (close == std::string_view::npos) break;
    const std::string_view value = value_of(form.substr(open + 1, close - open - 1));
    filled.append(form.substr(0, open));
    filled.append(value.empty() ? form.substr(open, close - open + 1) : value);
    form.remove_prefix(close + 1);
  }
  return filled.append(form);
}

/// The form with samples in its gaps.
std::string sample_text(std::string_view form);

inline constexpr std::string_view kVersionGap = "<version>";
inline constexpr std::string_view kRegistryGap = "<registry>";
inline constexpr std::string_view kRepositoryGap = "<repository>";
inline constexpr std::string_view kNameGap = "<name>";
inline constexpr std::string_view kValueGap = "<value>";
inline constexpr std::string_view kDigestGap = "sha256:<64 hex digits>";

}  // namespace belay::policy
