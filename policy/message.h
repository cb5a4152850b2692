// The words of a verdict: the denial a developer reads, warnings, one line a finding.
// Pure; all user text is escaped here (everything outside printable ASCII becomes \u{…}).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/verdict.h"
#include "policy/workload.h"

namespace belay::policy {

inline constexpr std::size_t kMaxMessageBytes = 4096;  ///< of status.message
inline constexpr std::size_t kMaxCauses = 64;          ///< of status.details.causes
inline constexpr std::size_t kMaxWarnings = 16;        ///< warning.go: 4096 runes in total
inline constexpr std::size_t kMaxWarningBytes = 256;

/// User text for people and logs: printable ASCII as it is, everything else \u{…} by code point
/// (bytes that are not UTF-8 by byte value).
std::string escape(std::string_view text);

/// `"value" problem. Fix` — a finding without rule and place; the message of a cause.
std::string finding_text(const Finding& finding);

/// `mutable-tag  spec.containers[0].image (web): "…" has tag "latest", … Use …`
/// \param name_policies  whether to end with the names of the policies.
std::string finding_line(const Finding& finding, bool name_policies);

/// The whole denial, at most kMaxMessageBytes: a first line that makes sense alone, a line for
/// every finding that denies (those that do not fit become "and N more"), a line for every
/// exemption that would have helped had it not expired, and where to look. For an undecided verdict
/// why it is none; "" for one that allows.
std::string denial_message(const Workload& workload, const Verdict& verdict);

/// `exemption for "docker.io/istio/proxyv2" expired on 2026-12-31 (OPS-1234)`.
std::string expired_text(const ExpiredExemption& expired);

/// Warnings for admitted findings (and those of a denied review that act as warnings), the cause
/// first, within kMaxWarnings × kMaxWarningBytes; the last one counts those that had no room.
std::vector<std::string> warnings(const Workload& workload, const Verdict& verdict);

}  // namespace belay::policy
