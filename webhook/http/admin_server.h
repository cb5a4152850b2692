// The admin port: plain HTTP, GET only, for probes and Prometheus. A small cpp-httplib server with
// threads of its own, so that probes answer while the webhook port is busy. Thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "webhook/http/server.h"

namespace belay::webhook::http {

struct AdminAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

class AdminServer {
 public:
  /// `routes`: path -> answer; called on the admin server's thread.
  using Route = std::pair<std::string, std::function<AdminAnswer()>>;
  AdminServer(std::string host, std::uint16_t port, std::vector<Route> routes);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  std::expected<void, Error> start();
  std::uint16_t port() const;
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::http
