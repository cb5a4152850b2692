// The server from outside, by a small blocking client: what a handler may do, drains, errors of
// starting. Limits and deadlines are shown over real sockets in tests/protocol.
#include "webhook/http/server.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/soon.h"
#include "tests/webhook/http/tls_client.h"
#include "webhook/http/admin_server.h"

using namespace belay::webhook::http;
namespace certs = belay::certs;
using belay::test::Client;
using belay::test::connect_to;
using belay::test::make_store;

namespace {

class Scripted final : public Handler {
 public:
  explicit Scripted(std::atomic<int>& flushes) : flushes_(flushes) {}
  void handle(const Request& request, Response& response) override {
    if (request.query == "throw") throw std::runtime_error("secret");
    if (request.query == "close") response.close = true;
    if (request.query == "status") response.status = 415;
    response.body.assign(request.body.data(), request.body.size());
    response.body += '.';
    *(request.body.data() + request.body.size()) = '\0';  // as parsers in place do
  }
  void flush() override { ++flushes_; }

 private:
  std::atomic<int>& flushes_;
};

struct Fixture {
  explicit Fixture(ServerOptions options = {}, ServerEvents events = {}) {
    options.host = "127.0.0.1";
    options.port = 0;
    options.threads = options.threads != 0 ? options.threads : 2;
    server = std::make_unique<Server>(
        options, make_store(), [this] { return std::make_unique<Scripted>(flushes); }, events);
    const auto started = server->start();
    REQUIRE(started.has_value());
  }
  std::atomic<int> flushes{0};
  std::unique_ptr<Server> server;
};

std::string post(std::string_view query, std::string_view body) {
  return "POST /validate?" + std::string(query) +
         " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

}  // namespace

TEST_CASE("the byte behind a body may be written without harm to the next request") {
  const Fixture fixture;
  const Client client(fixture.server->port());
  REQUIRE(client.connected());
  client.send(post("", "one") + post("", "two") + post("", "three"));
  const std::string answers = client.read_until("three.");
  CHECK(answers.find("\r\n\r\none.HTTP/1.1 200") != answers.npos);
  CHECK(answers.find("\r\n\r\ntwo.HTTP/1.1 200") != answers.npos);
  // The flush follows the answer: it may come after the client has read.
  CHECK(belay::tests::soon([&] { return fixture.flushes >= 1; }));
}

TEST_CASE("a handler that throws makes an error, never a verdict, and tells nobody why") {
  const Fixture fixture;
  const Client client(fixture.server->port());
  client.send(post("throw", "x") + post("", "next"));
  const std::string answers = client.read_until("next.");
  CHECK(answers.starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
  CHECK(answers.find("\"code\":\"internal\"") != answers.npos);
  CHECK(answers.find("secret") == answers.npos);
  CHECK(answers.find("next.") != answers.npos);
}

TEST_CASE("a handler chooses the status and may end the connection") {
  const Fixture fixture;
  const Client client(fixture.server->port());
  client.send(post("status", "a") + post("close", "b"));
  const std::string answers = client.read_all();
  CHECK(answers.starts_with("HTTP/1.1 415 Unsupported Media Type\r\n"));
  CHECK(answers.find("Connection: close\r\n\r\nb.") != answers.npos);
}

TEST_CASE("while the server drains, answers end connections and new ones are still served") {
  const Fixture fixture;
  const Client old(fixture.server->port());
  old.send(post("", "before"));
  CHECK(old.read_until("before.").find("Connection: close") == std::string::npos);
  fixture.server->begin_drain();
  old.send(post("", "during"));
  CHECK(old.read_all().find("Connection: close\r\n\r\nduring.") != std::string::npos);
  const Client newcomer(fixture.server->port());
  newcomer.send(post("", "new"));
  CHECK(newcomer.read_all().find("new.") != std::string::npos);
}

TEST_CASE("stop() waits for a request that has begun, and closes the idle") {
  const Fixture fixture;
  const Client idle(fixture.server->port());
  idle.send(post("", "a"));
  idle.read_until("a.");
  const Client begun(fixture.server->port());
  const std::string request = post("", "whole");
  begun.send(request.substr(0, 30));
  // The server has seen the beginning once it has answered someone else on each reactor.
  for (int i = 0; i < 4; ++i) {
    const Client other(fixture.server->port());
    other.send(post("", "b"));
    other.read_until("b.");
  }
  std::thread stopping([&] { fixture.server->stop(std::chrono::seconds(20)); });
  CHECK(idle.read_all().empty());
  begun.send(request.substr(30));
  CHECK(begun.read_all().find("whole.") != std::string::npos);
  stopping.join();
  CHECK(fixture.server->connections() == 0);
  CHECK_FALSE(Client(fixture.server->port()).connected());
}

TEST_CASE("stop() does not wait longer than its grace") {
  const Fixture fixture;
  const Client begun(fixture.server->port());
  begun.send("POST /validate HTTP/1.1\r\n");
  const auto begin = std::chrono::steady_clock::now();
  fixture.server->stop(std::chrono::milliseconds(100));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("rejections are told to the owner") {
  std::atomic<int> unknown_paths{0};
  ServerEvents events;
  events.rejected = [&](Rejection rejection) {
    unknown_paths += rejection == Rejection::kUnknownPath;
  };
  const Fixture fixture({}, events);
  const Client client(fixture.server->port());
  client.send("POST /x HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.read_all().starts_with("HTTP/1.1 404 Not Found\r\n"));
  CHECK(unknown_paths == 1);
}

TEST_CASE("without a certificate handshakes fail and the server lives") {
  const auto store = std::make_shared<certs::Store>();
  ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  std::atomic<int> flushes{0};
  Server server(options, store, [&] { return std::make_unique<Scripted>(flushes); });
  REQUIRE(server.start().has_value());
  CHECK_FALSE(Client(server.port()).connected());
  store->publish(make_store()->current());
  CHECK(Client(server.port()).connected());
}

TEST_CASE("a server that cannot start says why") {
  const Fixture first;
  ServerOptions options;
  options.host = "127.0.0.1";
  options.port = first.server->port();
  std::atomic<int> flushes{0};
  const auto factory = [&] { return std::make_unique<Scripted>(flushes); };
  const auto taken = Server(options, make_store(), factory).start();
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().message.find("127.0.0.1:" + std::to_string(options.port)) !=
        std::string::npos);

  options.port = 0;
  options.client_ca_pem = "no certificate";
  const auto no_ca = Server(options, make_store(), factory).start();
  REQUIRE_FALSE(no_ca.has_value());
  CHECK(no_ca.error().message.find("client CA") != std::string::npos);
}

namespace {

std::string ask_admin(std::uint16_t port, std::string_view request) {
  const int fd = connect_to(port);
  REQUIRE(fd >= 0);
  std::ignore = send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  std::string all;
  std::string piece(4096, '\0');
  for (ssize_t got = 0; (got = recv(fd, piece.data(), piece.size(), 0)) > 0;) {
    all.append(piece, 0, static_cast<std::size_t>(got));
  }
  close(fd);
  return all;
}

}  // namespace

TEST_CASE("the admin port serves its routes and nothing else") {
  AdminServer admin("127.0.0.1", 0,
                    {{"/livez", [] { return AdminResponse{}; }},
                     {"/readyz", [] { return AdminResponse{503, "text/plain", "no policy\n"}; }},
                     {"/throws", []() -> AdminResponse { throw std::runtime_error("secret"); }}});
  REQUIRE(admin.start().has_value());
  const auto get = [&](const std::string& path) {
    return ask_admin(admin.port(), "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
  };
  CHECK(get("/livez").starts_with("HTTP/1.1 200 OK\r\n"));
  const std::string ready = get("/readyz");
  CHECK(ready.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(ready.ends_with("no policy\n"));
  CHECK(get("/other").starts_with("HTTP/1.1 404"));
  const std::string thrown = get("/throws");
  CHECK(thrown.starts_with("HTTP/1.1 500"));
  CHECK(thrown.find("secret") == std::string::npos);
  CHECK(ask_admin(admin.port(), "POST /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            .starts_with("HTTP/1.1 405"));
  CHECK(ask_admin(admin.port(), "GET /livez HTTP/1.1\r\nX: " + std::string(9000, 'x'))
            .find("200 OK") == std::string::npos);
}

TEST_CASE("neighbours on the admin port that are silent, drip or never end keep no probe waiting") {
  AdminServer admin("127.0.0.1", 0, {{"/livez", [] { return AdminResponse{}; }}});
  REQUIRE(admin.start().has_value());
  const std::vector<std::string> beginnings = {
      "", "G", "GET /livez HTTP/1.1\r\nHost: a\r\nX: y",
      "GET /livez HTTP/1.1\r\nX: " + std::string(8000, 'x'),
      "POST /livez HTTP/1.1\r\nContent-Length: 1000000\r\n"};
  std::vector<int> neighbours;
  for (int i = 0; i < 300; ++i) {
    neighbours.push_back(connect_to(admin.port()));
    const std::string& beginning = beginnings[static_cast<std::size_t>(i) % beginnings.size()];
    std::ignore = send(neighbours.back(), beginning.data(), beginning.size(), MSG_NOSIGNAL);
  }
  for (int round = 0; round < 3; ++round) {
    for (const int fd : neighbours) std::ignore = send(fd, "z", 1, MSG_NOSIGNAL);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(ask_admin(admin.port(), "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
              .starts_with("HTTP/1.1 200"));
    // Each of them has 5 s.
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
  }
  for (const int fd : neighbours) close(fd);
  admin.stop();
}

TEST_CASE("an admin port that is taken is an error") {
  AdminServer first("127.0.0.1", 0, {});
  REQUIRE(first.start().has_value());
  AdminServer second("127.0.0.1", first.port(), {});
  CHECK_FALSE(second.start().has_value());
}
