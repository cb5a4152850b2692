// SemVer 2.0 versions and calendar dates in tags.
// Pure functions; views borrow from the text.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace belay::policy {

/// A SemVer 2.0.0 version (https://semver.org/spec/v2.0.0.html, section 9-11), without leading "v".
struct SemVer {
  std::string_view major, minor, patch;  ///< decimal digits without leading zero, any length
  std::string_view prerelease;           ///< "rc.1", "" where absent
  std::string_view build;                ///< an OCI tag has no "+", so always "" in tags
};

/// \return the version where the whole text is one.
std::optional<SemVer> parse_semver(std::string_view text);

/// YYYYMMDD or YYYY-MM-DD, a date that exists.
std::optional<std::chrono::year_month_day> parse_date(std::string_view text);

}  // namespace belay::policy
