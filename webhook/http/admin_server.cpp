// The admin port on cpp-httplib. Requests are read here, whole and within limits, before
// cpp-httplib sees them: its own reading has no bound on a line and no deadline for a request, and
// holds a thread meanwhile. One thread waits for all connections, so that neighbours who drip bytes
// never keep a probe waiting until the kubelet restarts us.
#include "webhook/http/admin_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "webhook/http/httplib_server.h"

namespace belay::webhook::http {
namespace {

using AdminClock = std::chrono::steady_clock;

constexpr std::size_t kMaxHeadBytes = 8192;
constexpr std::size_t kMaxConnections = 128;  ///< the oldest makes room for a newcomer
constexpr int kBacklog = 128;
constexpr std::chrono::milliseconds kTime{5'000};  ///< for a request and its answer

constexpr std::string_view kTooLong =
    "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";
constexpr std::string_view kOnlyGet =
    "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

struct Caller {
  int socket;
  AdminClock::time_point deadline;
  std::string head;
  std::string answer;  ///< not empty: being sent
  std::size_t sent = 0;
};

}  // namespace

class AdminServer::Impl final : public HttplibServer {
 public:
  Impl(std::string host, std::uint16_t wanted_port, std::vector<Route> routes)
      : host_(std::move(host)), wanted_port_(wanted_port) {
    for (Route& route : routes) {
      Get(route.first,
          [answer = std::move(route.second)](const httplib::Request&, httplib::Response& response) {
            const AdminAnswer made = answer();
            response.status = made.status;
            response.set_content(made.body, made.content_type.c_str());
          });
    }
    // Texts of exceptions are not for the network.
    set_exception_handler([](const httplib::Request&, httplib::Response& response,
                             // NOLINTNEXTLINE(performance-unnecessary-value-param): httplib's type
                             std::exception_ptr) { response.status = 500; });
  }

  ~Impl() override { stop_all(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<void, Error> start() {
    if (auto bound = bind(host_, wanted_port_, kBacklog); !bound) return bound;
    wakeup_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wakeup_ < 0) return std::unexpected(Error{"cannot make an eventfd"});
    threads_.emplace_back([this] { accept_all(); });
    threads_.emplace_back([this] {
      try {
        while (round()) {
        }
      } catch (const std::exception& error) {
        ServerEvents::exit_with_message(error.what());
      }
    });
    return {};
  }

  void stop_all() {
    end_accepting();
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    for (const Caller& caller : callers_) close(caller.socket);
    callers_.clear();
    for (const int socket : accepted_) close(socket);
    accepted_.clear();
    if (wakeup_ >= 0) close(wakeup_);
    wakeup_ = -1;
  }

 private:
  void wake() {
    const std::uint64_t one = 1;
    std::ignore = write(wakeup_, &one, sizeof one);
  }

  void take(int socket) override {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ || accepted_.size() >= kMaxConnections) {
        close(socket);
        return;
      }
      accepted_.push_back(socket);
    }
    wake();
  }

  /// One wait for all callers, and what came of it.
  /// \return false once the server stops
  bool round() {
    std::vector<pollfd> waits{{wakeup_, POLLIN, 0}};
    for (const Caller& caller : callers_) {
      waits.push_back(
          {caller.socket, static_cast<short>(caller.answer.empty() ? POLLIN : POLLOUT), 0});
    }
    int timeout = -1;
    if (!callers_.empty()) {  // in the order of deadlines
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(callers_.front().deadline -
                                                                     AdminClock::now());
      timeout = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    if (poll(waits.data(), waits.size(), timeout) < 0 && errno != EINTR) {
      throw std::runtime_error("poll failed on the admin port");
    }
    const auto now = AdminClock::now();
    for (std::size_t i = 0; i < callers_.size(); ++i) {
      Caller& caller = callers_[i];
      const bool ready = waits[i + 1].revents != 0;
      if (caller.deadline <= now || (ready && !go_on(caller))) {
        close(caller.socket);
        caller.socket = -1;
      }
    }
    std::erase_if(callers_, [](const Caller& caller) { return caller.socket < 0; });
    return waits[0].revents == 0 || welcome(now);
  }

  /// Takes the sockets that were accepted meanwhile.
  bool welcome(AdminClock::time_point now) {
    std::uint64_t count = 0;
    std::ignore = read(wakeup_, &count, sizeof count);
    const std::lock_guard lock(mutex_);
    for (const int socket : accepted_) {
      if (callers_.size() >= kMaxConnections) {
        close(callers_.front().socket);
        callers_.pop_front();
      }
      callers_.push_back({socket, now + kTime, {}, {}});
    }
    accepted_.clear();
    return !stopping_;
  }

  /// \return false when the connection is done with
  bool go_on(Caller& caller) {
    if (caller.answer.empty()) {
      std::array<char, kMaxHeadBytes> bytes;
      const ssize_t got =
          recv(caller.socket, bytes.data(), bytes.size() - caller.head.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
      if (got <= 0) return false;
      caller.head.append(bytes.data(), static_cast<std::size_t>(got));
      const auto end = caller.head.find("\r\n\r\n");
      if (end == std::string::npos && caller.head.size() < kMaxHeadBytes) return true;
      caller.answer = end == std::string::npos ? std::string(kTooLong)
                                               : answer_to(caller.head.substr(0, end + 4));
    }
    while (caller.sent < caller.answer.size()) {
      const ssize_t sent = send(caller.socket, caller.answer.data() + caller.sent,
                                caller.answer.size() - caller.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      caller.sent += static_cast<std::size_t>(sent);
    }
    shutdown(caller.socket, SHUT_WR);
    return false;
  }

  std::string answer_to(std::string_view head) {
    if (!head.starts_with("GET ") && !head.starts_with("HEAD ")) return std::string(kOnlyGet);
    std::string text = answer(head);
    return text.empty() ? std::string(kOnlyGet) : text;
  }

  const std::string host_;
  const std::uint16_t wanted_port_;
  int wakeup_ = -1;
  std::deque<Caller> callers_;  ///< oldest first; of the serving thread
  std::mutex mutex_;
  std::vector<int> accepted_;  ///< guarded by mutex_
  bool stopping_ = false;      ///< guarded by mutex_
  std::vector<std::thread> threads_;
};

AdminServer::AdminServer(std::string host, std::uint16_t port, std::vector<Route> routes)
    : impl_(std::make_unique<Impl>(std::move(host), port, std::move(routes))) {}
AdminServer::~AdminServer() = default;

std::expected<void, Error> AdminServer::start() { return impl_->start(); }
std::uint16_t AdminServer::port() const { return impl_->port(); }
void AdminServer::stop() { impl_->stop_all(); }

}  // namespace belay::webhook::http
