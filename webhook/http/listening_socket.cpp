// Binding, listening, accepting.
#include "webhook/http/listening_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace belay::webhook::http {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* first) const { freeaddrinfo(first); }
};

/// A bound socket that listens, or -1 with errno.
int listen_on(const addrinfo& address, int backlog) {
  const int fd = socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, address.ai_protocol);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  // Not SO_REUSEPORT: a second process could take half of the connections.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, backlog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/// The port of a bound socket, 0 if it has none.
std::uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

ListeningSocket::~ListeningSocket() {
  if (fd_ >= 0) close(fd_);
}

std::expected<void, Error> ListeningSocket::open(const std::string& host, std::uint16_t port,
                                                 int backlog) {
  const std::string service = std::to_string(port);
  const auto error = [&](const char* cause) {
    return std::unexpected(Error{"cannot listen on " + host + ":" + service + ": " + cause});
  };
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(host.c_str(), service.c_str(), &wanted, &found);
  if (status != 0) return error(gai_strerror(status));
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
  for (const addrinfo* one = found; one != nullptr && fd_ < 0; one = one->ai_next) {
    fd_ = listen_on(*one, backlog);
  }
  if (fd_ < 0) return error(std::strerror(errno));
  port_ = port_of(fd_);
  return {};
}

Accepted ListeningSocket::accept() {
  while (true) {
    const int socket = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket >= 0) return {Accepted::State::kSocket, socket};
    switch (errno) {
      case EINTR:
        continue;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return {Accepted::State::kScarce};
      case EBADF:
      case EINVAL:
      case ENOTSOCK:
        return {Accepted::State::kBroken};
      default:  // EAGAIN, or a connection that broke before it was accepted: accept(2) names many
        return {Accepted::State::kNone};
    }
  }
}

bool ListeningSocket::set_nonblocking() {
  const int flags = fcntl(fd_, F_GETFL);
  return flags >= 0 && fcntl(fd_, F_SETFL, flags | O_NONBLOCK) == 0;
}

void ListeningSocket::shut_down() {
  if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
}

}  // namespace belay::webhook::http
