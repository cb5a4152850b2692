// A request that waits is read once: its buffer serves others meanwhile, and what it holds is
// counted. Over a real server with one reactor, all of whose connections read into one buffer.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "tests/support/soon.h"
#include "tests/webhook/admission/asking.h"
#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/registry_fake.h"
#include "tests/webhook/admission/review_text.h"
#include "tests/webhook/admission/slow_cluster.h"
#include "tests/webhook/http/tls_client.h"
#include "webhook/admission/handler.h"
#include "webhook/http/server.h"

namespace belay::webhook::admission {
namespace {

using namespace std::chrono_literals;
using test::Asking;
using test::Json;

class Counter final : public DecisionObserver {
 public:
  void decided(const Result& /*result*/, Endpoint /*endpoint*/,
               std::chrono::nanoseconds /*duration*/) override {}
  void rejected(Rejection /*reason*/, Endpoint /*endpoint*/) override {}
};

/// The label of a pod must be that of its namespace, and its tag where it was first.
policy::PolicySet needs_both() {
  policy::Policy moved = test::tag_policy("moved");
  moved.rules.tag_moved.emplace();
  return test::set_of(test::environment_policy("environments"), std::move(moved));
}

struct Fixture {
  explicit Fixture(std::size_t max_bytes_in_flight = std::size_t{256} << 20U) {
    cluster.longest = 20s;
    cluster.make("shop", "prod");
    cluster.make("lab", "dev");
    cluster.make("farm", "prod");
    cluster.hold();
    registry.have_all();
    registry.hang();
    policies.publish(std::make_shared<const policy::PolicySet>(needs_both()));
    http::ServerOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    options.threads = 1;
    options.max_bytes_in_flight = max_bytes_in_flight;
    options.request_timeout = 30s;
    server = std::make_unique<http::Server>(options, test::make_store(), [this] {
      return std::make_unique<AdmissionHandler>(
          policies, cluster, counter,
          AdmissionOptions{.today = test::fixed_day(), .images = {.source = &registry}},
          Lookups{.namespaces = &namespaces, .images = &images});
    });
    REQUIRE(server->start().has_value());
  }
  ~Fixture() {
    cluster.release();
    registry.release();
  }

  Snapshot<policy::PolicySet> policies;
  test::SlowCluster cluster;
  Counter counter;
  test::RegistryFake registry;
  NamespaceLookups namespaces{cluster, {.deadline = 20s}};
  ImageLookups images{registry, {.deadline = 20s}};
  std::unique_ptr<http::Server> server;
};

std::string request_with(Json review, std::string_view uid, std::size_t more = 0) {
  review["request"]["uid"] = uid;
  review["request"]["object"]["metadata"]["annotations"]["more"] = std::string(more, 'x');
  return test::request_about(std::move(review), "/validate", "timeout=30s");
}

/// A pod labelled environment: prod; it needs its namespace and a registry.
std::string waits(const std::string& ns, std::string_view uid, std::size_t more = 0) {
  Json review = test::pod_review({test::container("web", "shop/web:v1")});
  review["request"]["namespace"] = ns;
  return request_with(std::move(review), uid, more);
}

/// Allowed at once: a kind without images. As long as can be, to be written over all that was.
std::string at_once(std::string_view uid) {
  return request_with(test::review("", "Service", Json::object()), uid, 50'000);
}

TEST_CASE("a request that waits for a namespace and for images is read once") {
  Fixture fixture;
  const Asking allowed(*fixture.server);
  const Asking denied(*fixture.server);
  const Asking large(*fixture.server);
  const Asking other(*fixture.server);
  allowed.send(waits("shop", "first"));
  denied.send(waits("lab", "second"));
  large.send(waits("shop", "third", 200'000));  // in memory of its connection
  REQUIRE(tests::soon([&] { return fixture.cluster.asked() == 2; }));
  CHECK(other.ask(at_once("other"))["uid"] == "other");

  fixture.cluster.release();
  fixture.registry.wait_for_asking(3);
  CHECK(other.ask(at_once("another"))["uid"] == "another");

  fixture.registry.release();
  const Json yes = allowed.receive();
  CHECK(yes["uid"] == "first");
  CHECK(yes["allowed"] == true);
  const Json no = denied.receive();
  CHECK(no["uid"] == "second");
  CHECK(no["allowed"] == false);
  CHECK(no["status"]["message"].get<std::string>().find("Pod lab/checkout") != std::string::npos);
  CHECK(large.receive()["uid"] == "third");
  CHECK(fixture.cluster.asked() == 2);
  CHECK(fixture.registry.asked() == 3);
}

TEST_CASE("what is pipelined behind a request that waits is answered behind it") {
  Fixture fixture;
  const test::Client client(fixture.server->port());
  client.send(waits("shop", "first") + at_once("second") + waits("shop", "third"));
  REQUIRE(tests::soon([&] { return fixture.cluster.asked() == 1; }));
  fixture.cluster.release();
  fixture.registry.wait_for_asking(1);
  fixture.registry.release();
  const std::string all = client.read_until("\"allowed\":true}}", 3);
  const std::size_t first = all.find("\"uid\":\"first\"");
  const std::size_t second = all.find("\"uid\":\"second\"");
  const std::size_t third = all.find("\"uid\":\"third\"");
  CHECK(first < second);
  CHECK(second < third);
  CHECK(third != std::string::npos);
}

TEST_CASE("policies that are published while a request waits decide, and ask for nothing twice") {
  Fixture fixture;
  fixture.policies.publish(std::make_shared<const policy::PolicySet>(
      test::set_of(test::environment_policy("environments"))));
  const Asking asking(*fixture.server);
  asking.send(waits("lab", "first"));
  REQUIRE(tests::soon([&] { return fixture.cluster.asked() == 1; }));
  fixture.policies.publish(std::make_shared<const policy::PolicySet>(needs_both()));
  fixture.cluster.release();
  fixture.registry.wait_for_asking(1);  // the new policies need more
  fixture.policies.publish(
      std::make_shared<const policy::PolicySet>(test::set_of(test::tag_policy("tags"))));
  fixture.registry.release();
  CHECK(asking.receive()["allowed"] == true);  // none of these is about namespaces
  CHECK(fixture.cluster.asked() == 1);
  CHECK(fixture.registry.asked() == 1);
}

TEST_CASE("a request that waits counts with what it holds, and gives it back") {
  Fixture fixture(40'000);
  const Asking one(*fixture.server);
  const Asking two(*fixture.server);
  one.send(waits("shop", "first", 30'000));  // of which a wait keeps next to nothing
  REQUIRE(tests::soon([&] { return fixture.cluster.asked() == 1; }));
  two.send(waits("lab", "second", 30'000));
  REQUIRE(tests::soon([&] { return fixture.cluster.asked() == 2; }));
  const auto many_labels = [](std::string_view uid) {
    Json review = test::pod_review({test::container("web", "shop/web:v1")});
    review["request"]["namespace"] = "farm";
    for (int i = 0; i < 400; ++i) {  // 2 × 32 bytes each, and their texts
      review["request"]["object"]["metadata"]["labels"]["l" + std::to_string(i)] = "";
    }
    return request_with(std::move(review), uid);
  };
  const Asking three(*fixture.server);
  three.send(many_labels("third"));
  REQUIRE(tests::soon([&] { return fixture.cluster.asked() == 3; }));
  const test::Client four(fixture.server->port());
  four.send(many_labels("fourth"));
  const std::string rejected = four.read_all();
  CHECK(rejected.starts_with("HTTP/1.1 503 "));
  CHECK(rejected.find("\"code\":\"overload\"") != std::string::npos);
  fixture.cluster.release();
  fixture.registry.release();
  CHECK(one.receive()["uid"] == "first");
  CHECK(two.receive()["uid"] == "second");
  CHECK(three.receive()["uid"] == "third");
  const Asking five(*fixture.server);
  CHECK(five.ask(many_labels("fifth"))["uid"] == "fifth");
}

}  // namespace
}  // namespace belay::webhook::admission
