// The CAs that API servers trust: caBundle of each webhook in the two webhook
// configurations. Reading and patching as pure functions on the API's JSON; thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::webhook::certificates {

/// Paths of the two kinds, without the name.
inline constexpr std::array<std::string_view, 2> kWebhookConfigurationPaths{
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/"};

/// What a webhook configuration says of trust.
struct CaBundles {
  std::string resource_version;
  std::vector<std::string> bundles;  ///< PEM, one for each webhook; "" where none is set
};

/// \return why the text is no webhook configuration.
std::expected<CaBundles, std::string> read_ca_bundles(std::string_view configuration_json);

/// A JSON patch that sets `bundle` (PEM) where another one stands, and fails where the
/// configuration has changed since it was read. Nothing where all is as it should be.
std::optional<std::string> ca_bundle_patch(const CaBundles& read, std::string_view bundle);

}  // namespace belay::webhook::certificates
