// Facts about images as the webhook learns them: credentials, pull secrets and the tag history
// around the resolver.
#include "webhook/registry/image_facts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "policy/text/base64.h"
#include "tests/support/fake_api.h"
#include "tests/support/soon.h"
#include "webhook/registry/docker_config.h"
#include "webhook/registry/manifest.h"

namespace belay::webhook::registry {
namespace {

using namespace std::chrono_literals;
using kube::ApiError;
using kube::FakeApi;
using nlohmann::json;

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kSecrets = "/api/v1/namespaces/shop/secrets/";
const std::string kDefaultAccount = "/api/v1/namespaces/shop/serviceaccounts/default";
constexpr std::string_view kImage = "registry.corp/shop/web:v1";
const std::string kPassword = "canary-of-the-password";

Clock::time_point soon() { return Clock::now() + 10s; }

/// A registry that shows its one tag to whoever has a username of `shown_to`, and one image.
class PrivateRegistry final : public RegistryReader {
 public:
  std::vector<std::string> shown_to;
  bool hides_manifests = false;

  std::expected<std::string, RegistryError> digest(const Place& place, std::string_view tag,
                                                   Clock::time_point) override {
    const std::lock_guard lock(mutex_);
    asked_as.push_back(place.credential.username);
    last_tag = tag;
    if (std::ranges::find(shown_to, place.credential.username) == shown_to.end()) {
      return std::unexpected(RegistryError{Failure::kUnauthorized, "registry.corp shows nothing"});
    }
    return digest_of(manifest_);
  }
  std::expected<Blob, RegistryError> manifest(const Place&, std::string_view digest,
                                              Clock::time_point) override {
    if (hides_manifests || digest != digest_of(manifest_)) {
      return std::unexpected(RegistryError{Failure::kNotFound, "registry.corp has none"});
    }
    return Blob{manifest_, ""};
  }
  std::expected<Blob, RegistryError> blob(const Place&, std::string_view,
                                          Clock::time_point) override {
    return Blob{config_, ""};
  }
  std::expected<Blob, RegistryError> referrers(const Place&, std::string_view,
                                               Clock::time_point) override {
    return Blob{R"({"manifests":[]})", ""};
  }
  std::string image() const { return digest_of(manifest_); }

  std::vector<std::string> asked_as;
  std::string last_tag;

 private:
  const std::string config_ = R"({"config":{"Labels":{"owner":"shop"}}})";
  const std::string manifest_ =
      R"({"schemaVersion":2,"config":{"digest":")" + digest_of(config_) + "\"}}";
  std::mutex mutex_;
};

class Memory final : public TagRecords {
 public:
  std::expected<std::optional<policy::TagRecord>, std::string> first(
      std::string_view repository, std::string_view tag) const override {
    if (!problem.empty()) return std::unexpected(problem);
    const auto found = seen.find(std::string(repository) + ":" + std::string(tag));
    if (found == seen.end()) return std::nullopt;
    return found->second;
  }
  void saw(std::string_view repository, std::string_view tag,
           const policy::TagRecord& record) override {
    const std::lock_guard lock(mutex);
    seen.emplace(std::string(repository) + ":" + std::string(tag), record);
  }
  std::size_t size() {
    const std::lock_guard lock(mutex);
    return seen.size();
  }
  std::map<std::string, policy::TagRecord> seen;
  std::string problem;
  std::mutex mutex;
};

json docker_config(const std::string& username) {
  return {{"auths",
           {{"registry.corp", {{"auth", policy::base64_encode(username + ":" + kPassword)}}}}}};
}

json secret_of(const std::string& username) {
  return {{"kind", "Secret"},
          {"type", "kubernetes.io/dockerconfigjson"},
          {"metadata", {{"name", "x"}}},
          {"data", {{".dockerconfigjson", policy::base64_encode(docker_config(username).dump())}}}};
}

json account_with(const std::vector<std::string>& names) {
  json account = {{"kind", "ServiceAccount"}, {"metadata", {{"name", "default"}}}};
  for (const std::string& name : names) account["imagePullSecrets"].push_back({{"name", name}});
  return account;
}

struct Setup {
  PrivateRegistry registry;
  Registries registries{{{"registry.corp", {{.url = "https://registry.corp"}}}}};
  Memory memory;
  FakeApi api;
  Resolver resolver{registry, {}};
  PullSecrets secrets{api};

  ImageFactSource source(bool with_secrets = false, Keyring keyring = {}) {
    return ImageFactSource(resolver, std::move(keyring), with_secrets ? &secrets : nullptr, &memory,
                           &registries);
  }
  static admission::ImageFactRequest question(std::string_view image, policy::ImageNeed need) {
    return {policy::parse_image_reference(image).value(), need};
  }
};

const policy::ImageNeed kNeedDigest = {.digest = true};
const policy::ImageNeed kNeedAll = {.digest = true, .metadata = true, .record = true};
const admission::PullIdentity kShop = {"shop", "", {"pull"}};

policy::ImageFacts ask(ImageFactSource& source, std::string_view image,
                       const policy::ImageNeed& need,
                       const admission::PullIdentity& identity = kShop) {
  policy::ImageFacts facts;
  source.ask(identity, Setup::question(image, need), soon(), facts);
  return facts;
}

TEST_CASE("what was asked once is known: digest, metadata of that digest, first record") {
  Setup setup;
  setup.registry.shown_to = {""};
  auto source = setup.source();
  setup.memory.seen["registry.corp/shop/web:v1"] = {.digest = kDigest};
  policy::ImageFacts facts;
  const auto question = Setup::question(kImage, kNeedAll);
  CHECK_FALSE(source.known(kShop, question, facts));
  facts = ask(source, kImage, kNeedAll);
  CHECK(facts.problem.empty());
  CHECK(facts.digest == setup.registry.image());
  REQUIRE(facts.metadata);
  CHECK(facts.metadata->platforms[0].labels == policy::Annotations{{"owner", "shop"}});
  REQUIRE(facts.first_seen);
  CHECK(facts.first_seen->digest == kDigest);

  policy::ImageFacts again;
  REQUIRE(source.known(kShop, question, again));
  CHECK(again.digest == facts.digest);
  CHECK(again.metadata == facts.metadata);
  CHECK(setup.registry.asked_as.size() == 1);
  CHECK(source.known_digest(kShop, question.reference) == facts.digest);
}

TEST_CASE("a reference with a digest has no digest asked for") {
  Setup setup;
  auto source = setup.source();
  const std::string image = "registry.corp/shop/web:v1@" + kDigest;
  policy::ImageFacts facts;
  REQUIRE(source.known(kShop, Setup::question(image, kNeedDigest), facts));
  CHECK(facts.digest == kDigest);
  CHECK(facts.problem.empty());
  CHECK(setup.registry.asked_as.empty());
}

TEST_CASE("3.9: a registry that is not listed is known not to be had, and nobody is asked") {
  Setup setup;
  auto source = setup.source();
  for (const char* image : {"nginx:1.27", "evil.example/x:v1", "registry.corp:5000/shop/web:v1",
                            "registry.corp.evil/shop/web:v1"}) {
    CAPTURE(image);
    policy::ImageFacts facts;
    REQUIRE(source.known(kShop, Setup::question(image, kNeedDigest), facts));
    CHECK(facts.digest.empty());
    CHECK(facts.problem.find("--registries") != std::string::npos);
  }
  CHECK(setup.registry.asked_as.empty());
}

TEST_CASE("a refusal that was heard a moment ago needs no worker") {
  Setup setup;
  auto source = setup.source();
  const std::string problem = ask(source, kImage, kNeedDigest).problem;
  CHECK(problem == "registry.corp shows nothing");
  policy::ImageFacts facts;
  REQUIRE(source.known(kShop, Setup::question(kImage, kNeedDigest), facts));
  CHECK(facts.problem == problem);
  CHECK(setup.registry.asked_as.size() == 1);
}

TEST_CASE("every secret for the host is tried, the pod's and its account's, then belay's own") {
  Setup setup;
  setup.registry.shown_to = {"of-belay"};
  setup.api.put(kSecrets + "pull", secret_of("of-pod"));
  setup.api.put(kSecrets + "second", secret_of("of-account"));
  setup.api.put(kDefaultAccount, account_with({"second", "gone"}));
  auto source = setup.source(true, *read_docker_config(docker_config("of-belay").dump(), "file"));
  policy::ImageFacts facts;
  CHECK_FALSE(source.known(kShop, Setup::question(kImage, kNeedDigest), facts));
  facts = ask(source, kImage, kNeedDigest);
  CHECK(facts.problem.empty());
  CHECK(facts.digest == setup.registry.image());
  CHECK(setup.registry.asked_as == std::vector<std::string>{"of-pod", "of-account", "of-belay"});
  REQUIRE(source.known(kShop, Setup::question(kImage, kNeedDigest), facts));

  const std::size_t calls = setup.api.calls().size();
  (void)ask(source, "registry.corp/shop/web:v2", kNeedDigest);
  CHECK(setup.api.calls().size() == calls);  // secrets are kept for a while
}

TEST_CASE("3.13: a tenant's secret shows nothing to a tenant without it") {
  Setup setup;
  setup.registry.shown_to = {"of-pod"};
  setup.api.put(kSecrets + "pull", secret_of("of-pod"));
  auto source = setup.source(true);
  CHECK(ask(source, kImage, kNeedAll).digest == setup.registry.image());
  const admission::PullIdentity identities[] = {
      {"shop", "", {}}, {"shop", "other", {}}, {"other", "", {"pull"}}, {"", "", {"pull"}}};
  for (const auto& identity : identities) {
    const auto question = Setup::question(kImage, kNeedAll);
    CHECK(source.known_digest(identity, question.reference).empty());
    policy::ImageFacts facts;
    CHECK_FALSE(source.known(identity, question, facts));
    facts = ask(source, kImage, kNeedAll, identity);
    CHECK(facts.digest.empty());
    CHECK(facts.metadata == nullptr);
    CHECK(facts.problem == "registry.corp shows nothing");
  }
  // The same credential in another namespace is another one all the same.
  setup.api.put("/api/v1/namespaces/other/secrets/pull", secret_of("of-pod"));
  const std::size_t asked = setup.registry.asked_as.size();
  PullSecrets anew(setup.api);
  ImageFactSource second(setup.resolver, {}, &anew, nullptr, &setup.registries);
  CHECK(ask(second, kImage, kNeedDigest, {"other", "", {"pull"}}).digest == setup.registry.image());
  CHECK(setup.registry.asked_as.size() == asked + 1);
}

TEST_CASE("3.14: secrets that can't be read are a clause that holds nothing of them") {
  Setup setup;
  setup.api.put(kSecrets + "pull", secret_of("of-pod"));
  setup.api.before = [](const FakeApi::Call& call) -> std::optional<ApiError> {
    if (call.path.find("/secrets/") == std::string::npos) return std::nullopt;
    return FakeApi::error(ApiError::Kind::kForbidden, 403);
  };
  auto source = setup.source(true);
  CHECK(ask(source, kImage, kNeedDigest).problem ==
        "registry.corp shows nothing; belay has no right to read pull secrets");

  // What does not read is passed over, as the kubelet does.
  setup.api.before = nullptr;
  json broken = secret_of("of-pod");
  broken["data"][".dockerconfigjson"] = policy::base64_encode("{\"auths\": " + kPassword);
  setup.api.put(kSecrets + "pull", broken);
  json opaque = secret_of("of-pod");
  opaque["type"] = "Opaque";
  setup.api.put(kSecrets + "opaque", opaque);
  const auto facts = ask(source, kImage, kNeedDigest, {"shop", "", {"pull", "opaque"}});
  CHECK(facts.problem == "registry.corp shows nothing");
  CHECK(setup.registry.asked_as == std::vector<std::string>{""});  // and believed for a while
}

TEST_CASE("3.14: names of secrets and accounts that are not names lead nowhere") {
  Setup setup;
  auto source = setup.source(true);
  const admission::PullIdentity hostile = {
      "shop",
      "../../../nodes",
      {"..", "a/b", "a?b", "A", "", "x%2f..", std::string_view("a\0b", 3)}};
  (void)ask(source, kImage, kNeedDigest, hostile);
  CHECK(setup.api.calls().empty());
}

TEST_CASE(
    "a tag is remembered when it is admitted, without a tag history the rule says how to get one") {
  Setup setup;
  setup.registry.shown_to = {""};
  auto source = setup.source();
  source.admitted(kShop, policy::parse_image_reference("nginx:1.27").value(), kDigest);
  REQUIRE(setup.memory.seen.contains("docker.io/library/nginx:1.27"));
  const auto& record = setup.memory.seen["docker.io/library/nginx:1.27"];
  CHECK(record.digest == kDigest);
  CHECK(std::chrono::system_clock::now() - record.time < 60s);
  source.admitted(kShop, policy::parse_image_reference("nginx").value(), kDigest);
  source.admitted(kShop, policy::parse_image_reference("nginx:1.28").value(), "");
  CHECK(setup.memory.size() == 1);

  setup.memory.problem = "the tag history was not read yet";
  CHECK(ask(source, kImage, kNeedAll).problem == setup.memory.problem);
  ImageFactSource forgetful(setup.resolver, {}, nullptr, nullptr, &setup.registries);
  const auto facts = ask(forgetful, kImage, kNeedAll);
  CHECK(facts.problem.find("--tag-history") != std::string::npos);
  CHECK(facts.digest == setup.registry.image());
}

TEST_CASE("a digest that a user wrote is remembered once the registry says the same of the tag") {
  Setup setup;
  setup.registry.shown_to = {""};
  auto source = setup.source();
  const std::string tag = "registry.corp/shop/web:v1@";
  source.admitted(kShop, policy::parse_image_reference(tag + kDigest).value(), kDigest);
  const std::string right = setup.registry.image();
  source.admitted(kShop, policy::parse_image_reference(tag + right).value(), right);
  const auto end = soon();
  while (setup.memory.size() == 0 && Clock::now() < end) std::this_thread::yield();
  REQUIRE(setup.memory.size() == 1);
  CHECK(setup.memory.seen["registry.corp/shop/web:v1"].digest == right);
}

TEST_CASE("a digest behind the tag of a private image is checked with the secrets of its pod") {
  Setup setup;
  setup.registry.shown_to = {"of-pod"};
  setup.api.put(kSecrets + "pull", secret_of("of-pod"));
  auto source = setup.source(true);
  const std::string image = "registry.corp/shop/web:v1@" + setup.registry.image();
  const auto reference = policy::parse_image_reference(image).value();
  source.admitted({"other", "", {"pull"}}, reference, setup.registry.image());
  source.admitted(kShop, reference, setup.registry.image());
  CHECK(tests::soon([&] { return setup.memory.size() == 1; }));
  CHECK(setup.memory.seen.contains("registry.corp/shop/web:v1"));
}

TEST_CASE("labels that can't be read keep nobody from seeing that a tag moved, or did not") {
  Setup setup;
  setup.registry.shown_to = {""};
  setup.registry.hides_manifests = true;
  auto source = setup.source();
  setup.memory.seen["registry.corp/shop/web:v1"] = {.digest = kDigest};
  auto facts = ask(source, kImage, kNeedAll);
  CHECK(facts.problem == "registry.corp has none");
  CHECK(facts.digest == setup.registry.image());
  CHECK(facts.record_known);
  REQUIRE(facts.first_seen);

  // The same of a host that is not asked at all.
  const std::string elsewhere = "elsewhere.corp/web:v1@" + kDigest;
  REQUIRE(source.known(kShop, Setup::question(elsewhere, kNeedAll), facts));
  CHECK(facts.problem.find("--registries") != std::string::npos);
  CHECK(facts.digest == kDigest);
  CHECK(facts.record_known);

  setup.memory.problem = "the tag history was not read yet";
  facts = ask(source, kImage, kNeedAll);
  CHECK(facts.problem == "registry.corp has none; the tag history was not read yet");
  CHECK_FALSE(facts.record_known);
}

TEST_CASE("a tag is looked up and remembered under one name, however the host is written") {
  Setup setup;
  auto source = setup.source();
  setup.memory.seen["registry.corp/shop/web:v1"] = {.digest = kDigest};
  for (const std::string host : {"Registry.corp", "registry.corp:443", "registry.corp"}) {
    CAPTURE(host);
    policy::ImageFacts facts;
    const std::string image = host + "/shop/web:v1@sha256:" + std::string(64, 'b');
    policy::ImageNeed need;
    need.record = true;
    REQUIRE(source.known(kShop, Setup::question(image, need), facts));
    REQUIRE(facts.first_seen);
    CHECK(facts.first_seen->digest == kDigest);
  }
  source.admitted(kShop, policy::parse_image_reference("Registry.corp/shop/api:v1").value(),
                  kDigest);
  CHECK(setup.memory.seen.contains("registry.corp/shop/api:v1"));
}

}  // namespace
}  // namespace belay::webhook::registry
