// Which path of the admin port is served how, on cpp-httplib: it reads the request's head, finds
// the route, and writes the response with its headers. The one place that knows cpp-httplib.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::webhook::http {

struct AdminResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// A path and what makes its response.
using AdminRoute = std::pair<std::string, std::function<AdminResponse()>>;

/// Not thread-safe.
class AdminRouter {
 public:
  explicit AdminRouter(std::vector<AdminRoute> routes);
  ~AdminRouter();
  AdminRouter(const AdminRouter&) = delete;
  AdminRouter& operator=(const AdminRouter&) = delete;

  /// \param head  of a request, whole: request line, headers and the blank line
  /// \return the bytes of the response, which ends its connection
  std::string respond(std::string_view head);

 private:
  class Routes;
  std::unique_ptr<Routes> routes_;
};

}  // namespace belay::webhook::http
