// What token services respond.
#include "webhook/registry/auth/token.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace belay::webhook::registry {
namespace {

TEST_CASE("a token is read under both its names, with its lifetime") {
  struct Row {
    const char* body;
    std::string_view text;
    int seconds;
  };
  for (const Row& row : std::vector<Row>{
           {R"({"token":"abc.d-_~+/=="})", "abc.d-_~+/==", 60},
           {R"({"access_token":"abc","expires_in":300})", "abc", 300},
           {R"({"token":"abc","access_token":"def","expires_in":0})", "abc", 0},
           {R"({"token":"","access_token":"def","expires_in":-5})", "def", 0},
           {R"({"token":"abc","expires_in":1e300,"issued_at":"x"})", "abc", 3'600},
           {R"({"token":"abc","expires_in":18446744073709551615})", "abc", 3'600},
           {R"({"token":"abc","expires_in":"soon"})", "abc", 60},
           {R"({"token":"abc","expires_in":2.9})", "abc", 2},
       }) {
    CAPTURE(row.body);
    const auto token = read_token(row.body);
    REQUIRE(token);
    CHECK(token->text == row.text);
    CHECK(token->lifetime.count() == row.seconds);
  }
}

TEST_CASE("3.15: an answer that contains no token that fits into a header is refused") {
  for (const std::string& body : std::vector<std::string>{
           "", "[]", "null", "{", "{}", "abc", R"({"token":null})", R"({"token":1})",
           R"({"token":["secret"]})", R"({"token":"secret\r\nHost: evil"})",
           R"({"token":"secret b"})", R"({"token":"secret\u0000"})", R"({"token":"="})",
           R"({"token":"a=b"})", R"({"token":"secret","token":"other"})", "{\"token\":\"\xFF\"}",
           R"({"token":")" + std::string(17'000, 'a') + "\"}"}) {
    CAPTURE(body.substr(0, 80));
    const auto token = read_token(body);
    REQUIRE_FALSE(token);
    CHECK_FALSE(token.error().empty());
    CHECK(token.error().find("secret") == std::string::npos);
  }
}

}  // namespace
}  // namespace belay::webhook::registry
