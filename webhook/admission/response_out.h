// The parts that answers to reviews have in common (admission.k8s.io/v1, AdmissionResponse).
// Stateless, thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "webhook/admission/json_out.h"

namespace belay::webhook::admission {

/// Opens the review and its response, with uid and verdict.
void open_response(JsonOut& json, std::string_view uid, bool allowed);
void close_response(JsonOut& json);

/// Nothing for no warnings.
void write_warnings(JsonOut& json, std::span<const std::string> warnings);

/// A JSON Patch, as the API server wants it.
/// \param base64  of its text
void write_patch(JsonOut& json, std::string_view base64);

}  // namespace belay::webhook::admission
