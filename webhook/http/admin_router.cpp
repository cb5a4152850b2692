// cpp-httplib serves requests that are in memory already: Get(), set_exception_handler() and what
// they bring of reading heads, routing and writing responses.
//
// Its Server is not given the sockets, because slow clients would silence the probes. This was read
// in 0.11.4 (Debian 12), 0.14.3 (Ubuntu 24.04), 0.18.7 (Debian 13) and 0.53.1:
//   * Server::listen_internal() gives each connection a task of the thread pool to its end, and
//     SocketStream::read() begins its timeout anew at each read. Nothing bounds a whole request: a
//     client that sends a byte a second holds a thread, and as many as there are threads hold all.
//   * A task does not tell its socket, so a TaskQueue of ours could not end the oldest either. It
//     can only wait, or send the probe away.
//   * stream_line_reader::getline() reads a line of any length into memory (before 0.20.1).
// So AdminServer reads, within a deadline and a bound, and hands on what is whole. For that we call
// the protected process_request(): no public function serves a Stream.
#include "webhook/http/admin_router.h"

#include <httplib.h>
#include <sys/types.h>

#include <cstddef>
#include <ctime>
#include <exception>

namespace belay::webhook::http {
namespace {

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

}  // namespace

class AdminRouter::Routes : public httplib::Server {
 public:
  void serve(MemoryStream& stream) { serve(*this, stream); }

 private:
  /// The addresses among the parameters came with 0.18.
  template <typename Self>
  static void serve(Self& self, MemoryStream& stream) {
    bool closed = false;
    if constexpr (requires { self.process_request(stream, true, closed, nullptr); }) {
      self.process_request(stream, true, closed, nullptr);
    } else {
      const std::string address;
      self.process_request(stream, address, 0, address, 0, true, closed, nullptr);
    }
  }
};

AdminRouter::AdminRouter(std::vector<AdminRoute> routes) : routes_(std::make_unique<Routes>()) {
  for (AdminRoute& route : routes) {
    routes_->Get(route.first, [make = std::move(route.second)](const httplib::Request&,
                                                               httplib::Response& response) {
      const AdminResponse made = make();
      response.status = made.status;
      response.set_content(made.body, made.content_type.c_str());
    });
  }
  // Texts of exceptions are not for the network.
  routes_->set_exception_handler([](const httplib::Request&, httplib::Response& response,
                                    // NOLINTNEXTLINE(performance-unnecessary-value-param): its type
                                    std::exception_ptr) { response.status = 500; });
}

AdminRouter::~AdminRouter() = default;

std::string AdminRouter::respond(std::string_view head) {
  std::string output;
  MemoryStream stream(head, output);
  routes_->serve(stream);
  return output;
}

}  // namespace belay::webhook::http
