// The admin port: plain HTTP, GET only, for probes and Prometheus. It has a thread of its own, so
// that probes are served while the webhook port is busy. Thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "webhook/http/admin_router.h"
#include "webhook/http/server.h"

namespace belay::webhook::http {

class AdminServer {
 public:
  /// \param routes  called on the admin server's thread
  AdminServer(std::string host, std::uint16_t port, std::vector<AdminRoute> routes);
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
