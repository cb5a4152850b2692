// The file of --registries.
#include "webhook/registry/registries.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/sources.h"

namespace belay::webhook::registry {
namespace {

using Strings = std::vector<std::string>;

std::expected<std::string, std::string> files(const std::string& path) {
  if (path == "ca.pem") return "-----BEGIN CERTIFICATE-----\nca\n";
  if (path == "cert.pem") return "-----BEGIN CERTIFICATE-----\ncert\n";
  if (path == "key.pem") return "-----BEGIN EC PRIVATE KEY-----\nkey\n";
  if (path == "empty.pem") return "";
  return std::unexpected(path + ": no such file");
}

constexpr std::string_view kHead = "apiVersion: belay.dev/v1alpha1\nkind: Registries\n";

Registries read(const std::string& registries) {
  const auto result =
      read_registries(std::string(kHead) + "registries:\n" + registries, "r.yaml", &files);
  if (!result) FAIL(result.error().front());
  return *result;
}

Strings errors(const std::string& registries) {
  const auto result =
      read_registries(std::string(kHead) + "registries:\n" + registries, "r.yaml", &files);
  return result ? Strings{} : result.error();
}

/// Of each error its place and path.
Strings places(const std::string& registries) {
  Strings out;
  for (const auto& error : errors(registries)) {
    const auto place = error.find(": ");
    out.push_back(error.substr(0, error.find(": ", place + 2)));
  }
  return out;
}

TEST_CASE("a registry needs no more than its host") {
  const auto registries = read("- host: GHCR.io\n- host: reg.corp:5000\n- host: localhost\n");
  REQUIRE(registries.list.size() == 3);
  const Registry* ghcr = registries.find("ghcr.IO");
  REQUIRE(ghcr != nullptr);
  CHECK(ghcr->host == "ghcr.io");
  REQUIRE(ghcr->endpoints.size() == 1);
  Endpoint plain;
  plain.url = "https://ghcr.io";
  CHECK(ghcr->endpoints[0] == plain);
  CHECK(registries.find("reg.corp:5000")->endpoints[0].url == "https://reg.corp:5000");
  for (const auto* const other :
       {"reg.corp", "reg.corp:443", "ghcr.io:443", "ghcr.io.evil.example", ""}) {
    CAPTURE(other);
    CHECK(registries.find(other) == nullptr);
  }
}

TEST_CASE("Docker Hub is asked where it is, under both its names") {
  for (const auto* const name : {"docker.io", "index.docker.io", "Docker.IO"}) {
    const auto registries = read(std::string("- host: ") + name + "\n  tokenHosts: [a.corp]\n");
    const Registry* hub = registries.find("docker.io");
    REQUIRE(hub != nullptr);
    CHECK(hub->endpoints[0].url == "https://registry-1.docker.io");
    CHECK(hub->endpoints[0].token_hosts == Strings{"a.corp", "auth.docker.io"});
  }
  const auto elsewhere = read("- host: docker.io\n  endpoint: https://cache.corp/hub/\n");
  CHECK(elsewhere.list[0].endpoints[0].url == "https://cache.corp/hub");
  CHECK(elsewhere.list[0].endpoints[0].token_hosts.empty());
}

TEST_CASE("mirrors come first, each with its own settings") {
  const auto registries = read(R"(- host: reg.corp:5000
  endpoint: https://10.1.2.3:443/
  allowPrivate: true
  ca: ca.pem
  clientCertificate: cert.pem
  clientKey: key.pem
  tokenHosts: [AUTH.corp:8443, "[fd00::1]"]
  blobHosts: [STORE.corp:9000, store.corp]
  mirrors:
    - endpoint: http://mirror.corp/a/b
      plainHttp: true
    - endpoint: https://mirror2.corp
      blobHosts: [blobs.corp]
)");
  const auto& endpoints = registries.list.at(0).endpoints;
  REQUIRE(endpoints.size() == 3);
  CHECK(endpoints[0].url == "http://mirror.corp/a/b");
  CHECK_FALSE(endpoints[0].allow_private);
  CHECK(endpoints[0].ca_pem.empty());
  CHECK(endpoints[1].url == "https://mirror2.corp");
  CHECK(endpoints[2].url == "https://10.1.2.3");
  CHECK(endpoints[2].allow_private);
  CHECK(endpoints[2].ca_pem.find("ca") != std::string::npos);
  CHECK(endpoints[2].client_cert_pem.find("cert") != std::string::npos);
  CHECK(endpoints[2].client_key_pem.find("key") != std::string::npos);
  CHECK(endpoints[2].token_hosts == Strings{"auth.corp:8443", "[fd00::1]"});
  CHECK(endpoints[0].blob_hosts.empty());
  CHECK(endpoints[1].blob_hosts == Strings{"blobs.corp"});
  CHECK(endpoints[2].blob_hosts == Strings{"store.corp:9000", "store.corp"});
}

TEST_CASE("plain http is for who asks for it") {
  CHECK(read("- {host: 'reg.corp:5000', plainHttp: true}").list[0].endpoints[0].url ==
        "http://reg.corp:5000");
  CHECK(places("- {host: reg.corp, endpoint: 'http://reg.corp'}") ==
        Strings{"r.yaml:4:30: registries[0].endpoint"});
  CHECK(places("- {host: reg.corp, endpoint: 'https://reg.corp', plainHttp: true}") ==
        Strings{"r.yaml:4:61: registries[0].plainHttp"});
}

TEST_CASE("3.9: a host in an odd spelling, or one that no reference can name, is refused") {
  for (const auto* const host :
       {"127.1", "127.1:5000", "0x7f.1", "0x7f000001:80", "2130706433:80", "0177.0.0.1", "a.corp.",
        "https://a.corp", "a.corp/path", "user@a.corp", "a_b.corp", "*.corp", "a.corp:0",
        "a.corp:99999", "[::1", "corp", "r\xC3\xA9g.corp"}) {
    CAPTURE(host);
    const auto found = errors(std::string("- host: '") + host + "'\n");
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with("r.yaml:4:9: registries[0].host: \""));
  }
}

TEST_CASE("an endpoint is a URL without user, query and fragment") {
  for (const auto* const url :
       {"a.corp", "ftp://a.corp", "https://", "https://u@a.corp", "https://u:p@a.corp",
        "https://a.corp?x=y", "https://a.corp?", "https://a.corp/#f", "https://127.1",
        "https://a.corp\\\\@b.corp", "https://a.corp/a b", "https://a.corp:0"}) {
    CAPTURE(url);
    const auto found = errors(std::string("- {host: b.corp, endpoint: \"") + url + "\"}\n");
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with("r.yaml:4:28: registries[0].endpoint: "));
  }
}

TEST_CASE("all errors are reported at once, each at its place") {
  CHECK(places(R"(- host: a.corp
  endpont: https://b.corp
  allowPrivate: maybe
- host: A.corp
  ca: missing.pem
  clientCertificate: cert.pem
- endpoint: https://c.corp
  tokenHosts: ["https://auth.corp"]
  blobHosts: [store.corp, "store.corp/x"]
- host: d.corp
  mirrors:
    - allowPrivate: true
    - endpoint: ftp://d.corp
)") == Strings{"r.yaml:5:3: registries[0].endpont", "r.yaml:6:17: registries[0].allowPrivate",
               "r.yaml:7:9: registries[1].host", "r.yaml:8:7: registries[1].ca",
               "r.yaml:9:22: registries[1].clientCertificate", "r.yaml:10:3: registries[2]",
               "r.yaml:11:15: registries[2].tokenHosts", "r.yaml:12:14: registries[2].blobHosts",
               "r.yaml:15:7: registries[3].mirrors[0]",
               "r.yaml:16:17: registries[3].mirrors[1].endpoint"});
}

TEST_CASE("files that are named must be there and hold PEM, a certificate its key") {
  CHECK(errors("- {host: a.corp, ca: missing.pem}") ==
        Strings{"r.yaml:4:22: registries[0].ca: missing.pem: no such file"});
  CHECK(errors("- {host: a.corp, ca: empty.pem}") ==
        Strings{"r.yaml:4:22: registries[0].ca: empty.pem contains no PEM data"});
  CHECK(places("- {host: a.corp, clientCertificate: cert.pem}") ==
        Strings{"r.yaml:4:37: registries[0].clientCertificate"});
  CHECK(places("- {host: a.corp, clientKey: key.pem}") ==
        Strings{"r.yaml:4:29: registries[0].clientKey"});
}

TEST_CASE("a document of another kind is told from one of registries") {
  const auto whole = [](std::string_view text) {
    const auto result = read_registries(text, "r.yaml", &files);
    return result ? Strings{} : result.error();
  };
  const auto wrong =
      whole("apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nregistries: [{host: a.corp}]\n");
  CHECK(wrong == Strings{R"(r.yaml:2:7: kind: must be Registries, not the string "ImagePolicy")"});
  for (const auto* const text : {"", "- host: a.corp", "{}", "---\na: b\n---\nc: d\n"}) {
    CAPTURE(text);
    CHECK_FALSE(whole(text).empty());
  }
  CHECK_FALSE(whole(std::string(kHead) + "kind: Registries\nregistries: [{host: a.corp}]").empty());
  CHECK_FALSE(whole(std::string(kHead) + "registries: {}\n").empty());
  CHECK_FALSE(whole(std::string(kHead) + "registries: []\n").empty());
  CHECK(whole("a: [").size() == 1);
  CHECK(whole(R"({"apiVersion":"belay.dev/v1alpha1","kind":"Registries",)"
              R"("registries":[{"host":"a.corp"}]})")
            .empty());
}

TEST_CASE("the example of docs/registries.md reads") {
  std::ifstream file(tests::source("docs/registries.md"));
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  constexpr std::string_view kFence = "```yaml\n";
  const auto start = page.find(kFence);
  REQUIRE(start != std::string::npos);
  const auto text = page.substr(start + kFence.size());
  const auto result = read_registries(text.substr(0, text.find("```")), "docs", &files);
  if (!result) FAIL(result.error().front());
  CHECK(result->list.size() == 4);
  CHECK(result->find("registry.corp:5000")->endpoints[0].token_hosts == Strings{"auth.corp"});
  CHECK(result->find("registry.corp:5000")->endpoints[0].blob_hosts == Strings{"store.corp:9000"});
  CHECK(result->find("localhost:5001")->endpoints[0].url == "http://localhost:5001");
}

}  // namespace
}  // namespace belay::webhook::registry
