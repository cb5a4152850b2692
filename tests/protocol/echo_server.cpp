// The server without decisions: every request that is framed gets the same answer (or, with --echo,
// the size of its body). Shows what HTTP and TLS cost alone, and tests the server without policy.
//
//   echo_server CERT KEY [--echo] [--threads N] [--idle MS] [--request MS] [--handshake MS]
//               [--connections N] [--bytes N] [--age MS] [--client-ca FILE]
//
// Prints the port; SIGTERM drains and stops; SIGHUP reads certificate and key again. With --echo, a
// query "later=MS" has the answer come from another thread after so long; "deadline=MS" behind it
// bounds that. The query "waiting" says how many of those have not come; "release" has them all
// come.
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "certs/key_pair.h"
#include "certs/store.h"
#include "webhook/http/server.h"

namespace {

using belay::webhook::http::Handler;
using belay::webhook::http::PendingResponse;
using belay::webhook::http::Request;
using belay::webhook::http::Response;
using belay::webhook::http::Resumed;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kAnswer =
    R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true,"status":{"code":200,"message":"ok: image policy satisfied"}}})";

class FixedAnswer final : public Handler {
 public:
  void handle(const Request&, Response& response) override { response.body = kAnswer; }
};

/// Says ready() for answers, each at its time. Thread-safe.
class Alarm {
 public:
  void at(Clock::time_point time, std::shared_ptr<PendingResponse> answer) {
    const std::lock_guard lock(mutex_);
    answers_.emplace(time, std::move(answer));
    changed_.notify_all();
  }

  /// How many answers' times have not come.
  std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }

  /// The times of all answers have come.
  void release() {
    const std::lock_guard lock(mutex_);
    for (const auto& [time, answer] : answers_) answer->ready();
    answers_.clear();
  }

 private:
  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      const auto next =
          answers_.empty() ? Clock::now() + std::chrono::hours(1) : answers_.begin()->first;
      changed_.wait_until(lock, stop, next,
                          [&] { return !answers_.empty() && answers_.begin()->first < next; });
      while (!answers_.empty() && answers_.begin()->first <= Clock::now()) {
        answers_.extract(answers_.begin()).mapped()->ready();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::multimap<Clock::time_point, std::shared_ptr<PendingResponse>> answers_;
  std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

class EchoLater final : public PendingResponse {
 public:
  /// \param bytes  counted as if the request were kept
  EchoLater(Clock::time_point deadline, std::size_t bytes, std::string body)
      : PendingResponse(deadline, bytes), body_(std::move(body)) {}
  void respond(Resumed why, Response& response) override {
    response.body = body_ + (why == Resumed::kReady ? " ready" : " too late");
  }

 private:
  const std::string body_;
};

class Echo final : public Handler {
 public:
  explicit Echo(Alarm& alarm) : alarm_(alarm) {}
  void handle(const Request& request, Response& response) override {
    response.body = std::to_string(request.body.size()) + " " + std::string(request.query);
    if (request.query == "waiting") response.body = std::to_string(alarm_.waiting());
    if (request.query == "release") alarm_.release();
    const auto later = number_behind(request.query, "later=");
    if (later.count() < 0) return;
    const auto deadline = number_behind(request.query, "deadline=");
    const auto now = Clock::now();
    const auto answer =
        std::make_shared<EchoLater>(now + (deadline.count() < 0 ? std::chrono::hours(1) : deadline),
                                    request.body.size(), response.body);
    response.pending = answer;
    alarm_.at(now + later, answer);
  }

 private:
  /// -1 where the query does not hold it.
  static std::chrono::milliseconds number_behind(std::string_view query, std::string_view name) {
    const std::size_t at = query.find(name);
    if (at == std::string_view::npos) return std::chrono::milliseconds(-1);
    return std::chrono::milliseconds(
        std::atol(std::string(query.substr(at + name.size())).c_str()));
  }

  Alarm& alarm_;
};

std::string read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  belay::webhook::http::ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  bool echo = false;
  for (int i = 3; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--echo") {
      echo = true;
      continue;
    }
    if (++i == argc) return 2;
    const long number = std::atol(argv[i]);
    const std::chrono::milliseconds time(number);
    if (flag == "--threads") options.threads = static_cast<unsigned>(number);
    if (flag == "--idle") options.idle_timeout = time;
    if (flag == "--request") options.request_timeout = time;
    if (flag == "--handshake") options.handshake_timeout = time;
    if (flag == "--write") options.write_timeout = time;
    if (flag == "--age") options.max_age = time;
    if (flag == "--connections") options.max_connections = static_cast<std::size_t>(number);
    if (flag == "--bytes") options.max_bytes_in_flight = static_cast<std::size_t>(number);
    if (flag == "--client-ca") options.client_ca_pem = read_file(argv[i]);
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const auto store = std::make_shared<belay::certs::Store>();
  const auto load = [&] {
    const auto pair = belay::certs::KeyPair::from_pem(read_file(argv[1]), read_file(argv[2]));
    if (!pair) std::fprintf(stderr, "%s\n", pair.error().message.c_str());
    if (pair) store->publish(*pair);
    return pair.has_value();
  };
  if (!load()) return 2;
  Alarm alarm;
  belay::webhook::http::Server server(options, store, [&]() -> std::unique_ptr<Handler> {
    if (echo) return std::make_unique<Echo>(alarm);
    return std::make_unique<FixedAnswer>();
  });
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  std::printf("%u\n", unsigned{server.port()});
  std::fflush(stdout);
  for (int signal = 0; sigwait(&signals, &signal) == 0;) {
    if (signal != SIGHUP) break;
    load();
  }
  server.stop(std::chrono::seconds(10));
}
