// Log lines: one record, one parseable line, whatever stands in it.
#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "policy/policy.h"
#include "webhook/serve/log.h"
#include "webhook/serve/request_observer.h"

namespace {

using namespace belay::webhook;
using namespace belay::webhook::serve;
using nlohmann::json;

const std::chrono::system_clock::time_point kTime =
    std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + std::chrono::hours(17) +
    std::chrono::microseconds(42);

std::string line_of(std::vector<LogField> fields, LogFormat format = LogFormat::kJson) {
  std::string out;
  append_line(out, format, LogLevel::kInfo, kTime, "message", fields);
  return out;
}

/// A log whose lines a test reads back.
struct PipedLog {
  PipedLog() { REQUIRE(pipe(ends.data()) == 0); }
  ~PipedLog() { close(ends[0]); }
  std::string read_all() {
    close(ends[1]);
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = read(ends[0], buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
  std::array<int, 2> ends{};
};

std::vector<json> records(const std::string& text) {
  std::vector<json> result;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    REQUIRE(end != std::string::npos);
    result.push_back(json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return result;
}

}  // namespace

TEST_CASE("a line contains time, level, message and its fields in order") {
  const std::array<std::string_view, 2> rules{"mutable-tag", "tag-format"};
  CHECK(
      line_of({{"uid", "u"},
               {"rules", std::span<const std::string_view>(rules)},
               {"code", std::int64_t{403}},
               {"dry_run", true}}) ==
      "{\"time\":\"2026-11-22T17:00:00.000042Z\",\"level\":\"info\",\"msg\":\"message\","
      "\"uid\":\"u\",\"rules\":[\"mutable-tag\",\"tag-format\"],\"code\":403,\"dry_run\":true}\n");
  CHECK(line_of({{"uid", "u"}, {"name", "two words"}, {"code", std::int64_t{200}}},
                LogFormat::kText) ==
        "2026-11-22T17:00:00.000042Z info    message uid=u name=\"two words\" code=200\n");
}

TEST_CASE("an image that looks like a log record stays inside one parseable line") {
  const std::string image = "a\n{\"level\":\"info\"}";
  const auto parsed = records(line_of({{"image", image}}));
  REQUIRE(parsed.size() == 1);
  CHECK(parsed[0]["image"] == image);
}

TEST_CASE("controls, line separators and bytes that are not UTF-8 are escaped") {
  CHECK(json::parse(line_of({{"x", "\x01\x7f\t\r\xe2\x80\xa8\xc3\xa9\xf0\x9f\x98\x80"}}))["x"] ==
        "\x01\x7f\t\r\xe2\x80\xa8\xc3\xa9\xf0\x9f\x98\x80");
  for (const std::string_view bad :
       {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x80", "\xf8"}) {
    const std::string line = line_of({{"x", bad}});
    CHECK(line.find("\\ufffd") != std::string::npos);
    CHECK(json::parse(line)["x"].get<std::string>().starts_with("\xef\xbf\xbd"));
  }
}

TEST_CASE("no text of a field exceeds 512 bytes of the line") {
  for (const std::string& text : {std::string(5000, 'a'), std::string(5000, '"'),
                                  std::string(5000, '\x01'), std::string(5000, '\xff')}) {
    const std::string empty = line_of({{"x", ""}});
    const std::string line = line_of({{"x", text}});
    CHECK(line.size() - empty.size() <= kMaxFieldBytes);
    CHECK(line.size() - empty.size() > kMaxFieldBytes - 24);
    CHECK(json::parse(line)["x"].get<std::string>().ends_with("..."));
  }
}

TEST_CASE("any bytes make one printable line that parses") {
  CHECK(rc::check([](const std::string& key_text, const std::vector<std::uint8_t>& bytes) {
    const std::string text(bytes.begin(), bytes.end());
    for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
      std::string line = line_of({{"a", key_text}, {"b", text}}, format);
      RC_ASSERT(line.back() == '\n');
      line.pop_back();
      for (const char c : line) RC_ASSERT(c >= 0x20 && c < 0x7f);
      if (format == LogFormat::kJson) RC_ASSERT(json::parse(line, nullptr, false).is_object());
    }
  }));
}

TEST_CASE("lines below the level are left out, the others are written in order") {
  PipedLog piped;
  {
    Log log({.level = LogLevel::kInfo, .descriptor = piped.ends[1]});
    log.write(LogLevel::kDebug, "hidden");
    log.write(LogLevel::kInfo, "first", {{"n", std::int64_t{1}}});
    log.write(LogLevel::kError, "second");
  }
  const auto lines = records(piped.read_all());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["msg"] == "first");
  CHECK(lines[0]["n"] == 1);
  CHECK(lines[1]["level"] == "error");
}

TEST_CASE("a log that nobody reads drops lines and never holds up who writes them") {
  PipedLog piped;
  std::string text(2000, 'x');
  std::size_t dropped = 0;
  {
    auto log = std::make_unique<Log>(LogOptions{.descriptor = piped.ends[1], .queue = 8});
    for (int i = 0; i < 500; ++i) log->write(LogLevel::kInfo, "line", {{"x", text}});
    dropped = log->dropped();
    // What is in the pipe and the queue has to go before the log can end.
    std::array<char, 4096> buffer{};
    std::thread reader([&] {
      while (read(piped.ends[0], buffer.data(), buffer.size()) > 0) {
      }
    });
    log.reset();
    close(piped.ends[1]);
    reader.join();
  }
  CHECK(dropped > 0);
}

TEST_CASE("a denial is logged with uid, rules and code, and an admitted review only at debug") {
  admission::Review review;
  review.uid = "0123";
  review.kind.kind = "Pod";
  review.metric_kind = "Pod";
  review.workload.namespace_name = "shop";
  belay::policy::Policy policy;
  policy.name = "production";
  belay::policy::Verdict verdict;
  belay::policy::Finding finding;
  finding.rule = belay::policy::RuleId::kMutableTag;
  finding.field = "spec.containers[0].image";
  finding.container = "web";
  finding.value = "a\n{\"level\":\"info\"}";
  finding.has_value = true;
  finding.problem = "can move";
  finding.fix.advice = "Use a version tag";
  finding.policies = {&policy};
  verdict.findings = {finding, finding};
  PipedLog piped;
  {
    Log log({.level = LogLevel::kInfo, .descriptor = piped.ends[1]});
    Metrics metrics;
    RequestObserver observer(metrics, log);
    admission::Result denied;
    denied.outcome = admission::Outcome::kDenied;
    denied.review = &review;
    denied.verdict = &verdict;
    observer.decided(denied, admission::Endpoint::kValidate, std::chrono::microseconds(17));
    admission::Result allowed;
    allowed.review = &review;
    observer.decided(allowed, admission::Endpoint::kValidate, std::chrono::microseconds(17));
    admission::Result bad;
    bad.outcome = admission::Outcome::kBadRequest;
    bad.http_status = 400;
    bad.error_code = admission::ReadErrorCode::kDuplicateKey;
    bad.error_message = "duplicate key";
    observer.decided(bad, admission::Endpoint::kMutate, std::chrono::microseconds(3));
    observer.flush();
  }
  const auto lines = records(piped.read_all());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0]["uid"] == "0123");
  CHECK(lines[0]["namespace"] == "shop");
  CHECK(lines[0]["decision"] == "denied");
  CHECK(lines[0]["rules"] == json::array({"mutable-tag"}));
  CHECK(lines[0]["duration_us"] == 17);
  CHECK(lines[0]["code"] == 403);
  CHECK(lines[1]["reason"] == "duplicate-key");
  CHECK(lines[1]["path"] == "/mutate");
  CHECK(lines[1]["code"] == 400);
}
