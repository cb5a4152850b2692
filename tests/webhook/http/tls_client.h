// A certificate for a server of a test, and a small blocking client that talks to it.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "certs/authority.h"
#include "certs/store.h"

namespace belay::test {

inline std::shared_ptr<certs::Store> make_store() {
  const auto now = std::chrono::system_clock::now();
  const auto authority = certs::create_authority("test", now);
  REQUIRE(authority.has_value());
  const auto leaf = certs::issue_leaf(*authority, {"localhost"}, now);
  REQUIRE(leaf.has_value());
  const auto pair = certs::KeyPair::from_pem(leaf->certificate, leaf->key);
  REQUIRE(pair.has_value());
  auto store = std::make_shared<certs::Store>();
  store->publish(*pair);
  return store;
}

inline int connect_to(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval limit{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

/// One TLS connection; blocking, each read for 10 s at most.
class Client {
 public:
  explicit Client(std::uint16_t port)
      : context_(SSL_CTX_new(TLS_client_method())), fd_(connect_to(port)) {
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    connected_ = fd_ >= 0 && SSL_connect(ssl_) == 1;
  }
  ~Client() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    if (fd_ >= 0) close(fd_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void send(std::string_view text) const {
    REQUIRE(SSL_write(ssl_, text.data(), static_cast<int>(text.size())) ==
            static_cast<int>(text.size()));
  }
  /// Reads until `end` was seen `times` times or the server closed.
  std::string read_until(std::string_view end, int times = 1) const {
    std::string all;
    std::string piece(4096, '\0');
    const auto count = [&] {
      int found = 0;
      for (auto at = all.find(end); at != all.npos; at = all.find(end, at + 1)) ++found;
      return found;
    };
    while (count() < times) {
      const int got = SSL_read(ssl_, piece.data(), static_cast<int>(piece.size()));
      if (got <= 0) break;
      all.append(piece, 0, static_cast<std::size_t>(got));
    }
    return all;
  }
  /// Ends the connection by a TCP reset.
  void reset() const {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  std::string read_all() const { return read_until("\x01never", 1); }

 private:
  SSL_CTX* context_;
  int fd_;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
};

}  // namespace belay::test
