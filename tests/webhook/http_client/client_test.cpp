#include "webhook/http_client/client.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/support/https_imposter.h"
#include "webhook/http_client/client_exchange.h"

using namespace std::chrono_literals;
using belay::tests::Identity;
using belay::tests::identity;
using belay::tests::Imposter;
using belay::tests::Peer;
using belay::webhook::http_client::Client;
using belay::webhook::http_client::ClientError;
using belay::webhook::http_client::ClientOptions;
using belay::webhook::http_client::ClientRequest;
using Kind = ClientError::Kind;
using Clock = std::chrono::steady_clock;

namespace {

void say_ok(Peer& peer) {
  while (!peer.request().empty() && peer.answer(200, "ok")) {
  }
}

ClientOptions trusting(const Identity& who) { return {.ca_pem = who.authority.certificate}; }

/// Until the peer hangs up, a byte each 20 ms.
void drip(Peer& peer) {
  while (!peer.gone_within(20ms) && peer.write("x")) {
  }
}

}  // namespace

TEST_CASE("a request carries method, headers and body, and its answer comes back whole") {
  const Identity who = identity();
  std::string seen;
  const Imposter server(&who.leaf, [&](Peer& peer) {
    seen = peer.request();
    peer.answer(409, "body", "X-Thing:  two words \r\nRetry-After: 7\r\n");
  });
  const Client client(trusting(who));
  const std::string url = server.url("/a/b?c=d");
  const auto answer =
      client.send({.method = "PATCH", .url = url, .headers = {{"X-A", "b"}}, .body = "{\"a\":1}"});
  REQUIRE(answer);
  CHECK(answer->status == 409);
  CHECK(answer->body == "body");
  REQUIRE(answer->header("x-thing") != nullptr);
  CHECK(*answer->header("x-thing") == "two words");
  CHECK(*answer->header("retry-after") == "7");
  CHECK(answer->header("absent") == nullptr);
  CHECK(seen.starts_with("PATCH /a/b?c=d HTTP/1.1\r\n"));
  CHECK(seen.contains("\r\nUser-Agent: belay\r\n"));
  CHECK(seen.contains("\r\nX-A: b\r\n"));
  CHECK_FALSE(seen.contains("Expect"));
  CHECK(seen.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST_CASE("calls of one client share a connection") {
  const Identity who = identity();
  const Imposter server(&who.leaf, say_ok);
  const Client client(trusting(who));
  for (int i = 0; i < 5; ++i) REQUIRE(client.send({.url = server.url("/")}));
  CHECK(server.connections() == 1);
}

TEST_CASE("many threads use one client at once") {
  const Identity who = identity();
  const Imposter server(&who.leaf, say_ok);
  const Client client(trusting(who));
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5; ++k) good += client.send({.url = server.url("/")}).has_value() ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 60);
}

TEST_CASE("an unknown CA is rejected, and the system's CAs help nobody") {
  const Identity who = identity();
  const Identity other = identity();
  const Imposter server(&who.leaf, say_ok);
  for (const ClientOptions& options : {trusting(other), ClientOptions{}}) {
    const auto answer = Client(options).send({.url = server.url("/")});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == Kind::kTls);
    CHECK(answer.error().message.contains("the server's certificate is not trusted"));
  }
}

TEST_CASE("a certificate for another name, or out of its time, is rejected") {
  const Identity other_name = identity({"elsewhere.example"});
  const Identity expired =
      identity({"127.0.0.1"}, std::chrono::system_clock::now() - std::chrono::hours(48));
  const Identity early =
      identity({"127.0.0.1"}, std::chrono::system_clock::now() + std::chrono::hours(48));
  for (const Identity* who : {&other_name, &expired, &early}) {
    const Imposter server(&who->leaf, say_ok);
    const auto answer = Client(trusting(*who)).send({.url = server.url("/")});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == Kind::kTls);
  }
}

TEST_CASE("a server name is checked instead of the URL's host") {
  const Identity who = identity({"api.example"});
  std::string seen;
  const Imposter server(&who.leaf, [&](Peer& peer) {
    seen = peer.request();
    peer.answer(200, "ok");
  });
  ClientOptions options = trusting(who);
  options.server_name = "api.example";
  const auto answer = Client(options).send({.url = server.url("/x?y=z")});
  REQUIRE(answer);
  CHECK(
      seen.starts_with("GET /x?y=z HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port())));
  options.server_name = "other.example";
  CHECK_FALSE(Client(options).send({.url = server.url("/")}));
}

TEST_CASE("a response that drips is cut off at the deadline") {
  const Imposter server(nullptr, [](Peer& peer) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    drip(peer);
  });
  const auto began = Clock::now();
  const auto answer = Client({}).send({.url = server.url("/p?token=secret"), .deadline = 300ms});
  CHECK(Clock::now() - began < 2s);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == Kind::kTimeout);
  CHECK(answer.error().message.starts_with("GET " + server.url("/p") + ": "));
  CHECK_FALSE(answer.error().message.contains("secret"));
}

TEST_CASE("headers that drip, and a server that says nothing, are cut off at the deadline") {
  const Imposter dripping(nullptr, [](Peer& peer) {
    peer.write("HTTP/1.1 200 OK\r\nX: ");
    drip(peer);
  });
  const Imposter silent(nullptr, [](Peer& peer) { peer.gone_within(10s); });
  for (const Imposter* server : {&dripping, &silent}) {
    const auto answer = Client({}).send({.url = server->url("/"), .deadline = 200ms});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == Kind::kTimeout);
  }
}

TEST_CASE("an endless body and endless headers are cut off at their limit") {
  const Imposter body(nullptr, [](Peer& peer) {
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    while (peer.write(std::string(4096, 'x'))) {
    }
  });
  const Imposter headers(nullptr, [](Peer& peer) {
    peer.write("HTTP/1.1 200 OK\r\n");
    while (peer.write("X: " + std::string(4096, 'x') + "\r\n")) {
    }
  });
  for (const Imposter* server : {&body, &headers}) {
    const auto answer = Client({}).send({.url = server->url("/"), .max_response = 100'000});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == Kind::kTooLarge);
  }
  const Imposter exact(nullptr, [](Peer& peer) { peer.answer(200, std::string(1000, 'x')); });
  CHECK(Client({}).send({.url = exact.url("/"), .max_response = 1000}));
  CHECK_FALSE(Client({}).send({.url = exact.url("/"), .max_response = 999}));
}

TEST_CASE("a redirect is returned, not followed") {
  const Imposter target(nullptr, say_ok);
  const Imposter server(nullptr, [&](Peer& peer) {
    peer.request();
    peer.answer(302, "", "Location: " + target.url("/") + "\r\n");
  });
  const auto answer = Client({}).send({.url = server.url("/")});
  REQUIRE(answer);
  CHECK(answer->status == 302);
  CHECK(target.connections() == 0);
}

TEST_CASE("a proxy of the environment is used only by those who ask for it") {
  const Imposter proxy(nullptr, [](Peer& peer) {
    peer.request();
    peer.answer(418, "proxy");
  });
  const Imposter server(nullptr, say_ok);
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  ::unsetenv("no_proxy");
  ::unsetenv("NO_PROXY");
  const auto direct = Client({}).send({.url = server.url("/")});
  const auto proxied = Client({.proxies = belay::webhook::http_client::proxies_of_environment()})
                           .send({.url = server.url("/")});
  ::unsetenv("http_proxy");
  REQUIRE(direct);
  CHECK(direct->status == 200);
  REQUIRE(proxied);
  CHECK(proxied->status == 418);
}

TEST_CASE("what is not a valid request is not sent") {
  const Imposter server(nullptr, say_ok);
  const ClientRequest requests[] = {
      {.url = "file:///etc/passwd"},
      {.url = "https://user:word@127.0.0.1/"},
      {.url = "no url"},
      {.url = server.url("/"), .headers = {{"X", "a\r\nY: b"}}},
  };
  for (const ClientRequest& request : requests) {
    const auto answer = Client({}).send(request);
    REQUIRE_FALSE(answer);
    CHECK_FALSE(answer.error().message.contains("word"));
  }
  CHECK(server.connections() == 0);
}

TEST_CASE("no server, and a server that hangs up, are unreachable") {
  std::string url;
  {
    const Imposter gone(nullptr, say_ok);
    url = gone.url("/");
  }
  const Imposter hanging_up(nullptr, [](Peer& peer) { peer.request(); });
  const Imposter cut(nullptr, [](Peer& peer) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
  });
  for (const std::string& address : {url, hanging_up.url("/"), cut.url("/")}) {
    const auto answer = Client({}).send({.url = address});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == Kind::kUnreachable);
  }
}

TEST_CASE("a stream hands over what comes, and ends when the server does") {
  const Imposter server(nullptr, [](Peer& peer) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    peer.write("2\r\nde\r\n0\r\n\r\n");
  });
  std::string seen;
  const auto end = Client({}).stream({.url = server.url("/")}, 5s, {}, [&](std::string_view data) {
    seen += data;
    return true;
  });
  REQUIRE(end);
  CHECK(end->status == 200);
  CHECK(end->body.empty());
  CHECK(seen == "abcde");
}

TEST_CASE("a stream that is cut off is an error, one that the caller ends is none") {
  const Imposter server(nullptr, [](Peer& peer) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  });
  const auto cut =
      Client({}).stream({.url = server.url("/")}, 5s, {}, [](std::string_view) { return true; });
  REQUIRE_FALSE(cut);
  CHECK(cut.error().kind == Kind::kUnreachable);
  CHECK(
      Client({}).stream({.url = server.url("/")}, 5s, {}, [](std::string_view) { return false; }));
}

TEST_CASE("a refusal of a stream is returned whole and not handed over") {
  const Imposter server(nullptr, [](Peer& peer) {
    peer.request();
    peer.answer(410, "gone");
  });
  bool called = false;
  const auto answer = Client({}).stream({.url = server.url("/")}, 5s, {}, [&](std::string_view) {
    called = true;
    return true;
  });
  REQUIRE(answer);
  CHECK(answer->status == 410);
  CHECK(answer->body == "gone");
  CHECK_FALSE(called);
}

TEST_CASE("A16: a half-open stream is noticed by its silence, one that speaks goes on") {
  std::atomic<int> bytes = 0;
  const Imposter server(nullptr, [&](Peer& peer) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    // longer than the silence in all, but never silent for so long
    for (int i = 0; i < 20 && !peer.gone_within(30ms); ++i) peer.write("x");
    peer.gone_within(10s);
  });
  const auto end = Client({}).stream({.url = server.url("/"), .deadline = 400ms}, 300ms, {},
                                     [&](std::string_view data) {
                                       bytes += static_cast<int>(data.size());
                                       return true;
                                     });
  REQUIRE_FALSE(end);
  CHECK(end.error().kind == Kind::kTimeout);
  CHECK(end.error().message.contains("no data within 300 ms"));
  CHECK(bytes == 20);
}

TEST_CASE("a stop ends a silent stream and a silent request within 200 ms") {
  const Imposter server(nullptr, [](Peer& peer) {
    if (peer.request().starts_with("GET /stream")) peer.write("HTTP/1.1 200 OK\r\n\r\nx");
    peer.gone_within(10s);
  });
  const Client client({});
  std::stop_source stop;
  std::atomic<bool> flowing = false;
  Clock::time_point stopped;
  std::thread stopper([&] {
    while (!flowing) std::this_thread::yield();
    stopped = Clock::now();
    stop.request_stop();
  });
  const auto end =
      client.stream({.url = server.url("/stream")}, 60s, stop.get_token(), [&](std::string_view) {
        flowing = true;
        return true;
      });
  stopper.join();
  CHECK(Clock::now() - stopped < 5s);
  REQUIRE_FALSE(end);
  CHECK(end.error().kind == Kind::kStopped);
  const auto began = Clock::now();
  const auto answer = client.send({.url = server.url("/")}, stop.get_token());
  CHECK(Clock::now() - began < 5s);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == Kind::kStopped);
}

TEST_CASE("a name is refused only where the guard kept every address of it from being contacted") {
  namespace http_client = belay::webhook::http_client;
  const ClientRequest request;
  http_client::Exchange exchange{.request = request, .guard = http_client::AddressGuard::kPublic};
  // A socket is made for the address, no packet sent.
  const auto dials = [&exchange](const char* text) {
    curl_sockaddr address{};
    address.family = AF_INET;
    address.socktype = SOCK_STREAM;
    address.addrlen = sizeof(sockaddr_in);
    auto* const inner = reinterpret_cast<sockaddr_in*>(&address.addr);
    inner->sin_family = AF_INET;
    REQUIRE(inet_pton(AF_INET, text, &inner->sin_addr) == 1);
    const curl_socket_t made = http_client::open_socket(&exchange, CURLSOCKTYPE_IPCXN, &address);
    if (made != CURL_SOCKET_BAD) close(made);
    return made != CURL_SOCKET_BAD;
  };
  CHECK_FALSE(exchange.refused());
  CHECK_FALSE(dials("169.254.169.254"));
  CHECK_FALSE(dials("10.0.0.1"));
  CHECK(exchange.refused());
  CHECK(dials("8.8.8.8"));
  CHECK_FALSE(exchange.refused());
  CHECK_FALSE(dials("127.0.0.1"));
  CHECK_FALSE(exchange.refused());
}
