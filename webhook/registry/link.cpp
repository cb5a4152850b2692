#include "webhook/registry/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "policy/text/ascii.h"
#include "webhook/registry/url.h"

namespace belay::webhook::registry {
namespace {

constexpr std::size_t kMaxLinkHeader = 8'192;

void skip_space(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// Takes what stands before the first of `ends` off the text, without the space behind it.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  std::string_view taken = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(taken.size());
  while (taken.ends_with(' ') || taken.ends_with('\t')) taken.remove_suffix(1);
  return taken;
}

/// Takes a value off the text: a word, or a quoted string.
std::optional<std::string> take_value(std::string_view& text) {
  if (!text.starts_with('"')) return std::string(take_until(text, ",;"));
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\\') ++i;
    if (i < text.size()) value += text[i];
  }
  return std::nullopt;
}

/// Whether a list of relations, "prev next", holds this one.
bool relates(std::string_view relations, std::string_view relation) {
  while (!relations.empty()) {
    skip_space(relations);
    if (policy::lower_case(take_until(relations, " \t")) == relation) return true;
  }
  return false;
}

}  // namespace

std::expected<std::string, std::string> read_next_link(std::string_view value) {
  const auto broken = [] { return std::unexpected("its Link header is invalid"); };
  if (value.size() > kMaxLinkHeader) return broken();
  while (true) {
    value.remove_prefix(std::min(value.find_first_not_of(" \t,"), value.size()));
    if (value.empty()) return std::string();
    const std::size_t end = value.find('>');
    if (!value.starts_with('<') || end == std::string_view::npos) return broken();
    const std::string_view target = value.substr(1, end - 1);
    value.remove_prefix(end + 1);
    std::optional<std::string> relations;  // the first `rel` counts (RFC 8288 section 3.3)
    for (skip_space(value); value.starts_with(';'); skip_space(value)) {
      value.remove_prefix(1);
      skip_space(value);
      const std::string name = policy::lower_case(take_until(value, "=;,"));
      if (!value.starts_with('=')) continue;
      value.remove_prefix(1);
      skip_space(value);
      auto text = take_value(value);
      if (!text) return broken();
      if (name == "rel" && !relations) relations = std::move(text);
    }
    if (!value.empty() && !value.starts_with(',')) return broken();
    if (!relates(relations.value_or(""), "next")) continue;
    if (target.empty()) return broken();
    return std::string(target);
  }
}

std::expected<std::string, std::string> next_path(std::string_view endpoint, std::string_view path,
                                                  std::string_view target) {
  const auto own = parse_url(endpoint);
  const std::string_view page = path.substr(0, path.find('?'));
  const std::string folder =
      (own ? own->path : "") + std::string(page.substr(0, page.rfind('/') + 1));
  const std::string origin =
      own ? fmt::format("{}://{}", own->https ? "https" : "http", own->authority()) : "";
  std::string whole(target);
  if (target.starts_with('?')) {
    whole = fmt::format("{}{}{}{}", origin, own ? own->path : "", page, target);
  } else if (target.starts_with('/') && !target.starts_with("//")) {
    whole = origin + whole;
  }
  const auto url = parse_url(whole);
  if (!own || !url) return std::unexpected("the URL of its next page is invalid");
  const bool same = url->https == own->https && url->host == own->host && url->port == own->port;
  const bool below = url->path.starts_with(folder);
  const std::string name = below ? policy::lower_case(url->path.substr(folder.size())) : "";
  // One segment that is a name: "..", in any spelling, would lead out of the folder.
  const bool named = !name.empty() && name.find('/') == std::string::npos &&
                     !name.starts_with('.') && !name.starts_with("%2e");
  if (!same || !named) return std::unexpected("its next page is on another host or path");
  const std::string_view rest = std::string_view(url->path).substr(own->path.size());
  return fmt::format("{}{}{}", rest, url->query.empty() ? "" : "?", url->query);
}

}  // namespace belay::webhook::registry
