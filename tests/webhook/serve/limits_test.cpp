// The table of limits: what may be written, and the page that lists them. BELAY_UPDATE_DOCS=1
// writes the table into docs/operations.md instead of comparing it.
#include "webhook/serve/limits.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/support/sources.h"
#include "webhook/serve/config.h"

using namespace belay::webhook;
using namespace belay::webhook::serve;

namespace {

constexpr std::string_view kBegin = "<!-- limits -->\n";
constexpr std::string_view kEnd = "<!-- /limits -->";

std::string table() {
  std::string text = "\n| option | default | bounds | what |\n|---|---|---|---|\n";
  const auto defaults = default_limit_texts();
  for (std::size_t i = 0; i < limit_rows().size(); ++i) {
    const Limit& limit = limit_rows()[i];
    text.append("| `").append(limit.name).append("` | ").append(defaults[i]).append(" | ");
    text.append(limit.bounds()).append(" | ").append(limit.text).append(" |\n");
  }
  return text + "\n";
}

/// What `belay serve` says of one limit that is given as `text`.
std::vector<std::string> problems_of(std::string_view name, std::string text) {
  ServerFlags flags;
  for (std::size_t i = 0; i < limit_rows().size(); ++i) {
    if (limit_rows()[i].name == name) flags.limits[i] = std::move(text);
  }
  const auto config = read_config(flags, false);
  return config ? std::vector<std::string>{} : config.error();
}

}  // namespace

TEST_CASE("docs/operations.md lists every limit with its default and bounds") {
  const std::string path = belay::tests::source("docs/operations.md");
  std::ifstream file(path);
  std::string page{std::istreambuf_iterator<char>(file), {}};
  const auto begin = page.find(kBegin) + kBegin.size();
  const auto end = page.find(kEnd);
  REQUIRE(end != std::string::npos);
  if (std::getenv("BELAY_UPDATE_DOCS") != nullptr) {
    page.replace(begin, end - begin, table());
    std::ofstream(path) << page;
    return;
  }
  CHECK(page.substr(begin, end - begin) == table());
}

TEST_CASE("every limit has one name, bounds that hold its default, and takes both of them") {
  std::set<std::string_view> names;
  const Limits defaults;
  for (const Limit& limit : limit_rows()) {
    CAPTURE(limit.name);
    CHECK(names.insert(limit.name).second);
    CHECK(limit.name.starts_with("--"));
    CHECK_FALSE(limit.text.empty());
    CHECK_FALSE(limit.text.ends_with('.'));
    const std::uint64_t value = limit.get(defaults);
    CHECK(value >= limit.least);
    CHECK(value <= limit.most);
    for (const std::uint64_t bound : {limit.least, limit.most}) {
      Limits limits;
      limit.set(limits, bound);
      CHECK(limit.get(limits) == bound);
    }
  }
}

TEST_CASE("limits that nobody gives are the defaults of the parts that keep them") {
  const auto config = read_config({}, false);
  REQUIRE(config);
  const Limits defaults;
  for (const Limit& limit : limit_rows()) {
    CAPTURE(limit.name);
    CHECK(limit.get(config->limits) == limit.get(defaults));
  }
}

TEST_CASE("a limit is a number, a size or a duration") {
  ServerFlags flags;
  const auto set = [&flags](std::string_view name, const char* text) {
    for (std::size_t i = 0; i < limit_rows().size(); ++i) {
      if (limit_rows()[i].name == name) flags.limits[i] = text;
    }
  };
  set("--max-connections", "4096");
  set("--max-header-bytes", "2048");
  set("--max-body-bytes", "16Mi");
  set("--request-timeout", "2500ms");
  set("--max-connection-age", "2h");
  const auto config = read_config(flags, false);
  REQUIRE(config);
  const http::ServerOptions& server = config->limits.server;
  CHECK(server.max_connections == 4'096);
  CHECK(server.max_header_bytes == 2'048);
  CHECK(server.max_body_bytes == std::size_t{16} << 20U);
  CHECK(server.request_timeout == std::chrono::milliseconds(2'500));
  CHECK(server.max_age == std::chrono::hours(2));
}

TEST_CASE("a limit that cannot be is refused by its name, its value and its bounds") {
  using Problems = std::vector<std::string>;
  CHECK(problems_of("--max-body-bytes", "1Gi") ==
        Problems{"--max-body-bytes: \"1Gi\" is out of bounds; the limit may be 64Ki to 64Mi"});
  CHECK(problems_of("--max-body-bytes", "8 MB") ==
        Problems{"--max-body-bytes: \"8 MB\" is not a size such as 16Ki or 8Mi; the limit may be "
                 "64Ki to 64Mi"});
  CHECK(problems_of("--request-timeout", "0s") ==
        Problems{"--request-timeout: \"0s\" is out of bounds; the limit may be 1s to 1m"});
  CHECK(problems_of("--request-timeout", "5") ==
        Problems{"--request-timeout: \"5\" is not a duration such as 500ms, 5s or 20m; the limit "
                 "may be 1s to 1m"});
  for (const char* bad : {"", "-1", "+64", " 64", "64 ", "6.4", "x", "1Ki", "20s"}) {
    CAPTURE(bad);
    CHECK(problems_of("--max-headers", bad).size() == 1);
  }
  for (const char* large :
       {"99999999999999999999", "18446744073709551615", "18446744073709551615Gi"}) {
    CAPTURE(large);
    REQUIRE(problems_of("--max-bytes-in-flight", large).size() == 1);
    CHECK(problems_of("--max-bytes-in-flight", large)[0].find("is out of bounds") !=
          std::string::npos);
  }
}

TEST_CASE("limits that contradict each other are refused") {
  CHECK(problems_of("--max-bytes-in-flight", "1Mi") ==
        std::vector<std::string>{"--max-body-bytes is more than --max-bytes-in-flight"});
  CHECK(problems_of("--digest-cache-stale", "30s") ==
        std::vector<std::string>{"--digest-cache-fresh is longer than --digest-cache-stale"});
}
