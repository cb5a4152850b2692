// RFC 4648, section 4: the form of binary data in Secrets and kubeconfigs. Pure and thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace belay::policy {

/// \return the bytes, or nothing where the text is no base64 (padding is required, blanks are not
/// allowed).
std::optional<std::string> base64_decode(std::string_view text);
std::string base64_encode(std::string_view bytes);

}  // namespace belay::policy
