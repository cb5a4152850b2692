#include "webhook/kube/api_client.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/support/https_imposter.h"

using namespace std::chrono_literals;
using namespace belay::webhook::kube;
using belay::tests::Identity;
using belay::tests::identity;
using belay::tests::Imposter;
using belay::tests::Peer;
using Kind = ApiError::Kind;

namespace {

Connection to(const Imposter& server, const Identity& who, const std::string& token = "secret") {
  return {.server = server.url(), .ca_pem = who.authority.certificate, .token = token};
}

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "belay-api-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  /// Puts a file there in one step, as the kubelet does.
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / "new") << text;
    std::filesystem::rename(path_ / "new", path_ / name);
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("each verb sends its method, its content type and the token") {
  const Identity who = identity();
  std::vector<std::string> seen;
  const Imposter server(&who.leaf, [&](Peer& peer) {
    for (std::string text = peer.request(); !text.empty(); text = peer.request()) {
      seen.push_back(text);
      peer.answer(201, "{}");
    }
  });
  {
    ApiClient api(to(server, who), "belay/tests");
    CHECK(api.get("/a?limit=1", 5s) == "{}");
    CHECK(api.create("/b", "[1]", 5s));
    CHECK(api.replace("/c", "[2]", 5s));
    CHECK(api.patch("/d", PatchType::kMerge, "[3]", 5s));
    CHECK(api.patch("/e", PatchType::kJson, "[4]", 5s));
    CHECK(api.patch("/f", PatchType::kApply, "[5]", 5s));
  }
  const std::pair<const char*, const char*> wanted[] = {
      {"GET /a?limit=1 ", "Accept: application/json\r\n"},
      {"POST /b ", "Content-Type: application/json\r\n"},
      {"PUT /c ", "Content-Type: application/json\r\n"},
      {"PATCH /d ", "Content-Type: application/merge-patch+json\r\n"},
      {"PATCH /e ", "Content-Type: application/json-patch+json\r\n"},
      {"PATCH /f ", "Content-Type: application/apply-patch+yaml\r\n"},
  };
  REQUIRE(seen.size() == std::size(wanted));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CHECK(seen[i].starts_with(wanted[i].first));
    CHECK(seen[i].contains(wanted[i].second));
    CHECK(seen[i].contains("Authorization: Bearer secret\r\n"));
    CHECK(seen[i].contains("User-Agent: belay/tests\r\n"));
  }
}

TEST_CASE("a refusal tells its kind, its status, the Status' words and when to come back") {
  const std::pair<int, Kind> rows[] = {
      {302, Kind::kRejected},  {400, Kind::kRejected}, {401, Kind::kUnauthorized},
      {403, Kind::kForbidden}, {404, Kind::kNotFound}, {409, Kind::kConflict},
      {410, Kind::kGone},      {422, Kind::kRejected}, {429, Kind::kServer},
      {500, Kind::kServer},    {503, Kind::kServer}};
  const Identity who = identity();
  for (const auto& [status, kind] : rows) {
    const Imposter server(&who.leaf, [answered = status](Peer& peer) {
      peer.request();
      peer.answer(answered, R"({"kind":"Status","message":"in its own words"})",
                  "Retry-After: 3\r\n");
    });
    ApiClient api(to(server, who), "t");
    const auto answer = api.get("/api/v1/x?continue=long", 5s);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == kind);
    CHECK(answer.error().status == status);
    CHECK(answer.error().retry_after == 3s);
    CHECK(answer.error().message == "the API server returned " + std::to_string(status) +
                                        " for GET /api/v1/x: in its own words");
  }
}

TEST_CASE("a token file is read again when it changes, and at once when its token is refused") {
  const Folder folder;
  const Identity who = identity();
  std::atomic<int> asked = 0;
  std::string taken = "one";
  const Imposter server(&who.leaf, [&](Peer& peer) {
    for (std::string text = peer.request(); !text.empty(); text = peer.request()) {
      ++asked;
      const bool good = text.contains("Authorization: Bearer " + taken + "\r\n");
      peer.answer(good ? 200 : 401, "{}");
    }
  });
  Connection connection = to(server, who, "");
  connection.token_file = folder.write("token", "one\n");
  ApiClient api(connection, "t");
  REQUIRE(api.get("/", 5s));
  taken = "other";
  folder.write("token", "other \n");
  REQUIRE(api.get("/", 5s));
  CHECK(asked == 2);
  std::filesystem::remove(connection.token_file);
  REQUIRE(api.get("/", 5s));  // gone for a moment: the last one is good
  taken = "third";
  const auto refused = api.get("/", 5s);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Kind::kUnauthorized);
  CHECK(asked == 4);  // the same token is not tried twice
}

TEST_CASE("a stream is cut into lines wherever its bytes are cut") {
  const Identity who = identity();
  const Imposter server(&who.leaf, [&](Peer& peer) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    for (const char* part : {"on", "e\ntwo\n\nth", "ree\n", "rest"}) peer.write(part);
  });
  ApiClient api(to(server, who), "t");
  std::vector<std::string> lines;
  const auto end = api.stream("/x?watch=true", 5s, {}, [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  CHECK(end);
  CHECK(lines == std::vector<std::string>{"one", "two", "three", "rest"});
}

TEST_CASE("a line without end is not kept, and a refused stream says why") {
  const Identity who = identity();
  const Imposter endless(&who.leaf, [&](Peer& peer) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    while (peer.write(std::string(65536, 'x'))) {
    }
  });
  const Imposter gone(&who.leaf, [&](Peer& peer) {
    peer.request();
    peer.answer(410, R"({"message":"too old resource version"})");
  });
  const auto none = [](std::string_view) { return true; };
  const auto large = ApiClient(to(endless, who), "t").stream("/x", 5s, {}, none);
  REQUIRE_FALSE(large);
  CHECK(large.error().kind == Kind::kTooLarge);
  const auto old = ApiClient(to(gone, who), "t").stream("/x", 5s, {}, none);
  REQUIRE_FALSE(old);
  CHECK(old.error().kind == Kind::kGone);
}
