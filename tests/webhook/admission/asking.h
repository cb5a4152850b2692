// Reviews over a connection to a real server, whose answers may take a while.
#pragma once

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/webhook/admission/review_text.h"
#include "tests/webhook/http/tls_client.h"
#include "webhook/http/server.h"

namespace belay::test {

/// The request that asks about a review of one pod. It holds a text with escapes, which reading in
/// place changes: a review that is read again must be as it came.
inline std::string request_about(Json review, const std::string& path, const std::string& query) {
  review["request"]["object"]["metadata"]["annotations"]["text"] = "un\"escaped\nin place";
  const std::string body = review.dump();
  return "POST " + path + "?" + query +
         " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// One connection; its answers are what stands under `response`.
class Asking {
 public:
  explicit Asking(const webhook::http::Server& server) : client_(server.port()) {}
  void send(const std::string& request) const { client_.send(request); }
  Json receive() const {
    const std::string answer = client_.read_until("}}");
    const std::size_t body = answer.find("\r\n\r\n");
    REQUIRE(body != std::string::npos);
    return Json::parse(answer.substr(body + 4), nullptr, false)["response"];
  }
  Json ask(const std::string& request) const {
    send(request);
    return receive();
  }

 private:
  Client client_;
};

}  // namespace belay::test
