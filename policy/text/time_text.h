// Times as RFC 3339 writes them: in images, in the tag history, in leases, in logs. Pure;
// thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace belay::policy {

/// "2026-11-22T08:30:00.5+01:00" -> the second in UTC (fractions are cut off). A date and a time
/// that exist; a leap second counts as the second before it.
std::optional<std::chrono::sys_seconds> parse_time(std::string_view text);

/// "90 days", "36 hours", "5 minutes", "1 second": in days from two days on, in hours from two
/// hours on, in minutes from two minutes on; what is over is cut off.
std::string duration_text(std::chrono::seconds duration);

/// "2026-11-22T08:30:00Z": the one form in which belay writes a second; parse_time() reads it.
std::string time_text(std::chrono::sys_seconds time);

/// "2026-11-22T08:30:00.000042Z" behind `out`: what log lines and Kubernetes' MicroTime have.
void append_micro_time(std::string& out, std::chrono::system_clock::time_point time);
std::string micro_time_text(std::chrono::system_clock::time_point time);

/// "2026-11-22".
std::string day_text(std::chrono::sys_seconds time);

}  // namespace belay::policy
