// The table of rejections and the bytes of responses.
#include "webhook/http/rejection.h"

#include <cassert>
#include <charconv>
#include <chrono>

namespace belay::webhook::http {
namespace {

struct Row {
  std::string_view name;
  int status;
  std::string_view extra;  ///< header lines that belong to the status
};

// In the order of Rejection. A 503 names a time: the API server's client then asks again within the
// webhook's own timeout instead of failing at once.
constexpr std::array<Row, kRejectionCount> kRows{{
    {"handshake", 0, ""},
    {"malformed", 400, ""},
    {"unknown-path", 404, ""},
    {"method", 405, "Allow: POST\r\n"},
    {"timeout", 408, ""},
    {"length-required", 411, ""},
    {"body-too-large", 413, ""},
    {"media-type", 415, ""},
    {"headers-too-large", 431, ""},
    {"transfer-encoding", 501, ""},
    {"overload", 503, "Retry-After: 1\r\n"},
}};

const Row& row_of(Rejection rejection) {
  const auto index = static_cast<std::size_t>(rejection);
  assert(index < kRows.size());
  return kRows[index];
}

void append_number(std::size_t number, std::string& out) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

constexpr std::string_view kJson =
    "\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ";

}  // namespace

std::string_view name_of(Rejection rejection) { return row_of(rejection).name; }
int status_of(Rejection rejection) { return row_of(rejection).status; }

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return status < 300 ? "OK" : status < 500 ? "Bad Request" : "Internal Server Error";
  }
}

void append_rejection(const RejectionText& text, std::string_view date, std::string& out) {
  const Row& row = row_of(text.reason);
  std::string body = R"({"error":{"code":")";
  body += row.name;
  body += R"(","message":")";
  body += text.what;  // static text without signs that JSON would want escaped
  if (text.limit != 0) {
    body += " (limit: ";
    append_number(text.limit, body);
    if (!text.unit.empty()) {
      body += ' ';
      body += text.unit;
    }
    body += ')';
  }
  body += "\"}}\n";

  out += "HTTP/1.1 ";
  append_number(static_cast<std::size_t>(row.status), out);
  out += ' ';
  out += reason_phrase(row.status);
  out += kJson;
  append_number(body.size(), out);
  out += "\r\nDate: ";
  out += date;
  out += "\r\nConnection: close\r\n";
  out += row.extra;
  out += "\r\n";
  out += body;
}

void append_response(int status, std::string_view date, bool close, std::string_view body,
                     std::string& out) {
  constexpr std::string_view kOk =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ";
  if (status == 200) [[likely]] {
    out += kOk;
  } else {
    out += "HTTP/1.1 ";
    append_number(static_cast<std::size_t>(status), out);
    out += ' ';
    out += reason_phrase(status);
    out += kJson;
  }
  append_number(body.size(), out);
  out += "\r\nDate: ";
  out += date;
  out += close ? std::string_view("\r\nConnection: close\r\n\r\n") : std::string_view("\r\n\r\n");
  out += body;
}

std::array<char, 29> format_date(std::int64_t unix_seconds) {
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::chrono::sys_seconds time{std::chrono::seconds{unix_seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::array<char, 29> out;
  const std::string_view shape = "Day, 00 Mon 0000 00:00:00 GMT";
  shape.copy(out.data(), out.size());
  const auto two = [&](std::size_t at, unsigned number) {
    out[at] = static_cast<char>('0' + number / 10 % 10);
    out[at + 1] = static_cast<char>('0' + number % 10);
  };
  kDays.substr(std::chrono::weekday{day}.c_encoding() * std::size_t{3}, 3).copy(out.data(), 3);
  two(5, static_cast<unsigned>(date.day()));
  kMonths.substr((static_cast<unsigned>(date.month()) - 1) * std::size_t{3}, 3)
      .copy(out.data() + 8, 3);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  two(12, year / 100);
  two(14, year % 100);
  two(17, static_cast<unsigned>(clock.hours().count()));
  two(20, static_cast<unsigned>(clock.minutes().count()));
  two(23, static_cast<unsigned>(clock.seconds().count()));
  return out;
}

}  // namespace belay::webhook::http
