// What a listening socket says when it opens, accepts and ends.
#include "webhook/http/listening_socket.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "tests/webhook/http/tls_client.h"

using belay::test::connect_to;
using belay::webhook::http::Accepted;
using belay::webhook::http::ListeningSocket;

TEST_CASE("a port of its own is picked, and accepted sockets neither block nor survive exec") {
  ListeningSocket listener;
  REQUIRE(listener.open("127.0.0.1", 0, 8).has_value());
  CHECK(listener.port() != 0);
  const int client = connect_to(listener.port());
  const Accepted accepted = listener.accept();
  REQUIRE(accepted.state == Accepted::State::kSocket);
  CHECK((fcntl(accepted.socket, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((fcntl(accepted.socket, F_GETFD) & FD_CLOEXEC) != 0);
  close(accepted.socket);
  close(client);
}

TEST_CASE("a port that cannot be listened on is named with the cause") {
  ListeningSocket first;
  REQUIRE(first.open("127.0.0.1", 0, 8).has_value());
  ListeningSocket second;
  const auto taken = second.open("127.0.0.1", first.port(), 8);
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().message ==
        "cannot listen on 127.0.0.1:" + std::to_string(first.port()) + ": Address already in use");
  ListeningSocket nowhere;
  const auto unknown = nowhere.open("256.0.0.1.invalid", 0, 8);
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().message.starts_with("cannot listen on 256.0.0.1.invalid:0: "));
}

TEST_CASE("shutting down ends an accept that waits, and refuses who comes later") {
  ListeningSocket listener;
  REQUIRE(listener.open("127.0.0.1", 0, 8).has_value());
  Accepted last{Accepted::State::kNone};
  std::thread accepting([&] {
    while (last.state == Accepted::State::kNone) last = listener.accept();
  });
  listener.shut_down();
  accepting.join();
  CHECK(last.state == Accepted::State::kBroken);
  CHECK(connect_to(listener.port()) < 0);
}

TEST_CASE("a socket that does not block says that nobody is there") {
  ListeningSocket listener;
  REQUIRE(listener.open("127.0.0.1", 0, 8).has_value());
  REQUIRE(listener.set_nonblocking());
  CHECK(listener.accept().state == Accepted::State::kNone);
}
