#include "webhook/registry/endpoint_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <system_error>
#include <thread>
#include <utility>

#include "webhook/registry/json_text.h"
#include "webhook/registry/url.h"

namespace belay::webhook::registry {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstBackoff{50};
/// Time in which a registry that is well answers: a timeout after less says nothing of it.
constexpr milliseconds kFairTime{500};
constexpr std::chrono::seconds kLongestPause{60};

http_client::ClientOptions client_options(const Endpoint& endpoint,
                                          const RegistryClientOptions& options,
                                          http_client::AddressGuard guard) {
  return {.ca_pem = endpoint.ca_pem,
          .agent = "belay",
          .proxies = options.proxies,
          .guard = guard,
          .connect_timeout = options.connect_timeout};
}

http_client::ClientOptions with_certificate(http_client::ClientOptions options,
                                            const Endpoint& endpoint) {
  options.client_cert_pem = endpoint.client_cert_pem;
  options.client_key_pem = endpoint.client_key_pem;
  return options;
}

http_client::AddressGuard guard_of(const Endpoint& endpoint) {
  return endpoint.allow_private ? http_client::AddressGuard::kPublicPrivate
                                : http_client::AddressGuard::kPublic;
}

Failure failure_of(http_client::ClientError::Kind kind) {
  using Kind = http_client::ClientError::Kind;
  switch (kind) {
    case Kind::kRefusedAddress:
      return Failure::kRefusedAddress;
    case Kind::kTls:
      return Failure::kTls;
    case Kind::kTimeout:
      return Failure::kTimeout;
    case Kind::kTooLarge:
    case Kind::kProtocol:
      return Failure::kInvalidResponse;
    case Kind::kUnreachable:
    case Kind::kStopped:
      break;
  }
  return Failure::kUnreachable;
}

/// \return nothing where the answer is one to read
std::optional<Failure> failure_of(int status) {
  if (status >= 200 && status < 300) return std::nullopt;
  if (status >= 300 && status < 400) return Failure::kRedirect;
  if (status == 401 || status == 403) return Failure::kUnauthorized;
  if (status == 404) return Failure::kNotFound;
  if (status == 429) return Failure::kRateLimited;
  return status >= 500 ? Failure::kServerError : Failure::kInvalidResponse;
}

/// Whether the registry is to blame, and may be well again in a moment.
bool is_passing(Failure failure) {
  return failure == Failure::kUnreachable || failure == Failure::kServerError ||
         failure == Failure::kTimeout || failure == Failure::kTls;
}

/// The pause that a 429 asks for: Retry-After in seconds.
/// \param otherwise  where there is no such number (none at all, or a date)
milliseconds pause_of(const http_client::ClientResponse& answer, milliseconds otherwise) {
  const std::string* const text = answer.header("retry-after");
  unsigned seconds = 0;
  const auto read = text == nullptr
                        ? std::from_chars_result{.ptr = nullptr, .ec = std::errc::invalid_argument}
                        : std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (read.ec == std::errc::result_out_of_range) return kLongestPause;
  if (read.ec != std::errc{}) return std::min<milliseconds>(otherwise, kLongestPause);
  return std::min(std::chrono::seconds(seconds), kLongestPause);
}

milliseconds backoff(int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto most = kFirstBackoff * (1 << std::min(attempt, 5));
  return milliseconds(
      std::uniform_int_distribution<milliseconds::rep>(most.count() / 2, most.count())(random));
}

}  // namespace

EndpointClient::EndpointClient(const Endpoint& endpoint, const RegistryClientOptions& options,
                               Slots& all)
    : endpoint_(endpoint),
      options_(options),
      https_(endpoint.url.starts_with("https://")),
      client_(with_certificate(client_options(endpoint, options, guard_of(endpoint)), endpoint)),
      elsewhere_(client_options(endpoint, options, guard_of(endpoint))),
      public_(client_options(endpoint, options, http_client::AddressGuard::kPublic)),
      all_slots_(all),
      slots_(options.connections_each),
      breaker_(options.failures_to_open, options.open_time) {}

EndpointClient::Answer EndpointClient::ask(const RegistryRequest& request,
                                           const Credential& credential,
                                           Clock::time_point deadline) {
  if (!sit_out_pause(deadline) || !breaker_.may_ask(Clock::now())) {
    return std::unexpected(Failure::kCircuitOpen);
  }
  if (!slots_.take(deadline)) return std::unexpected(Failure::kBusy);
  const TakenSlot own(slots_);
  if (!all_slots_.take(deadline)) return std::unexpected(Failure::kBusy);
  const TakenSlot shared(all_slots_);
  for (int tries = 0;; ++tries) {
    Attempt attempt{.deadline = deadline};
    // An endpoint that speaks http is told no secret.
    Answer answer = ask_once(request, https_ ? credential : anonymous(), attempt);
    const auto now = Clock::now();
    const auto pause = backoff(tries);
    if (answer || !is_passing(answer.error())) {
      breaker_.succeeded();
      const bool limited = !answer && answer.error() == Failure::kRateLimited;
      if (limited && tries < options_.retries && sit_out_pause(deadline, now + pause)) continue;
      return answer;
    }
    // Not told to the circuit breaker at all: it stays open after a trial that ends so.
    if (attempt.cut_short) return answer;
    breaker_.failed(now);
    const bool once_more =
        answer.error() != Failure::kTls && tries < options_.retries && now + pause < deadline;
    if (!once_more) return answer;
    std::this_thread::sleep_for(pause);
  }
}

/// \param not_before  waits until then in any case: a registry may ask for a pause of no time
/// \return whether the registry may be asked as far as pauses go. Where it has to wait beyond the
///   deadline, or is not to sit out pauses and there is one, it says so at once.
bool EndpointClient::sit_out_pause(Clock::time_point deadline, Clock::time_point not_before) {
  while (true) {
    const auto now = Clock::now();
    const auto end = breaker_.paused_until();
    if (end <= now && not_before <= now) return true;
    if (end > now && !options_.sit_out_pauses) return false;
    // Not all in the same moment.
    const auto resume = end > now ? std::max(end + backoff(0), not_before) : not_before;
    if (resume >= deadline) return false;
    std::this_thread::sleep_until(resume);
  }
}

/// What is wrong with a response, if anything. The pause that a 429 asks for is kept, whoever of
/// those that a request leads to said it: the next one would lead there, too.
std::optional<Failure> EndpointClient::check(const http_client::ClientResponse& answer) {
  const auto failure = failure_of(answer.status);
  if (failure == Failure::kRateLimited) {
    breaker_.pause(Clock::now() + pause_of(answer, options_.open_time));
  }
  return failure;
}

EndpointClient::Answer EndpointClient::ask_once(const RegistryRequest& request,
                                                const Credential& credential, Attempt& attempt) {
  const AuthorizationStore::Key key(request.scope, credential.identity);
  std::optional<std::string> header = authorizations_.find(key, Clock::now());
  if (!header && !credential.registry_token.empty()) {
    header = "Bearer " + credential.registry_token;
  }
  const std::string url = endpoint_.url + request.path;
  for (int round = 0;; ++round) {
    std::vector<http_client::Header> headers = {{"Accept-Encoding", "identity"}};
    if (!request.accept.empty()) headers.emplace_back("Accept", request.accept);
    if (header) headers.emplace_back("Authorization", *header);
    Answer answer = send(client_, request.method, url, std::move(headers), attempt);
    if (!answer) return answer;
    if (answer->status == 401 && round == 0) {
      authorizations_.forget(key);
      auto authorized = authorize(*answer, request, credential, attempt);
      if (!authorized) return std::unexpected(authorized.error());
      header = std::move(*authorized);
      continue;
    }
    if (answer->status == 405 && request.method == "HEAD") return answer;
    const auto failure = check(*answer);
    if (failure == Failure::kRedirect && request.follow_redirect) {
      return follow(*answer, request, attempt);
    }
    if (failure) return std::unexpected(*failure);
    return answer;
  }
}

EndpointClient::Answer EndpointClient::send(const http_client::Client& client,
                                            std::string_view method, const std::string& url,
                                            std::vector<http_client::Header> headers,
                                            Attempt& attempt, std::string_view body) const {
  const auto left = std::chrono::floor<milliseconds>(attempt.deadline - Clock::now());
  const auto time = std::min(left, options_.request_timeout);
  attempt.cut_short = time < std::min(options_.request_timeout, kFairTime);
  if (left <= milliseconds(0)) return std::unexpected(Failure::kTimeout);
  auto answer = client.send({.method = method,
                             .url = url,
                             .headers = std::move(headers),
                             .body = body,
                             .deadline = time,
                             .max_response = kMaxResponse});
  attempt.cut_short &= !answer && answer.error().kind == http_client::ClientError::Kind::kTimeout;
  if (!answer) return std::unexpected(failure_of(answer.error().kind));
  return std::move(*answer);
}

/// Registries keep blobs in object stores and lead there with a signed URL. What may be dialled for
/// the registry is not for wherever it leads: else it could have services asked that it can't
/// reach.
EndpointClient::Answer EndpointClient::follow(const http_client::ClientResponse& redirect,
                                              const RegistryRequest& request, Attempt& attempt) {
  const std::string* const location = redirect.header("location");
  if (location == nullptr) return std::unexpected(Failure::kRedirect);
  const bool relative = location->starts_with('/') && !location->starts_with("//");
  const auto own = parse_url(endpoint_.url);
  const auto target =
      parse_url(relative && own ? fmt::format("{}://{}{}", own->https ? "https" : "http",
                                              own->authority(), *location)
                                : *location);
  if (!target || !own) return std::unexpected(Failure::kRedirect);
  const bool same = target->host == own->host && target->port == own->port;
  if (!target->https && (own->https || !same)) return std::unexpected(Failure::kRedirect);
  const http_client::Client& client =
      same || is_listed(*target, endpoint_.blob_hosts) ? elsewhere_ : public_;
  Answer answer =
      send(client, request.method, target->text(), {{"Accept-Encoding", "identity"}}, attempt);
  if (!answer) return answer;
  if (const auto failure = check(*answer)) return std::unexpected(*failure);
  return answer;
}

std::expected<std::string, Failure> EndpointClient::authorize(
    const http_client::ClientResponse& refusal, const RegistryRequest& request,
    const Credential& credential, Attempt& attempt) {
  Failure why = Failure::kUnauthorized;
  for (const auto& [name, value] : refusal.headers) {
    if (name != "www-authenticate") continue;
    for (const Challenge& challenge : read_challenges(value)) {
      const AuthScheme* const scheme = find_auth_scheme(challenge.scheme);
      if (scheme == nullptr) continue;
      const Login login{.challenge = challenge,
                        .credential = credential,
                        .endpoint = endpoint_,
                        .scope = request.scope,
                        .send = [&](LoginRequest login_request) {
                          return send_login(std::move(login_request), attempt);
                        }};
      const auto authorization = scheme->log_in(login);
      if (!authorization) why = authorization.error();
      if (!authorization || !*authorization) continue;
      authorizations_.put({request.scope, credential.identity}, (*authorization)->header,
                          (*authorization)->expiry);
      return (*authorization)->header;
    }
  }
  return std::unexpected(why);
}

/// The endpoint's client certificate is shown to its own host alone.
EndpointClient::Answer EndpointClient::send_login(LoginRequest request, Attempt& attempt) {
  const auto target = parse_url(request.url);
  const auto own = parse_url(endpoint_.url);
  const bool own_host = target && own && target->authority() == own->authority();
  request.headers.emplace_back("Accept-Encoding", "identity");
  Answer answer = send(own_host ? client_ : elsewhere_, request.method, request.url,
                       std::move(request.headers), attempt, request.body);
  if (!answer) return answer;
  if (const auto failure = check(*answer)) return std::unexpected(*failure);
  return answer;
}

}  // namespace belay::webhook::registry
