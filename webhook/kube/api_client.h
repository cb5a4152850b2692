// The Kubernetes API over webhook/http/client.h: bearer token (read again when its file changes),
// client certificate, own CA, a deadline for each request. Thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "webhook/kube/api.h"
#include "webhook/kube/connection.h"

namespace belay::webhook::kube {

class ApiClient final : public Api {
 public:
  /// \param agent  User-Agent: "belay/0.1.0"
  ApiClient(Connection connection, std::string agent);
  ~ApiClient() override;
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  Answer get(std::string_view path, std::chrono::milliseconds deadline) override;
  Answer get_unless_stopped(std::string_view path, std::chrono::milliseconds deadline,
                            const std::stop_token& stop) override;
  Answer create(std::string_view path, std::string_view json,
                std::chrono::milliseconds deadline) override;
  /// create() for who asks as a person does: with the texts of the answer's Warning headers, in
  /// which webhooks say what they only warn of.
  struct Created {
    std::string body;
    std::vector<std::string> warnings;
  };
  std::expected<Created, ApiError> create_and_hear(std::string_view path, std::string_view json,
                                                   std::chrono::milliseconds deadline);
  Answer replace(std::string_view path, std::string_view json,
                 std::chrono::milliseconds deadline) override;
  Answer patch(std::string_view path, PatchType type, std::string_view json,
               std::chrono::milliseconds deadline) override;
  std::expected<void, ApiError> stream(std::string_view path, std::chrono::milliseconds silence,
                                       std::stop_token stop, const OnLine& on_line) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::kube
