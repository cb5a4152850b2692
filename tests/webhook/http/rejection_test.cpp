// The bytes of responses.
#include "webhook/http/rejection.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

using namespace belay::webhook::http;

namespace {
constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";
}

TEST_CASE("a rejection names its status, its cause and the limit, and ends the connection") {
  std::string out;
  append_rejection({Rejection::kBodyTooLarge, "the body is too large", 8388608, "bytes"}, kDate,
                   out);
  CHECK(out.starts_with("HTTP/1.1 413 Content Too Large\r\n"));
  CHECK(out.find("\r\nConnection: close\r\n") != out.npos);
  const auto end = out.find("\r\n\r\n");
  const std::string body = out.substr(end + 4);
  CHECK(out.find("Content-Length: " + std::to_string(body.size()) + "\r\n") != out.npos);
  const auto error = nlohmann::json::parse(body)["error"];
  CHECK(error["code"] == "body-too-large");
  CHECK(error["message"] == "the body is too large (limit: 8388608 bytes)");
}

TEST_CASE("each rejection has a name of its own and, but for the handshake, a status") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kRejectionCount; ++i) {
    const auto rejection = static_cast<Rejection>(i);
    names.insert(name_of(rejection));
    const int status = status_of(rejection);
    CHECK((rejection == Rejection::kHandshake ? status == 0 : status >= 400 && status < 600));
  }
  CHECK(names.size() == kRejectionCount);
}

TEST_CASE("a response carries its length, and the end of the connection when asked") {
  std::string out = "before";
  append_response(200, kDate, false, "{}", out);
  CHECK(out ==
        "beforeHTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        "Content-Length: 2\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{}");
  out.clear();
  append_response(415, kDate, true, "", out);
  CHECK(out ==
        "HTTP/1.1 415 Unsupported Media Type\r\nContent-Type: application/json; charset=utf-8\r\n"
        "Content-Length: 0\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\n");
}

TEST_CASE("dates are written as HTTP wants them") {
  const auto date = [](std::int64_t seconds) {
    const auto text = format_date(seconds);
    return std::string(text.data(), text.size());
  };
  CHECK(date(784111777) == kDate);
  CHECK(date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(date(1798761599) == "Thu, 31 Dec 2026 23:59:59 GMT");
}
