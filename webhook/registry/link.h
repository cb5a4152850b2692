// Link of an answer (RFC 8288): where a list goes on. Pure; thread-safe.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace belay::webhook::registry {

/// The target of the first link with the relation "next" in one header's value, as it stands there;
/// "" where there is none.
/// \return why the value does not read: half of a list would pass for the whole
std::expected<std::string, std::string> read_next_link(std::string_view value);

/// What `target` asks below the endpoint, as RegistryRequest::path, where it is another page of the
/// list at `path`: the endpoint's own scheme, host and port, and the same folder.
/// \param endpoint  "https://host[:port][/prefix]"
/// \param path      "/v2/shop/web/referrers/sha256:…", with a query or without
/// \param target    a URL, or "/path" or "?query" of this one
/// \return why it is none, as a clause
std::expected<std::string, std::string> next_path(std::string_view endpoint, std::string_view path,
                                                  std::string_view target);

}  // namespace belay::webhook::registry
