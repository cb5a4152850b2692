// One thread waits for all connections of the admin port, and reads each request whole, within a
// deadline and a bound, before AdminRouter serves it. So clients that drip bytes, or say nothing,
// never keep a probe waiting until the kubelet restarts us: they hold a place, and the oldest makes
// room for a newcomer.
#include "webhook/http/admin_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>

#include "webhook/http/listening_socket.h"

namespace belay::webhook::http {
namespace {

using AdminClock = std::chrono::steady_clock;

constexpr std::size_t kMaxHeadBytes = 8192;
constexpr std::size_t kMaxClients = 128;
constexpr int kAdminBacklog = 128;
constexpr int kAcceptsPerRound = 32;
constexpr std::chrono::milliseconds kClientTime{5'000};  ///< for a request and its response

constexpr std::string_view kHeadTooLong =
    "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";
constexpr std::string_view kOnlyGet =
    "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

/// One connection: a request, its response, the end.
struct AdminClient {
  int socket;
  AdminClock::time_point deadline;
  std::string head;
  std::string response;  ///< not empty: being sent
  std::size_t sent = 0;
};

}  // namespace

class AdminServer::Impl {
 public:
  Impl(std::string host, std::uint16_t wanted_port, std::vector<AdminRoute> routes)
      : host_(std::move(host)), wanted_port_(wanted_port), router_(std::move(routes)) {}

  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<void, Error> start() {
    if (auto opened = listener_.open(host_, wanted_port_, kAdminBacklog); !opened) return opened;
    stopping_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stopping_ < 0 || !listener_.set_nonblocking()) {
      return std::unexpected(Error{"cannot set up the admin port"});
    }
    thread_ = std::thread([this] {
      try {
        while (round()) {
        }
      } catch (const std::exception& error) {
        ServerEvents::exit_with_message(error.what());
      }
    });
    return {};
  }

  std::uint16_t port() const { return listener_.port(); }

  void stop() {
    if (thread_.joinable()) {
      const std::uint64_t one = 1;
      std::ignore = write(stopping_, &one, sizeof one);
      thread_.join();
    }
    listener_.shut_down();
    for (const AdminClient& client : clients_) close(client.socket);
    clients_.clear();
    if (stopping_ >= 0) close(std::exchange(stopping_, -1));
  }

 private:
  /// One wait for all clients, and what came of it.
  /// \return false once the server stops
  bool round() {
    std::vector<pollfd> waits{{stopping_, POLLIN, 0}, {listener_.fd(), POLLIN, 0}};
    for (const AdminClient& client : clients_) {
      waits.push_back(
          {client.socket, static_cast<short>(client.response.empty() ? POLLIN : POLLOUT), 0});
    }
    if (poll(waits.data(), waits.size(), next_timeout()) < 0 && errno != EINTR) {
      throw std::runtime_error("poll failed on the admin port");
    }
    if (waits[0].revents != 0) return false;
    const auto now = AdminClock::now();
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      AdminClient& client = clients_[i];
      const bool ready = waits[i + 2].revents != 0;
      if (client.deadline <= now || (ready && !go_on(client))) {
        close(client.socket);
        client.socket = -1;
      }
    }
    std::erase_if(clients_, [](const AdminClient& client) { return client.socket < 0; });
    if (waits[1].revents != 0) welcome(now);
    return true;
  }

  int next_timeout() const {
    if (clients_.empty()) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(clients_.front().deadline - AdminClock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

  void welcome(AdminClock::time_point now) {
    for (int left = kAcceptsPerRound; left > 0; --left) {
      const Accepted accepted = listener_.accept();
      switch (accepted.state) {
        case Accepted::State::kSocket:
          if (clients_.size() >= kMaxClients) end_oldest();
          clients_.push_back({accepted.socket, now + kClientTime, {}, {}});
          continue;
        case Accepted::State::kNone:
          return;
        case Accepted::State::kScarce:  // the newcomer waits in the kernel's queue for this place
          if (clients_.empty())
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
          else
            end_oldest();
          return;
        case Accepted::State::kBroken:
          throw std::runtime_error("the admin port accepts no connections");
      }
    }
  }

  void end_oldest() {
    close(clients_.front().socket);
    clients_.pop_front();
  }

  /// \return false when the connection is done with
  bool go_on(AdminClient& client) {
    if (client.response.empty()) {
      std::array<char, kMaxHeadBytes> bytes;
      const ssize_t got = recv(client.socket, bytes.data(), bytes.size() - client.head.size(), 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
      if (got <= 0) return false;
      client.head.append(bytes.data(), static_cast<std::size_t>(got));
      const auto end = client.head.find("\r\n\r\n");
      if (end == std::string::npos && client.head.size() < kMaxHeadBytes) return true;
      client.response = end == std::string::npos ? std::string(kHeadTooLong)
                                                 : respond(client.head.substr(0, end + 4));
    }
    while (client.sent < client.response.size()) {
      const ssize_t sent = send(client.socket, client.response.data() + client.sent,
                                client.response.size() - client.sent, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      client.sent += static_cast<std::size_t>(sent);
    }
    shutdown(client.socket, SHUT_WR);
    return false;
  }

  /// cpp-httplib would read on for the body of another method.
  std::string respond(std::string_view head) {
    if (!head.starts_with("GET ") && !head.starts_with("HEAD ")) return std::string(kOnlyGet);
    std::string response = router_.respond(head);
    return response.empty() ? std::string(kOnlyGet) : response;
  }

  const std::string host_;
  const std::uint16_t wanted_port_;
  AdminRouter router_;
  ListeningSocket listener_;
  int stopping_ = -1;                ///< an eventfd
  std::deque<AdminClient> clients_;  ///< oldest first; of the serving thread
  std::thread thread_;
};

AdminServer::AdminServer(std::string host, std::uint16_t port, std::vector<AdminRoute> routes)
    : impl_(std::make_unique<Impl>(std::move(host), port, std::move(routes))) {}
AdminServer::~AdminServer() = default;

std::expected<void, Error> AdminServer::start() { return impl_->start(); }
std::uint16_t AdminServer::port() const { return impl_->port(); }
void AdminServer::stop() { impl_->stop(); }

}  // namespace belay::webhook::http
