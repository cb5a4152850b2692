#include "webhook/serve/limits.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <concepts>
#include <optional>

namespace belay::webhook::serve {
namespace {

constexpr std::uint64_t kKi = 1'024;
constexpr std::uint64_t kMi = 1'024 * kKi;
constexpr std::uint64_t kGi = 1'024 * kMi;
constexpr std::uint64_t kSecond = 1'000;
constexpr std::uint64_t kMinute = 60 * kSecond;
constexpr std::uint64_t kHour = 60 * kMinute;

/// A limit is a field of a part's options: Limits::*kPart.*kField.
template <auto kPart, auto kField>
std::uint64_t get_field(const Limits& limits) {
  const auto value = limits.*kPart.*kField;
  if constexpr (std::integral<decltype(value)>) {
    return static_cast<std::uint64_t>(value);
  } else {
    return static_cast<std::uint64_t>(std::chrono::milliseconds(value).count());
  }
}

template <auto kPart, auto kField>
void set_field(Limits& limits, std::uint64_t value) {
  auto& field = limits.*kPart.*kField;
  using Field = std::remove_reference_t<decltype(field)>;
  if constexpr (std::integral<Field>) {
    field = static_cast<Field>(value);
  } else {
    field = std::chrono::ceil<Field>(std::chrono::milliseconds(value));
  }
}

template <auto kPart, auto kField>
constexpr Limit row(std::string_view name, LimitUnit unit, std::uint64_t least, std::uint64_t most,
                    std::string_view text) {
  return {name, unit, least, most, text, get_field<kPart, kField>, set_field<kPart, kField>};
}

using enum LimitUnit;
using Http = http::ServerOptions;
using Evaluation = admission::EvaluationBudget::Limits;
using Namespaces = admission::NamespaceLookups::Options;
using Images = admission::ImageLookups::Options;
using Registries = registry::RegistryClientOptions;
using Digests = registry::ResolverOptions;
constexpr auto kServer = &Limits::server;
constexpr auto kEvaluation = &Limits::evaluation;
constexpr auto kNamespaces = &Limits::namespaces;
constexpr auto kImages = &Limits::images;
constexpr auto kRegistries = &Limits::registries;
constexpr auto kDigests = &Limits::digests;

constexpr Limit kLimits[] = {
    row<kServer, &Http::max_header_bytes>("--max-header-bytes", kBytes, kKi, kMi,
                                          "Request line and headers; beyond it HTTP 431"),
    row<kServer, &Http::max_headers>("--max-headers", kNumber, 16, 1'000,
                                     "Header fields of a request; beyond it HTTP 431"),
    row<kServer, &Http::max_body_bytes>(
        "--max-body-bytes", kBytes, 64 * kKi, 64 * kMi,
        "Body of a request, which contains the new and the old object; beyond it HTTP 413"),
    row<kServer, &Http::max_bytes_in_flight>(
        "--max-bytes-in-flight", kBytes, kMi, 64 * kGi,
        "Memory for requests of all connections, never more than a quarter of the container's; "
        "beyond it HTTP 503"),
    row<kServer, &Http::max_connections>("--max-connections", kNumber, 8, 65'536,
                                         "Open connections; beyond it HTTP 503"),
    row<kServer, &Http::handshake_timeout>("--handshake-timeout", kMilliseconds, kSecond, kMinute,
                                           "For a TLS handshake"),
    row<kServer, &Http::request_timeout>(
        "--request-timeout", kMilliseconds, kSecond, kMinute,
        "For a whole request to arrive, and for the wait for registries and namespaces"),
    row<kServer, &Http::idle_timeout>(
        "--idle-timeout", kMilliseconds, 5 * kSecond, kHour,
        "For the next request on a connection; the API server closes its own after 90 s"),
    row<kServer, &Http::write_timeout>("--write-timeout", kMilliseconds, kSecond, kMinute,
                                       "For a client to take a response"),
    row<kServer, &Http::max_age>(
        "--max-connection-age", kMilliseconds, kMinute, 24 * kHour,
        "After that, a connection is closed after its next response, so that load spreads over the "
        "replicas"),
    row<kEvaluation, &Evaluation::most>(
        "--max-evaluation-time", kMilliseconds, 10, 5 * kSecond,
        "CPU time for one object; beyond it the request is undecided"),
    row<kEvaluation, &Evaluation::pause>(
        "--evaluation-pause", kMilliseconds, kSecond, kHour,
        "How long further expensive requests of the same namespace are undecided after that"),
    row<kNamespaces, &Namespaces::deadline>(
        "--namespace-lookup-timeout", kMilliseconds, 50, 5 * kSecond,
        "For the labels of a namespace that is not in the watch cache yet"),
    row<kNamespaces, &Namespaces::queue>(
        "--max-waiting-namespace-lookups", kNumber, 1, 10'000,
        "Namespaces whose labels wait to be looked up; beyond it a request is undecided"),
    row<kImages, &Images::deadline>(
        "--image-lookup-timeout", kMilliseconds, 50, 25 * kSecond,
        "For everything that one request needs from registries; never longer than the webhook's "
        "timeout allows"),
    row<kImages, &Images::threads>("--max-image-lookups", kNumber, 1, 256,
                                   "Images that are looked up at the same time"),
    row<kImages, &Images::queue>(
        "--max-waiting-image-lookups", kNumber, 1, 10'000,
        "Images that wait to be looked up; beyond it onRegistryError decides"),
    row<kRegistries, &Registries::request_timeout>("--registry-request-timeout", kMilliseconds, 50,
                                                   25 * kSecond, "For one request to a registry"),
    row<kRegistries, &Registries::connections>("--max-registry-requests", kNumber, 1, 1'000,
                                               "Requests to all registries at the same time"),
    row<kRegistries, &Registries::connections_each>("--max-requests-per-registry", kNumber, 1,
                                                    1'000,
                                                    "Requests to one registry at the same time"),
    row<kDigests, &Digests::max_bytes>("--digest-cache-bytes", kBytes, kMi, kGi,
                                       "Memory for digests and labels of images"),
    row<kDigests, &Digests::max_entries>("--digest-cache-entries", kNumber, 100, 1'000'000,
                                         "Digests, and images with labels, that are kept"),
    row<kDigests, &Digests::fresh>("--digest-cache-fresh", kMilliseconds, kSecond, kHour,
                                   "How long a digest is used without asking its registry again"),
    row<kDigests, &Digests::stale>(
        "--digest-cache-stale", kMilliseconds, kSecond, 24 * kHour,
        "How long a digest is used while its registry is asked again in the background"),
};

struct Suffix {
  LimitUnit unit;
  std::string_view text;
  std::uint64_t factor;
};
/// The largest first. A number without one is of a unit that has none here.
constexpr Suffix kSuffixes[] = {
    {kBytes, "Gi", kGi},
    {kBytes, "Mi", kMi},
    {kBytes, "Ki", kKi},
    {kBytes, "", 1},
    {kMilliseconds, "h", kHour},
    {kMilliseconds, "m", kMinute},
    {kMilliseconds, "s", kSecond},
    {kMilliseconds, "ms", 1},
    {kNumber, "", 1},
};

/// \return nothing where the text is not a figure of the unit
std::optional<std::uint64_t> read_figure(LimitUnit unit, std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) return std::nullopt;
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Suffix& one : kSuffixes) {
    if (one.unit != unit || one.text != suffix) continue;
    const bool fits = error == std::errc{} && number <= UINT64_MAX / one.factor;
    return fits ? number * one.factor : UINT64_MAX;
  }
  return std::nullopt;
}

std::string_view noun_of(LimitUnit unit) {
  if (unit == kBytes) return "a size such as 16Ki or 8Mi";
  return unit == kMilliseconds ? "a duration such as 500ms, 5s or 20m" : "a number";
}

}  // namespace

std::span<const Limit> limit_rows() { return kLimits; }

std::string_view Limit::type_name() const {
  if (unit == kBytes) return "SIZE";
  return unit == kMilliseconds ? "DURATION" : "N";
}

std::string Limit::bounds() const {
  return fmt::format("{} to {}", limit_text(unit, least), limit_text(unit, most));
}

std::string limit_text(LimitUnit unit, std::uint64_t value) {
  for (const Suffix& one : kSuffixes) {
    const bool whole = value >= one.factor && value % one.factor == 0;
    if (one.unit == unit && (whole || one.factor == 1)) {
      return fmt::format("{}{}", value / one.factor, one.text);
    }
  }
  return "";
}

std::vector<std::string> default_limit_texts() {
  const Limits defaults;
  std::vector<std::string> texts;
  texts.reserve(std::size(kLimits));
  for (const Limit& limit : kLimits) texts.push_back(limit_text(limit.unit, limit.get(defaults)));
  return texts;
}

Limits read_limits(std::span<const std::string> texts, std::vector<std::string>& problems) {
  Limits limits;
  for (std::size_t i = 0; i < std::min(texts.size(), std::size(kLimits)); ++i) {
    const Limit& limit = kLimits[i];
    const auto figure = read_figure(limit.unit, texts[i]);
    if (!figure) {
      problems.push_back(fmt::format("{}: \"{}\" is not {}; the limit may be {}", limit.name,
                                     texts[i], noun_of(limit.unit), limit.bounds()));
    } else if (*figure < limit.least || *figure > limit.most) {
      problems.push_back(fmt::format("{}: \"{}\" is out of bounds; the limit may be {}", limit.name,
                                     texts[i], limit.bounds()));
    } else {
      limit.set(limits, *figure);
    }
  }
  if (limits.server.max_body_bytes > limits.server.max_bytes_in_flight) {
    problems.emplace_back("--max-body-bytes is more than --max-bytes-in-flight");
  }
  if (limits.digests.fresh > limits.digests.stale) {
    problems.emplace_back("--digest-cache-fresh is longer than --digest-cache-stale");
  }
  return limits;
}

}  // namespace belay::webhook::serve
