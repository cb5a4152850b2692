// The server: one thread accepts, and each of the others runs a reactor.
#include "webhook/http/server.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "webhook/http/listening_socket.h"
#include "webhook/http/reactor.h"
#include "webhook/http/server_state.h"
#include "webhook/system/cgroup_limits.h"
#include "webhook/system/thread.h"

namespace belay::webhook::http {
namespace {

constexpr std::chrono::milliseconds kPauseWhenScarce{10};  ///< of descriptors or memory

/// As many connections as descriptors allow: running out of them inside accept() would make the
/// listener wait with the door open.
std::size_t within_descriptor_limit(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
  const std::size_t reserve = std::clamp<std::size_t>(descriptors / 4, 32, 512);
  return std::min(wanted, std::max<std::size_t>(descriptors, reserve + 8) - reserve);
}

}  // namespace

void ServerEvents::exit_with_message(std::string_view message) {
  std::fprintf(stderr, "belay: the server cannot go on: %.*s\n", static_cast<int>(message.size()),
               message.data());
  std::_Exit(1);
}

class Server::Impl {
 public:
  Impl(ServerOptions options, std::shared_ptr<const certs::Store> store, HandlerFactory factory,
       ServerEvents events)
      : options_(std::move(options)),
        store_(std::move(store)),
        factory_(std::move(factory)),
        events_(std::move(events)) {}

  ~Impl() { stop(std::chrono::milliseconds(0)); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<void, Error> start() {
    auto context = make_tls_context(*store_, options_.client_ca_pem);
    if (!context) return std::unexpected(context.error());
    options_.max_bytes_in_flight = bytes_within_memory(options_.max_bytes_in_flight);
    state_ = std::make_unique<ServerState>(options_, std::move(*context), events_);
    if (auto opened = listener_.open(options_.host, options_.port, options_.backlog); !opened) {
      return opened;
    }
    const unsigned threads = options_.threads != 0 ? options_.threads : usable_cpus();
    const std::size_t connections = within_descriptor_limit(options_.max_connections);
    for (unsigned i = 0; i < threads; ++i) {
      const std::size_t share = connections / threads + (i < connections % threads ? 1 : 0);
      reactors_.push_back(
          std::make_unique<Reactor>(*state_, factory_(), std::max<std::size_t>(share, 1)));
      if (auto opened = reactors_.back()->open(); !opened) return opened;
    }
    for (const auto& reactor : reactors_) {
      threads_.push_back(
          start_thread("reactor", [&r = *reactor](const std::stop_token&) { r.run(); }));
    }
    accepting_ = start_thread("accept", [this](const std::stop_token&) { accept_all(); });
    return {};
  }

  std::uint16_t port() const { return listener_.port(); }

  void begin_drain() {
    if (state_ != nullptr) state_->draining = true;
  }

  void stop(std::chrono::milliseconds grace) {
    if (!accepting_.joinable()) return;
    begin_drain();
    stopping_ = true;
    listener_.shut_down();
    const auto deadline = Clock::now() + grace;
    for (const auto& reactor : reactors_) reactor->stop(deadline);
    accepting_.join();
    for (std::jthread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::size_t connections() const {
    std::size_t sum = 0;
    for (const auto& reactor : reactors_) sum += reactor->load();
    return sum;
  }

 private:
  /// Until stop().
  void accept_all() {
    while (true) {
      const Accepted accepted = listener_.accept();
      switch (accepted.state) {
        case Accepted::State::kSocket:
          hand_over(accepted.socket);
          break;
        case Accepted::State::kNone:
          break;
        case Accepted::State::kScarce:
          std::this_thread::sleep_for(kPauseWhenScarce);
          break;
        case Accepted::State::kBroken:
          if (!stopping_) events_.fatal("the listening socket accepts no connections");
          return;
      }
    }
  }

  void hand_over(int socket) {
    const auto least =
        std::min_element(reactors_.begin(), reactors_.end(),
                         [](const auto& a, const auto& b) { return a->load() < b->load(); });
    (*least)->adopt(socket);
  }

  ServerOptions options_;
  const std::shared_ptr<const certs::Store> store_;
  const HandlerFactory factory_;
  const ServerEvents events_;
  std::unique_ptr<ServerState> state_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  ListeningSocket listener_;
  std::atomic<bool> stopping_{false};
  std::vector<std::jthread> threads_;
  std::jthread accepting_;
};

Server::Server(ServerOptions options, std::shared_ptr<const certs::Store> store,
               HandlerFactory factory, ServerEvents events)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(store), std::move(factory),
                                   std::move(events))) {}
Server::~Server() = default;

std::expected<void, Error> Server::start() { return impl_->start(); }
std::uint16_t Server::port() const { return impl_->port(); }
void Server::begin_drain() { impl_->begin_drain(); }
void Server::stop(std::chrono::milliseconds grace) { impl_->stop(grace); }
std::size_t Server::connections() const { return impl_->connections(); }

}  // namespace belay::webhook::http
