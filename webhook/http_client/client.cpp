// libcurl behind plain types. Each call has an easy handle in a multi handle of its own, taken from
// a pool: the multi handle keeps the connections, can be waited on and can be woken from outside.
#include "webhook/http_client/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <csignal>
#include <mutex>

#include "policy/text/ascii.h"
#include "webhook/http_client/client_exchange.h"
#include "webhook/http_client/libcurl.h"

namespace belay::webhook::http_client {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = ClientError::Kind;
using std::chrono::milliseconds;

constexpr std::size_t kIdleCalls = 8;  // kept for the next call

/// libcurl's functions; run() sees to it that they are there before anything else is called.
const LibCurl& curl() { return *libcurl(); }

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* handle) const {
    (curl().*kFree)(handle);
  }
};
using Easy = std::unique_ptr<CURL, Free<&LibCurl::easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, Free<&LibCurl::multi_cleanup>>;
using Url = std::unique_ptr<CURLU, Free<&LibCurl::url_cleanup>>;
using List = std::unique_ptr<curl_slist, Free<&LibCurl::slist_free_all>>;

void append(List& list, const std::string& line) {
  curl_slist* const longer = curl().slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  if (list == nullptr) list.reset(longer);
}

/// With CURLOPT_NOSIGNAL libcurl leaves SIGPIPE alone, and OpenSSL's writes raise it.
void ignore_sigpipe() {
  struct sigaction action{};
  if (sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) {
    (void)std::signal(SIGPIPE, SIG_IGN);
  }
}

/// "GET https://host/path": neither query nor credentials.
std::string description(const ClientRequest& request) {
  std::string url = request.url.substr(0, request.url.find_first_of("?#"));
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t at = url.rfind('@', url.find('/', host));
  if (at != std::string::npos && at >= host) url.erase(host, at + 1 - host);
  return fmt::format("{} {}", request.method, url);
}

struct Row {
  CURLcode code;
  Kind kind;
  const char* words;
};
constexpr Row kRows[] = {
    {CURLE_COULDNT_RESOLVE_HOST, Kind::kUnreachable, "the host name has no address"},
    {CURLE_COULDNT_RESOLVE_PROXY, Kind::kUnreachable, "the proxy's host name has no address"},
    {CURLE_COULDNT_CONNECT, Kind::kUnreachable, "cannot connect"},
    {CURLE_SEND_ERROR, Kind::kUnreachable, "the connection was lost"},
    {CURLE_RECV_ERROR, Kind::kUnreachable, "the connection was lost"},
    {CURLE_GOT_NOTHING, Kind::kUnreachable, "the connection was closed without a response"},
    {CURLE_PARTIAL_FILE, Kind::kUnreachable, "the response was cut off"},
    {CURLE_OPERATION_TIMEDOUT, Kind::kTimeout, "no response in time"},
    {CURLE_PEER_FAILED_VERIFICATION, Kind::kTls, "the server's certificate is not trusted"},
    {CURLE_SSL_CONNECT_ERROR, Kind::kTls, "the TLS handshake failed"},
    {CURLE_SSL_CERTPROBLEM, Kind::kTls, "the client certificate or key is invalid"},
    {CURLE_SSL_CIPHER, Kind::kTls, "the TLS handshake failed"},
    {CURLE_SSL_CACERT_BADFILE, Kind::kTls, "the CA certificates to trust are invalid"},
    {CURLE_SSL_ISSUER_ERROR, Kind::kTls, "the server's certificate is not trusted"},
    {CURLE_URL_MALFORMAT, Kind::kProtocol, "this is not the URL of a server"},
    {CURLE_UNSUPPORTED_PROTOCOL, Kind::kProtocol, "only https and http are supported"},
};

curl_blob blob(const std::string& text) {
  return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
}

/// Where a call connects, if the name to be checked is not that of the URL.
struct Target {
  std::string url;
  List connect_to;
  std::string host_header;
};

std::expected<Target, std::string> target_of(const std::string& url, const std::string& name) {
  Target target{.url = url, .connect_to = nullptr, .host_header = {}};
  if (name.empty()) return target;
  const Url parts(curl().url());
  const auto part = [&](CURLUPart which, unsigned flags) -> std::string {
    char* text = nullptr;
    if (curl().url_get(parts.get(), which, &text, flags) != CURLUE_OK) return {};
    std::string copy(text);
    curl().free(text);
    return copy;
  };
  if (curl().url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return std::unexpected("this is not the URL of a server");
  }
  const std::string address =
      fmt::format("{}:{}", part(CURLUPART_HOST, 0), part(CURLUPART_PORT, CURLU_DEFAULT_PORT));
  append(target.connect_to, "::" + address);
  target.host_header = "Host: " + address;
  if (curl().url_set(parts.get(), CURLUPART_HOST, name.c_str(), 0) != CURLUE_OK) {
    return std::unexpected("the server name to verify is not a host name");
  }
  target.url = part(CURLUPART_URL, 0);
  return target;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char letter) {
    return (letter < 0x20 && letter != '\t') || letter == 0x7f;
  });
}

}  // namespace

const std::string* ClientResponse::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, &Header::first);
  return found == headers.end() ? nullptr : &found->second;
}

/// The handles of one call. While it runs, only wake() may come from another thread.
class Client::Pool {
 public:
  explicit Pool(ClientOptions options) : options_(std::move(options)) { ignore_sigpipe(); }

  std::expected<ClientResponse, ClientError> run(const ClientRequest& request, milliseconds silence,
                                                 const std::stop_token& stop,
                                                 const OnData* on_data);

 private:
  struct Call {
    // Members are destroyed from the last to the first: easy before multi, as libcurl wants it.
    Multi multi{curl().multi_init()};
    Easy easy{curl().easy_init()};
  };

  std::unique_ptr<Call> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Call>();
    auto call = std::move(idle_.back());
    idle_.pop_back();
    return call;
  }
  void give_back(std::unique_ptr<Call> call) {
    curl().easy_reset(call->easy.get());
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleCalls) idle_.push_back(std::move(call));
  }
  void set_up(CURL* easy, const Target& target, curl_slist* headers, Exchange& exchange,
              char* error_text) const;
  static std::expected<CURLcode, Kind> drive(const Call& call, const Exchange& exchange,
                                             milliseconds silence, const std::stop_token& stop);

  const ClientOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Call>> idle_;
};

void Client::Pool::set_up(CURL* easy, const Target& target, curl_slist* headers, Exchange& exchange,
                          char* error_text) const {
  const auto set = [easy](CURLoption option, auto value) {
    curl().easy_setopt(easy, option, value);
  };
  const ClientRequest& request = exchange.request;
  set(CURLOPT_URL, target.url.c_str());
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_USERAGENT, options_.agent.c_str());
  if (target.connect_to != nullptr) set(CURLOPT_CONNECT_TO, target.connect_to.get());
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
        request.method == "PATCH") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    }
    set(CURLOPT_CUSTOMREQUEST, std::string(request.method).c_str());  // copied by libcurl
  }

  set(CURLOPT_PROTOCOLS_STR, "https,http");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name lookup that hangs holds up nobody
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
  if (exchange.on_data == nullptr) {
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.deadline.count()));
  }
  const std::string proxy(proxy_for(options_.proxies, target.url));
  set(CURLOPT_PROXY, proxy.c_str());  // copied; "" also keeps it from the environment
  set(CURLOPT_NOPROXY, "");
  exchange.guard = proxy.empty() ? options_.guard : AddressGuard::kNone;
  set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  set(CURLOPT_OPENSOCKETDATA, &exchange);

  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  // Blobs are borrowed: options_ outlives every call.
  if (!options_.ca_pem.empty()) {
    curl_blob authorities = blob(options_.ca_pem);
    set(CURLOPT_CAINFO_BLOB, &authorities);
    // Else the system's folder would be trusted beside them.
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  if (!options_.client_cert_pem.empty()) {
    curl_blob certificate = blob(options_.client_cert_pem);
    curl_blob key = blob(options_.client_key_pem);
    set(CURLOPT_SSLCERT_BLOB, &certificate);
    set(CURLOPT_SSLKEY_BLOB, &key);
  }

  set(CURLOPT_ERRORBUFFER, error_text);
  set(CURLOPT_HEADERFUNCTION, &take_header);
  set(CURLOPT_HEADERDATA, &exchange);
  set(CURLOPT_WRITEFUNCTION, &take_body);
  set(CURLOPT_WRITEDATA, &exchange);
}

/// Until libcurl is done with the exchange, or we are: with its time, its silence or a stop.
std::expected<CURLcode, ClientError::Kind> Client::Pool::drive(const Call& call,
                                                               const Exchange& exchange,
                                                               milliseconds silence,
                                                               const std::stop_token& stop) {
  const auto deadline = Clock::now() + exchange.request.deadline;
  CURLM* const multi = call.multi.get();
  const std::stop_callback wake(stop, [multi] { curl().multi_wakeup(multi); });
  while (true) {
    if (stop.stop_requested()) return std::unexpected(Kind::kStopped);
    int running = 0;
    if (curl().multi_perform(multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    int left = 0;
    while (const CURLMsg* const message = curl().multi_info_read(multi, &left)) {
      if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    const bool flowing = exchange.streams() && exchange.head_read;
    const auto end = flowing ? exchange.last_byte + silence : deadline;
    const auto rest = std::chrono::ceil<milliseconds>(end - Clock::now());
    if (rest <= milliseconds(0)) return std::unexpected(Kind::kTimeout);
    const int wait = static_cast<int>(std::min<milliseconds::rep>(rest.count(), 60'000));
    if (curl().multi_poll(multi, nullptr, 0, wait, nullptr) != CURLM_OK) return CURLE_FAILED_INIT;
  }
}

std::expected<ClientResponse, ClientError> Client::Pool::run(const ClientRequest& request,
                                                             milliseconds silence,
                                                             const std::stop_token& stop,
                                                             const OnData* on_data) {
  const auto error = [&request](Kind kind, std::string_view words) {
    return std::unexpected(
        ClientError{.kind = kind, .message = fmt::format("{}: {}", description(request), words)});
  };
  if (!libcurl()) return error(Kind::kProtocol, libcurl().error());
  const auto target = target_of(request.url, options_.server_name);
  if (!target) return error(Kind::kProtocol, target.error());
  List headers;
  append(headers, "Expect:");  // a body goes out at once
  if (!target->host_header.empty()) append(headers, target->host_header);
  for (const auto& [name, value] : request.headers) {
    if (has_control(name) || has_control(value)) {
      return error(Kind::kProtocol, fmt::format("the header {} contains a line break", name));
    }
    append(headers, value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  }

  auto call = take();
  if (call->multi == nullptr || call->easy == nullptr) {
    return error(Kind::kProtocol, "libcurl cannot be initialised");
  }
  std::array<char, CURL_ERROR_SIZE> error_text{};
  Exchange exchange{.request = request, .on_data = on_data, .easy = call->easy.get()};
  set_up(call->easy.get(), *target, headers.get(), exchange, error_text.data());
  curl().multi_add_handle(call->multi.get(), call->easy.get());
  const auto result = drive(*call, exchange, silence, stop);
  curl().multi_remove_handle(call->multi.get(), call->easy.get());
  give_back(std::move(call));

  if (exchange.refused() && (!result || *result != CURLE_OK)) {
    return error(Kind::kRefusedAddress,
                 "the host name resolves to an address that belay does not connect to");
  }
  if (exchange.too_large) {
    return error(Kind::kTooLarge,
                 fmt::format("the response has more than {} bytes",
                             exchange.header_bytes > kMaxHeaderBytes ? kMaxHeaderBytes
                                                                     : request.max_response));
  }
  if (exchange.ended_by_caller) return std::move(exchange.response);
  if (!result) {
    if (result.error() == Kind::kStopped) return error(Kind::kStopped, "stopped");
    const bool silent = exchange.streams();
    return error(Kind::kTimeout, fmt::format("no response in time: no {} within {} ms",
                                             silent ? "data" : "response",
                                             (silent ? silence : request.deadline).count()));
  }
  if (*result == CURLE_OK) return std::move(exchange.response);
  if (*result == CURLE_OPERATION_TIMEDOUT) {
    return error(Kind::kTimeout, fmt::format("no response in time: {}", error_text.data()));
  }
  const auto* const row = std::ranges::find(kRows, *result, &Row::code);
  const std::string_view detail =
      error_text[0] != '\0' ? error_text.data() : curl().easy_strerror(*result);
  if (row == std::end(kRows)) return error(Kind::kProtocol, detail);
  return error(row->kind, fmt::format("{}: {}", row->words, detail));
}

Client::Client(ClientOptions options) : pool_(std::make_unique<Pool>(std::move(options))) {}
Client::~Client() = default;

std::expected<ClientResponse, ClientError> Client::send(const ClientRequest& request,
                                                        const std::stop_token& stop) const {
  return pool_->run(request, milliseconds(0), stop, nullptr);
}

std::expected<ClientResponse, ClientError> Client::stream(const ClientRequest& request,
                                                          milliseconds silence,
                                                          const std::stop_token& stop,
                                                          const OnData& on_data) const {
  return pool_->run(request, silence, stop, &on_data);
}

}  // namespace belay::webhook::http_client
