// Requests whose namespace is not known: looked up beside the reactors, over a real server.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/webhook/admission/asking.h"
#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/review_text.h"
#include "tests/webhook/admission/slow_cluster.h"
#include "tests/webhook/http/tls_client.h"
#include "webhook/admission/handler.h"
#include "webhook/http/server.h"

namespace belay::webhook::admission {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using test::Asking;
using test::Json;

class Counter final : public DecisionObserver {
 public:
  void decided(const Result& /*result*/, Endpoint /*endpoint*/,
               std::chrono::nanoseconds /*duration*/) override {
    ++decided_;
  }
  void rejected(Rejection /*reason*/, Endpoint /*endpoint*/) override {}
  int decided() const { return decided_; }

 private:
  std::atomic<int> decided_{0};
};

struct Fixture {
  explicit Fixture(NamespaceLookups::Options options = {}) : lookups(cluster, options) {
    policies.publish(std::make_shared<const policy::PolicySet>(
        test::set_of(test::environment_policy("environments"))));
    http::ServerOptions server_options;
    server_options.host = "127.0.0.1";
    server_options.port = 0;
    server_options.threads = 2;
    server = std::make_unique<http::Server>(server_options, test::make_store(), [this] {
      return std::make_unique<AdmissionHandler>(policies, cluster, counter,
                                                AdmissionOptions{.today = test::fixed_day()},
                                                Lookups{.namespaces = &lookups});
    });
    REQUIRE(server->start().has_value());
  }
  Snapshot<policy::PolicySet> policies;
  test::SlowCluster cluster;
  Counter counter;
  NamespaceLookups lookups;
  std::unique_ptr<http::Server> server;
};

/// A pod labelled environment: prod, in this namespace.
std::string request_for(const std::string& ns, const std::string& query = "timeout=5s") {
  Json review = test::pod_review({test::container("web", "nginx:1.27")});
  review["request"]["namespace"] = ns;
  return test::request_about(std::move(review), "/validate", query);
}

std::string message_of(const Json& response) {
  return response["status"]["message"].get<std::string>();
}

TEST_CASE("A17: a pod in a namespace made a moment ago is evaluated by that namespace's labels") {
  Fixture fixture;
  fixture.cluster.make("shop", "prod");
  fixture.cluster.make("lab", "dev");
  const Asking asking(*fixture.server);
  CHECK(asking.ask(request_for("shop"))["allowed"] == true);
  const Json denied = asking.ask(request_for("lab"));
  CHECK(denied["allowed"] == false);
  CHECK(denied["status"]["code"] == 403);
  CHECK(denied["uid"] == test::kUid);
  CHECK(fixture.cluster.asked() == 2);
  CHECK(asking.ask(request_for("shop"))["allowed"] == true);
  CHECK(fixture.cluster.asked() == 2);  // known by now
  CHECK(fixture.counter.decided() == 3);
}

TEST_CASE("A17: a namespace that is not there, or can't be asked for, is refused with the reason") {
  Fixture fixture;
  const Asking asking(*fixture.server);
  const Json missing = asking.ask(request_for("ghost"));
  CHECK(missing["allowed"] == false);
  CHECK(missing["status"]["code"] == 503);
  CHECK(message_of(missing).find("the labels of namespace \"ghost\" are not known: this namespace "
                                 "does not exist. Try again") != std::string::npos);
  fixture.cluster.fail("the API server cannot be reached");
  CHECK(message_of(asking.ask(request_for("ghost")))
            .find("\"ghost\" are not known: the API server cannot be reached.") !=
        std::string::npos);
}

TEST_CASE("A15: with an API server that says nothing, the answer comes within the deadline") {
  Fixture fixture;
  fixture.cluster.make("shop", "prod");
  const Asking asking(*fixture.server);
  CHECK(asking.ask(request_for("shop"))["allowed"] == true);
  fixture.cluster.hold();
  const auto begin = Clock::now();
  const Json undecided = asking.ask(request_for("ghost"));
  CHECK(undecided["allowed"] == false);
  CHECK(undecided["status"]["code"] == 503);
  CHECK(message_of(undecided).find("the API server did not respond in time") != std::string::npos);
  CHECK(Clock::now() - begin >= 500ms);
  CHECK(Clock::now() - begin < 3s);
  CHECK(fixture.cluster.asked() == 2);
  CHECK(asking.ask(request_for("shop"))["allowed"] == true);  // what is known needs nobody
  CHECK(fixture.cluster.asked() == 2);
  fixture.cluster.release();
}

TEST_CASE("a short timeout of the API server shortens the wait") {
  Fixture fixture({.deadline = 5'000ms});
  fixture.cluster.longest = 100ms;
  fixture.cluster.hold();
  const Asking asking(*fixture.server);
  const auto begin = Clock::now();
  CHECK(message_of(asking.ask(request_for("ghost", "timeout=400ms"))).find("in time") !=
        std::string::npos);
  CHECK(Clock::now() - begin < 4s);
  CHECK(message_of(asking.ask(request_for("spirit", "timeout=300ms")))
            .find("the webhook's timeout leaves no time to ask the API server") !=
        std::string::npos);
  CHECK(fixture.cluster.asked() == 1);
  fixture.cluster.release();
}

TEST_CASE("many requests for one namespace ask once, and a full pool turns away at once") {
  Fixture fixture({.threads = 1, .queue = 1, .deadline = 2'500ms});
  fixture.cluster.longest = 2'500ms;
  fixture.cluster.make("shop", "prod");
  fixture.cluster.make("farm", "prod");
  fixture.cluster.hold();
  const Asking first(*fixture.server);
  const Asking second(*fixture.server);
  const Asking third(*fixture.server);
  const Asking fourth(*fixture.server);
  first.send(request_for("shop"));
  const auto deadline = Clock::now() + 10s;
  while (fixture.cluster.asked() == 0 && Clock::now() < deadline) std::this_thread::yield();
  second.send(request_for("farm"));  // waits for the thread
  // Whoever comes when one is asked for and one waits is rejected: tried until both are so.
  Json rejected;
  int tries = 0;
  while (rejected.is_null() && Clock::now() < deadline) {
    const auto begin = Clock::now();
    // Another name each time: had one of them got the room, the next would join its question.
    const Json answer = third.ask(request_for("ghost-" + std::to_string(++tries)));
    if (message_of(answer).find("too many namespace lookups") != std::string::npos) {
      rejected = answer;
      CHECK(Clock::now() - begin < 1s);
    }
  }
  CHECK(rejected["allowed"] == false);
  CHECK(rejected["status"]["code"] == 503);
  fourth.send(request_for("shop"));  // joins the first
  CHECK(fixture.cluster.asked() == 1);
  fixture.cluster.release();
  for (const Asking* asking : {&first, &second, &fourth}) {
    const Json answer = asking->receive();
    CHECK((answer["allowed"] == true || answer["status"]["code"] == 503));
  }
}

TEST_CASE("what needs no namespace asks for none, nor does /mutate") {
  Fixture fixture;
  const Asking asking(*fixture.server);
  std::string mutate = request_for("ghost");
  mutate.replace(mutate.find("/validate"), 9, "/mutate");
  CHECK(asking.ask(mutate)["allowed"] == true);
  fixture.policies.publish(
      std::make_shared<const policy::PolicySet>(test::set_of(test::tag_policy("tags"))));
  CHECK(asking.ask(request_for("ghost"))["allowed"] == true);
  CHECK(fixture.cluster.asked() == 0);
}

TEST_CASE("the wait is what the timeout leaves, and never more than the limit") {
  struct Row {
    const char* query;
    std::chrono::milliseconds wait;
  };
  for (const Row& row : {Row{"timeout=5s", 500ms},
                         {"timeout=700ms", 400ms},
                         {"timeout=1s", 500ms},
                         {"timeout=300ms", 0ms},
                         {"timeout=0s", 0ms},
                         {"a=b&timeout=600ms&c", 300ms},
                         {"timeout=1m30s", 500ms},
                         {"", 500ms},
                         {"timeout=", 500ms},
                         {"timeout=soon", 500ms},
                         {"timeout=5", 500ms},
                         {"timeout=-5s", 500ms},
                         {"timeout=99999999999999999999s", 500ms},
                         {"xtimeout=1ms", 500ms}}) {
    CAPTURE(row.query);
    CHECK(time_to_wait(row.query, 500ms) == row.wait);
  }
}

}  // namespace
}  // namespace belay::webhook::admission
