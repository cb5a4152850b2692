// cpp-httplib as a listener, over all of its versions.
#include "webhook/http/httplib_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

namespace belay::webhook::http {
namespace {

// enqueue() returns void up to 0.14 and bool since.
using Enqueued =
    decltype(std::declval<httplib::TaskQueue&>().enqueue(std::declval<std::function<void()>>()));

/// Runs each task on the accepting thread: all it does is hand a socket on.
class InlineQueue final : public httplib::TaskQueue {
 public:
  Enqueued enqueue(std::function<void()> task) override {
    task();
    return static_cast<Enqueued>(true);
  }
  void shutdown() override {}
};

/// A request in memory. Versions disagree about which of these functions are virtual, so none says
/// `override`; each overrides where there is something to override.
// NOLINTBEGIN(modernize-use-override)
class MemoryStream : public httplib::Stream {
 public:
  MemoryStream(std::string_view input, std::string& output) : input_(input), output_(output) {}
  bool is_readable() const { return true; }
  bool is_writable() const { return true; }
  bool wait_readable() const { return true; }
  bool wait_writable() const { return true; }
  time_t duration() const { return 0; }
  ssize_t read(char* to, std::size_t size) {
    const std::size_t taken = input_.copy(to, size);
    input_.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }
  ssize_t write(const char* from, std::size_t size) {
    output_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& address, int& port) const { address.clear(), port = 0; }
  void get_local_ip_and_port(std::string& address, int& port) const { address.clear(), port = 0; }
  socket_t socket() const { return -1; }

 private:
  std::string_view input_;
  std::string& output_;
};
// NOLINTEND(modernize-use-override)

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

HttplibServer::HttplibServer() {
  new_task_queue = [] { return new InlineQueue; };  // cpp-httplib takes ownership
  // cpp-httplib's default is SO_REUSEPORT: a second process could take half of the connections.
  set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  set_tcp_nodelay(true);    // inherited by accepted sockets
  set_idle_interval(0, 0);  // block in accept(), no polling
  set_keep_alive_max_count(1);
}

HttplibServer::~HttplibServer() {
  if (keeper_ >= 0) close(keeper_);
}

std::expected<void, Error> HttplibServer::bind(const std::string& host, std::uint16_t port,
                                               int backlog) {
  errno = 0;
  const bool bound = port != 0 ? bind_to_port(host, port) : bind_to_any_port(host) > 0;
  const int socket = svr_sock_;
  if (!bound || socket < 0) {
    const int error = errno;
    return std::unexpected(Error{"cannot listen on " + host + ":" + std::to_string(port) +
                                 (error != 0 ? std::string(": ") + std::strerror(error) : "")});
  }
  if (::listen(socket, backlog) != 0) {
    return std::unexpected(Error{std::string("cannot listen: ") + std::strerror(errno)});
  }
  keeper_ = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (keeper_ < 0) return std::unexpected(Error{std::strerror(errno)});
  port_ = port_of(keeper_);
  return {};
}

bool HttplibServer::accept_all() {
  constexpr int kAttempts = 1000;
  constexpr std::chrono::milliseconds kPause{10};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    listen_after_bind();  // closes svr_sock_
    if (ending_) return true;
    std::this_thread::sleep_for(kPause);  // what made accept() fail must not make us spin
    const int socket = fcntl(keeper_, F_DUPFD_CLOEXEC, 0);
    if (socket < 0) continue;
    svr_sock_ = socket;
  }
  return false;
}

void HttplibServer::end_accepting() {
  ending_ = true;
  if (keeper_ >= 0) shutdown(keeper_, SHUT_RDWR);  // wakes accept(), which then fails
}

bool HttplibServer::process_and_close_socket(socket_t socket) {
  take(socket);
  return true;
}

std::string HttplibServer::answer(std::string_view head) {
  std::string output;
  MemoryStream stream(head, output);
  bool closed = false;
  const auto process = [&](auto& self) {  // the address parameters came with 0.18
    if constexpr (requires { self.process_request(stream, true, closed, nullptr); }) {
      self.process_request(stream, true, closed, nullptr);
    } else {
      const std::string address;
      self.process_request(stream, address, 0, address, 0, true, closed, nullptr);
    }
  };
  process(*this);
  return output;
}

}  // namespace belay::webhook::http
