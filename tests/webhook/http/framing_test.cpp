// What the framing takes, what it rejects, and that neither depends on how bytes arrive.
#include "webhook/http/framing.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <vector>

using namespace belay::webhook::http;

namespace {

const std::vector<std::string> kPaths = {"/validate", "/mutate"};
const FramingLimits kLimits{16384, 64, 8U << 20U, kPaths};

struct Verdict {
  FrameState state;
  RequestHead head;
  RejectionText rejection;
};

Verdict frame(std::string_view input, const FramingLimits& limits = kLimits) {
  Framer framer(limits);
  const FrameState state = framer.advance(input);
  return {state, framer.head(), framer.rejection()};
}

std::string post(std::string_view fields, std::string_view body = "") {
  std::string text = "POST /validate?timeout=5s HTTP/1.1\r\nHost: belay.belay-system.svc:443\r\n";
  text += fields;
  text += "\r\n";
  text += body;
  return text;
}

std::string with_length(std::string_view body, std::string_view fields = "") {
  return post("Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields),
              body);
}

}  // namespace

TEST_CASE("a request as the API server sends it is framed whole") {
  const std::string text =
      "POST /mutate?timeout=10s HTTP/1.1\r\nHost: belay.belay-system.svc:443\r\n"
      "User-Agent: kube-apiserver-admission\r\nContent-Length: 5\r\n"
      "Accept: application/json, */*\r\nContent-Type: application/json\r\n"
      "Accept-Encoding: gzip\r\n\r\n{\"a\"}POST";
  const Verdict verdict = frame(text);
  REQUIRE(verdict.state == FrameState::kWhole);
  CHECK(verdict.head.path_index == 1);
  CHECK(verdict.head.query.of(text) == "timeout=10s");
  CHECK(verdict.head.content_type.of(text) == "application/json");
  CHECK(verdict.head.body_bytes == 5);
  CHECK(verdict.head.total_bytes() == text.size() - 4);
  CHECK_FALSE(verdict.head.close);
  CHECK_FALSE(verdict.head.expects_continue);
}

TEST_CASE("details of the head that the grammar leaves open are taken") {
  struct Row {
    std::string_view name;
    std::string text;
  };
  const std::vector<Row> rows = {
      {"field names in any case",
       "POST /validate HTTP/1.1\r\nhOST: a\r\ncontent-LENGTH: 0\r\n\r\n"},
      {"no space behind the colon",
       "POST /validate HTTP/1.1\r\nHost:a\r\nContent-Length:0\r\n\r\n"},
      {"spaces and tabs round a value", post("Content-Length: \t 0 \t\r\n")},
      {"one empty line in front (RFC 9112, 2.2)", "\r\n" + with_length("")},
      {"an empty value of a field nobody reads", with_length("", "X-Empty:\r\n")},
      {"bytes above ASCII in a value nobody reads", with_length("", "User-Agent: caf\xc3\xa9\r\n")},
      {"a field twice that may come twice", with_length("", "Accept: a\r\nAccept: b\r\n")},
      {"an empty query", "POST /validate? HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
      {"an IPv6 host", "POST /validate HTTP/1.1\r\nHost: [::1]:8443\r\nContent-Length: 0\r\n\r\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(frame(row.text).state == FrameState::kWhole);
  }
}

TEST_CASE("Connection and Expect are understood") {
  CHECK(frame(with_length("", "Connection: close\r\n")).head.close);
  CHECK(frame(with_length("", "Connection: x, CLOSE\r\n")).head.close);
  CHECK_FALSE(frame(with_length("", "Connection: keep-alive\r\n")).head.close);
  CHECK_FALSE(frame(with_length("", "Connection: closed\r\n")).head.close);
  CHECK(frame(with_length("", "Expect: 100-Continue\r\n")).head.expects_continue);
}

TEST_CASE("what is not valid HTTP/1.1 is rejected with its status") {
  struct Row {
    std::string_view name;
    std::string text;
    Rejection rejection;
  };
  const auto line = [](std::string_view first) {
    return std::string(first) + "\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
  };
  const auto kBad = Rejection::kMalformed;
  const std::vector<Row> rows = {
      {"bare LF after the request line", "POST /validate HTTP/1.1\nHost: a\r\n\r\n", kBad},
      {"bare LF after a field", post("A: b\nContent-Length: 0\r\n"), kBad},
      {"bare LF as the blank line", "POST /validate HTTP/1.1\r\nHost: a\r\n\n", kBad},
      {"bare CR in a value", with_length("", "A: b\rContent-Length: 9\r\n"), kBad},
      {"two empty lines in front", "\r\n\r\n" + with_length(""), kBad},
      {"folded header", with_length("", "A: b\r\n c\r\n"), kBad},
      {"folded first header", "POST /validate HTTP/1.1\r\n Host: a\r\n\r\n", kBad},
      {"space before the colon", post("Content-Length : 0\r\n"), kBad},
      {"space inside a name", post("Content Length: 0\r\n"), kBad},
      {"empty name", with_length("", ": x\r\n"), kBad},
      {"no colon", with_length("", "Accept\r\n"), kBad},
      {"name that is no token", with_length("", "A(b): c\r\n"), kBad},
      {"name above ASCII", with_length("", "\xc3\xa9: c\r\n"), kBad},
      {"NUL in a value", with_length("", std::string("A: b\0c\r\n", 8)), kBad},
      {"DEL in a value", with_length("", "A: b\x7f\r\n"), kBad},
      {"escape in a value", with_length("", "A: \x1b[2J\r\n"), kBad},
      {"HTTP/1.0", line("POST /validate HTTP/1.0"), kBad},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kBad},
      {"HTTP/1.2", line("POST /validate HTTP/1.2"), kBad},
      {"lower-case http", line("POST /validate http/1.1"), kBad},
      {"no version (HTTP/0.9)", line("POST /validate"), kBad},
      {"space behind the version", line("POST /validate HTTP/1.1 "), kBad},
      {"two spaces", line("POST  /validate HTTP/1.1"), kBad},
      {"tab for space", line("POST\t/validate HTTP/1.1"), kBad},
      {"absolute target", line("POST https://a/validate HTTP/1.1"), kBad},
      {"asterisk target", line("OPTIONS * HTTP/1.1"), kBad},
      {"fragment in the target", line("POST /validate#x HTTP/1.1"), kBad},
      {"control byte in the target", line("POST /validate\x01 HTTP/1.1"), kBad},
      {"byte above ASCII in the target", line("POST /validate\xff HTTP/1.1"), kBad},
      {"no method", line(" /validate HTTP/1.1"), kBad},
      {"method that is no token", line("PO{T /validate HTTP/1.1"), kBad},
      {"no Host", "POST /validate HTTP/1.1\r\nContent-Length: 0\r\n\r\n", kBad},
      {"empty Host", "POST /validate HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n", kBad},
      {"Host with a path", "POST /validate HTTP/1.1\r\nHost: a/b\r\n\r\n", kBad},
      {"two Hosts", with_length("", "Host: b\r\n"), kBad},
      {"two equal Content-Lengths", with_length("", "Content-Length: 0\r\n"), kBad},
      {"two Content-Lengths in one field", post("Content-Length: 0, 0\r\n"), kBad},
      {"signed Content-Length", post("Content-Length: +1\r\n"), kBad},
      {"negative Content-Length", post("Content-Length: -1\r\n"), kBad},
      {"hexadecimal Content-Length", post("Content-Length: 0x1\r\n"), kBad},
      {"Content-Length with a leading zero", post("Content-Length: 05\r\n"), kBad},
      {"empty Content-Length", post("Content-Length:\r\n"), kBad},
      {"two Content-Types", with_length("", "Content-Type: a/b\r\nContent-Type: a/b\r\n"), kBad},
      {"upgrade", with_length("", "Upgrade: h2c\r\n"), kBad},
      {"upgrade named by Connection", with_length("", "Connection: Upgrade\r\n"), kBad},
      {"unknown expectation", with_length("", "Expect: 200-ok\r\n"), kBad},
      {"unknown path", line("POST / HTTP/1.1"), Rejection::kUnknownPath},
      {"longer path", line("POST /validate/ HTTP/1.1"), Rejection::kUnknownPath},
      {"encoded path", line("POST /%76alidate HTTP/1.1"), Rejection::kUnknownPath},
      {"dots in the path", line("POST /x/../validate HTTP/1.1"), Rejection::kUnknownPath},
      {"double slash", line("POST //validate HTTP/1.1"), Rejection::kUnknownPath},
      {"path in another case", line("POST /Validate HTTP/1.1"), Rejection::kUnknownPath},
      {"GET", line("GET /validate HTTP/1.1"), Rejection::kMethod},
      {"lower-case post", line("post /validate HTTP/1.1"), Rejection::kMethod},
      {"no length", post(""), Rejection::kLengthRequired},
      {"chunked", post("Transfer-Encoding: chunked\r\n"), Rejection::kTransferEncoding},
      {"length and chunked", with_length("", "Transfer-Encoding: chunked\r\n"),
       Rejection::kTransferEncoding},
      {"chunked misspelt", with_length("", "Transfer-Encoding: xchunked\r\n"),
       Rejection::kTransferEncoding},
      {"compressed", with_length("", "Content-Encoding: gzip\r\n"), Rejection::kMediaType},
      {"identity encoding", with_length("", "Content-Encoding: identity\r\n"),
       Rejection::kMediaType},
      {"one byte too large", post("Content-Length: 8388609\r\n"), Rejection::kBodyTooLarge},
      {"larger than a number", post("Content-Length: 99999999999999999999999999\r\n"),
       Rejection::kBodyTooLarge},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Verdict verdict = frame(row.text);
    REQUIRE(verdict.state == FrameState::kRejected);
    CHECK(name_of(verdict.rejection.reason) == name_of(row.rejection));
    CHECK_FALSE(verdict.rejection.what.empty());
  }
}

TEST_CASE("each limit is kept to the byte") {
  const auto head_of = [](std::size_t bytes) {
    const std::string start = "POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX: ";
    return start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n";
  };
  CHECK(frame(head_of(16384)).state == FrameState::kWhole);
  const Verdict longer = frame(head_of(16385));
  REQUIRE(longer.state == FrameState::kRejected);
  CHECK(longer.rejection.reason == Rejection::kHeadersTooLarge);
  CHECK(longer.rejection.limit == 16384);
  // An endless line is cut off before it ends.
  CHECK(frame(std::string(16383, 'x')).state == FrameState::kNeedHead);
  CHECK(frame(std::string(16384, 'x')).state == FrameState::kRejected);

  const auto fields = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "A: b\r\n";
    return text;
  };
  CHECK(frame(with_length("", fields(62))).state == FrameState::kWhole);
  CHECK(frame(with_length("", fields(63))).rejection.reason == Rejection::kHeadersTooLarge);

  CHECK(frame(post("Content-Length: 8388608\r\n")).state == FrameState::kNeedBody);
}

TEST_CASE("a framer goes on with the next request after a reset") {
  const std::string first = with_length("{}");
  const std::string both = first + with_length("[1]");
  Framer framer(kLimits);
  REQUIRE(framer.advance(both) == FrameState::kWhole);
  CHECK(framer.head().total_bytes() == first.size());
  framer.reset();
  REQUIRE(framer.advance(std::string_view(both).substr(first.size())) == FrameState::kWhole);
  CHECK(framer.head().body_bytes == 3);
}

TEST_CASE("the verdict does not depend on how the bytes were split") {
  const FramingLimits small{200, 8, 32, kPaths};
  const auto piece = rc::gen::element<std::string>(
      "POST /validate HTTP/1.1\r\n", "GET / HTTP/1.1\r\n", "Host: a\r\n", "Content-Length: 3\r\n",
      "Content-Length: 40\r\n", "X: y\r\n", "\r\n", "\n", "\r", " ", "abc", "Connection: close\r\n",
      "Transfer-Encoding: chunked\r\n", std::string(60, 'z'), std::string(1, '\0'));
  CHECK(rc::check([&] {
    const auto pieces = *rc::gen::container<std::vector<std::string>>(piece);
    std::string input;
    for (const std::string& text : pieces) input += text;
    Framer at_once(small);
    at_once.advance(input);
    Framer by_bytes(small);
    for (std::size_t size = 0; size <= input.size(); ++size) {
      by_bytes.advance(std::string_view(input).substr(0, size));
    }
    RC_ASSERT(at_once.state() == by_bytes.state());
    if (at_once.state() == FrameState::kRejected) {
      RC_ASSERT(at_once.rejection().what == by_bytes.rejection().what);
    }
    if (at_once.state() == FrameState::kWhole) {
      RC_ASSERT(at_once.head().total_bytes() == by_bytes.head().total_bytes());
      RC_ASSERT(at_once.head().query.offset == by_bytes.head().query.offset);
    }
  }));
}
