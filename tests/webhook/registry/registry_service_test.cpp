// The files of registries and credentials: followed, swapped as a whole, kept where they break.
#include "webhook/registry/registry_service.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "policy/text/base64.h"
#include "tests/support/folder.h"
#include "tests/support/https_imposter.h"
#include "tests/support/soon.h"

namespace belay::webhook::registry {
namespace {

using namespace std::chrono_literals;
using tests::Imposter;
using tests::Peer;
using tests::soon;

const std::string kDigest = "sha256:" + std::string(64, 'a');

/// A directory with the files, a registry on loopback that they name, and what was reported.
struct Fixture {
  Fixture()
      : registry(&identity().leaf, [this](Peer& peer) {
          while (true) {
            const std::string request = peer.request();
            if (request.empty()) return;
            const bool shown = open || request.find(wanted()) != std::string::npos;
            const bool good =
                shown ? peer.answer(200, "", "Docker-Content-Digest: " + kDigest + "\r\n")
                      : peer.answer(401, "", "WWW-Authenticate: Basic realm=\"x\"\r\n");
            if (!good) return;
          }
        }) {
    folder.write("ca.pem", identity().authority.certificate);
    options.registries_file = folder.path("registries.yaml");
    options.poll = 5ms;
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  static const tests::Identity& identity() {
    static const tests::Identity kIdentity = tests::identity({"127.0.0.1"});
    return kIdentity;
  }
  void write_registries(const std::vector<std::string>& hosts) const {
    std::string text = "apiVersion: belay.dev/v1alpha1\nkind: Registries\nregistries:\n";
    for (const std::string& host : hosts) {
      text += "  - host: " + host + "\n    endpoint: " + registry.url() +
              "\n    allowPrivate: true\n    ca: " + folder.path("ca.pem\n");
    }
    folder.replace("registries.yaml", text);
  }
  void write_credential(const std::string& host, const std::string& password) {
    folder.replace("docker.json", R"({"auths":{")" + host + R"(":{"auth":")" +
                                      policy::base64_encode("me:" + password) + "\"}}}");
  }
  void want(const std::string& password) {
    const std::lock_guard lock(mutex);
    wanted_header = "Basic " + policy::base64_encode("me:" + password);
    open = false;
  }
  std::string wanted() {
    const std::lock_guard lock(mutex);
    return wanted_header;
  }
  std::function<void(const RegistryReload&)> report() {
    return [this](const RegistryReload& reload) {
      const std::lock_guard lock(mutex);
      reloads.push_back(reload);
    };
  }
  std::size_t reports() {
    const std::lock_guard lock(mutex);
    return reloads.size();
  }
  RegistryReload last() {
    const std::lock_guard lock(mutex);
    return reloads.back();
  }

  tests::Folder folder;
  RegistryServiceOptions options;
  std::atomic<bool> open = true;
  std::mutex mutex;
  std::string wanted_header;
  std::vector<RegistryReload> reloads;
  Imposter registry;  ///< last: its threads end first
};

policy::ImageFacts ask(RegistryService& service, std::string_view image) {
  policy::ImageFacts facts;
  service.image_source().ask({}, {policy::parse_image_reference(image).value(), {.digest = true}},
                             Clock::now() + 10s, facts);
  return facts;
}

using Hosts = std::vector<std::string>;

TEST_CASE("the registries of the file are asked, and the file is followed") {
  Fixture files;
  files.write_registries({"registry.corp"});
  RegistryService service(files.options, nullptr, files.report());
  REQUIRE(service.start());
  CHECK(service.hosts() == Hosts{"registry.corp"});
  CHECK(ask(service, "registry.corp/shop/web:v1").digest == kDigest);
  CHECK_FALSE(ask(service, "other.corp/shop/web:v1").problem.empty());
  CHECK(service.figures().misses == 1);

  files.write_registries({"registry.corp", "other.corp"});
  REQUIRE(soon([&] { return service.hosts().size() == 2; }));
  CHECK(ask(service, "other.corp/shop/web:v1").digest == kDigest);
  CHECK(service.figures().misses == 2);  // counts go on

  files.write_registries({"other.corp"});
  REQUIRE(soon([&] { return service.hosts() == Hosts{"other.corp"}; }));
  CHECK(ask(service, "registry.corp/shop/web:v1").digest.empty());
}

TEST_CASE("a file that breaks leaves the last good one in force, and is reported once") {
  Fixture files;
  files.write_registries({"registry.corp"});
  RegistryService service(files.options, nullptr, files.report());
  REQUIRE(service.start());
  REQUIRE(ask(service, "registry.corp/shop/web:v1").digest == kDigest);
  const std::size_t before = files.reports();
  files.folder.replace("registries.yaml", "kind: Registries\nregistries: [{host: 1, hots: 2}]\n");
  REQUIRE(soon([&] { return files.reports() > before; }));
  const RegistryReload told = files.last();
  CHECK_FALSE(told.good);
  CHECK(told.registries == 1);
  REQUIRE_FALSE(told.problems.empty());
  CHECK(told.problems[0].find("registries.yaml:") != std::string::npos);
  CHECK(service.hosts() == Hosts{"registry.corp"});
  CHECK(ask(service, "registry.corp/shop/web:v1").digest == kDigest);
  for (int i = 0; i < 20; ++i) service.reload();
  CHECK(files.reports() == before + 1);

  std::filesystem::remove(files.options.registries_file);
  REQUIRE(soon([&] { return files.reports() == before + 2; }));
  CHECK(service.hosts() == Hosts{"registry.corp"});
  files.write_registries({"registry.corp", "other.corp"});
  REQUIRE(soon([&] { return service.hosts().size() == 2; }));
  CHECK(files.last().good);
}

TEST_CASE("a service whose files never read knows no registry, and asks once they do") {
  Fixture files;
  RegistryService service(files.options, nullptr, files.report());
  const auto started = service.start();
  REQUIRE_FALSE(started);
  CHECK(started.error()[0].find("registries.yaml") != std::string::npos);
  CHECK(service.hosts().empty());
  CHECK_FALSE(ask(service, "registry.corp/shop/web:v1").problem.empty());
  CHECK(files.registry.connections() == 0);
  files.write_registries({"registry.corp"});
  REQUIRE(soon([&] { return !service.hosts().empty(); }));
  CHECK(ask(service, "registry.corp/shop/web:v1").digest == kDigest);
}

TEST_CASE("credentials are followed; what an older one was shown is not believed for the new one") {
  Fixture files;
  files.write_registries({"registry.corp"});
  files.write_credential("registry.corp", "first");
  files.want("first");
  files.options.docker_config_files = {files.folder.path("docker.json")};
  RegistryService service(files.options, nullptr, files.report());
  REQUIRE(service.start());
  CHECK(ask(service, "registry.corp/shop/web:v1").digest == kDigest);
  const std::size_t before = files.reports();
  files.write_credential("registry.corp", "canary-of-the-password");
  REQUIRE(soon([&] { return files.reports() > before; }));
  CHECK(ask(service, "registry.corp/shop/web:v1").digest.empty());
  files.write_credential("registry.corp", "second");
  REQUIRE(soon([&] { return files.reports() > before + 1; }));
  files.want("second");
  CHECK(ask(service, "registry.corp/shop/web:v1").digest == kDigest);

  files.folder.replace("docker.json", R"({"auths": "canary-of-the-password")");
  REQUIRE(soon([&] { return files.reports() > before + 2; }));
  for (const std::string& problem : files.last().problems) {
    CHECK(problem.find("docker.json") != std::string::npos);
    CHECK(problem.find("canary") == std::string::npos);
  }
  CHECK(ask(service, "registry.corp/shop/web:v1").digest == kDigest);
}

TEST_CASE("a CA that is replaced under the same name is taken, too") {
  Fixture files;
  files.folder.replace("ca.pem",
                       tests::identity({"127.0.0.1"}).authority.certificate);  // of somebody else
  files.write_registries({"registry.corp"});
  RegistryService service(files.options, nullptr, files.report());
  REQUIRE(service.start());
  CHECK(ask(service, "registry.corp/shop/web:v1").digest.empty());
  files.folder.replace("ca.pem", Fixture::identity().authority.certificate);
  REQUIRE(soon([&] { return files.reports() == 2; }));
  CHECK(ask(service, "registry.corp/shop/web:v1").digest == kDigest);
}

TEST_CASE("files that change all the time, one in five broken, cost no question its answer") {
  Fixture files;
  files.write_registries({"registry.corp"});
  files.options.poll = 1ms;
  RegistryService service(files.options, nullptr, files.report());
  REQUIRE(service.start());
  std::atomic<bool> over = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> answers = 0;
  int changes = 0;
  {
    std::vector<std::jthread> threads;
    threads.reserve(3);
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] {
        const std::string image = "registry.corp/shop/web:v" + std::to_string(i);
        const auto reference = policy::parse_image_reference(image).value();
        while (!over) {
          policy::ImageFacts facts;
          const bool known = service.image_source().known({}, {reference, {.digest = true}}, facts);
          if (!known) facts = ask(service, image);
          wrong += facts.digest == kDigest ? 0 : 1;
          ++answers;
          (void)service.figures();
        }
      });
    }
    for (int i = 0; i < 60; ++i, ++changes) {
      if (i % 5 == 4) {
        files.folder.replace("registries.yaml", "kind: [");
      } else {
        files.write_registries({"registry.corp", "r" + std::to_string(i) + ".corp"});
      }
      const int before = answers;
      service.reload();
      if (!soon([&] { return answers > before; })) break;
    }
    over = true;
  }
  CHECK(changes == 60);
  CHECK(wrong == 0);
  CHECK(files.reports() >= 60);
}

}  // namespace
}  // namespace belay::webhook::registry
