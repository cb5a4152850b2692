// The certificate of all replicas: a leader's looks against an API that keeps objects in memory
// with resource versions, and what a follower makes of the Secret.
#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "policy/text/base64.h"
#include "webhook/certificates/ca_bundle.h"
#include "webhook/certificates/certificate_follower.h"
#include "webhook/certificates/certificate_leader.h"
#include "webhook/certificates/certificate_secret.h"

namespace {

using namespace belay;
using namespace belay::webhook;
using namespace belay::webhook::certificates;
using namespace belay::webhook::kube;
using namespace std::chrono_literals;
using nlohmann::json;

const certs::TimePoint kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};
const std::string kSecret = "/api/v1/namespaces/belay-system/secrets/belay-tls";
const std::string kValidating = std::string(kWebhookConfigurationPaths[0]) + "belay";
const std::string kMutating = std::string(kWebhookConfigurationPaths[1]) + "belay";

/// Objects in memory, as far as a leader uses them.
class FakeApi final : public Api {
 public:
  Answer get(std::string_view path, std::chrono::milliseconds /*deadline*/) override {
    if (on_get) on_get(path);
    if (broken) return std::unexpected(*broken);
    const auto found = objects.find(path);
    if (found == objects.end()) return problem(ApiError::Kind::kNotFound, 404);
    return found->second.dump();
  }
  Answer create(std::string_view path, std::string_view text, std::chrono::milliseconds) override {
    json object = json::parse(text);
    const std::string place =
        std::string(path) + "/" + object["metadata"]["name"].get<std::string>();
    if (objects.contains(place)) return problem(ApiError::Kind::kConflict, 409);
    put(place, std::move(object));
    return text_of(place);
  }
  Answer replace(std::string_view path, std::string_view text, std::chrono::milliseconds) override {
    const auto found = objects.find(path);
    if (found == objects.end()) return problem(ApiError::Kind::kNotFound, 404);
    json object = json::parse(text);
    if (object["metadata"]["resourceVersion"] != found->second["metadata"]["resourceVersion"]) {
      return problem(ApiError::Kind::kConflict, 409);
    }
    put(std::string(path), std::move(object));
    return text_of(path);
  }
  Answer patch(std::string_view path, PatchType type, std::string_view text,
               std::chrono::milliseconds) override {
    REQUIRE(type == PatchType::kJson);
    const std::string place(path.substr(0, path.find('?')));
    const auto found = objects.find(place);
    if (found == objects.end()) return problem(ApiError::Kind::kNotFound, 404);
    try {
      put(place, found->second.patch(json::parse(text)));
    } catch (const json::exception&) {
      return problem(ApiError::Kind::kRejected, 422);
    }
    ++patches;
    return text_of(place);
  }
  std::expected<void, ApiError> stream(std::string_view, std::chrono::milliseconds, std::stop_token,
                                       const OnLine&) override {
    return std::unexpected(ApiError{.kind = ApiError::Kind::kStopped, .message = "no streams"});
  }

  void put(const std::string& path, json object) {
    object["metadata"]["resourceVersion"] = std::to_string(++version_);
    objects[path] = std::move(object);
  }
  std::string text_of(std::string_view path) const { return objects.find(path)->second.dump(); }

  std::map<std::string, json, std::less<>> objects;
  std::optional<ApiError> broken;
  std::function<void(std::string_view)> on_get;
  int patches = 0;

 private:
  static Answer problem(ApiError::Kind kind, int status) {
    return std::unexpected(ApiError{.kind = kind, .status = status, .message = "the API said no"});
  }
  int version_ = 0;
};

json configuration(int webhooks = 2) {
  json list = json::array();
  for (int i = 0; i < webhooks; ++i) {
    list.push_back({{"name", "w" + std::to_string(i)}, {"clientConfig", {{"service", {}}}}});
  }
  return {{"metadata", {{"name", "belay"}}}, {"webhooks", list}};
}

struct Fixture {
  CertificateLeader leader() {
    return CertificateLeader(
        api, {.namespace_name = "belay-system", .names = {"belay.belay-system.svc"}},
        [this] { return now; }, [this] { return steady; },
        [this](const CertificateEvent& event) {
          (event.progress ? steps : failures).push_back(event.message);
        });
  }
  void pass(std::chrono::seconds time) {
    now += time;
    steady += time;
  }
  certs::Holding held() { return holding_of(read_object(api.text_of(kSecret)).value()); }
  std::vector<std::string> bundles(const std::string& path) {
    return read_ca_bundles(api.text_of(path))->bundles;
  }

  FakeApi api;
  certs::TimePoint now = kNow;
  std::chrono::steady_clock::time_point steady;
  std::vector<std::string> steps;
  std::vector<std::string> failures;
};

}  // namespace

TEST_CASE(
    "a leader fills the Secret that the chart ships empty, keeps what is not its own, and "
    "publishes to every webhook") {
  Fixture fixture;
  fixture.api.put(kSecret, {{"kind", "Secret"},
                            {"type", "Opaque"},
                            {"metadata", {{"name", "belay-tls"}, {"labels", {{"a", "b"}}}}},
                            {"data", {{"own", policy::base64_encode("kept")}}}});
  fixture.api.put(kValidating, configuration(3));
  fixture.api.put(kMutating, configuration(1));
  CertificateLeader leader = fixture.leader();
  leader.look();
  const certs::Holding held = fixture.held();
  CHECK(certs::pair_to_serve(held, nullptr, kNow));
  CHECK(fixture.bundles(kValidating) == std::vector<std::string>(3, held.authorities));
  CHECK(fixture.bundles(kMutating) == std::vector<std::string>(1, held.authorities));
  CHECK(fixture.api.objects[kSecret]["metadata"]["labels"]["a"] == "b");
  CHECK(fixture.api.objects[kSecret]["data"]["own"] == policy::base64_encode("kept"));
  CHECK_FALSE(fixture.api.objects[kSecret]["data"].contains("next-ca.key"));

  // Nothing to do is nothing written.
  const auto before = fixture.api.objects;
  leader.look();
  CHECK(fixture.api.objects == before);
  CHECK(fixture.failures.empty());
}

TEST_CASE(
    "a Secret that is not there is made, and configurations that are not there are no error") {
  Fixture fixture;
  CertificateLeader leader = fixture.leader();
  leader.look();
  CHECK(fixture.api.objects[kSecret]["type"] == "Opaque");
  CHECK(fixture.failures.empty());
  // One that is made later is published to at the next look, within seconds.
  fixture.api.put(kMutating, configuration());
  CHECK(leader.look() <= 5s);
  CHECK(fixture.bundles(kMutating) == std::vector<std::string>(2, fixture.held().authorities));
}

TEST_CASE("a caBundle that somebody changed is put back, and only where it differs") {
  Fixture fixture;
  fixture.api.put(kValidating, configuration());
  fixture.api.put(kMutating, configuration());
  CertificateLeader leader = fixture.leader();
  leader.look();
  fixture.api.objects[kValidating]["webhooks"][1]["clientConfig"]["caBundle"] = "";
  fixture.api.patches = 0;
  CHECK(leader.look() <= 5s);
  CHECK(fixture.bundles(kValidating) == std::vector<std::string>(2, fixture.held().authorities));
  CHECK(fixture.api.patches == 1);
}

TEST_CASE("a type that asks for a certificate and a key keeps both keys, even empty") {
  const std::string text =
      R"({"kind":"Secret","type":"kubernetes.io/tls","metadata":{"name":"belay-tls"}})";
  const auto written = with_holding(text, {});
  REQUIRE(written);
  CHECK(json::parse(*written)["data"] == json{{"tls.crt", ""}, {"tls.key", ""}});
  CHECK_FALSE(with_holding("[]", {}));
  CHECK_FALSE(read_ca_bundles("[]"));
}

TEST_CASE("A9: a leader goes through the steps of a new CA by what it has seen published") {
  Fixture fixture;
  fixture.api.put(kValidating, configuration());
  fixture.api.put(kMutating, configuration());
  CertificateLeader leader = fixture.leader();
  leader.look();
  const certs::Holding old = fixture.held();
  fixture.api.objects[kSecret]["data"]["renew"] = policy::base64_encode("ca");
  leader.look();
  const certs::Holding both = fixture.held();
  CHECK(both.certificate == old.certificate);
  CHECK(fixture.bundles(kMutating).front() == both.authorities);
  leader.look();  // sees it published
  fixture.pass(59s);
  leader.look();
  CHECK(fixture.held() == both);

  // Another leader starts to count anew, and so does one that sees a webhook without it.
  CertificateLeader other = fixture.leader();
  fixture.pass(2s);
  other.look();
  CHECK(fixture.held() == both);
  fixture.api.objects[kMutating]["webhooks"][0]["clientConfig"]["caBundle"] = "";
  leader.look();
  CHECK(fixture.held() == both);

  leader.look();
  fixture.pass(60s);
  leader.look();
  const certs::Holding issued = fixture.held();
  CHECK(issued.certificate != old.certificate);
  leader.look();
  fixture.pass(599s);
  leader.look();
  CHECK(fixture.held() == issued);
  fixture.pass(1s);
  leader.look();
  CHECK(certs::read_bundle(fixture.held().authorities)->size() == 1);
  CHECK(fixture.bundles(kValidating).front() == fixture.held().authorities);
  CHECK(fixture.failures.empty());
}

TEST_CASE("A12: of two leaders one writes, and the slow one publishes nothing old") {
  Fixture fixture;
  fixture.api.put(kValidating, configuration());
  CertificateLeader first = fixture.leader();
  CertificateLeader second = fixture.leader();
  bool raced = false;
  // The second one acts whole while the first one is between any two of its requests.
  for (const std::string& between : {kValidating, kMutating, kSecret}) {
    fixture.api.objects[kSecret] = json::object();
    fixture.api.put(kSecret, {{"kind", "Secret"}, {"metadata", {{"name", "belay-tls"}}}});
    raced = false;
    fixture.api.on_get = [&](std::string_view path) {
      if (raced || path != between) return;
      raced = true;
      second.look();
    };
    first.look();
    fixture.api.on_get = nullptr;
    first.look();
    second.look();
    CHECK(raced);
    CHECK(fixture.bundles(kValidating).front() == fixture.held().authorities);
    CHECK(fixture.failures.empty());
  }
}

TEST_CASE("A12: a bundle that was read before another leader's step is not published after it") {
  const CaBundles read{.resource_version = "7", .bundles = {"old", "new"}};
  const json patch = json::parse(ca_bundle_patch(read, "new").value());
  REQUIRE(patch.size() == 2);
  CHECK(patch[0] == json{{"op", "test"}, {"path", "/metadata/resourceVersion"}, {"value", "7"}});
  CHECK(patch[1]["path"] == "/webhooks/0/clientConfig/caBundle");
  CHECK_FALSE(ca_bundle_patch({.resource_version = "7", .bundles = {"new"}}, "new"));
}

TEST_CASE("an API server that says no is reported once, and asked again") {
  Fixture fixture;
  fixture.api.broken = ApiError{
      .kind = ApiError::Kind::kForbidden, .status = 403, .message = "the role lacks a verb"};
  CertificateLeader leader = fixture.leader();
  CHECK(leader.look() >= 1s);
  leader.look();
  CHECK(fixture.failures ==
        std::vector<std::string>{"cannot read webhook configuration: the role lacks a verb"});
  fixture.api.broken.reset();
  leader.look();
  CHECK(fixture.api.objects.contains(kSecret));
}

TEST_CASE("a replica takes each good pair, and keeps it when the Secret is gone or broken") {
  Fixture fixture;
  CertificateLeader leader = fixture.leader();
  leader.look();
  const auto store = std::make_shared<certs::Store>();
  std::vector<CertificateEvent> events;
  int changes = 0;
  CertificateFollower follower(
      "belay-tls", store, [&] { return fixture.now; },
      [&](const CertificateEvent& event) { events.push_back(event); }, [&] { ++changes; });
  const Object good = read_object(fixture.api.text_of(kSecret)).value();

  follower.replaced({});
  CHECK(store->current() == nullptr);
  CHECK(events.back().message == "Secret belay-tls: the Secret does not exist");
  follower.changed(good);
  const auto first = store->current();
  REQUIRE(first);
  CHECK(events.back().pair == first);
  CHECK(events.back().message == "read from Secret belay-tls");
  CHECK(events.back().ca_expiry ==
        certs::read_certificates(good.data.at("ca.crt"))->front().not_after);
  follower.replaced({good});
  CHECK(events.size() == 2);  // nothing new, nothing said

  Object broken = good;
  broken.data["tls.key"] = "hello";
  follower.changed(broken);
  follower.changed(broken);
  CHECK(events.size() == 3);
  CHECK(events.back().pair == nullptr);
  CHECK_FALSE(events.back().progress);
  CHECK(events.back().message == "Secret belay-tls: the key: contains no PEM private key");
  follower.deleted(good);
  CHECK(store->current() == first);
  CHECK(events.back().message == "Secret belay-tls: the Secret was deleted");
  CHECK(changes == 6);

  Object other = good;
  other.name = "another";
  follower.changed(other);
  follower.deleted(other);
  CHECK(changes == 6);
}
