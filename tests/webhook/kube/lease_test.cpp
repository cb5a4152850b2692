// Who leads: steps of the election by clocks of our own, against an API server in memory, and the
// thread that takes them.
#include "webhook/kube/lease.h"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "tests/support/fake_api.h"
#include "tests/support/soon.h"
#include "webhook/kube/lease_election.h"
#include "webhook/kube/lease_record.h"

namespace belay::webhook::kube {
namespace {

using namespace std::chrono_literals;

const std::string kPath = "/apis/coordination.k8s.io/v1/namespaces/belay-system/leases/belay";

/// The time as one replica sees it. Both clocks run as fast as the test says.
struct Clocks {
  std::chrono::steady_clock::time_point steady{1000s};
  std::chrono::system_clock::time_point wall =
      std::chrono::sys_days{std::chrono::year(2026) / 11 / 22} + 12h;

  LeaseClocks view() {
    return {.steady = [this] { return steady; }, .wall = [this] { return wall; }};
  }
  void pass(std::chrono::milliseconds time) {
    steady += time;
    wall += time;
  }
};

LeaseOptions options_of(const std::string& identity) {
  LeaseOptions options;
  options.namespace_name = "belay-system";
  options.identity = identity;
  return options;
}

/// A replica that steps every two seconds.
struct Replica {
  Replica(Api& api, const std::string& name) : election(api, options_of(name), clocks.view()) {}
  bool step() {
    election.step();
    return election.leading();
  }
  Clocks clocks;
  LeaseElection election;
};

nlohmann::json lease_object(nlohmann::json spec = nullptr) {
  nlohmann::json object = {{"apiVersion", "coordination.k8s.io/v1"},
                           {"kind", "Lease"},
                           {"metadata",
                            {{"name", "belay"},
                             {"namespace", "belay-system"},
                             {"labels", {{"app.kubernetes.io/managed-by", "Helm"}}}}}};
  if (!spec.is_null()) object["spec"] = std::move(spec);
  return object;
}

std::string holder(const FakeApi& api) { return api.at(kPath)["spec"]["holderIdentity"]; }

TEST_CASE("a lease that is not there is made, and its maker leads") {
  FakeApi api;
  Replica a(api, "a");
  CHECK(a.step());
  const auto spec = api.at(kPath)["spec"];
  CHECK(spec == nlohmann::json{{"holderIdentity", "a"},
                               {"leaseDurationSeconds", 15},
                               {"acquireTime", "2026-11-22T12:00:00.000000Z"},
                               {"renewTime", "2026-11-22T12:00:00.000000Z"},
                               {"leaseTransitions", 0}});
}

TEST_CASE("an empty lease, as the chart ships it, is taken at once and keeps its labels") {
  FakeApi api;
  api.put(kPath, lease_object());
  Replica a(api, "a");
  CHECK(a.step());
  CHECK(holder(api) == "a");
  CHECK(api.at(kPath)["spec"]["leaseTransitions"] == 1);
  CHECK(api.at(kPath)["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm");
}

TEST_CASE("a holder renews by one request, and keeps the time at which it began to hold") {
  FakeApi api;
  Replica a(api, "a");
  a.step();
  const auto before = api.calls().size();
  a.clocks.pass(2s);
  CHECK(a.step());
  CHECK(api.calls().size() == before + 1);
  CHECK(api.at(kPath)["spec"]["acquireTime"] == "2026-11-22T12:00:00.000000Z");
  CHECK(api.at(kPath)["spec"]["renewTime"] == "2026-11-22T12:00:02.000000Z");
  CHECK(api.at(kPath)["spec"]["leaseTransitions"] == 0);
}

TEST_CASE("a lease is taken from a holder that no longer renews, after a whole duration") {
  FakeApi api;
  Replica a(api, "a");
  Replica b(api, "b");
  a.step();
  CHECK_FALSE(b.step());
  b.clocks.pass(15s);
  CHECK_FALSE(b.step());
  b.clocks.pass(1ms);
  CHECK(b.step());
  CHECK(holder(api) == "b");
  CHECK(api.at(kPath)["spec"]["leaseTransitions"] == 1);
  a.clocks.pass(2s);
  CHECK_FALSE(a.step());
}

TEST_CASE("a holder that renews keeps its lease for as long as it likes") {
  FakeApi api;
  Replica a(api, "a");
  Replica b(api, "b");
  for (int i = 0; i < 100; ++i) {
    CHECK(a.step());
    CHECK_FALSE(b.step());
    a.clocks.pass(2s);
    b.clocks.pass(2s);
  }
}

TEST_CASE("A11: clocks that are half an hour apart neither take a lease early nor leave it late") {
  for (const auto skew : {-30min, 30min}) {
    FakeApi api;
    Replica a(api, "a");
    Replica b(api, "b");
    b.clocks.wall += skew;
    for (int i = 0; i < 30; ++i) {
      REQUIRE(a.step());
      REQUIRE_FALSE(b.step());
      a.clocks.pass(2s);
      b.clocks.pass(2s);
    }
    // a stands still from here on
    auto waited = 0s;
    while (!b.step()) {
      b.clocks.pass(1s);
      waited += 1s;
    }
    CHECK(waited >= 14s);
    CHECK(waited <= 17s);
  }
}

TEST_CASE("A11: a wall clock that jumps makes no difference to who leads") {
  FakeApi api;
  Replica a(api, "a");
  Replica b(api, "b");
  a.step();
  b.step();
  b.clocks.wall += 30min;
  CHECK_FALSE(b.step());
  a.clocks.wall -= 30min;
  CHECK(a.step());
  CHECK_FALSE(b.step());
}

TEST_CASE("A12: a leader that cannot reach the API server ends before another may begin") {
  FakeApi api;
  Replica a(api, "a");
  Replica b(api, "b");
  a.step();
  b.step();
  bool cut = true;
  api.before = [&](const FakeApi::Call& call) -> std::optional<ApiError> {
    const bool of_a = call.verb == "replace" && call.body["spec"]["holderIdentity"] == "a";
    if (cut && of_a) return FakeApi::error(ApiError::Kind::kUnreachable);
    return std::nullopt;
  };
  bool b_led = false;
  for (int second = 1; second <= 20; ++second) {
    a.clocks.pass(1s);
    b.clocks.pass(1s);
    const bool a_leads = a.election.leading() && a.step();
    b_led = b.step();
    CHECK_FALSE((a_leads && b_led));
    CHECK(a_leads == (second < 10));
  }
  CHECK(b_led);
  cut = false;
  CHECK_FALSE(a.step());
}

TEST_CASE("A12: of two replicas that take a lease at once, one has it") {
  FakeApi api;
  api.put(kPath, lease_object());
  Replica a(api, "a");
  Replica b(api, "b");
  bool raced = false;
  api.before = [&](const FakeApi::Call& call) -> std::optional<ApiError> {
    // b is quicker, between the moment in which a has looked and the one in which it writes.
    if (call.verb == "replace" && !std::exchange(raced, true)) CHECK(b.step());
    return std::nullopt;
  };
  CHECK_FALSE(a.step());
  CHECK(holder(api) == "b");
  CHECK(b.election.leading());
}

TEST_CASE("a lease that is deleted while it is held is made again") {
  FakeApi api;
  Replica a(api, "a");
  a.step();
  api.remove(kPath);
  a.clocks.pass(2s);
  CHECK(a.step());
  CHECK(holder(api) == "a");
}

TEST_CASE("a lease that somebody else wrote into is renewed all the same") {
  FakeApi api;
  Replica a(api, "a");
  a.step();
  auto object = api.at(kPath);
  object["metadata"]["annotations"]["seen"] = "yes";
  api.put(kPath, object);
  a.clocks.pass(2s);
  CHECK(a.step());
  CHECK(api.at(kPath)["metadata"]["annotations"]["seen"] == "yes");
  CHECK(api.at(kPath)["spec"]["renewTime"] == "2026-11-22T12:00:02.000000Z");
}

TEST_CASE("a lease that is given back is free for the next one at once, and only if it was ours") {
  FakeApi api;
  Replica a(api, "a");
  Replica b(api, "b");
  a.step();
  b.step();
  b.election.release();
  CHECK(holder(api) == "a");
  a.election.release();
  CHECK_FALSE(a.election.leading());
  CHECK(holder(api).empty());
  CHECK(b.step());
}

TEST_CASE("a lease that asks for a year of patience is given ten durations") {
  FakeApi api;
  api.put(kPath, lease_object({{"holderIdentity", "gone"}, {"leaseDurationSeconds", 31'536'000}}));
  Replica a(api, "a");
  CHECK_FALSE(a.step());
  a.clocks.pass(60s);
  CHECK_FALSE(a.step());
  a.clocks.pass(91s);
  CHECK(a.step());
}

TEST_CASE("an answer that is not a Lease changes nothing") {
  for (const char* text : {"", "null", "[]", "{", R"({"kind":"Status"})", R"({"kind":1})"}) {
    CHECK_FALSE(read_lease(text));
  }
  const auto odd =
      read_lease(R"({"kind":"Lease","spec":{"holderIdentity":7,"leaseTransitions":"x"}})");
  REQUIRE(odd);
  CHECK(*odd == LeaseRecord{});
  FakeApi api;
  Replica a(api, "a");
  a.step();
  api.put(kPath, {{"kind", "Status"}, {"metadata", {{"name", "belay"}}}});
  a.clocks.pass(2s);
  CHECK(a.step());  // its lead goes on until its deadline
  a.clocks.pass(10s);
  CHECK_FALSE(a.step());
}

TEST_CASE("A12: leading is told when it begins and ends, and goes from hand to hand on stop") {
  FakeApi api;
  std::mutex mutex;
  std::vector<std::string> told;
  const auto options = [](const std::string& name) {
    LeaseOptions made = options_of(name);
    made.duration = 60s;
    made.renew_deadline = 40s;
    made.retry = 5ms;
    return made;
  };
  const auto note = [&](const std::string& name) {
    return [&, name](bool leading) {
      const std::lock_guard lock(mutex);
      told.push_back(name + (leading ? " leads" : " ends"));
    };
  };
  Lease a(api, options("a"), note("a"));
  Lease b(api, options("b"), note("b"));
  a.start();
  REQUIRE(tests::soon([&] { return a.leading(); }));
  b.start();
  CHECK_FALSE(b.leading());
  a.stop();
  CHECK_FALSE(a.leading());
  REQUIRE(tests::soon([&] { return b.leading(); }));
  b.stop();
  CHECK(told == std::vector<std::string>{"a leads", "a ends", "b leads", "b ends"});
  CHECK(holder(api).empty());
}

TEST_CASE("A12: leading ends by itself where the API server no longer answers") {
  FakeApi api;
  std::atomic<int> changes{0};
  LeaseOptions options = options_of("a");
  options.duration = 300ms;
  options.renew_deadline = 200ms;
  options.retry = 5ms;
  std::atomic<bool> away{false};
  api.before = [&](const FakeApi::Call&) -> std::optional<ApiError> {
    if (away) return FakeApi::error(ApiError::Kind::kTimeout);
    return std::nullopt;
  };
  Lease lease(api, options, [&](bool) { ++changes; });
  lease.start();
  REQUIRE(tests::soon([&] { return changes == 1; }));
  away = true;
  REQUIRE(tests::soon([&] { return changes == 2; }));
  CHECK_FALSE(lease.leading());
  away = false;
  REQUIRE(tests::soon([&] { return lease.leading(); }));
}

}  // namespace
}  // namespace belay::webhook::kube
