// A server of the tests that says byte for byte what a test wants, over TLS or in the clear. For
// what no real server will do: drip, cut off, never end, answer with nonsense.
//
// Every connection runs the script on a thread of its own; the destructor ends them all.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "certs/authority.h"

namespace belay::tests {

/// The imposter's end of a connection.
class Peer {
 public:
  Peer(int socket, SSL* tls) : socket_(socket), tls_(tls) {}
  /// The head and the body of a request; "" when the other side has gone.
  std::string request() {
    std::string text;
    std::size_t size = std::string::npos;
    while (text.size() < size) {
      char buffer[16384];
      const long count = tls_ != nullptr ? SSL_read(tls_, buffer, sizeof buffer)
                                         : ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) return {};
      text.append(buffer, static_cast<std::size_t>(count));
      const std::size_t head = text.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      size = head + 4;
      constexpr std::string_view kLength = "Content-Length: ";
      if (const std::size_t at = text.find(kLength); at < head) {
        std::size_t body = 0;
        std::from_chars(text.data() + at + kLength.size(), text.data() + head, body);
        size += body;
      }
    }
    return text;
  }
  bool write(std::string_view text) {
    while (!text.empty()) {
      const long count = tls_ != nullptr
                             ? SSL_write(tls_, text.data(), static_cast<int>(text.size()))
                             : ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  /// A whole answer.
  bool answer(int status, std::string_view body, std::string_view headers = "") {
    return write("HTTP/1.1 " + std::to_string(status) +
                 " Status\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                 std::string(headers) + "\r\n" + std::string(body));
  }
  /// Returns when the other side has hung up, or after that long.
  bool gone_within(std::chrono::milliseconds time) const {
    pollfd event{.fd = socket_, .events = POLLRDHUP, .revents = 0};
    return ::poll(&event, 1, static_cast<int>(time.count())) != 0;
  }

 private:
  int socket_;
  SSL* tls_;
};

class Imposter {
 public:
  using Script = std::function<void(Peer&)>;

  /// \param leaf  a certificate and its key, or nullptr for plain HTTP
  Imposter(const certs::PemPair* leaf, Script script) : script_(std::move(script)) {
    if (leaf != nullptr) load(*leaf);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, any, &size) != 0) {
      throw std::runtime_error("the imposter cannot listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Imposter() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    {
      const std::lock_guard lock(mutex_);
      for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    }
    for (auto& thread : threads_) thread.join();
    for (const int socket : sockets_) ::close(socket);
  }
  Imposter(const Imposter&) = delete;
  Imposter& operator=(const Imposter&) = delete;

  std::string url(std::string_view path = "", std::string_view host = "127.0.0.1") const {
    return std::string(context_ != nullptr ? "https://" : "http://") + std::string(host) + ":" +
           std::to_string(port_) + std::string(path);
  }
  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void load(const certs::PemPair& leaf) {
    context_.reset(SSL_CTX_new(TLS_server_method()));
    const auto bio = [](const std::string& text) {
      return std::unique_ptr<BIO, decltype(&BIO_free)>(
          BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
    };
    X509* const certificate =
        PEM_read_bio_X509(bio(leaf.certificate).get(), nullptr, nullptr, nullptr);
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio(leaf.key).get(), nullptr, nullptr, nullptr);
    const bool good = SSL_CTX_use_certificate(context_.get(), certificate) == 1 &&
                      SSL_CTX_use_PrivateKey(context_.get(), key) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!good) throw std::runtime_error("the imposter's certificate does not read");
  }
  void accept_all() {
    while (true) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      ++connections_;
      const std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
      threads_.emplace_back([this, socket] { serve(socket); });
    }
  }
  void serve(int socket) {
    if (context_ == nullptr) {
      Peer peer(socket, nullptr);
      script_(peer);
    } else {
      const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context_.get()), &SSL_free);
      SSL_set_fd(tls.get(), socket);
      if (SSL_accept(tls.get()) == 1) {
        Peer peer(socket, tls.get());
        script_(peer);
        SSL_shutdown(tls.get());
      }
    }
    ::shutdown(socket, SHUT_RDWR);
  }

  const Script script_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread acceptor_;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
  std::vector<int> sockets_;
};

/// An authority and a leaf of it for those names, valid now.
struct Identity {
  certs::PemPair authority;
  certs::PemPair leaf;
};
inline Identity identity(const std::vector<std::string>& names = {"127.0.0.1"},
                         certs::TimePoint now = std::chrono::system_clock::now(),
                         std::chrono::seconds life = std::chrono::hours(1)) {
  auto authority = certs::create_authority("tests", now).value();
  auto leaf = certs::issue_leaf(authority, names, now, life).value();
  return {std::move(authority), std::move(leaf)};
}

}  // namespace belay::tests
