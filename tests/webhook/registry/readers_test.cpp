// What registries, token services and docker config files say, and what is refused of it.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "policy/text/base64.h"
#include "webhook/registry/auth/token.h"
#include "webhook/registry/docker_config.h"
#include "webhook/registry/json_text.h"
#include "webhook/registry/manifest.h"
#include "webhook/registry/registries.h"
#include "webhook/registry/url.h"

namespace belay::webhook::registry {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');
using Texts = std::vector<std::string>;

// -- URLs and challenges ------------------------------------------------------------------------

TEST_CASE("a URL is read strictly, and written back as it was") {
  for (const char* text :
       {"https://registry.corp", "https://registry.corp:5000/prefix", "https://10.1.2.3:5000",
        "https://[2001:db8::1]:5000/v2/", "http://localhost:5000/token?a=b&c=d"}) {
    CAPTURE(text);
    REQUIRE(parse_url(text));
    CHECK(parse_url(text)->text() == text);
  }
  CHECK(parse_url("https://Registry.Corp:443/")->text() == "https://registry.corp/");
}

TEST_CASE("3.10: what parsers read in two ways is not a URL here") {
  for (const char* text : {"",
                           "registry.corp",
                           "ftp://registry.corp",
                           "https://",
                           "https:///x",
                           "https://a:0/",
                           "https://a:65536/",
                           "https://a:5 000/",
                           "https://user@registry.corp/",
                           "https://registry.corp\\@169.254.169.254/",
                           "https://registry.corp\\.evil/",
                           "https://registry.corp#@evil/",
                           "https://registry.corp/a#b",
                           "https://registry.corp/a b",
                           "https://registry.corp/\n",
                           "https://regis%74ry.corp/",
                           "https://\xc3\xa9vil/",
                           "https://127.1/",
                           "https://0x7f.1/",
                           "https://2130706433/",
                           "https://0177.0.0.1/",
                           "https://1.2.3.4.5/",
                           "https://1.2.3.256/",
                           "https://[::1/",
                           "https://[]/",
                           "https://[fe80::1%25eth0]/",
                           "https://.corp/",
                           "https://a/\"x"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_url(text));
  }
}

TEST_CASE("challenges are read as RFC 9110 writes them") {
  const auto read = read_challenges(
      R"(Negotiate, Bearer realm="https://auth.corp/token?x=\"1\"",service="registry",scope="a,b", basic realm=simple)");
  REQUIRE(read.size() == 3);
  CHECK(read[0].scheme == "negotiate");
  CHECK(read[1].scheme == "bearer");
  CHECK(read[1].get("realm") == "https://auth.corp/token?x=\"1\"");
  CHECK(read[1].get("service") == "registry");
  CHECK(read[1].get("scope") == "a,b");
  CHECK(read[2].scheme == "basic");
  CHECK(read[2].get("realm") == "simple");
  CHECK(read_challenges("BEARER REALM = \"https://a\"").size() == 1);
  for (const char* text : {"", ",", "Bearer realm=\"open", "=", "\"Bearer\"",
                           "Bearer realm=\"https://a\", realm=\"https://b\""}) {
    CAPTURE(text);
    CHECK(read_challenges(text).empty());
  }
  CHECK(read_challenges(std::string(9'000, 'a')).empty());
}

Challenge bearer(const std::string& realm, const std::string& service = {}) {
  return {.scheme = "bearer",
          .parameters = {{"realm", realm}, {"service", service}, {"scope", "ignored"}}};
}

TEST_CASE("3.10: a token service is asked only where its registry or the admin says so") {
  const Endpoint endpoint{.url = "https://registry.corp:5000",
                          .token_hosts = {"auth.corp", "b.c:8443"}};
  const auto url = [&](const std::string& realm, const std::string& service = {}) {
    return token_url(bearer(realm, service), endpoint, "repository:a/b:pull");
  };
  CHECK(url("https://registry.corp:5000/token", "the registry") ==
        "https://registry.corp:5000/token?service=the%20registry&scope=repository:a/b:pull");
  CHECK(url("https://auth.corp/t?x=1") == "https://auth.corp/t?x=1&scope=repository:a/b:pull");
  CHECK(url("https://AUTH.corp:443/t").has_value());
  CHECK(url("https://b.c:8443/t").has_value());
  for (const char* realm :
       {"https://registry.corp/token", "http://registry.corp:5000/token", "https://evil/token",
        "https://auth.corp.evil/t", "https://xauth.corp/t", "https://auth.corp:444/t",
        "http://auth.corp/t", "https://auth.corp@evil/t", "https://auth.corp\\@evil/t",
        "https://169.254.169.254/latest", "/token", "", "https://b.c/t", "https://auth.corp./t"}) {
    CAPTURE(realm);
    CHECK_FALSE(url(realm));
  }
  const Endpoint plain{.url = "http://localhost:5000"};
  CHECK(token_url(bearer("http://localhost:5000/t"), plain, "s").has_value());
  CHECK_FALSE(token_url(bearer("http://localhost:5001/t"), plain, "s"));
}

// -- answers ------------------------------------------------------------------------------------

TEST_CASE("a token and its lifetime are read, and nothing that is not a token") {
  CHECK(read_token(R"({"token":"a.b-c_d~e+f/g==","expires_in":300})")->lifetime.count() == 300);
  CHECK(read_token(R"({"access_token":"t"})")->lifetime.count() == 60);
  CHECK(read_token(R"({"token":"t","expires_in":99999999})")->lifetime.count() == 3'600);
  CHECK(read_token(R"({"token":"t","expires_in":-5})")->lifetime.count() == 0);
  for (const char* body :
       {"", "[]", "{}", R"({"token":""})", R"({"token":"a b"})", R"({"token":"a\r\nX: y"})",
        R"({"token":7})", R"({"token":"a","token":"b"})"}) {
    CAPTURE(body);
    CHECK_FALSE(read_token(body));
  }
}

TEST_CASE("an image manifest names its config, an index its images and no attestations") {
  const auto image = read_manifest(R"({"schemaVersion":2,"config":{"digest":")" + kDigest +
                                       R"(","size":5},"annotations":{"a":"b"}})",
                                   "application/vnd.oci.image.manifest.v1+json; charset=utf-8");
  REQUIRE(image);
  CHECK_FALSE(image->index);
  CHECK(image->config.digest == kDigest);
  CHECK(image->annotations == policy::Annotations{{"a", "b"}});
  const auto entry = [](const char* platform) {
    return R"({"digest":")" + kDigest + R"(","platform":)" + platform + "}";
  };
  const auto index =
      read_manifest(R"({"schemaVersion":2,"manifests":[)" +
                        entry(R"({"os":"linux","architecture":"arm64","variant":"v8"})") + "," +
                        entry(R"({"os":"unknown","architecture":"unknown"})") + "]}",
                    "");
  REQUIRE(index);
  CHECK(index->index);
  REQUIRE(index->manifests.size() == 1);
  CHECK(index->manifests[0].platform == "linux/arm64/v8");
}

TEST_CASE("3.15: a manifest that means two things, or holds what is not a digest, is refused") {
  const std::string config = R"("config":{"digest":")" + kDigest + R"("})";
  const std::string list = R"("manifests":[{"digest":")" + kDigest + R"("}])";
  const Texts bodies = {
      "",
      "{}",
      R"({"schemaVersion":1,)" + config + "}",
      R"({"schemaVersion":2})",
      R"({"schemaVersion":2,)" + config + "," + list + "}",
      R"({"schemaVersion":2,"config":{"digest":"sha256:short"}})",
      R"({"schemaVersion":2,"config":{"digest":")" + kDigest + R"(\"}]"}})",
      R"({"schemaVersion":2,"config":[]})",
      R"({"schemaVersion":2,"manifests":[]})",
      R"({"schemaVersion":2,"manifests":{}})",
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)" + config + "}",
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v1+json",)" +
          config + "}",
      R"({"schemaVersion":2,"annotations":{"a":1},)" + config + "}",
      R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":")" +
          kDigest + R"("}]})",
      std::string(40, '[') + std::string(40, ']'),
      R"({"schemaVersion":2,"schemaVersion":2,)" + config + "}"};
  for (const std::string& body : bodies) {
    CAPTURE(body);
    CHECK_FALSE(read_manifest(body, ""));
  }
  CHECK_FALSE(read_manifest(
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)" + config +
          "}",
      "application/vnd.oci.image.index.v1+json"));
  CHECK_FALSE(read_manifest(std::string(kMaxResponse + 1, ' '), ""));
  std::string deep = R"({"schemaVersion":2,"x":)";
  for (int i = 0; i < 40; ++i) deep += "[";
  CHECK_FALSE(read_manifest(deep, ""));
}

TEST_CASE("an image config gives labels, time and platform") {
  const auto config = read_image_config(
      R"({"created":"2026-01-02T03:04:05Z","os":"linux","architecture":"amd64","config":{"Labels":{"a":"b"}}})");
  REQUIRE(config);
  CHECK(config->labels == policy::Annotations{{"a", "b"}});
  CHECK(config->created == "2026-01-02T03:04:05Z");
  CHECK(config->platform == "linux/amd64");
  CHECK(read_image_config("{}")->labels.empty());
  CHECK(read_image_config(R"({"config":{"Labels":null}})")->labels.empty());
  CHECK_FALSE(read_image_config(R"({"config":{"Labels":{"a":1}}})"));
  CHECK_FALSE(read_image_config(R"({"created":7})"));
}

TEST_CASE("referrers come with their annotations") {
  const auto list = read_referrers(R"({"schemaVersion":2,"manifests":[{"digest":")" + kDigest +
                                   R"(","annotations":{"security":"verified"}}]})");
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  CHECK(list->front().annotations == policy::Annotations{{"security", "verified"}});
  CHECK_FALSE(read_referrers("{}"));
  CHECK_FALSE(read_referrers(R"({"manifests":7})"));
}

TEST_CASE("digests of bytes are computed and compared for every algorithm of the grammar") {
  CHECK(digest_of("abc") ==
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(has_digest("abc", digest_of("abc")));
  CHECK_FALSE(has_digest("abd", digest_of("abc")));
  CHECK(has_digest("abc",
                   "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                   "8086072ba1e7cc2358baeca134c825a7"));
  CHECK(has_digest("abc",
                   "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                   "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"));
  CHECK_FALSE(has_digest("abc", ""));
  CHECK_FALSE(has_digest("abc", "md5:900150983cd24fb0d6963f7d28e17f72"));
}

// -- credentials --------------------------------------------------------------------------------

Texts users(const Keyring& keyring, std::string_view host, std::string_view repository = "a/b") {
  Texts names;
  for (const Credential& one : keyring.find(host, repository)) names.push_back(one.username);
  return names;
}

std::string entry(const std::string& key, const std::string& user) {
  return "\"" + key + R"(":{"auth":")" + policy::base64_encode(user + ":pa:ss") + "\"}";
}

TEST_CASE("a docker config's credentials go to their host, the longest path first") {
  const auto keyring = read_docker_config(
      R"({"auths":{)" + entry("registry.corp:5000", "host") + "," +
          entry("https://registry.corp:5000/v2/a", "team") + "," +
          entry("registry.corp:5000/a/b", "app") + "," + entry("*.example.com", "glob") + "," +
          entry("https://index.docker.io/v1/", "hub") + R"(,"empty.corp":{}},"credsStore":"x"})",
      "file");
  REQUIRE(keyring);
  CHECK(users(*keyring, "registry.corp:5000", "a/b") == Texts{"app", "team", "host"});
  CHECK(users(*keyring, "Registry.Corp:5000", "a/bc") == Texts{"team", "host"});
  CHECK(users(*keyring, "registry.corp:5000", "ab") == Texts{"host"});
  CHECK(users(*keyring, "docker.io", "library/nginx") == Texts{"hub"});
  CHECK(users(*keyring, "x.example.com") == Texts{"glob"});
  CHECK(users(*keyring, "empty.corp").empty());
  CHECK(keyring->find("docker.io", "x")[0].password == "pa:ss");
}

TEST_CASE("3.12: look-alike hosts get no credential") {
  const auto keyring = read_docker_config(
      R"({"auths":{)" + entry("registry.corp", "a") + "," + entry("*.azurecr.io", "b") + "}}",
      "file");
  REQUIRE(keyring);
  for (const char* host : {"registry.corp.evil", "evil-registry.corp", "xregistry.corp",
                           "registry.corp:444", "registry", "azurecr.io", "x.azurecr.io.evil",
                           "a.b.azurecr.io", ".azurecr.io.", "x.azurecr.io:5000", "docker.io"}) {
    CAPTURE(host);
    CHECK(users(*keyring, host).empty());
  }
}

TEST_CASE("the older form of the file is the mapping alone, and tokens are taken") {
  const auto keyring = read_docker_config(
      R"({"registry.corp":{"username":"u","password":"p"},"b.corp":{"identitytoken":"i"},"c.corp":{"registrytoken":"r"}})",
      "file");
  REQUIRE(keyring);
  CHECK(users(*keyring, "registry.corp") == Texts{"u"});
  CHECK(keyring->find("b.corp", "x")[0].identity_token == "i");
  CHECK(keyring->find("c.corp", "x")[0].registry_token == "r");
}

TEST_CASE("identities are equal for equal credentials of one owner only") {
  const auto identity = [](const std::string& text, std::string_view owner) {
    return read_docker_config(text, owner)->find("r.corp", "x").front().identity;
  };
  const std::string one = "{\"auths\":{" + entry("r.corp", "u") + "}}";
  const std::string two = "{\"auths\":{" + entry("r.corp", "v") + "}}";
  CHECK(identity(one, "a") == identity(one, "a"));
  CHECK(identity(one, "a") != identity(one, "b"));
  CHECK(identity(one, "a") != identity(two, "a"));
  CHECK(identity(one, "a") != anonymous().identity);
}

TEST_CASE("3.14: a docker config that is invalid is reported without any of its text") {
  for (const std::string& text :
       {std::string("secret"), std::string(R"({"auths":[]})"),
        std::string(R"({"auths":{"a":"secret"}})"),
        std::string(R"({"auths":{"a":{"auth":"secret!"}}})"),
        R"({"auths":{"a":{"auth":")" + policy::base64_encode("secret") + "\"}}}",
        std::string(R"({"auths":{"a":{"username":["secret"]}}})"),
        std::string(R"({"auths":{"":{"username":"secret"}}})")}) {
    CAPTURE(text);
    const auto read = read_docker_config(text, "file");
    REQUIRE_FALSE(read);
    CHECK(read.error().find("secret") == std::string::npos);
  }
}

// -- the file of registries -----------------------------------------------------------------------

std::expected<std::string, std::string> read_pem(const std::string& path) {
  if (path == "/gone") return std::unexpected("/gone: there is no such file");
  return "-----BEGIN " + path;
}

Registries registries(const std::string& list) {
  const auto read = read_registries(
      "apiVersion: belay.dev/v1alpha1\nkind: Registries\nregistries:\n" + list, "r.yaml", read_pem);
  if (!read) FAIL(read.error().front());
  return *read;
}

TEST_CASE("a registry is asked at its own name, Docker Hub where it lives, mirrors first") {
  const Registries plain = registries("  - host: Registry.corp:5000\n  - host: docker.io\n");
  REQUIRE(plain.find("registry.corp:5000"));
  CHECK(plain.find("REGISTRY.corp:5000")->endpoints[0].url == "https://registry.corp:5000");
  CHECK_FALSE(plain.find("registry.corp"));
  CHECK(plain.find("docker.io")->endpoints[0].url == "https://registry-1.docker.io");
  CHECK(plain.find("docker.io")->endpoints[0].token_hosts == Texts{"auth.docker.io"});

  const Registries full = registries(
      "  - host: registry.corp\n    endpoint: https://10.1.2.3:5000/\n    allowPrivate: true\n"
      "    ca: ca.pem\n    clientCertificate: c.pem\n    clientKey: k.pem\n"
      "    tokenHosts: [auth.corp]\n    mirrors:\n      - endpoint: http://localhost:5000/hub\n"
      "        plainHttp: true\n        allowPrivate: true\n");
  const Registry& one = full.list.at(0);
  REQUIRE(one.endpoints.size() == 2);
  CHECK(one.endpoints[0].url == "http://localhost:5000/hub");
  CHECK(one.endpoints[0].allow_private);
  CHECK(one.endpoints[0].token_hosts.empty());
  CHECK(one.endpoints[1] == Endpoint{"https://10.1.2.3:5000",
                                     true,
                                     "-----BEGIN ca.pem",
                                     "-----BEGIN c.pem",
                                     "-----BEGIN k.pem",
                                     {"auth.corp"}});
}

TEST_CASE(
    "everything that is wrong with a file of registries is reported at once, with its place") {
  const auto read = read_registries(
      "apiVersion: belay.dev/v1alpha1\nkind: Registries\nregistries:\n"
      "  - host: registry\n  - host: 127.1:5000\n  - host: a.corp\n  - host: A.corp\n"
      "    endpoint: http://a.corp\n  - host: b.corp\n    ca: /gone\n    clientKey: k\n"
      "    tokenHosts: [\"a/b\"]\n    endpont: x\n  - host: c.corp\n    endpoint: "
      "https://u@c.corp\n",
      "r.yaml", read_pem);
  REQUIRE_FALSE(read);
  Texts places;
  for (const std::string& error : read.error()) places.push_back(error.substr(0, error.find(": ")));
  CHECK(places == Texts{"r.yaml:4:11", "r.yaml:5:11", "r.yaml:7:11", "r.yaml:8:15", "r.yaml:10:9",
                        "r.yaml:11:16", "r.yaml:12:17", "r.yaml:13:5", "r.yaml:15:15"});
  CHECK(read.error()[7].find("did you mean \"endpoint\"?") != std::string::npos);
  CHECK(read.error()[4] == "r.yaml:10:9: registries[4].ca: /gone: there is no such file");
  for (const char* text :
       {"", "[]", "kind: Registries",
        "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nregistries: []", "a: b\na: c", "{"}) {
    CAPTURE(text);
    CHECK_FALSE(read_registries(text, "r", read_pem));
  }
}

TEST_CASE("whatever text comes in, the readers end, and their errors hold none of it") {
  CHECK(rc::check([](const std::string& text) {
    (void)read_challenges(text);
    (void)parse_url(text);
    (void)read_registries(text, "r", read_pem);
    for (const auto& result :
         {read_token(text).has_value(), read_manifest(text, "").has_value(),
          read_image_config(text).has_value(), read_referrers(text).has_value(),
          read_docker_config(text, "o").has_value()}) {
      RC_ASSERT(!result || text.find('{') != std::string::npos);
    }
  }));
}

}  // namespace
}  // namespace belay::webhook::registry
