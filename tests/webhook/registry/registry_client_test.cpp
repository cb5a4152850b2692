// RegistryClient against a registry that does what the test wants, over TLS on loopback.
#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "policy/text/base64.h"
#include "tests/support/https_imposter.h"
#include "webhook/registry/json_text.h"
#include "webhook/registry/manifest.h"
#include "webhook/registry/registry_client.h"

namespace belay::webhook::registry {
namespace {

using namespace std::chrono_literals;
using tests::Imposter;
using tests::Peer;

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kManifest =
    R"({"schemaVersion":2,"config":{"digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}})";
const std::string kCanary = "canary-of-the-registry";

/// The first line of a request, and a header of it.
std::string line_of(const std::string& request) {
  return request.substr(0, request.find(" HTTP/"));
}
std::string header_of(const std::string& request, const std::string& name) {
  const std::size_t at = request.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + name.size() + 4;
  return request.substr(begin, request.find("\r\n", begin) - begin);
}

/// Thrown by a script that hangs up.
struct HangUp {};

/// A server that answers with a script, and remembers what it was sent.
class Server {
 public:
  using Answer = std::function<void(Peer&, const std::string& request)>;
  explicit Server(Answer answer, bool tls = true)
      : answer_(std::move(answer)), imposter_(tls ? &identity().leaf : nullptr, [this](Peer& peer) {
          while (true) {
            const std::string request = peer.request();
            if (request.empty()) return;
            {
              const std::lock_guard lock(mutex_);
              requests_.push_back(request);
            }
            try {
              answer_(peer, request);
            } catch (const HangUp&) {
              return;
            }
          }
        }) {}

  static const tests::Identity& identity() {
    static const tests::Identity kIdentity = tests::identity({"127.0.0.1", "localhost"});
    return kIdentity;
  }
  std::string url() const { return imposter_.url(); }
  std::string host() const { return "127.0.0.1:" + std::to_string(imposter_.port()); }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  int connections() const { return imposter_.connections(); }
  Endpoint endpoint() const {
    return {.url = url(), .allow_private = true, .ca_pem = identity().authority.certificate};
  }

 private:
  const Answer answer_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  Imposter imposter_;  ///< last: its threads end first
};

class Watcher final : public RegistryObserver {
 public:
  void requested(std::string_view registry, std::string_view result,
                 std::chrono::nanoseconds) override {
    const std::lock_guard lock(mutex_);
    seen.emplace_back(std::string(registry) + " " + std::string(result));
  }
  std::vector<std::string> seen;

 private:
  std::mutex mutex_;
};

RegistryClientOptions quick() {
  return {.connect_timeout = 500ms, .request_timeout = 500ms, .open_time = 200ms};
}
RegistryClient client_of(std::vector<Endpoint> endpoints, RegistryClientOptions options = quick(),
                         RegistryObserver* observer = nullptr) {
  return {{{{"registry.corp", std::move(endpoints)}}}, options, observer};
}
Place place(Credential credential = {}) {
  return {"registry.corp", "shop/web", std::move(credential)};
}
Credential user(const std::string& name = "me", const std::string& password = "secret") {
  Credential one;
  one.username = name;
  one.password = password;
  one.identity = name + ":" + password;
  return one;
}
Clock::time_point soon() { return Clock::now() + 5s; }

std::string digest_header(const std::string& digest) {
  return "Docker-Content-Digest: " + digest + "\r\n";
}

/// What one answer to every request leads to.
std::expected<std::string, RegistryError> digest_with(const Server::Answer& answer,
                                                      Clock::time_point deadline = soon()) {
  const Server server(answer);
  RegistryClient client = client_of({server.endpoint()});
  return client.digest(place(), "v1", deadline);
}

void head(Peer& peer, int status, const std::string& headers) {
  peer.write("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\n" + headers +
             "\r\n");
}

TEST_CASE("a tag's digest is what HEAD says, asked with every media type") {
  const Server server(
      [](Peer& peer, const std::string&) { head(peer, 200, digest_header(kDigest)); });
  Watcher watcher;
  RegistryClient client = client_of({server.endpoint()}, quick(), &watcher);
  CHECK(client.digest(place(), "v1", soon()) == kDigest);
  const auto requests = server.requests();
  REQUIRE(requests.size() == 1);
  CHECK(line_of(requests[0]) == "HEAD /v2/shop/web/manifests/v1");
  CHECK(header_of(requests[0], "Accept") == kManifestTypes);
  CHECK(header_of(requests[0], "Authorization").empty());
  CHECK(watcher.seen == std::vector<std::string>{"registry.corp ok"});
  CHECK(client.digest({"elsewhere.corp", "a", {}}, "v1", soon()).error().failure ==
        Failure::kNotListed);
  CHECK(watcher.seen.back() == "other not_listed");
}

TEST_CASE("where HEAD gives no digest it is computed from what GET gives") {
  for (const int status : {200, 405}) {
    const Server server([&](Peer& peer, const std::string& request) {
      if (request.starts_with("HEAD")) return head(peer, status, "");
      peer.answer(200, kManifest);
    });
    RegistryClient client = client_of({server.endpoint()});
    CHECK(client.digest(place(), "v1", soon()) == digest_of(kManifest));
  }
}

TEST_CASE("3.15: what is not a digest, or not that of the body, is an invalid response") {
  for (const std::string& bad :
       {std::string("sha256:short"), kDigest + "\"}]", std::string("sha1:x")}) {
    CAPTURE(bad);
    const auto answer =
        digest_with([&](Peer& peer, const std::string&) { head(peer, 200, digest_header(bad)); });
    CHECK(answer.error().failure == Failure::kInvalidResponse);
  }
  const auto wrong = digest_with([](Peer& peer, const std::string& request) {
    if (request.starts_with("HEAD")) return head(peer, 200, "");
    peer.answer(200, kManifest, digest_header(kDigest));
  });
  CHECK(wrong.error().failure == Failure::kInvalidResponse);

  const Server server([](Peer& peer, const std::string&) { peer.answer(200, kManifest); });
  RegistryClient client = client_of({server.endpoint()});
  CHECK(client.manifest(place(), digest_of(kManifest), soon()).has_value());
  CHECK(client.manifest(place(), kDigest, soon()).error().failure == Failure::kInvalidResponse);
  CHECK(client.blob(place(), kDigest, soon()).error().failure == Failure::kInvalidResponse);
}

TEST_CASE("A18: each failure of a registry has its name, and no word of the registry's") {
  struct Row {
    Failure failure;
    Server::Answer answer;
  };
  const auto status = [](int code) {
    return [code](Peer& peer, const std::string&) {
      peer.answer(code, kCanary, "X-Canary: " + kCanary + "\r\n");
    };
  };
  const std::vector<Row> rows = {
      {Failure::kNotFound, status(404)},
      {Failure::kUnauthorized, status(401)},
      {Failure::kUnauthorized, status(403)},
      {Failure::kRateLimited, status(429)},
      {Failure::kServerError, status(500)},
      {Failure::kInvalidResponse, status(418)},
      {Failure::kUnreachable,
       [](Peer& peer, const std::string&) {
         peer.write("HTTP/1.1 200");
         throw HangUp();
       }},
      {Failure::kTimeout, [](Peer& peer, const std::string&) { peer.gone_within(5s); }},
      {Failure::kInvalidResponse,
       [](Peer& peer, const std::string& request) {
         if (request.starts_with("HEAD")) return head(peer, 200, "");
         peer.write("HTTP/1.1 200 X\r\n\r\n");
         const std::string much(1U << 20U, 'x');
         while (peer.write(much)) {
         }
       }},
      {Failure::kInvalidResponse,
       [](Peer& peer, const std::string&) {
         peer.write("HTTP/1.1 200 X\r\n");
         while (peer.write("X-Endless: " + std::string(8'000, 'x') + "\r\n")) {
         }
       }},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    const auto begin = Clock::now();
    const auto answer = digest_with(rows[i].answer, Clock::now() + 2s);
    REQUIRE_FALSE(answer);
    CHECK(name_of(answer.error().failure) == name_of(rows[i].failure));
    CHECK(answer.error().message.starts_with("registry.corp "));
    CHECK(answer.error().message.find(kCanary) == std::string::npos);
    CHECK(answer.error().message.find("127.0.0.1") == std::string::npos);
    CHECK(Clock::now() - begin < 3s);
  }
}

TEST_CASE(
    "3.13: who may not see an image is told what who asks for one that is not there is told") {
  const auto refused = digest_with([](Peer& peer, const std::string&) { peer.answer(403, ""); });
  const auto absent = digest_with([](Peer& peer, const std::string&) { peer.answer(404, ""); });
  CHECK(refused.error().message == absent.error().message);
}

TEST_CASE("3.11: no redirect of a manifest is followed") {
  const Server target(
      [](Peer& peer, const std::string&) { head(peer, 200, digest_header(kDigest)); });
  for (const int status : {301, 302, 307, 308}) {
    const auto answer = digest_with([&](Peer& peer, const std::string&) {
      head(peer, status, "Location: " + target.url() + "/v2/shop/web/manifests/v1\r\n");
    });
    CHECK(answer.error().failure == Failure::kRedirect);
  }
  CHECK(target.requests().empty());
}

TEST_CASE("a blob is fetched where its registry leads, without credentials and over https only") {
  const std::string blob = "{}";
  const Server store([&](Peer& peer, const std::string&) { peer.answer(200, blob); });
  const Server plain([&](Peer& peer, const std::string&) { peer.answer(200, blob); }, false);
  std::string target = store.url() + "/bucket/x?sig=1";
  const Server server([&](Peer& peer, const std::string& request) {
    if (header_of(request, "Authorization").empty())
      return head(peer, 401, "WWW-Authenticate: Basic realm=x\r\n");
    head(peer, 307, "Location: " + target + "\r\n");
  });
  Endpoint endpoint = server.endpoint();
  endpoint.blob_hosts = {store.host(), plain.host()};
  RegistryClient client = client_of({endpoint});
  const auto fetched = client.blob(place(user()), digest_of(blob), soon());
  REQUIRE(fetched);
  CHECK(fetched->body == blob);
  REQUIRE(store.requests().size() == 1);
  CHECK(header_of(store.requests()[0], "Authorization").empty());
  CHECK(line_of(store.requests()[0]) == "GET /bucket/x?sig=1");
  for (const std::string& bad :
       {plain.url() + "/x", std::string("ftp://a/x"), std::string("//evil/x"),
        std::string("https://u@127.0.0.1/x"), std::string()}) {
    target = bad;
    CHECK(client.blob(place(user()), digest_of(blob), soon()).error().failure ==
          Failure::kRedirect);
  }
  CHECK(plain.requests().empty());
}

TEST_CASE(
    "3.11: a registry leads to no private address but its own and those listed for its blobs") {
  const std::string blob = "{}";
  const Server inside([&](Peer& peer, const std::string&) { peer.answer(200, blob); });
  std::string target = inside.url() + "/x";
  const Server server([&](Peer& peer, const std::string& request) {
    if (request.starts_with("GET /kept")) return (void)peer.answer(200, blob);
    head(peer, 307, "Location: " + target + "\r\n");
  });
  for (const std::vector<std::string>& listed :
       {std::vector<std::string>{}, {"store.corp"}, {"127.0.0.1"}, {server.host()}}) {
    CAPTURE(listed.size());
    Endpoint endpoint = server.endpoint();
    endpoint.blob_hosts = listed;
    RegistryClient client = client_of({endpoint});
    target = inside.url() + "/x";
    const auto answer = client.blob(place(), digest_of(blob), soon());
    REQUIRE_FALSE(answer);
    CHECK(name_of(answer.error().failure) == "refused_address");
    target = server.url() + "/kept";
    CHECK(client.blob(place(), digest_of(blob), soon()).has_value());
  }
  CHECK(inside.connections() == 0);
  // The list is no leave of its own: allowPrivate has to be there, too.
  Endpoint endpoint = server.endpoint();
  endpoint.blob_hosts = {inside.host()};
  RegistryClient client = client_of({endpoint});
  target = inside.url() + "/x";
  CHECK(client.blob(place(), digest_of(blob), soon()).has_value());
  CHECK(inside.connections() == 1);
}

// -- credentials ----------------------------------------------------------------------------------

TEST_CASE("a basic challenge is answered, and remembered") {
  const Server server([](Peer& peer, const std::string& request) {
    if (header_of(request, "Authorization") == "Basic " + policy::base64_encode("me:secret")) {
      return head(peer, 200, digest_header(kDigest));
    }
    head(peer, 401, "WWW-Authenticate: Basic realm=\"x\"\r\n");
  });
  RegistryClient client = client_of({server.endpoint()});
  CHECK(client.digest(place(user()), "v1", soon()) == kDigest);
  CHECK(client.digest(place(user()), "v2", soon()) == kDigest);
  CHECK(server.requests().size() == 3);  // one refusal, not two
  CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kUnauthorized);
  CHECK(client.digest(place(user("me", "wrong")), "v1", soon()).error().failure ==
        Failure::kUnauthorized);
}

/// A registry with its own token service.
Server::Answer with_tokens(
    std::atomic<int>& served, const std::string& realm_host,
    const std::string& token_answer = R"({"token":"abc","expires_in":300})") {
  return [&served, realm_host, token_answer](Peer& peer, const std::string& request) {
    if (request.starts_with("GET /token") || request.starts_with("POST /token")) {
      ++served;
      peer.answer(200, token_answer);
    } else if (header_of(request, "Authorization") == "Bearer abc") {
      head(peer, 200, digest_header(kDigest));
    } else {
      head(peer, 401,
           "WWW-Authenticate: Bearer realm=\"" + realm_host +
               "/token\",service=\"s\",scope=\"evil\"\r\n");
    }
  };
}

TEST_CASE("a token is fetched for what is asked, with the credential, and used until it expires") {
  std::atomic<int> served = 0;
  std::string url;
  const Server server(
      [&](Peer& peer, const std::string& request) { with_tokens(served, url)(peer, request); });
  url = server.url();
  RegistryClient client = client_of({server.endpoint()});
  CHECK(client.digest(place(user()), "v1", soon()) == kDigest);
  CHECK(client.digest(place(user()), "v2", soon()) == kDigest);
  CHECK(served == 1);
  const auto requests = server.requests();
  CHECK(line_of(requests[1]) == "GET /token?service=s&scope=repository:shop/web:pull");
  CHECK(header_of(requests[1], "Authorization") == "Basic " + policy::base64_encode("me:secret"));
  // Another identity gets a token of its own.
  CHECK(client.digest(place(user("you")), "v1", soon()) == kDigest);
  CHECK(served == 2);
  CHECK(client.digest(place(), "v1", soon()) == kDigest);
  CHECK(served == 3);
  Credential refresh;
  refresh.identity_token = "long lived+";
  refresh.identity = "refresh";
  CHECK(client.digest(place(refresh), "v1", soon()) == kDigest);
  const std::string post = server.requests()[server.requests().size() - 2];
  CHECK(line_of(post) == "POST /token?service=s");
  CHECK(post.ends_with(
      "grant_type=refresh_token&client_id=belay&service=s&scope=repository:shop/web:pull"
      "&refresh_token=long%20lived%2B"));
}

TEST_CASE("a token that lives no time is fetched for every question") {
  std::atomic<int> served = 0;
  std::string url;
  const Server server([&](Peer& peer, const std::string& request) {
    with_tokens(served, url, R"({"token":"abc","expires_in":0})")(peer, request);
  });
  url = server.url();
  RegistryClient client = client_of({server.endpoint()});
  CHECK(client.digest(place(), "v1", soon()) == kDigest);
  CHECK(client.digest(place(), "v1", soon()) == kDigest);
  CHECK(served == 2);
}

TEST_CASE("3.10: a token service on another host is asked only where it is listed") {
  std::atomic<int> served = 0;
  const Server tokens(with_tokens(served, ""));
  const Server server(with_tokens(served, tokens.url()));
  RegistryClient closed = client_of({server.endpoint()});
  CHECK(closed.digest(place(user()), "v1", soon()).error().failure == Failure::kRefusedRealm);
  CHECK(tokens.requests().empty());
  Endpoint open = server.endpoint();
  open.token_hosts = {tokens.host()};
  RegistryClient listed = client_of({open});
  CHECK(listed.digest(place(user()), "v1", soon()) == kDigest);
  CHECK(tokens.requests().size() == 1);
  for (const std::string& realm :
       {std::string("http://169.254.169.254/latest"), std::string("https://u@127.0.0.1"),
        "https://127.0.0.1\\\\@" + tokens.host(), std::string("")}) {
    CAPTURE(realm);
    const Server hostile(with_tokens(served, realm));
    RegistryClient client = client_of({hostile.endpoint()});
    CHECK(client.digest(place(user()), "v1", soon()).error().failure == Failure::kRefusedRealm);
  }
  CHECK(tokens.requests().size() == 1);
}

TEST_CASE("a token service that answers nonsense is an invalid response") {
  for (const char* body : {"", "{}", R"({"token":"a b"})", R"({"token":"a\r\nX: y"})", "<html>"}) {
    std::atomic<int> served = 0;
    std::string url;
    const Server server([&](Peer& peer, const std::string& request) {
      with_tokens(served, url, body)(peer, request);
    });
    url = server.url();
    RegistryClient client = client_of({server.endpoint()});
    CHECK(client.digest(place(user()), "v1", soon()).error().failure == Failure::kInvalidResponse);
  }
}

TEST_CASE("3.12: credentials never go over http, nor to a mirror") {
  const Server plain(
      [](Peer& peer, const std::string&) {
        head(peer, 401, "WWW-Authenticate: Basic realm=\"x\"\r\n");
      },
      false);
  RegistryClient http = client_of({{.url = plain.url(), .allow_private = true}});
  CHECK(http.digest(place(user()), "v1", soon()).error().failure == Failure::kUnauthorized);
  for (const std::string& request : plain.requests())
    CHECK(header_of(request, "Authorization").empty());

  const Server mirror([](Peer& peer, const std::string&) {
    head(peer, 401, "WWW-Authenticate: Basic realm=x\r\n");
  });
  const Server own([](Peer& peer, const std::string& request) {
    if (header_of(request, "Authorization").empty())
      return head(peer, 401, "WWW-Authenticate: Basic realm=x\r\n");
    head(peer, 200, digest_header(kDigest));
  });
  RegistryClient client = client_of({mirror.endpoint(), own.endpoint()});
  CHECK(client.digest(place(user()), "v1", soon()) == kDigest);
  for (const std::string& request : mirror.requests())
    CHECK(header_of(request, "Authorization").empty());
  CHECK(own.requests().size() == 2);
}

// -- trouble
// ----------------------------------------------------------------------------------------

TEST_CASE("a registry that stumbles is asked again within the deadline") {
  std::atomic<int> count = 0;
  const Server server([&](Peer& peer, const std::string&) {
    if (++count < 3) return head(peer, 503, "");
    head(peer, 200, digest_header(kDigest));
  });
  RegistryClient client = client_of({server.endpoint()});
  CHECK(client.digest(place(), "v1", soon()) == kDigest);
  CHECK(count == 3);
}

TEST_CASE("a registry that fails again and again rests, and one question tries it afterwards") {
  std::atomic<bool> well = false;
  const Server server([&](Peer& peer, const std::string&) {
    well ? head(peer, 200, digest_header(kDigest)) : head(peer, 500, "");
  });
  RegistryClientOptions options = quick();
  options.failures_to_open = 3;
  RegistryClient client = client_of({server.endpoint()}, options);
  CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kServerError);
  const auto asked = server.requests().size();
  CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kCircuitOpen);
  CHECK(server.requests().size() == asked);
  well = true;
  const auto end = soon();
  auto answer = client.digest(place(), "v1", soon());
  while (!answer && Clock::now() < end) answer = client.digest(place(), "v1", soon());
  CHECK(answer == kDigest);
}

TEST_CASE("questions whose own time is up say nothing of the registry") {
  std::atomic<bool> hangs = true;
  const Server server([&](Peer& peer, const std::string& request) {
    if (hangs && request.starts_with("HEAD")) return (void)peer.gone_within(5s);
    head(peer, 200, digest_header(kDigest));
  });
  RegistryClientOptions options = quick();
  options.failures_to_open = 2;
  options.open_time = 30s;
  RegistryClient client = client_of({server.endpoint()}, options);
  auto time = 100ms;
  SUBCASE("cut off under way") {}
  SUBCASE("never sent") { time = -1s; }
  for (int i = 0; i < 4; ++i) {
    const auto answer = client.digest(place(), "v1", Clock::now() + time);
    REQUIRE_FALSE(answer);
    CHECK(name_of(answer.error().failure) == "timeout");
  }
  CHECK(server.requests().empty() == (time < 0s));
  hangs = false;
  CHECK(client.digest(place(), "v1", soon()) == kDigest);
}

TEST_CASE("a question whose time is up before a token leads on says nothing of the registry") {
  std::atomic<bool> hurried = true;
  std::string url;
  const Server server([&](Peer& peer, const std::string& request) {
    if (request.starts_with("GET /token")) {
      if (hurried) peer.gone_within(350ms);
      return (void)peer.answer(200, R"({"token":"abc","expires_in":0})");
    }
    if (header_of(request, "Authorization") == "Bearer abc") {
      if (hurried) peer.gone_within(350ms);
      return head(peer, 200, digest_header(kDigest));
    }
    head(peer, 401, "WWW-Authenticate: Bearer realm=\"" + url + "/token\"\r\n");
  });
  url = server.url();
  RegistryClientOptions options = quick();
  options.request_timeout = 2s;
  options.failures_to_open = 2;
  options.open_time = 30s;
  RegistryClient client = client_of({server.endpoint()}, options);
  for (int i = 0; i < 3; ++i) {
    CHECK(client.digest(place(), "v1", Clock::now() + 600ms).error().failure == Failure::kTimeout);
  }
  hurried = false;
  CHECK(client.digest(place(), "v1", soon()) == kDigest);
}

TEST_CASE("a registry that had its time and did not answer rests") {
  const Server server([](Peer& peer, const std::string&) { peer.gone_within(5s); });
  RegistryClientOptions options = quick();
  options.failures_to_open = 2;
  options.open_time = 30s;
  options.retries = 0;
  RegistryClient client = client_of({server.endpoint()}, options);
  SUBCASE("a whole request's") {}
  SUBCASE("half a second of a longer one's") {
    options.request_timeout = 30s;
    RegistryClient patient = client_of({server.endpoint()}, options);
    for (int i = 0; i < 2; ++i) {
      CHECK(patient.digest(place(), "v1", Clock::now() + 600ms).error().failure ==
            Failure::kTimeout);
    }
    CHECK(patient.digest(place(), "v1", soon()).error().failure == Failure::kCircuitOpen);
    return;
  }
  for (int i = 0; i < 2; ++i) {
    CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kTimeout);
  }
  CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kCircuitOpen);
}

TEST_CASE("a pause is kept, whoever of those that a registry leads to asks for it") {
  const std::string blob = "{}";
  std::string url;
  const Server server([&](Peer& peer, const std::string& request) {
    if (request.starts_with("GET /limited")) return head(peer, 429, "Retry-After: 30\r\n");
    if (request.starts_with("GET")) return head(peer, 307, "Location: /limited\r\n");
    head(peer, 401, "WWW-Authenticate: Bearer realm=\"" + url + "/limited\"\r\n");
  });
  url = server.url();
  RegistryClient client = client_of({server.endpoint()});
  SUBCASE("its token service") {
    CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kRateLimited);
    CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kCircuitOpen);
  }
  SUBCASE("its blob store") {
    CHECK(client.blob(place(), digest_of(blob), soon()).error().failure == Failure::kRateLimited);
    CHECK(client.blob(place(), digest_of(blob), soon()).error().failure == Failure::kCircuitOpen);
  }
  CHECK(server.requests().size() == 2);
}

TEST_CASE("a pause of no time is one all the same, and a longer one after each answer") {
  std::vector<Clock::time_point> times;
  const Server server([&](Peer& peer, const std::string&) {
    times.push_back(Clock::now());
    head(peer, 429, "Retry-After: 0\r\n");
  });
  for (const bool sits : {false, true}) {
    CAPTURE(sits);
    times.clear();
    RegistryClientOptions options = quick();
    options.sit_out_pauses = sits;
    RegistryClient client = client_of({server.endpoint()}, options);
    CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kRateLimited);
    REQUIRE(times.size() == 3);
    CHECK(times[1] - times[0] >= 25ms);
    CHECK(times[2] - times[1] >= 50ms);
  }
}

TEST_CASE("a registry that asks for a pause gets it, and nobody waits for that") {
  const Server server(
      [](Peer& peer, const std::string&) { head(peer, 429, "Retry-After: 30\r\n"); });
  RegistryClient client = client_of({server.endpoint()});
  const auto begin = Clock::now();
  CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kRateLimited);
  CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kCircuitOpen);
  CHECK(Clock::now() - begin < 2s);
  CHECK(server.requests().size() == 1);
}

TEST_CASE("a command sits out the pause that a registry asks for, if it ends before the deadline") {
  std::atomic<int> count = 0;
  const Server server([&](Peer& peer, const std::string&) {
    ++count == 1 ? head(peer, 429, "Retry-After: 2\r\n") : head(peer, 200, digest_header(kDigest));
  });
  RegistryClientOptions options = quick();
  options.sit_out_pauses = true;
  RegistryClient client = client_of({server.endpoint()}, options);
  const auto begin = Clock::now();
  SUBCASE("that of its own answer") { CHECK(client.digest(place(), "v1", soon()) == kDigest); }
  SUBCASE("that of another's answer") {
    CHECK(client.digest(place(), "v1", begin + 1s).error().failure == Failure::kRateLimited);
    CHECK(client.digest(place(), "v2", begin + 1s).error().failure == Failure::kCircuitOpen);
    CHECK(Clock::now() - begin < 1s);
    CHECK(client.digest(place(), "v1", soon()) == kDigest);
  }
  CHECK(Clock::now() - begin >= 2s);
  CHECK(count == 2);
}

TEST_CASE("A18: a pause that is named in no way belay reads is one all the same") {
  for (const std::string& named :
       {std::string(), std::string("Retry-After: \r\n"),
        std::string("Retry-After: Wed, 21 Oct 2099 07:28:00 GMT\r\n"),
        std::string("Retry-After: -5\r\n"), std::string("Retry-After: 99999999999999999999\r\n")}) {
    CAPTURE(named);
    const Server server([&](Peer& peer, const std::string&) { head(peer, 429, named); });
    RegistryClientOptions options = quick();
    options.open_time = 30s;
    RegistryClient client = client_of({server.endpoint()}, options);
    CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kRateLimited);
    CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kCircuitOpen);
    CHECK(server.requests().size() == 1);
  }
}

TEST_CASE("3.15: what a mirror says instead of a digest is not taken for the registry's") {
  const Server mirror(
      [](Peer& peer, const std::string&) { head(peer, 200, digest_header(kDigest + "\"}]")); });
  const Server own([](Peer& peer, const std::string& request) {
    if (request.starts_with("HEAD")) return head(peer, 405, "");
    peer.answer(200, kManifest);
  });
  RegistryClient client = client_of({mirror.endpoint(), own.endpoint()});
  // GET asks the mirror first, too, and it has no manifest.
  CHECK(client.digest(place(), "v1", soon()) == digest_of(kManifest));
}

TEST_CASE("3.11: a registry that speaks http leads to no other host that does") {
  const std::string blob = "{}";
  const Server other([&](Peer& peer, const std::string&) { peer.answer(200, blob); }, false);
  std::string target = other.url() + "/x";
  const Server server(
      [&](Peer& peer, const std::string& request) {
        if (request.starts_with("GET /kept")) return (void)peer.answer(200, blob);
        head(peer, 307, "Location: " + target + "\r\n");
      },
      false);
  RegistryClient client = client_of({{.url = server.url(), .allow_private = true}});
  CHECK(client.blob(place(), digest_of(blob), soon()).error().failure == Failure::kRedirect);
  CHECK(other.requests().empty());
  for (const std::string& own : {server.url() + "/kept", std::string("/kept")}) {
    target = own;
    CHECK(client.blob(place(), digest_of(blob), soon())->body == blob);
  }
}

TEST_CASE("mirrors are asked first, and what they lack comes from the registry itself") {
  const Server absent([](Peer& peer, const std::string&) { head(peer, 404, ""); });
  const Server own([](Peer& peer, const std::string&) { head(peer, 200, digest_header(kDigest)); });
  Endpoint gone = own.endpoint();
  gone.url = "https://127.0.0.1:1";
  RegistryClient client = client_of({gone, absent.endpoint(), own.endpoint()});
  CHECK(client.digest(place(), "v1", soon()) == kDigest);
  CHECK(absent.requests().size() == 1);
}

TEST_CASE("3.9: an address of a private network is contacted only where the registry allows it") {
  const Server server(
      [](Peer& peer, const std::string&) { head(peer, 200, digest_header(kDigest)); });
  Endpoint endpoint = server.endpoint();
  endpoint.allow_private = false;
  RegistryClient client = client_of({endpoint});
  CHECK(client.digest(place(), "v1", soon()).error().failure == Failure::kRefusedAddress);
  for (const char* url :
       {"https://169.254.169.254", "https://[fe80::1]", "https://0.0.0.0", "https://[::]",
        "https://[::ffff:169.254.169.254]", "https://[64:ff9b::a9fe:a9fe]", "https://224.0.0.1"}) {
    CAPTURE(url);
    RegistryClient forbidden = client_of({{.url = url, .allow_private = true}});
    CHECK(forbidden.digest(place(), "v1", soon()).error().failure == Failure::kRefusedAddress);
  }
  CHECK(server.requests().empty());
}

TEST_CASE("a certificate that nobody vouches for is a failure of TLS") {
  const Server server(
      [](Peer& peer, const std::string&) { head(peer, 200, digest_header(kDigest)); });
  Endpoint endpoint = server.endpoint();
  endpoint.ca_pem = tests::identity().authority.certificate;
  RegistryClient client = client_of({endpoint});
  CHECK(client.digest(place(user()), "v1", soon()).error().failure == Failure::kTls);
  CHECK(server.requests().empty());
}

TEST_CASE("more questions than connections wait, and end when their time is up") {
  const Server server([](Peer& peer, const std::string&) { peer.gone_within(5s); });
  RegistryClientOptions options = quick();
  options.connections_each = 1;
  options.retries = 0;
  RegistryClient client = client_of({server.endpoint()}, options);
  std::jthread first([&] { (void)client.digest(place(), "v1", soon()); });
  while (server.requests().empty()) std::this_thread::yield();
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.digest(place(), "v1", Clock::now() + 50ms);
    CHECK(answer.error().failure == Failure::kBusy);
  }
}

TEST_CASE("referrers come from the API, else from the tag schema, else there are none") {
  const std::string list = R"({"manifests":[]})";
  for (const int which : {0, 1, 2}) {
    const Server server([&](Peer& peer, const std::string& request) {
      const bool api = request.starts_with("GET /v2/shop/web/referrers/" + kDigest);
      const bool tag =
          request.starts_with("GET /v2/shop/web/manifests/sha256-" + std::string(64, 'a'));
      if ((api && which == 0) || (tag && which == 1)) return (void)peer.answer(200, list);
      head(peer, 404, "");
    });
    RegistryClient client = client_of({server.endpoint()});
    const auto answer = client.referrers(place(), kDigest, soon());
    REQUIRE(answer);
    CHECK(read_referrers(answer->body)->empty());
    CHECK(server.requests().size() == (which == 0 ? 1 : 2));
  }
  const auto broken = [](Peer& peer, const std::string&) { peer.answer(200, "<html>"); };
  const Server server(broken);
  RegistryClient client = client_of({server.endpoint()});
  CHECK(client.referrers(place(), kDigest, soon()).error().failure == Failure::kInvalidResponse);
}

/// A page of a list of referrers with one entry, which has this digit in its digest.
std::string page_of(char digit) {
  return R"({"manifests":[{"mediaType":"a/b","size":2,"digest":"sha256:)" + std::string(64, digit) +
         R"(","annotations":{"page":")" + digit + R"("}}]})";
}
std::string link_to(const std::string& target) {
  return "Link: </v2/shop/web/referrers/x?n=1>; rel=\"prev\", <" + target + ">; rel=\"next\"\r\n";
}
const std::string kList = "/v2/shop/web/referrers/" + kDigest;

TEST_CASE("every page of a list of referrers is read") {
  std::string next;
  const Server server([&](Peer& peer, const std::string& request) {
    if (line_of(request).ends_with("?last=1&n=1")) return (void)peer.answer(200, page_of('2'));
    peer.answer(200, page_of('1'), link_to(next));
  });
  Endpoint below = server.endpoint();
  below.url += "/hub";
  for (const Endpoint& endpoint : {server.endpoint(), below}) {
    const std::string path = (endpoint == below ? "/hub" : "") + kList;
    for (const std::string& target :
         {path + "?last=1&n=1", server.url() + path + "?last=1&n=1", std::string("?last=1&n=1")}) {
      CAPTURE(target);
      next = target;
      RegistryClient client = client_of({endpoint});
      const auto answer = client.referrers(place(), kDigest, soon());
      REQUIRE(answer);
      const auto list = read_referrers(answer->body);
      REQUIRE(list);
      REQUIRE(list->size() == 2);
      for (const std::size_t i : {0U, 1U}) {
        const char digit = static_cast<char>('1' + i);
        CHECK((*list)[i].digest == "sha256:" + std::string(64, digit));
        CHECK((*list)[i].annotations == policy::Annotations{{"page", std::string(1, digit)}});
      }
      CHECK(line_of(server.requests().back()) == "GET " + path + "?last=1&n=1");
    }
  }
}

TEST_CASE(
    "a list of referrers that goes on where belay does not follow is an invalid response, not half "
    "a list") {
  const Server elsewhere([](Peer& peer, const std::string&) { peer.answer(200, page_of('2')); });
  std::string link;
  const Server server([&](Peer& peer, const std::string& request) {
    if (line_of(request).ends_with(kDigest)) return (void)peer.answer(200, page_of('1'), link);
    peer.answer(200, page_of('2'));
  });
  RegistryClient client = client_of({server.endpoint()});
  for (const std::string& target :
       {elsewhere.url() + kList + "?n=1", "//" + elsewhere.host() + kList, "http" + kList,
        "http://" + server.host() + kList + "?n=1", std::string("/v2/shop/web/manifests/v1"),
        std::string("/v2/shop/web/referrers/"), std::string("/v2/shop/web/referrers/../tags/list"),
        std::string("/v2/shop/web/referrers/.."), std::string("/v2/shop/web/referrers/%2E%2e"),
        std::string("/v2/shop/website/referrers/x"), std::string()}) {
    CAPTURE(target);
    link = link_to(target);
    const auto answer = client.referrers(place(), kDigest, soon());
    REQUIRE_FALSE(answer);
    CHECK(name_of(answer.error().failure) == "invalid_response");
  }
  for (const char* broken : {"Link: /x; rel=next\r\n", "Link: <x; rel=next\r\n",
                             "Link: <x>; rel=\"next\r\n", "Link: <x> rel=next\r\n"}) {
    CAPTURE(broken);
    link = broken;
    CHECK(client.referrers(place(), kDigest, soon()).error().failure == Failure::kInvalidResponse);
  }
  for (const std::string& request : server.requests()) CHECK(line_of(request) == "GET " + kList);
  CHECK(elsewhere.connections() == 0);
  link = "Link: <https://evil.test/>; rel=prev, <https://evil.test/,;>; title=\"a, b\"\r\n";
  CHECK(client.referrers(place(), kDigest, soon()).has_value());
}

TEST_CASE(
    "a list of referrers with more pages or entries than belay reads is an invalid response") {
  std::atomic<int> asked = 0;
  std::string page = page_of('1');
  std::string last = page_of('2');
  int pages = 1'000;
  const Server server([&](Peer& peer, const std::string&) {
    if (++asked == pages) return (void)peer.answer(200, last);
    peer.answer(200, page, link_to("?page=" + std::to_string(asked)));
  });
  RegistryClient client = client_of({server.endpoint()});
  const auto failure = [&] {
    asked = 0;
    const auto answer = client.referrers(place(), kDigest, soon());
    return answer ? "none" : name_of(answer.error().failure);
  };
  CHECK(failure() == "invalid_response");
  CHECK(asked == 16);
  pages = 16;
  CHECK(failure() == "none");
  pages = 2;
  const std::string entry = R"({"mediaType":"a/b","size":2,"digest":")" + kDigest + R"("})";
  std::string entries = entry;
  for (int i = 1; i < 500; ++i) entries += "," + entry;
  page = R"({"manifests":[)" + entries + "]}";
  last = page;
  CHECK(failure() == "none");
  last = R"({"manifests":[)" + entries + "," + entry + "]}";
  CHECK(failure() == "invalid_response");
  page = R"({"x":")" + std::string(kMaxResponse / 2, 'x') + R"(","manifests":[]})";
  last = page;
  CHECK(failure() == "invalid_response");
}

TEST_CASE("a later page of referrers that is not there does not mean a registry without the API") {
  const Server server([](Peer& peer, const std::string& request) {
    if (line_of(request).ends_with(kDigest)) {
      return (void)peer.answer(200, page_of('1'), link_to("?n=2"));
    }
    head(peer, 404, "");
  });
  RegistryClient client = client_of({server.endpoint()});
  CHECK(client.referrers(place(), kDigest, soon()).error().failure == Failure::kInvalidResponse);
  CHECK(server.requests().size() == 2);
}

}  // namespace
}  // namespace belay::webhook::registry
