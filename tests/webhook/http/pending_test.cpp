// Answers that come later: from handlers that wait for other threads, seen by clients over TLS.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/webhook/http/tls_client.h"
#include "webhook/http/server.h"

using namespace belay::webhook::http;
using belay::test::Client;
using belay::test::make_store;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

class WordLater;

/// Requests that wait, in the order in which they came; the test's thread lets them go on.
class Waiting {
 public:
  void add(std::shared_ptr<WordLater> answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    changed_.notify_all();
  }
  /// The next one, waited for.
  std::shared_ptr<WordLater> next() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !answers_.empty(); }));
    auto first = answers_.front();
    answers_.erase(answers_.begin());
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<WordLater>> answers_;
};

/// Answers with its request's body and what a worker found.
class WordLater final : public PendingResponse {
 public:
  WordLater(Clock::time_point deadline, std::string body, Waiting& waiting)
      : PendingResponse(deadline, body.size()), body_(std::move(body)), waiting_(waiting) {}

  void respond(Resumed why, Response& response) override {
    if (why == Resumed::kDeadline) {
      response.body = body_ + " too late.";
      return;
    }
    if (found == "throw") throw std::runtime_error("secret");
    if (found == "again") {
      const auto second = std::make_shared<WordLater>(deadline(), body_ + " again", waiting_);
      waiting_.add(second);
      response.pending = second;
      return;
    }
    response.body = body_ + " " + found + ".";
  }

  std::string found;  ///< written by the worker, before ready()

 private:
  const std::string body_;
  Waiting& waiting_;
};

/// Requests with a query "later=MS" wait so long at most; all others are answered at once.
class Patient final : public Handler {
 public:
  explicit Patient(Waiting& waiting) : waiting_(waiting) {}
  void handle(const Request& request, Response& response) override {
    const std::string body(request.body.data(), request.body.size());
    response.body = body + " now.";
    if (!request.query.starts_with("later=")) return;
    const milliseconds limit(std::stol(std::string(request.query.substr(6))));
    const auto answer = std::make_shared<WordLater>(Clock::now() + limit, body, waiting_);
    if (body == "early") {  // ready before the reactor has parked it
      answer->found = "done";
      answer->ready();
    } else {
      waiting_.add(answer);
    }
    response.pending = answer;
  }

 private:
  Waiting& waiting_;
};

struct Fixture {
  explicit Fixture(ServerOptions options = {}) {
    options.host = "127.0.0.1";
    options.port = 0;
    options.threads = options.threads != 0 ? options.threads : 2;
    server = std::make_unique<Server>(options, make_store(),
                                      [this] { return std::make_unique<Patient>(waiting); });
    REQUIRE(server->start().has_value());
  }
  std::uint16_t port() const { return server->port(); }
  void let_go_on(const std::string& found) {
    const auto answer = waiting.next();
    answer->found = found;
    answer->ready();
  }
  Waiting waiting;
  std::unique_ptr<Server> server;
};

std::string post(std::string_view query, std::string_view body, std::string_view fields = "") {
  return "POST /validate?" + std::string(query) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

void wait_until(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  while (!condition() && Clock::now() < deadline) std::this_thread::yield();
  REQUIRE(condition());
}

}  // namespace

TEST_CASE("a request that waits is answered once a thread says so, and its connection lives on") {
  Fixture fixture;
  const Client client(fixture.port());
  for (const char* body : {"first", "second"}) {
    client.send(post("later=8000", body));
    fixture.let_go_on("found");
    const std::string answer = client.read_until("found.");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.find("\r\n\r\n" + std::string(body) + " found.") != answer.npos);
    CHECK(answer.find("Connection: close") == answer.npos);
  }
  client.send(post("", "third"));
  CHECK(client.read_until("third now.").ends_with("third now."));
}

TEST_CASE("an answer that is ready before its request is parked is not lost") {
  Fixture fixture;
  const Client client(fixture.port());
  for (int i = 0; i < 50; ++i) {
    client.send(post("later=8000", "early"));
    CHECK(client.read_until("early done.").ends_with("early done."));
  }
}

TEST_CASE("others are served while a request waits, on a reactor of its own too") {
  ServerOptions options;
  options.threads = 1;
  Fixture fixture(options);
  const Client waiting(fixture.port());
  waiting.send(post("later=8000", "slow"));
  const auto slow = fixture.waiting.next();
  const Client other(fixture.port());
  for (int i = 0; i < 100; ++i) {
    other.send(post("", "quick"));
    CHECK(other.read_until("quick now.").ends_with("quick now."));
  }
  slow->found = "at last";
  slow->ready();
  CHECK(waiting.read_until("at last.").ends_with("slow at last."));
}

TEST_CASE("what is pipelined around a request that waits is answered in order") {
  Fixture fixture;
  const Client client(fixture.port());
  const std::string large(300'000, 'x');
  client.send(post("", "a") + post("later=8000", "b") + post("", "c") + post("later=8000", "d") +
              post("", large));
  const std::string before = client.read_until("a now.");
  CHECK(before.find("b ") == before.npos);
  fixture.let_go_on("one");
  fixture.let_go_on("two");
  const std::string answers = client.read_until(" now.", 2);
  const std::vector<std::size_t> places{answers.find("b one."), answers.find("c now."),
                                        answers.find("d two."), answers.find("xxx now.")};
  CHECK(std::ranges::is_sorted(places));
  CHECK(places.back() != answers.npos);
}

TEST_CASE("a request that is not ready in time is answered without what is missing") {
  Fixture fixture;
  const Client client(fixture.port());
  const auto begin = Clock::now();
  client.send(post("later=200", "early bird") + post("", "next"));
  const std::string answers = client.read_until("next now.");
  CHECK(answers.find("early bird too late.") != answers.npos);
  CHECK(Clock::now() - begin >= milliseconds(200));
  CHECK(Clock::now() - begin < milliseconds(4000));
  fixture.let_go_on("nobody hears it");
  client.send(post("", "after"));
  CHECK(client.read_until("after now.").find("nobody") == std::string::npos);
}

TEST_CASE("no handler keeps a request longer than a request may take") {
  ServerOptions options;
  options.request_timeout = milliseconds(300);
  Fixture fixture(options);
  const Client client(fixture.port());
  const auto begin = Clock::now();
  client.send(post("later=3600000", "endless"));
  CHECK(client.read_until("too late.").ends_with("endless too late."));
  CHECK(Clock::now() - begin < milliseconds(5000));
}

TEST_CASE("an answer may wait once more, and one that throws is an error") {
  Fixture fixture;
  const Client client(fixture.port());
  client.send(post("later=8000", "a"));
  fixture.let_go_on("again");
  fixture.let_go_on("found");
  CHECK(client.read_until("found.").ends_with("a again found."));
  client.send(post("later=8000", "b"));
  fixture.let_go_on("throw");
  const std::string failed = client.read_until("evaluated\"}}\n");
  CHECK(failed.starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
  CHECK(failed.find("secret") == failed.npos);
}

TEST_CASE("a client that goes away while its request waits leaves nothing behind") {
  Fixture fixture;
  std::vector<std::shared_ptr<WordLater>> answers;
  for (int i = 0; i < 20; ++i) {
    const Client client(fixture.port());
    client.send(post("later=9000", "gone"));
    answers.push_back(fixture.waiting.next());
    if (i % 2 == 0) client.reset();
  }
  for (const auto& answer : answers) {
    answer->found = "found";
    answer->ready();
  }
  wait_until([&] { return fixture.server->connections() == 0; });
  for (const auto& answer : answers) wait_until([&] { return answer.use_count() == 1; });
}

TEST_CASE("a peer that asks for the end of the connection gets its answer first") {
  Fixture fixture;
  const Client client(fixture.port());
  client.send(post("later=8000", "last", "Connection: close\r\n"));
  fixture.let_go_on("word");
  const std::string all = client.read_all();
  CHECK(all.find("Connection: close") != all.npos);
  CHECK(all.ends_with("last word."));
}

TEST_CASE("stop() waits for requests that wait, and answers end their connections") {
  Fixture fixture;
  const Client client(fixture.port());
  client.send(post("later=9000", "begun"));
  const auto answer = fixture.waiting.next();
  std::thread stopping([&] { fixture.server->stop(std::chrono::seconds(20)); });
  wait_until([&] { return !Client(fixture.port()).connected(); });
  answer->found = "finished";
  answer->ready();
  const std::string all = client.read_all();
  CHECK(all.ends_with("begun finished."));
  CHECK(all.find("Connection: close") != all.npos);
  stopping.join();
  CHECK(fixture.server->connections() == 0);
}

TEST_CASE("when grace ends, what waits is answered without what is missing") {
  Fixture fixture;
  const Client client(fixture.port());
  client.send(post("later=9000", "begun"));
  const auto answer = fixture.waiting.next();
  const auto begin = Clock::now();
  fixture.server->stop(milliseconds(100));
  CHECK(Clock::now() - begin < milliseconds(5000));
  CHECK(client.read_all().ends_with("begun too late."));
  fixture.server.reset();
  answer->ready();  // the server is gone: nothing happens
  CHECK(answer.use_count() == 1);
}

TEST_CASE("bytes of requests that wait count as in flight") {
  ServerOptions options;
  options.max_bytes_in_flight = 100'000;
  Fixture fixture(options);
  const Client one(fixture.port());
  const Client two(fixture.port());
  const std::string body(60'000, 'x');
  one.send(post("later=9000", body));
  const auto answer = fixture.waiting.next();
  two.send(post("later=9000", body));
  const std::string rejected = two.read_all();
  CHECK(rejected.starts_with("HTTP/1.1 503 "));
  CHECK(rejected.find("\"code\":\"overload\"") != rejected.npos);
  answer->found = "found";
  answer->ready();
  CHECK(one.read_until("found.").ends_with("found."));
  const Client three(fixture.port());
  three.send(post("later=100", body));
  CHECK(three.read_until("too late.").ends_with("too late."));
}

TEST_CASE("500 requests that wait at once are all answered, by many threads") {
  ServerOptions options;
  options.threads = 2;
  Fixture fixture(options);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 500; ++i) {
    clients.push_back(std::make_unique<Client>(fixture.port()));
    clients.back()->send(post("later=9500", std::to_string(i)));
  }
  std::vector<std::shared_ptr<WordLater>> answers;
  for (int i = 0; i < 500; ++i) answers.push_back(fixture.waiting.next());
  std::vector<std::thread> workers;
  for (std::size_t w = 0; w < 4; ++w) {
    workers.emplace_back([&, w] {
      for (std::size_t i = w; i < answers.size(); i += 4) {
        answers[i]->found = "found";
        answers[i]->ready();
      }
    });
  }
  for (int i = 0; i < 500; ++i) {
    const std::string expected = "\r\n\r\n" + std::to_string(i) + " found.";
    CHECK(clients[static_cast<std::size_t>(i)]->read_until("found.").ends_with(expected));
  }
  for (std::thread& worker : workers) worker.join();
}
