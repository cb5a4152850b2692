// Verdict -> AdmissionReview bytes, and the JSON body of errors. Each replaces `out` and keeps its
// capacity. Stateless, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "policy/verdict.h"
#include "webhook/admission/config_map_review.h"
#include "webhook/admission/review.h"

namespace belay::webhook::admission {

/// The answer to an evaluated review: uid echoed, allowed, status with message, causes and code
/// (403 Forbidden for a denial, 503 ServiceUnavailable where no decision could be made), warnings,
/// audit annotations. Never a patch. A verdict without findings is write_allowed().
void write_review(const Review& review, const policy::Verdict& verdict, std::string& out);

/// The answer about a ConfigMap of policies: where it is refused 422 Invalid, for which `kubectl
/// edit` brings the editor back with the causes; warnings.
void write_config_map(const Review& review, const ConfigMapResponse& answer, std::string& out);

/// allowed: true and nothing else.
void write_allowed(std::string_view uid, std::string& out);

/// {"error": {"code": "duplicate-key", "message": "…"}} for a 4xx or 503.
void write_error(std::string_view code, std::string_view message, std::string& out);

}  // namespace belay::webhook::admission
