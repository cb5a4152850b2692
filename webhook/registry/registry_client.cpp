// Lookups of images -> requests to endpoints, mirrors first; and what their answers say.
#include "webhook/registry/registry_client.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "policy/image_reference.h"
#include "webhook/registry/endpoint_client.h"
#include "webhook/registry/json_text.h"
#include "webhook/registry/link.h"
#include "webhook/registry/manifest.h"
#include "webhook/registry/url.h"

namespace belay::webhook::registry {
namespace {

struct FailureWords {
  std::string_view name;
  std::string_view words;  ///< behind the registry's name
};
/// In the order of Failure. "Not allowed" and "not there" read alike: who may not see an image
/// learns nothing of it.
constexpr std::array<FailureWords, 14> kFailures = {{
    {"not_listed", "is not among the registries that belay may ask (--registries)"},
    {"refused_address", "resolves to an address that belay does not connect to"},
    {"unreachable", "can't be reached"},
    {"tls", "has a certificate that belay does not trust"},
    {"timeout", "did not respond in time"},
    {"unauthorized", "has no such image, or belay has no permission to see it"},
    {"not_found", "has no such image, or belay has no permission to see it"},
    {"rate_limited", "limits the rate of requests"},
    {"server_error", "has an internal error"},
    {"redirect", "redirects to an address that belay does not follow"},
    {"refused_realm", "names a token service that belay may not ask"},
    {"invalid_response", "sent an invalid response"},
    {"circuit_open", "failed several times in a row and is not asked for some seconds"},
    {"busy", "has too many requests waiting"},
}};

const FailureWords& words_of(Failure failure) {
  return kFailures.at(static_cast<std::size_t>(failure));
}

std::string header_of(const http_client::ClientResponse& answer, std::string_view name) {
  const std::string* const value = answer.header(name);
  return value == nullptr ? std::string() : *value;
}

constexpr std::string_view kIndex = "application/vnd.oci.image.index.v1+json";
constexpr std::size_t kMaxPages = 16;  ///< of one list

/// The request for the page after this one; nothing where this is the last.
std::expected<std::optional<std::string>, std::string> page_after(
    const http_client::ClientResponse& answer, const Endpoint& endpoint, std::string_view path) {
  for (const auto& [name, value] : answer.headers) {
    if (name != "link") continue;
    const auto target = read_next_link(value);
    if (!target) return std::unexpected(target.error());
    if (!target->empty()) return next_path(endpoint.url, path, *target);
  }
  return std::nullopt;
}

/// A list of referrers in one answer, which a registry may give in pages (distribution-spec 1.1):
/// all of them, or none. They have one bound together, that of a single answer.
std::expected<http_client::ClientResponse, Failure> ask_all_pages(EndpointClient& client,
                                                                  RegistryRequest request,
                                                                  const Credential& credential,
                                                                  Clock::time_point deadline) {
  std::vector<std::string> pages;
  std::size_t bytes = 0;
  while (true) {
    auto answer = client.ask(request, credential, deadline);
    if (!answer) {
      // A later page that is not there is no registry without the API.
      const bool half = !pages.empty() && answer.error() == Failure::kNotFound;
      return half ? std::unexpected(Failure::kInvalidResponse) : std::move(answer);
    }
    bytes += answer->body.size();
    const auto next = page_after(*answer, client.endpoint(), request.path);
    if (!next || bytes > kMaxResponse) return std::unexpected(Failure::kInvalidResponse);
    if (!*next && pages.empty()) return answer;
    pages.push_back(std::move(answer->body));
    if (!*next) {
      auto whole = merge_referrers(pages);
      if (!whole) return std::unexpected(Failure::kInvalidResponse);
      answer->body = std::move(*whole);
      return answer;
    }
    if (pages.size() == kMaxPages) return std::unexpected(Failure::kInvalidResponse);
    request.path = **next;
  }
}

}  // namespace

std::string_view name_of(Failure failure) { return words_of(failure).name; }

RegistryError error_of(std::string_view registry, Failure failure) {
  return {.failure = failure, .message = fmt::format("{} {}", registry, words_of(failure).words)};
}

class RegistryClient::Impl {
 public:
  Impl(Registries registries, const RegistryClientOptions& options, RegistryObserver* observer)
      : registries_(std::move(registries)), observer_(observer), slots_(options.connections) {
    for (const Registry& registry : registries_.list) {
      auto& clients = clients_.emplace_back();
      for (const Endpoint& endpoint : registry.endpoints) {
        clients.push_back(std::make_unique<EndpointClient>(endpoint, options, slots_));
      }
    }
  }

  using Answer = std::expected<http_client::ClientResponse, RegistryError>;

  /// Asks the endpoints in turn until one has a good answer; the last one's failure counts.
  /// \param good  what is wrong with an answer, if anything
  template <class Good>
  Answer ask(const Place& place, const RegistryRequest& request, Clock::time_point deadline,
             const Good& good) {
    return ask_each(
        place, deadline, good,
        [&request](EndpointClient& client, const Credential& credential, Clock::time_point end) {
          return client.ask(request, credential, end);
        });
  }

  /// \param ask_one  how one endpoint is asked, until when
  template <class Good, class AskOne>
  Answer ask_each(const Place& place, Clock::time_point deadline, const Good& good,
                  const AskOne& ask_one) {
    const Registry* const registry = registries_.find(place.registry);
    if (registry == nullptr) {
      report("other", name_of(Failure::kNotListed), {});
      return std::unexpected(error_of(place.registry, Failure::kNotListed));
    }
    const auto index = static_cast<std::size_t>(registry - registries_.list.data());
    Failure failure = Failure::kUnreachable;
    for (std::size_t i = 0; i < clients_[index].size(); ++i) {
      const bool last = i + 1 == clients_[index].size();
      const auto begin = Clock::now();
      // Mirrors leave the registry itself half of the time, and get no credential of another host.
      const auto end = last ? deadline : begin + (deadline - begin) / 2;
      const Credential& credential = last ? place.credential : anonymous();
      std::expected<http_client::ClientResponse, Failure> answer =
          ask_one(*clients_[index][i], credential, end);
      if (answer) {
        if (const auto problem = good(*answer)) {
          answer = std::unexpected(*problem);
        }
      }
      report(registry->host, answer ? "ok" : name_of(answer.error()), Clock::now() - begin);
      if (answer) return std::move(*answer);
      failure = answer.error();
    }
    return std::unexpected(error_of(place.registry, failure));
  }

  static RegistryRequest about(const Place& place, std::string_view method, std::string_view kind,
                               std::string_view what, std::string_view accept) {
    return {.method = method,
            .path = fmt::format("/v2/{}/{}/{}", place.repository, kind, what),
            .accept = accept,
            .scope = fmt::format("repository:{}:pull", place.repository)};
  }

 private:
  void report(std::string_view registry, std::string_view result, std::chrono::nanoseconds time) {
    if (observer_ != nullptr) observer_->requested(registry, result, time);
  }

  const Registries registries_;
  RegistryObserver* const observer_;
  Slots slots_;
  std::vector<std::vector<std::unique_ptr<EndpointClient>>> clients_;  ///< by registry, endpoint
};

RegistryClient::RegistryClient(Registries registries, const RegistryClientOptions& options,
                               RegistryObserver* observer)
    : impl_(std::make_unique<Impl>(std::move(registries), options, observer)) {}
RegistryClient::~RegistryClient() = default;

std::expected<std::string, RegistryError> RegistryClient::digest(const Place& place,
                                                                 std::string_view tag,
                                                                 Clock::time_point deadline) {
  std::string digest;
  const auto head =
      impl_->ask(place, Impl::about(place, "HEAD", "manifests", tag, kManifestTypes), deadline,
                 [&](const http_client::ClientResponse& answer) -> std::optional<Failure> {
                   if (answer.status == 405) return std::nullopt;
                   std::string said = header_of(answer, "docker-content-digest");
                   if (!said.empty() && !policy::is_digest(said)) return Failure::kInvalidResponse;
                   digest = std::move(said);  // not before: another endpoint may be asked yet
                   return std::nullopt;
                 });
  if (!head) return std::unexpected(head.error());
  if (!digest.empty()) return digest;
  const auto whole =
      impl_->ask(place, Impl::about(place, "GET", "manifests", tag, kManifestTypes), deadline,
                 [&](const http_client::ClientResponse& answer) -> std::optional<Failure> {
                   if (!read_manifest(answer.body, header_of(answer, "content-type"))) {
                     return Failure::kInvalidResponse;
                   }
                   const std::string said = header_of(answer, "docker-content-digest");
                   if (!said.empty() && !has_digest(answer.body, said))
                     return Failure::kInvalidResponse;
                   digest = said.empty() ? digest_of(answer.body) : said;
                   return std::nullopt;
                 });
  if (!whole) return std::unexpected(whole.error());
  return digest;
}

std::expected<Blob, RegistryError> RegistryClient::manifest(const Place& place,
                                                            std::string_view digest,
                                                            Clock::time_point deadline) {
  auto answer =
      impl_->ask(place, Impl::about(place, "GET", "manifests", digest, kManifestTypes), deadline,
                 [&](const http_client::ClientResponse& whole) -> std::optional<Failure> {
                   if (has_digest(whole.body, digest)) return std::nullopt;
                   return Failure::kInvalidResponse;
                 });
  if (!answer) return std::unexpected(answer.error());
  std::string type = header_of(*answer, "content-type");
  return Blob{.body = std::move(answer->body), .media_type = std::move(type)};
}

std::expected<Blob, RegistryError> RegistryClient::blob(const Place& place, std::string_view digest,
                                                        Clock::time_point deadline) {
  RegistryRequest request = Impl::about(place, "GET", "blobs", digest, "");
  request.follow_redirect = true;
  auto answer = impl_->ask(place, request, deadline,
                           [&](const http_client::ClientResponse& whole) -> std::optional<Failure> {
                             if (has_digest(whole.body, digest)) return std::nullopt;
                             return Failure::kInvalidResponse;
                           });
  if (!answer) return std::unexpected(answer.error());
  return Blob{.body = std::move(answer->body), .media_type = {}};
}

std::expected<Blob, RegistryError> RegistryClient::referrers(const Place& place,
                                                             std::string_view digest,
                                                             Clock::time_point deadline) {
  const auto reads = [](const http_client::ClientResponse& answer) -> std::optional<Failure> {
    return read_referrers(answer.body) ? std::nullopt : std::optional(Failure::kInvalidResponse);
  };
  const RegistryRequest request = Impl::about(place, "GET", "referrers", digest, kIndex);
  auto answer = impl_->ask_each(
      place, deadline, reads,
      [&request](EndpointClient& client, const Credential& credential, Clock::time_point end) {
        return ask_all_pages(client, request, credential, end);
      });
  if (!answer && answer.error().failure != Failure::kNotFound) {
    return std::unexpected(answer.error());
  }
  if (!answer) {  // a registry without the API: the tag schema (distribution-spec 1.1)
    std::string tag(digest);
    tag.replace(tag.find(':'), 1, "-");
    answer =
        impl_->ask(place, Impl::about(place, "GET", "manifests", tag, kIndex), deadline, reads);
  }
  if (answer) return Blob{.body = std::move(answer->body), .media_type = std::string(kIndex)};
  if (answer.error().failure == Failure::kNotFound) {
    return Blob{.body = R"({"schemaVersion":2,"manifests":[]})", .media_type = std::string(kIndex)};
  }
  return std::unexpected(answer.error());
}

}  // namespace belay::webhook::registry
