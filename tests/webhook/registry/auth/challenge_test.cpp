// WWW-Authenticate, and which token services may be asked.
#include "webhook/registry/auth/challenge.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "webhook/registry/auth/scheme.h"
#include "webhook/registry/auth/token.h"
#include "webhook/registry/url.h"

namespace belay::webhook::registry {
namespace {

using Strings = std::vector<std::string>;

/// "bearer realm service scope", or "basic": of the schemes that belay has.
Strings shown(std::string_view value) {
  Strings out;
  for (const Challenge& c : read_challenges(value)) {
    if (find_auth_scheme(c.scheme) == nullptr) continue;
    std::string text = c.scheme;
    for (const char* name : {"realm", "service", "scope"}) {
      if (c.scheme == "bearer") text.append("|").append(c.get(name));
    }
    out.push_back(std::move(text));
  }
  return out;
}

TEST_CASE("the challenges of a header are read by the grammar of RFC 9110") {
  struct Row {
    std::string_view value;
    Strings expected;
  };
  const std::vector<Row> rows{
      {R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull")",
       {"bearer|https://auth.docker.io/token|registry.docker.io|repository:library/nginx:pull"}},
      {R"(Basic realm="Registry Realm")", {"basic"}},
      {"Basic", {"basic"}},
      {R"(bEARER REALM = "https://a/t" , Service=b)", {"bearer|https://a/t|b|"}},
      {R"(Basic realm="x", Bearer realm="https://a/t",service="s")",
       {"basic", "bearer|https://a/t|s|"}},
      {R"(Negotiate, Bearer realm="https://a/t")", {"bearer|https://a/t||"}},
      {R"(Negotiate YWJj==, Basic realm="x")", {"basic"}},
      {R"(Digest realm="a, Basic b", nonce="c", Basic realm="x")", {"basic"}},
      {R"(,, Basic realm="x" ,, ,Bearer realm="https://a/t",,service="s",)",
       {"basic", "bearer|https://a/t|s|"}},
      {R"(Bearer realm="https://a/t",service="with \"quotes\" and \\")",
       {R"(bearer|https://a/t|with "quotes" and \|)"}},
      {"Bearer", {"bearer|||"}},
      {"", {}},
      {" , ,", {}},
      // Malformed text ends the reading; what stands in front of it counts.
      {R"(Basic realm="x", Bearer realm="https://a/t)", {"basic"}},
      {R"(Basic realm="x", Bearer realm="a" service="b")", {"basic"}},
      {R"(Basic realm="x", Bearer realm="a",realm="b")", {"basic"}},
      {"Basic realm=\"x\", Bearer realm=\"a\nb\"", {"basic"}},
      {R"(Bearer realm=https://a/t)", {}},
      {R"(Bearer realm="a\)", {}},
      {R"(Bearer realm=, Basic realm="x")", {"bearer|||", "basic"}},
      {R"(Bearer realm="a" = "b")", {}},
      {R"(Bearer"realm")", {}},
      {R"("Bearer" realm="a")", {}},
      {std::string_view("Bearer realm=\"a\0b\"", 17), {}},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.value));
    CHECK(shown(row.value) == row.expected);
  }
}

TEST_CASE("schemes are found by their name in lower case, and no others") {
  CHECK(find_auth_scheme("basic") != nullptr);
  CHECK(find_auth_scheme("bearer") != nullptr);
  for (const char* name : {"", "negotiate", "digest", "Basic"}) {
    CHECK(find_auth_scheme(name) == nullptr);
  }
}

TEST_CASE("3.15: an endless header and endless challenges are cut off") {
  CHECK(read_challenges("Basic realm=\"" + std::string(9'000, 'x') + "\"").empty());
  std::string many;
  for (int i = 0; i < 400; ++i) many += "Basic realm=a,";
  CHECK(read_challenges(many).size() == 16);
}

TEST_CASE("a challenge reads back as it was written, whatever its realm holds") {
  CHECK(rc::check([] {
    const auto realm = *rc::gen::container<std::string>(
        rc::gen::suchThat<char>([](char c) { return c == '\t' || (c & 0xE0) != 0; }));
    RC_PRE(realm.find('\x7f') == std::string::npos);
    std::string quoted;
    for (const char c : realm) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    const auto read = read_challenges("Bearer realm=\"" + quoted + "\",service=\"s\"");
    RC_ASSERT(read.size() == 1U);
    RC_ASSERT(read.front().get("realm") == realm);
    RC_ASSERT(read.front().get("service") == "s");
  }));
}

std::expected<std::string, std::string> asked(std::string_view realm, const Endpoint& endpoint) {
  const Challenge challenge{.scheme = "bearer",
                            .parameters = {{"realm", std::string(realm)},
                                           {"service", "my registry&x=1"},
                                           {"scope", "repository:other/app:push"}}};
  return token_url(challenge, endpoint, "repository:shop/web:pull");
}

Endpoint endpoint_at(std::string url, Strings token_hosts = {}) {
  Endpoint endpoint;
  endpoint.url = std::move(url);
  endpoint.token_hosts = std::move(token_hosts);
  return endpoint;
}

constexpr std::string_view kQuery = "service=my%20registry%26x%3D1&scope=repository:shop/web:pull";

TEST_CASE("3.10: a token is asked for at the registry itself, or at a host that is listed") {
  struct Row {
    std::string_view realm;
    Endpoint endpoint;
    std::string expected;
  };
  const std::vector<Row> rows{
      {"https://reg.corp:5000/token", endpoint_at("https://reg.corp:5000"),
       "https://reg.corp:5000/token?"},
      {"https://reg.corp/token", endpoint_at("https://reg.corp"), "https://reg.corp/token?"},
      {"https://reg.corp:443/token", endpoint_at("https://reg.corp/v2"), "https://reg.corp/token?"},
      {"https://REG.corp/Token", endpoint_at("https://reg.corp"), "https://reg.corp/Token?"},
      {"https://reg.corp", endpoint_at("https://reg.corp"), "https://reg.corp?"},
      {"https://reg.corp/t?account=a&x=%20", endpoint_at("https://reg.corp"),
       "https://reg.corp/t?account=a&x=%20&"},
      {"https://auth.docker.io/token",
       endpoint_at("https://registry-1.docker.io", {"auth.docker.io"}),
       "https://auth.docker.io/token?"},
      {"https://auth.corp:8443/t", endpoint_at("https://reg.corp", {"auth.corp:8443"}),
       "https://auth.corp:8443/t?"},
      {"http://reg.corp:5000/t", endpoint_at("http://reg.corp:5000"), "http://reg.corp:5000/t?"},
      {"https://reg.corp:5000/t", endpoint_at("http://reg.corp:5000"), "https://reg.corp:5000/t?"},
      {"https://[FD00::1]:5000/t", endpoint_at("https://[fd00::1]:5000"),
       "https://[fd00::1]:5000/t?"},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.realm));
    const auto url = asked(row.realm, row.endpoint);
    REQUIRE(url);
    CHECK(*url == row.expected + std::string(kQuery));
  }
}

TEST_CASE("3.10: a realm that leads anywhere else is refused, and nothing of it is repeated") {
  const Endpoint endpoint = endpoint_at("https://reg.corp:5000", {"auth.corp"});
  const std::vector<std::string> realms{
      "",
      "/token",
      "//reg.corp:5000/token",
      "https:",
      "https://",
      "https:///token",
      "https:/reg.corp:5000/token",
      "https:\\\\reg.corp:5000\\token",
      "http://reg.corp:5000/token",
      "http://auth.corp/token",
      "http://auth.corp:443/token",
      "http://169.254.169.254/latest/meta-data/",
      "https://169.254.169.254/token",
      "https://[::ffff:169.254.169.254]/token",
      "https://[fd00:ec2::254]/token",
      "ftp://reg.corp:5000/token",
      "file:///etc/passwd",
      "gopher://reg.corp:5000/",
      "https://reg.corp/token",
      "https://reg.corp:443/token",
      "https://reg.corp:5001/token",
      "https://auth.corp:8443/token",
      "https://evil.corp:5000/token",
      "https://reg.corp.evil.example:5000/token",
      "https://evil-reg.corp:5000/token",
      "https://user@reg.corp:5000/token",
      "https://user:secret@reg.corp:5000/token",
      "https://reg.corp:5000@evil.example/token",
      "https://evil.example\\@reg.corp:5000/token",
      "https://reg.corp:5000\\@evil.example/token",
      "https://evil.example#@reg.corp:5000/token",
      "https://reg.corp:5000/token#fragment",
      "https://reg.corp:5000#",
      "https://evil.example?@reg.corp:5000/token",
      "https://reg.corp:5000:443/token",
      "https://reg.corp:/token",
      "https://reg.corp:99999/token",
      "https://reg.corp%3a5000/token",
      "https://reg%2ecorp:5000/token",
      "https://reg.corp.:5000/token",
      "https://r\xC3\xA9g.corp:5000/token",
      "https://reg\xE3\x80\x82"
      "corp:5000/token",
      "https://reg.corp:5000/t\r\nHost: evil.example",
      "https://reg.corp:5000/to ken",
      " https://reg.corp:5000/token",
      "https://reg.corp:5000/token\n",
      "https://reg.corp:5000/\ttoken",
      "https://reg.corp:5000/{a,b}",
      "https://reg.corp:5000/[1-9]",
      "https://reg.corp:5000/t?scope=repository:other/app:pull",
      "https://reg.corp:5000/t?a=b&SCOPE=x",
      "https://reg.corp:5000/t?%73cope=x",
      std::string("https://reg.corp:5000/\0", 23),
      "https://reg.corp:5000/" + std::string(3'000, 'x'),
      "https://127.1:5000/token",
      "https://0x7f.1:5000/token",
      "https://2130706433/token",
      "https://0177.0.0.1/token",
  };
  for (const auto& realm : realms) {
    CAPTURE(realm);
    const auto url = asked(realm, endpoint);
    REQUIRE_FALSE(url);
    CHECK_FALSE(url.error().empty());
    for (const auto* const word : {"evil", "169.254", "secret", "corp"}) {
      CHECK(url.error().find(word) == std::string::npos);
    }
  }
}

TEST_CASE(
    "3.10: a listed token service is asked over https alone, also for a plain http registry") {
  const Endpoint endpoint = endpoint_at("http://reg.corp:5000", {"auth.corp"});
  CHECK(asked("https://auth.corp/t", endpoint));
  CHECK_FALSE(asked("http://auth.corp/t", endpoint));
  CHECK_FALSE(asked("http://auth.corp:443/t", endpoint));
  CHECK_FALSE(asked("http://reg.corp/t", endpoint));
}

TEST_CASE("3.9: numeric and odd spellings are not hosts of a URL") {
  for (const auto* const host :
       {"127.1:5000", "127.1",     "0x7f.1",         "0x7f000001", "0X7F.1",        "2130706433",
        "0177.0.0.1", "1.2.3.4.5", "1.2.3.256",      "01.2.3.4",   "a.1",           "[::1",
        "[::1]x",     "[]",        "[fe80::1%eth0]", "[::1]:",     "::1",           ".a",
        "a b",        "u@a",       "a%41",           "",           ":5000",         "a:0",
        "a:65536",    "a:+1",      "a:-1",           "a:5000x",    "\xD0\xB0.corp", "a\\b"}) {
    CAPTURE(host);
    CHECK_FALSE(parse_url(std::string("https://") + host));
  }
  CHECK(parse_url("https://REG.corp:5000")->authority() == "reg.corp:5000");
  CHECK(parse_url("https://[::FFFF:10.1.2.3]:65535")->authority() == "[::ffff:10.1.2.3]:65535");
}

TEST_CASE("3.10: a URL that is asked reads back as the parts that were checked") {
  CHECK(rc::check([] {
    const auto sign = rc::gen::elementOf(std::string("abz09.:/@\\#?%-_[]&= \n\xC3"));
    const auto tail = *rc::gen::container<std::string>(sign);
    const auto url = asked("https://reg.corp:5000" + tail, endpoint_at("https://reg.corp:5000"));
    if (!url) return;
    RC_ASSERT(url->starts_with("https://reg.corp:5000"));
    RC_ASSERT(url->find_first_of("\\# \n[]") == std::string::npos);
    const auto again = parse_url(*url);
    RC_ASSERT(again.has_value());
    RC_ASSERT(again->authority() == "reg.corp:5000");
    RC_ASSERT(again->text() == *url);
  }));
}

TEST_CASE("3.10: a service whose name makes the URL endless is not asked") {
  Challenge challenge{
      .scheme = "bearer",
      .parameters = {{"realm", "https://reg.corp/t"}, {"service", std::string(700, '\xFF')}}};
  CHECK_FALSE(token_url(challenge, endpoint_at("https://reg.corp"), "repository:a/b:pull"));
  challenge.parameters[1].second.resize(600);
  CHECK(token_url(challenge, endpoint_at("https://reg.corp"), "repository:a/b:pull"));
}

}  // namespace
}  // namespace belay::webhook::registry
