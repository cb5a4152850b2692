#include "webhook/kube/api_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "webhook/http_client/client.h"
#include "webhook/system/file.h"

namespace belay::webhook::kube {
namespace {

using Kind = ApiError::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxAnswer = std::size_t{64} << 20U;
constexpr std::size_t kMaxLine = std::size_t{16} << 20U;
constexpr std::size_t kMaxToken = std::size_t{64} << 10U;
constexpr std::size_t kMaxMessage = 1024;  // of what a Status says
constexpr milliseconds kStreamHead{30'000};
constexpr seconds kReadTokenAgain{60};
constexpr seconds kMaxRetryAfter{3600};

/// A bearer token that others renew in its file. Thread-safe.
class Token {
 public:
  Token(std::string fixed, std::string file) : text_(std::move(fixed)), file_(std::move(file)) {}

  std::string get() {
    const std::lock_guard lock(mutex_);
    const State now = state();
    if (!file_.empty() && (now != read_ || Clock::now() - read_at_ >= kReadTokenAgain)) read(now);
    return text_;
  }

  /// Reads the file at once. \return whether the token is another one than `refused`.
  bool renew(std::string_view refused) {
    const std::lock_guard lock(mutex_);
    if (!file_.empty()) read(state());
    return text_ != refused;
  }

 private:
  using State = std::tuple<ino_t, off_t, time_t, long>;  // of the file that the links lead to

  State state() const {
    struct stat facts{};
    if (file_.empty() || ::stat(file_.c_str(), &facts) != 0) return {};
    return {facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec};
  }

  /// A file that is gone or empty for a moment leaves the last token.
  void read(const State& now) {
    read_at_ = Clock::now();
    auto text = read_file(AT_FDCWD, file_, kMaxToken);
    if (!text) return;
    const std::size_t end = text->find_last_not_of(" \t\r\n");
    if (end == std::string::npos) return;
    text->resize(end + 1);
    text_ = *std::move(text);
    read_ = now;
  }

  std::mutex mutex_;
  std::string text_;
  const std::string file_;
  State read_{};
  Clock::time_point read_at_{};
};

Kind kind_of(http_client::ClientError::Kind kind) {
  using From = http_client::ClientError::Kind;
  switch (kind) {
    case From::kTimeout:
      return Kind::kTimeout;
    case From::kTooLarge:
      return Kind::kTooLarge;
    case From::kStopped:
      return Kind::kStopped;
    case From::kUnreachable:
    case From::kTls:
    case From::kProtocol:
    case From::kRefusedAddress:
      break;
  }
  return Kind::kUnreachable;
}

Kind kind_of(int status) {
  constexpr std::pair<int, Kind> kKinds[] = {{401, Kind::kUnauthorized}, {403, Kind::kForbidden},
                                             {404, Kind::kNotFound},     {409, Kind::kConflict},
                                             {410, Kind::kGone},         {429, Kind::kServer}};
  const auto* const row = std::ranges::find(kKinds, status, &std::pair<int, Kind>::first);
  if (row != std::end(kKinds)) return row->second;
  return status >= 500 ? Kind::kServer : Kind::kRejected;
}

seconds seconds_of(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::clamp(seconds(value), seconds(0), kMaxRetryAfter);
}

/// A refusal: what the Status in its body says, if it is one.
ApiError error_of(std::string_view method, std::string_view path,
                  const http_client::ClientResponse& answer) {
  using nlohmann::json;
  ApiError error{.kind = kind_of(answer.status), .status = answer.status, .message = {}};
  if (const std::string* const after = answer.header("retry-after")) {
    error.retry_after = seconds_of(*after);
  }
  std::string reason;
  const json body = json::parse(answer.body, nullptr, false);
  if (body.is_object() && body.contains("message") && body["message"].is_string()) {
    reason = body["message"].get<std::string>();
  } else if (answer.status >= 300 && answer.status < 400) {
    reason = "a redirect, which is not followed";
  }
  if (reason.size() > kMaxMessage) reason.resize(kMaxMessage);
  error.message = fmt::format("the API server returned {} for {} {}{}{}", answer.status, method,
                              path.substr(0, path.find('?')), reason.empty() ? "" : ": ", reason);
  return error;
}

ApiError error_of(http_client::ClientError error) {
  return {.kind = kind_of(error.kind), .status = 0, .message = std::move(error.message)};
}

/// The text of a Warning header's value: 299 - "text", with quotes and backslashes escaped.
std::string warning_text(std::string_view value) {
  std::string text;
  const std::size_t open = value.find('"');
  if (open == std::string_view::npos) return text;
  for (std::size_t i = open + 1; i < value.size() && value[i] != '"'; ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
}

/// Cuts a stream into lines.
class Lines {
 public:
  explicit Lines(const Api::OnLine& on_line) : on_line_(on_line) {}

  bool take(std::string_view data) {
    while (!data.empty()) {
      const std::size_t end = data.find('\n');
      if (rest_.size() + std::min(end, data.size()) > kMaxLine) {
        too_long_ = true;
        return false;
      }
      if (end == std::string_view::npos) {
        rest_.append(data);
        return true;
      }
      std::string_view line = data.substr(0, end);
      if (!rest_.empty()) line = rest_.append(line);
      const bool wanted = line.empty() || on_line_(line);
      rest_.clear();
      if (!wanted) return false;
      data.remove_prefix(end + 1);
    }
    return true;
  }
  /// What came behind the last line break.
  void finish() {
    if (!rest_.empty()) on_line_(rest_);
  }
  bool too_long() const { return too_long_; }

 private:
  const Api::OnLine& on_line_;
  std::string rest_;
  bool too_long_ = false;
};

const char* content_type(PatchType type) {
  switch (type) {
    case PatchType::kMerge:
      return "application/merge-patch+json";
    case PatchType::kJson:
      return "application/json-patch+json";
    case PatchType::kApply:
      return "application/apply-patch+yaml";
  }
  return "";
}

}  // namespace

class ApiClient::Impl {
 public:
  Impl(Connection connection, std::string agent)
      : server_(std::move(connection.server)),
        token_(std::move(connection.token), std::move(connection.token_file)),
        client_({.ca_pem = std::move(connection.ca_pem),
                 .client_cert_pem = std::move(connection.client_cert_pem),
                 .client_key_pem = std::move(connection.client_key_pem),
                 .server_name = std::move(connection.server_name),
                 .agent = std::move(agent)}) {}

  struct Body {
    const char* type;
    std::string_view json;
  };

  Answer send(std::string_view method, std::string_view path, std::optional<Body> body,
              milliseconds deadline, const std::stop_token& stop = {}) {
    auto answer = authorized(method, path, body, deadline,
                             [&](const auto& request) { return client_.send(request, stop); });
    if (!answer) return std::unexpected(answer.error());
    return std::move(answer->body);
  }

  std::expected<Created, ApiError> create_and_hear(std::string_view path, std::string_view json,
                                                   milliseconds deadline) {
    auto answer = authorized("POST", path, Body{"application/json", json}, deadline,
                             [&](const auto& request) { return client_.send(request, {}); });
    if (!answer) return std::unexpected(answer.error());
    Created created{.body = std::move(answer->body), .warnings = {}};
    for (const auto& [name, value] : answer->headers) {
      if (name == "warning") created.warnings.push_back(warning_text(value));
    }
    return created;
  }

  std::expected<void, ApiError> stream(std::string_view path, milliseconds silence,
                                       const std::stop_token& stop, const OnLine& on_line) {
    Lines lines(on_line);
    bool ended = false;
    const auto answer =
        authorized("GET", path, std::nullopt, kStreamHead, [&](const auto& request) {
          return client_.stream(request, silence, stop, [&](std::string_view data) {
            ended = !lines.take(data);
            return !ended;
          });
        });
    if (!answer) return std::unexpected(answer.error());
    if (lines.too_long()) {
      return std::unexpected(
          ApiError{.kind = Kind::kTooLarge,
                   .status = 0,
                   .message = fmt::format("a line of GET {} has more than {} bytes",
                                          path.substr(0, path.find('?')), kMaxLine)});
    }
    if (!ended) lines.finish();
    return {};
  }

 private:
  /// Sends with the token; where it is refused, once more with the one that its file holds now.
  template <typename Send>
  std::expected<http_client::ClientResponse, ApiError> authorized(std::string_view method,
                                                                  std::string_view path,
                                                                  const std::optional<Body>& body,
                                                                  milliseconds deadline,
                                                                  const Send& send) {
    std::string token = token_.get();
    for (bool again = true;; again = false) {
      http_client::ClientRequest request{.method = method,
                                         .url = fmt::format("{}{}", server_, path),
                                         .headers = {{"Accept", "application/json"}},
                                         .body = body ? body->json : std::string_view(),
                                         .deadline = deadline,
                                         .max_response = kMaxAnswer};
      if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
      if (body) request.headers.emplace_back("Content-Type", body->type);
      std::expected<http_client::ClientResponse, http_client::ClientError> answer = send(request);
      if (!answer) return std::unexpected(error_of(std::move(answer.error())));
      if (answer->status >= 200 && answer->status < 300) return *std::move(answer);
      if (answer->status != 401 || !again || !token_.renew(token)) {
        return std::unexpected(error_of(method, path, *answer));
      }
      token = token_.get();
    }
  }

  const std::string server_;
  Token token_;
  const http_client::Client client_;
};

ApiClient::ApiClient(Connection connection, std::string agent)
    : impl_(std::make_unique<Impl>(std::move(connection), std::move(agent))) {}
ApiClient::~ApiClient() = default;

Api::Answer ApiClient::get(std::string_view path, milliseconds deadline) {
  return impl_->send("GET", path, std::nullopt, deadline);
}

Api::Answer ApiClient::get_unless_stopped(std::string_view path, milliseconds deadline,
                                          const std::stop_token& stop) {
  return impl_->send("GET", path, std::nullopt, deadline, stop);
}

Api::Answer ApiClient::create(std::string_view path, std::string_view json, milliseconds deadline) {
  return impl_->send("POST", path, Impl::Body{"application/json", json}, deadline);
}

std::expected<ApiClient::Created, ApiError> ApiClient::create_and_hear(std::string_view path,
                                                                       std::string_view json,
                                                                       milliseconds deadline) {
  return impl_->create_and_hear(path, json, deadline);
}

Api::Answer ApiClient::replace(std::string_view path, std::string_view json,
                               milliseconds deadline) {
  return impl_->send("PUT", path, Impl::Body{"application/json", json}, deadline);
}

Api::Answer ApiClient::patch(std::string_view path, PatchType type, std::string_view json,
                             milliseconds deadline) {
  return impl_->send("PATCH", path, Impl::Body{content_type(type), json}, deadline);
}

std::expected<void, ApiError> ApiClient::stream(std::string_view path, milliseconds silence,
                                                std::stop_token stop, const OnLine& on_line) {
  return impl_->stream(path, silence, stop, on_line);
}

}  // namespace belay::webhook::kube
