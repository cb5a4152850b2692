// Requests that need a registry: asked for beside the reactors and answered again, over a real
// server, while the registry hangs, is crowded or quick.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/webhook/admission/asking.h"
#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/registry_fake.h"
#include "tests/webhook/admission/review_text.h"
#include "tests/webhook/http/tls_client.h"
#include "webhook/admission/handler.h"
#include "webhook/http/server.h"
#include "webhook/namespaces/fixed_namespaces.h"

namespace belay::webhook::admission {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using policy::OnRegistryError;
using test::Asking;
using test::Json;

class Counter final : public DecisionObserver {
 public:
  void decided(const Result& result, Endpoint /*endpoint*/,
               std::chrono::nanoseconds /*duration*/) override {
    ++decided_;
    pinned_ += static_cast<int>(result.pins.pinned);
  }
  void rejected(Rejection /*reason*/, Endpoint /*endpoint*/) override {}
  int decided() const { return decided_; }
  int pinned() const { return pinned_; }

 private:
  std::atomic<int> decided_{0}, pinned_{0};
};

policy::Policy moved_policy(std::string name) {
  policy::Policy made = test::tag_policy(std::move(name));
  made.rules.tag_moved.emplace();
  return made;
}

struct Fixture {
  explicit Fixture(policy::PolicySet set, ImageLookups::Options options = {.deadline = 600ms})
      : lookups(registry, options) {
    registry.have_all();
    policies.publish(std::make_shared<const policy::PolicySet>(std::move(set)));
    http::ServerOptions server_options;
    server_options.host = "127.0.0.1";
    server_options.port = 0;
    server_options.threads = 2;
    server = std::make_unique<http::Server>(server_options, test::make_store(), [this] {
      return std::make_unique<AdmissionHandler>(
          policies, namespaces, counter,
          AdmissionOptions{.today = test::fixed_day(), .images = {.source = &registry}},
          Lookups{.images = &lookups});
    });
    REQUIRE(server->start().has_value());
  }
  ~Fixture() { registry.release(); }

  Snapshot<policy::PolicySet> policies;
  namespaces::FixedNamespaces namespaces;
  Counter counter;
  test::RegistryFake registry;
  ImageLookups lookups;
  std::unique_ptr<http::Server> server;
};

std::string request_for(const std::string& path, const std::string& image,
                        const std::string& query = "timeout=5s", bool dry_run = false) {
  Json review = test::pod_review({test::container("web", image)});
  review["request"]["dryRun"] = dry_run;
  return test::request_about(std::move(review), path, query);
}

TEST_CASE("an image that no cache knows is asked for, and the answer carries its digest") {
  Fixture fixture(test::set_of(test::pin_policy("pins")));
  const Asking asking(*fixture.server);
  const Json pinned = asking.ask(request_for("/mutate", "shop/web:v1"));
  CHECK(pinned["allowed"] == true);
  CHECK(pinned["uid"] == test::kUid);
  CHECK(pinned.contains("patch"));
  CHECK(fixture.registry.asked() == 1);
  CHECK(fixture.counter.decided() == 1);
  CHECK(fixture.counter.pinned() == 1);
  fixture.registry.cache_all();
  CHECK(asking.ask(request_for("/mutate", "shop/web:v1")) == pinned);
  CHECK(fixture.registry.asked() == 1);
}

TEST_CASE("A12: a registry that hangs: /mutate answers in time, by onRegistryError") {
  for (const OnRegistryError on_error : {OnRegistryError::kAllow, OnRegistryError::kDeny}) {
    Fixture fixture(test::set_of(test::pin_policy("pins", on_error)));
    fixture.registry.hang();
    const Asking asking(*fixture.server);
    const auto begin = Clock::now();
    const Json answer = asking.ask(request_for("/mutate", "registry.corp:5000/shop/web:v1"));
    CHECK(Clock::now() - begin >= 600ms);
    CHECK(Clock::now() - begin < 3s);
    CHECK_FALSE(answer.contains("patch"));
    const bool allow = on_error == OnRegistryError::kAllow;
    CHECK(answer["allowed"] == allow);
    const std::string said = allow ? answer["warnings"][0].get<std::string>()
                                   : answer["status"]["message"].get<std::string>();
    CHECK(said.find("registry.corp:5000 did not respond in time") != std::string::npos);
  }
}

TEST_CASE("A12: while every worker hangs, what needs no registry is answered at once") {
  Fixture fixture(test::set_of(test::pin_policy("pins"), test::tag_policy("tags")),
                  {.threads = 2, .queue = 4, .deadline = 8'000ms});
  fixture.registry.hang();
  std::vector<std::unique_ptr<Asking>> hanging;
  for (int i = 0; i < 6; ++i) {
    hanging.push_back(std::make_unique<Asking>(*fixture.server));
    hanging.back()->send(request_for("/mutate", "shop/web:v" + std::to_string(i)));
    if (i < 2) fixture.registry.wait_for_asking(i + 1);  // the others find room in the queue
  }
  const Asking asking(*fixture.server);
  const auto begin = Clock::now();
  for (int i = 0; i < 200; ++i) {
    CHECK(asking.ask(request_for("/validate", "shop/web:v1"))["allowed"] == true);
    CHECK(asking.ask(request_for("/validate", "shop/web:latest"))["allowed"] == false);
    CHECK(asking.ask(request_for("/mutate", "a/b@" + test::digest_of('1')))["allowed"] == true);
  }
  CHECK(fixture.counter.decided() == 600);  // and none of those that wait
  CHECK(Clock::now() - begin < 7s);
  fixture.registry.release();
  for (const auto& one : hanging) CHECK(one->receive()["allowed"] == true);
}

TEST_CASE("a full pool turns a request away at once, by onRegistryError") {
  Fixture fixture(test::set_of(test::pin_policy("pins")),
                  {.threads = 1, .queue = 1, .deadline = 8'000ms});
  fixture.registry.hang();
  const Asking first(*fixture.server);
  const Asking second(*fixture.server);
  first.send(request_for("/mutate", "shop/web:v1"));
  fixture.registry.wait_for_asking(1);
  second.send(request_for("/mutate", "shop/web:v2"));  // waits for the thread
  const Asking third(*fixture.server);
  const auto begin = Clock::now();
  Json rejected;
  while (rejected.is_null() && Clock::now() - begin < 60s) {  // until the second waits
    const auto sent = Clock::now();
    const Json answer = third.ask(request_for("/mutate", "shop/web:v3", "timeout=2300ms"));
    const auto warning = answer["warnings"][0].get<std::string>();
    if (warning.find("too many image lookups are waiting") == std::string::npos) continue;
    rejected = answer;
    CHECK(Clock::now() - sent < 1s);
  }
  CHECK(rejected["allowed"] == true);
  fixture.registry.release();
  CHECK(first.receive().contains("patch"));
  CHECK(second.receive()["allowed"] == true);
}

TEST_CASE("a timeout that leaves no time is answered at once, a short one shortens the wait") {
  Fixture fixture(test::set_of(test::pin_policy("pins")), {.deadline = 8'000ms});
  fixture.registry.hang();
  const Asking asking(*fixture.server);
  auto begin = Clock::now();
  const auto warning_of = [](const Json& answer) {
    return answer["warnings"][0].get<std::string>();
  };
  CHECK(warning_of(asking.ask(request_for("/mutate", "a/b:1", "timeout=300ms")))
            .starts_with("there was no time left to ask the registry: "));
  CHECK(fixture.registry.asked() == 0);
  begin = Clock::now();
  CHECK(warning_of(asking.ask(request_for("/mutate", "a/b:1", "timeout=400ms")))
            .starts_with("docker.io did not respond in time: "));
  CHECK(Clock::now() - begin < 2s);
}

TEST_CASE("a client that goes away while its request waits does no harm") {
  Fixture fixture(test::set_of(test::pin_policy("pins")));
  fixture.registry.hang();
  {
    const Asking gone(*fixture.server);
    gone.send(request_for("/mutate", "shop/web:v1"));
    fixture.registry.wait_for_asking(1);
  }
  fixture.registry.release();
  const Asking asking(*fixture.server);
  CHECK(asking.ask(request_for("/mutate", "shop/web:v2")).contains("patch"));
}

TEST_CASE("/validate asks for what a rule needs, and remembers what it admitted") {
  Fixture fixture(test::set_of(moved_policy("moved")));
  const Asking asking(*fixture.server);
  CHECK(asking.ask(request_for("/validate", "shop/web:v1", "timeout=5s", true))["allowed"] == true);
  CHECK(fixture.registry.asked() == 1);
  CHECK(fixture.registry.seen().empty());  // a dry run
  CHECK(asking.ask(request_for("/validate", "shop/web:latest"))["allowed"] == false);
  CHECK(fixture.registry.seen().empty());  // refused
  fixture.registry.push("docker.io/shop/web:v1", test::digest_of('a'));
  CHECK(asking.ask(request_for("/validate", "shop/web:v1"))["allowed"] == true);
  CHECK(fixture.registry.seen() ==
        std::vector<std::string>{"docker.io/shop/web:v1 " + test::digest_of('a')});
}

TEST_CASE(
    "/validate with a registry that hangs is evaluated in time, by the rule's onRegistryError") {
  Fixture fixture(test::set_of(moved_policy("moved")));
  fixture.registry.hang();
  const Asking asking(*fixture.server);
  const auto begin = Clock::now();
  const Json denied = asking.ask(request_for("/validate", "registry.corp/shop/web:v1"));
  CHECK(Clock::now() - begin < 3s);
  CHECK(denied["allowed"] == false);
  CHECK(denied["status"]["message"].get<std::string>().find(
            "registry.corp did not respond in time") != std::string::npos);
  CHECK(fixture.registry.seen().empty());
}

TEST_CASE("without --registries nothing is asked, and pins and rules say so") {
  Snapshot<policy::PolicySet> policies;
  policies.publish(std::make_shared<const policy::PolicySet>(
      test::set_of(test::pin_policy("pins"), moved_policy("moved"))));
  const namespaces::FixedNamespaces namespaces;
  Counter counter;
  AdmissionHandler handler(policies, namespaces, counter);
  const auto ask = [&](std::string_view path) {
    std::string body = test::pod_review({test::container("web", "shop/web:v1")}).dump();
    body.reserve(body.size() + 64);
    http::Response response;
    handler.handle({path, "", "application/json", {body.data(), body.size()}}, response);
    REQUIRE(response.pending == nullptr);
    return Json::parse(response.body)["response"];
  };
  CHECK(ask("/mutate")["warnings"][0].get<std::string>().starts_with(
      "no registries are configured (--registries): "));
  CHECK(ask("/validate")["status"]["message"].get<std::string>().find(
            "no registries are configured") != std::string::npos);
}

}  // namespace
}  // namespace belay::webhook::admission
