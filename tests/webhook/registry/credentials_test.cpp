// Docker configs, and which of their credentials are for an image.
#include "webhook/registry/credentials.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/text/base64.h"
#include "webhook/registry/docker_config.h"

namespace belay::webhook::registry {
namespace {

using Json = nlohmann::json;
using Strings = std::vector<std::string>;

Json user(const std::string& name) { return {{"username", name}, {"password", "p"}}; }

/// A config that names each key as its user.
Keyring keyring_of(const Strings& keys) {
  Json auths = Json::object();
  for (const auto& key : keys) auths[key] = user(key);
  const auto read = read_docker_config(Json{{"auths", auths}}.dump(), "file");
  REQUIRE(read);
  return *read;
}

Strings found(const Keyring& keyring, std::string_view host, std::string_view repository) {
  Strings names;
  for (const Credential& c : keyring.find(host, repository)) names.push_back(c.username);
  return names;
}

TEST_CASE("a credential is for the hosts and paths of its key") {
  struct Row {
    const char* key;
    const char* host;
    const char* repository;
    bool matches;
  };
  for (const Row& row : std::vector<Row>{
           {"reg.corp", "reg.corp", "shop/web", true},
           {"REG.corp", "reg.CORP", "shop/web", true},
           {"https://reg.corp", "reg.corp", "shop/web", true},
           {"https://reg.corp/v1/", "reg.corp", "shop/web", true},
           {"https://reg.corp/v2", "reg.corp", "shop/web", true},
           {"https://reg.corp/v2/shop/", "reg.corp", "shop/web", true},
           {"https://reg.corp/v2x", "reg.corp", "shop/web", false},
           {"reg.corp/", "reg.corp", "shop/web", true},
           {"reg.corp:5000", "reg.corp:5000", "a", true},
           {"reg.corp", "reg.corp:5000", "a", false},
           {"reg.corp:5000", "reg.corp", "a", false},
           {"reg.corp:443", "reg.corp", "a", false},
           {"reg.corp/shop", "reg.corp", "shop", true},
           {"reg.corp/shop", "reg.corp", "shop/web", true},
           {"reg.corp/shop", "reg.corp", "shopping/web", false},
           {"reg.corp/shop/web", "reg.corp", "shop", false},
           {"reg.corp/Shop", "reg.corp", "shop", false},
           {"*.corp", "reg.corp", "a", true},
           {"*.corp", "a.reg.corp", "a", false},
           {"*.corp", "corp", "a", false},
           {"r*g.corp", "reg.corp", "a", true},
           {"*.*.corp/x", "a.reg.corp", "x/y", true},
           {"*.corp:5000", "reg.corp:5000", "a", true},
           {"*.corp", "reg.corp:5000", "a", false},
           {"reg.corp:*", "reg.corp:5000", "a", false},
           {"[fd00::1]:5000", "[fd00::1]:5000", "a", true},
           {"https://index.docker.io/v1/", "docker.io", "library/nginx", true},
           {"registry-1.docker.io", "docker.io", "library/nginx", true},
           {"docker.io/library", "docker.io", "library/nginx", true},
           {"index.docker.io", "docker.io.evil.example", "library/nginx", false},
       }) {
    CAPTURE(std::string(row.key));
    CAPTURE(std::string(row.host));
    CAPTURE(std::string(row.repository));
    CHECK(found(keyring_of({row.key}), row.host, row.repository) ==
          (row.matches ? Strings{row.key} : Strings{}));
  }
}

TEST_CASE("3.12: a host that looks like another gets no credential") {
  const Keyring keyring = keyring_of(
      {"myteam.azurecr.io", "*.azurecr.io", "reg.corp:5000", "https://index.docker.io/v1/"});
  for (const auto* const host :
       {"myteam.azurecr.io.attacker.com", "azurecr.io", "evil-azurecr.io", "xazurecr.io",
        "myteam.azurecr.io.", "myteam.azurecr.io:443", "myteam.azurecr.io@evil.example",
        "a.myteam.azurecr.io", "myteam.azurecr.iO.evil.example", "reg.corp:50000", "reg.corp:500",
        "reg.corp:5000.evil.example", "xreg.corp:5000", "reg.corp", "docker.io.evil.example",
        "xdocker.io", "docker.com", "", "."}) {
    CAPTURE(host);
    CHECK(found(keyring, host, "shop/web").empty());
    CHECK(found(keyring, host, "").empty());
  }
  CHECK(found(keyring, "myteam.azurecr.io", "a") == Strings{"myteam.azurecr.io", "*.azurecr.io"});
}

TEST_CASE("3.12: a key of a config that is not a host gives its credential to nobody") {
  const Keyring keyring = keyring_of({"user@reg.corp", "reg.corp?x", "reg.corp#x", "reg.corp\\x",
                                      "ftp://reg.corp", "reg corp", "r%65g.corp", "reg.corp:"});
  CHECK(found(keyring, "reg.corp", "shop/web").empty());
}

TEST_CASE("of several credentials the whole host is before a glob, then the longest path") {
  const Keyring keyring =
      keyring_of({"reg.corp", "*.corp", "reg.corp/shop", "reg.corp/shop/web", "*.corp/shop"});
  CHECK(found(keyring, "reg.corp", "shop/web") ==
        Strings{"reg.corp/shop/web", "reg.corp/shop", "reg.corp", "*.corp/shop", "*.corp"});
  CHECK(found(keyring, "reg.corp", "shop/web2") ==
        Strings{"reg.corp/shop", "reg.corp", "*.corp/shop", "*.corp"});
}

TEST_CASE("what several configs say of one registry is tried in their order, each once") {
  Keyring keyring = keyring_of({"reg.corp"});
  const auto other = read_docker_config(R"({"auths":{"reg.corp":{"auth":"YTpi"}}})", "file");
  REQUIRE(other);
  keyring.add_all(*other);
  keyring.add_all(keyring_of({"reg.corp"}));
  CHECK(found(keyring, "reg.corp", "a") == Strings{"reg.corp", "a"});
}

TEST_CASE("every kind of credential is read") {
  const auto read = read_docker_config(
      R"({"auths":{
        "a.corp":{"auth":"dXNlcjpwYTpzcw=="},
        "b.corp":{"auth":"dXNlcjpwYTpzcw"},
        "c.corp":{"username":"u","password":"p","email":"e@corp"},
        "d.corp":{"auth":"","identitytoken":"refresh"},
        "e.corp":{"registrytoken":"bearer.token"},
        "f.corp":{"auth":"dTpwAAA="},
        "g.corp":{"username":"old","password":"old","auth":"dXNlcjpwYTpzcw=="},
        "h.corp":{}},
       "credsStore":"desktop","HttpHeaders":{"auth":"x"}})",
      "file");
  REQUIRE(read);
  const auto first = [&](const char* host) { return read->find(host, "x").at(0); };
  for (const auto* const host : {"a.corp", "b.corp", "g.corp"}) {
    CAPTURE(host);
    CHECK(first(host).username == "user");
    CHECK(first(host).password == "pa:ss");  // split at the first colon
  }
  CHECK(first("c.corp").username == "u");
  CHECK(first("c.corp").password == "p");
  CHECK(first("d.corp").identity_token == "refresh");
  CHECK(first("e.corp").registry_token == "bearer.token");
  CHECK(first("f.corp").password == "p");
  CHECK(read->find("h.corp", "x").empty());
}

TEST_CASE("the older form is the mapping of auths alone") {
  const auto read =
      read_docker_config(R"({"https://index.docker.io/v1/":{"auth":"YTpi","email":"x"}})", "file");
  REQUIRE(read);
  CHECK(found(*read, "docker.io", "library/nginx") == Strings{"a"});
  for (const auto* const text : {"{}", R"({"credsStore":"desktop"})", R"({"auths":{}})"}) {
    CAPTURE(text);
    CHECK(read_docker_config(text, "file").value().empty());
  }
}

TEST_CASE("A18: a config that is invalid is refused, and no secret of it is repeated") {
  for (const auto* const text :
       {"", "[]", "secret", R"({"auths":[]})", R"({"auths":{"secret":1}})",
        R"({"auths":{"a":{"auth":"secret!"}}})", R"({"auths":{"a":{"auth":"c2VjcmV0"}}})",
        R"({"auths":{"a":{"username":1}}})", R"({"auths":{"a":{"auth":["secret"]}}})",
        R"({"auths":{"a":{"registrytoken":"secret\r\nHost: b"}}})",
        R"({"auths":{"a":{"auth":"YTpi"},"a":{"auth":"YTpj"}}})"}) {
    CAPTURE(text);
    const auto read = read_docker_config(text, "file");
    REQUIRE_FALSE(read);
    CHECK_FALSE(read.error().empty());
    CHECK(read.error().find("secret") == std::string::npos);
  }
}

TEST_CASE("3.13: two owners, two hosts or two texts never share an identity; equal ones do") {
  const auto identity = [](const std::string& key, const Json& entry, std::string_view owner) {
    const auto read = read_docker_config(Json{{"auths", {{key, entry}}}}.dump(), owner);
    return read.value().find(key, "x").at(0).identity;
  };
  const auto base = identity("a.corp", user("u"), "team-a/1");
  CHECK(base.size() == 64);
  CHECK(base == identity("a.corp", user("u"), "team-a/1"));
  CHECK(base == identity("a.corp", {{"auth", policy::base64_encode("u:p")}}, "team-a/1"));
  CHECK(base != identity("a.corp", user("u"), "team-b/1"));
  CHECK(base != identity("b.corp", user("u"), "team-a/1"));
  CHECK(base != identity("a.corp", user("v"), "team-a/1"));
  CHECK(identity("a.corp", {{"username", "u:"}, {"password", ""}}, "x") !=
        identity("a.corp", {{"username", "u"}, {"password", ":"}}, "x"));
  CHECK(identity("a.corp", {{"identitytoken", "t"}}, "x") !=
        identity("a.corp", {{"registrytoken", "t"}}, "x"));
  CHECK(anonymous().identity == "anonymous");
}

TEST_CASE("any user without colon and any password come out of base64 as they went in") {
  CHECK(rc::check([] {
    const auto text = rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    const auto name = *rc::gen::suchThat(
        text, [](const std::string& s) { return !s.empty() && s.find(':') == std::string::npos; });
    const auto password =
        *rc::gen::suchThat(text, [](const std::string& s) { return !s.ends_with('\0'); });
    const Json config{
        {"auths", {{"a.corp", {{"auth", policy::base64_encode(name + ":" + password)}}}}}};
    const auto read = read_docker_config(config.dump(), "file");
    RC_ASSERT(read.has_value());
    const auto credentials = read->find("a.corp", "x");
    RC_ASSERT(credentials.size() == 1U);
    RC_ASSERT(credentials[0].username == name);
    RC_ASSERT(credentials[0].password == password);
  }));
}

TEST_CASE("3.12: without a glob, a credential is found for its own host alone") {
  CHECK(rc::check([] {
    const auto host = rc::gen::nonEmpty(
        rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab.-:5"))));
    const auto a = *host;
    const auto b = *host;
    const Keyring keyring = keyring_of({a});
    RC_ASSERT(found(keyring, b, "x").empty() || a == b);
  }));
}

}  // namespace
}  // namespace belay::webhook::registry
