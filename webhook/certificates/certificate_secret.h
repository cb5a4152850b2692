// The Secret in which all replicas' certificate stands, as JSON and as certs::Holding. Pure and
// thread-safe.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "certs/rotation.h"
#include "webhook/kube/object.h"

namespace belay::webhook::certificates {

/// Keys of the Secret's data that hold certificates, in the order in which people read them.
inline constexpr std::string_view kLeafKey = "tls.crt";
inline constexpr std::string_view kAuthoritiesKey = "ca.crt";

certs::Holding holding_of(const kube::Object& secret);

/// `secret_json` (as the API server gave it) with the holding's data: its resourceVersion and all
/// that others keep in it stay. Keys that the holding leaves empty go, but for those that a Secret
/// of type kubernetes.io/tls must have.
/// \return why the text is no Secret.
std::expected<std::string, std::string> with_holding(std::string_view secret_json,
                                                     const certs::Holding& holding);

/// A Secret for a POST.
std::string new_secret(std::string_view namespace_name, std::string_view name,
                       const certs::Holding& holding);

}  // namespace belay::webhook::certificates
