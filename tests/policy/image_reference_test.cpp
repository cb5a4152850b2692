// The grammar of references, by table: what distribution/reference and go-digest take and refuse,
// and where each part ends up. tests/conformance compares far more inputs with the Go module.
#include "policy/image_reference.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace belay::policy {
namespace {

using Code = ReferenceErrorCode;

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

const std::string kSha256 = "sha256:" + repeat("0f", 32);
const std::string kSha384 = "sha384:" + repeat("0f", 48);
const std::string kSha512 = "sha512:" + repeat("0f", 64);
const std::string kHex64 = repeat("1a3f5e7d", 8);

struct Good {
  std::string input;
  std::string registry;
  std::string repository;
  std::string tag;
  std::string digest;
};

void check_good(const std::vector<Good>& rows) {
  for (const Good& row : rows) {
    CAPTURE(row.input);
    const auto reference = parse_image_reference(row.input);
    REQUIRE(reference.has_value());
    CHECK(reference->text == row.input);
    CHECK(reference->registry == row.registry);
    CHECK(reference->repository() == row.repository);
    CHECK(reference->tag == row.tag);
    CHECK(reference->digest == row.digest);
    CHECK(reference->has_tag() == !row.tag.empty());
    CHECK(reference->has_digest() == !row.digest.empty());
    std::string canonical = row.registry.empty() ? row.repository : row.registry + "/";
    if (!row.registry.empty()) canonical += row.repository;
    CHECK(reference->canonical_repository() == canonical);
    if (!row.tag.empty()) canonical += ":" + row.tag;
    if (!row.digest.empty()) canonical += "@" + row.digest;
    CHECK(reference->canonical() == canonical);
    std::string written(reference->written_name());
    if (!row.tag.empty()) written += ":" + row.tag;
    if (!row.digest.empty()) written += "@" + row.digest;
    CHECK(written == row.input);
  }
}

TEST_CASE("a repository has one key, however its host is written") {
  struct Row {
    const char* image;
    const char* key;
  };
  for (const Row& row : {Row{"registry.corp/shop/web:v1", "registry.corp/shop/web"},
                         {"Registry.CORP/shop/web:v1", "registry.corp/shop/web"},
                         {"registry.corp:443/shop/web", "registry.corp/shop/web"},
                         {"REGISTRY.corp:5000/shop/web", "registry.corp:5000/shop/web"},
                         {"registry.corp:4443/shop/web", "registry.corp:4443/shop/web"},
                         {"[FD12::1]:443/shop/web", "[fd12::1]/shop/web"},
                         {"nginx:1", "docker.io/library/nginx"},
                         {"DOCKER.io/nginx:1", "docker.io/library/nginx"},
                         {"docker.io:443/nginx:1", "docker.io/library/nginx"},
                         {"Index.Docker.io/shop/web:1", "docker.io/shop/web"},
                         // What is a host by its capitals or its port alone stays one.
                         {"CORP/web:1", "CORP/web"},
                         {"corp:443/web:1", "corp:443/web"},
                         {"corp/web:1", "docker.io/corp/web"},
                         {"LOCALHOST/web:1", "localhost/web"}}) {
    CAPTURE(row.image);
    const auto reference = parse_image_reference(row.image);
    REQUIRE(reference.has_value());
    CHECK(reference->repository_key() == row.key);
    const auto again = parse_image_reference(row.key);
    REQUIRE(again.has_value());
    CHECK(again->repository_key() == row.key);
    CHECK(again->canonical_repository() == row.key);
  }
}

struct Bad {
  std::string input;
  Code code;
  std::size_t offset;
};

void check_bad(const std::vector<Bad>& rows) {
  for (const Bad& row : rows) {
    CAPTURE(row.input);
    const auto reference = parse_image_reference(row.input);
    REQUIRE_FALSE(reference.has_value());
    CHECK(describe(reference.error().code) == describe(row.code));
    CHECK(reference.error().offset == row.offset);
  }
}

TEST_CASE("names without a registry are docker.io's") {
  check_good({
      {"nginx", "docker.io", "library/nginx", "", ""},
      {"nginx:1.27", "docker.io", "library/nginx", "1.27", ""},
      {"nginx:Upper_Case.TAG-1", "docker.io", "library/nginx", "Upper_Case.TAG-1", ""},
      {"nginx:_", "docker.io", "library/nginx", "_", ""},
      {"shop/web", "docker.io", "shop/web", "", ""},
      {"shop/team/web:1", "docker.io", "shop/team/web", "1", ""},
      {"foo_bar.com:8080", "docker.io", "library/foo_bar.com", "8080", ""},
      {"192.168.1.1", "docker.io", "library/192.168.1.1", "", ""},
      {"a", "docker.io", "library/a", "", ""},
      {"0", "docker.io", "library/0", "", ""},
      {"localhost", "docker.io", "library/localhost", "", ""},
      {"docker.io", "docker.io", "library/docker.io", "", ""},
      {"dock__er/a---b.c_d", "docker.io", "dock__er/a---b.c_d", "", ""},
      {"localhostage/app", "docker.io", "localhostage/app", "", ""},
      {kHex64 + "a", "docker.io", "library/" + kHex64 + "a", "", ""},
      {kHex64 + ":1", "docker.io", "library/" + kHex64, "1", ""},
  });
}

TEST_CASE("what looks like a host is the registry") {
  check_good({
      {"localhost/app", "localhost", "app", "", ""},
      {"localhost:5000/app:1", "localhost:5000", "app", "1", ""},
      {"registry.corp/app", "registry.corp", "app", "", ""},
      {"registry.corp:5000/shop/web:1.0", "registry.corp:5000", "shop/web", "1.0", ""},
      {"UPPER/app:1.0", "UPPER", "app", "1.0", ""},
      {"Foo/bar", "Foo", "bar", "", ""},
      {"LOCALHOST/app", "LOCALHOST", "app", "", ""},
      {"192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", "5050", ""},
      {"0.0:1/a", "0.0:1", "a", "", ""},
      {"xn--n3h.com/my:xn--n3h.com", "xn--n3h.com", "my", "xn--n3h.com", ""},
      {"a.b:99999999999999999999/c", "a.b:99999999999999999999", "c", "", ""},
      {"registry.corp/" + kHex64, "registry.corp", kHex64, "", ""},
      {"[fd00::1]:5000/app", "[fd00::1]:5000", "app", "", ""},
      {"[2001:DB8::1]/app:t", "[2001:DB8::1]", "app", "t", ""},
      {"[:]/a", "[:]", "a", "", ""},
      {"[ABC]/a", "[ABC]", "a", "", ""},
      {"test:5000/repo:tag@" + kSha256, "test:5000", "repo", "tag", kSha256},
  });
}

TEST_CASE("B22: a registry port is not read as a tag") {
  check_good({
      {"host:5000/app", "host:5000", "app", "", ""},
      {"host:5000/app:latest", "host:5000", "app", "latest", ""},
      {"host:5000", "docker.io", "library/host", "5000", ""},
      {"[::1]:5000/app", "[::1]:5000", "app", "", ""},
      {"host:5000/app@" + kSha256, "host:5000", "app", "", kSha256},
  });
}

TEST_CASE("B21: the digest is split off before the tag") {
  check_good({
      {"repo:latest@" + kSha256, "docker.io", "library/repo", "latest", kSha256},
      {"repo@" + kSha256, "docker.io", "library/repo", "", kSha256},
      {"registry.corp:5000/a/b:v1@" + kSha512, "registry.corp:5000", "a/b", "v1", kSha512},
      {"sha256:abc", "docker.io", "library/sha256", "abc", ""},
      {"app:sha256-" + repeat("0f", 32), "docker.io", "library/app", "sha256-" + repeat("0f", 32),
       ""},
  });
  check_bad({
      {"repo@" + kSha256 + ":latest", Code::kInvalidDigest, 5 + kSha256.size()},
      {"repo@" + kSha256 + "@" + kSha256, Code::kInvalidDigest, 5 + kSha256.size()},
      {"repo:latest@", Code::kInvalidDigest, 12},
      {"repo@latest", Code::kInvalidDigest, 11},
  });
}

TEST_CASE("B23: aliases of docker.io have one canonical form") {
  for (const char* input :
       {"nginx:1", "library/nginx:1", "docker.io/nginx:1", "docker.io/library/nginx:1",
        "index.docker.io/nginx:1", "index.docker.io/library/nginx:1"}) {
    CAPTURE(input);
    const auto reference = parse_image_reference(input);
    REQUIRE(reference.has_value());
    CHECK(reference->canonical() == "docker.io/library/nginx:1");
    CHECK(reference->registry == "docker.io");
  }
  check_good({
      {"library/foo/bar", "docker.io", "library/foo/bar", "", ""},
      {"docker.io/store/foo/bar", "docker.io", "store/foo/bar", "", ""},
      {"docker.io:443/nginx", "docker.io:443", "nginx", "", ""},
      {"Docker.io/nginx", "Docker.io", "nginx", "", ""},
  });
}

TEST_CASE("B24: a tag beside a digest is kept apart from it") {
  const std::string text = "shop/web:v1.4.2@" + kSha384;
  const auto reference = parse_image_reference(text);
  REQUIRE(reference.has_value());
  CHECK(reference->tag == "v1.4.2");
  CHECK(reference->digest == kSha384);
  CHECK(reference->has_digest());
}

TEST_CASE("B25: only whole lower-case sha256, sha384 and sha512 digests are digests") {
  check_good({
      {"a@" + kSha256, "docker.io", "library/a", "", kSha256},
      {"a@" + kSha384, "docker.io", "library/a", "", kSha384},
      {"a@" + kSha512, "docker.io", "library/a", "", kSha512},
  });
  check_bad({
      {"a@sha256:" + repeat("0", 63), Code::kInvalidDigest, 9 + 63},
      {"a@sha256:" + repeat("0", 65), Code::kInvalidDigest, 9 + 64},
      {"a@sha256:" + repeat("0F", 32), Code::kInvalidDigest, 10},
      {"a@sha256:" + repeat("0", 63) + "g", Code::kInvalidDigest, 9 + 63},
      {"a@sha256:", Code::kInvalidDigest, 9},
      {"a@sha384:" + repeat("0", 64), Code::kInvalidDigest, 9 + 64},
      {"a@sha512:" + repeat("0", 64), Code::kInvalidDigest, 9 + 64},
      {"a@sha512:" + repeat("0", 127), Code::kInvalidDigest, 9 + 127},
      {"a@SHA256:" + repeat("0", 64), Code::kUnsupportedDigest, 2},
      {"a@sha1:" + repeat("0", 40), Code::kUnsupportedDigest, 2},
      {"a@md5:" + repeat("0", 32), Code::kUnsupportedDigest, 2},
      {"a@sha256+b64:" + repeat("0", 64), Code::kInvalidDigest, 8},
      {"a@:" + repeat("0", 64), Code::kInvalidDigest, 2},
      {"a@sha256", Code::kInvalidDigest, 8},
  });
}

TEST_CASE("B27: bytes outside the grammar are refused") {
  check_bad({
      {std::string("ngi\0nx", 6), Code::kInvalidFormat, 3},
      {std::string("nginx\0", 6), Code::kInvalidFormat, 5},
      {std::string("nginx:1\0", 8), Code::kInvalidTag, 7},
      {"Nginx", Code::kUppercaseName, 0},
      {"nGinx:1", Code::kUppercaseName, 1},
      {"registry.corp/Shop/web", Code::kUppercaseName, 14},
      {"test:5000/Uppercase/lowercase:tag", Code::kUppercaseName, 10},
      {"\xd0\xbdginx", Code::kInvalidFormat, 0},         // Cyrillic letter
      {"nginx\xe2\x80\x8b:1", Code::kInvalidFormat, 5},  // zero width space
      {"nginx:\xef\xbc\x91", Code::kInvalidTag, 6},      // full-width digit
      {"nginx:1\xff", Code::kInvalidTag, 7},
      {"\xc3\x9c.corp/app", Code::kInvalidRegistry, 0},
      {"nginx\x1b[31m", Code::kInvalidFormat, 5},
      {"nginx:a\x7f", Code::kInvalidTag, 7},
  });
}

TEST_CASE("B28: whitespace is refused and never trimmed") {
  check_bad({
      {" nginx", Code::kWhitespace, 0},
      {"nginx ", Code::kWhitespace, 5},
      {"nginx:1 ", Code::kWhitespace, 7},
      {"nginx:1\n", Code::kWhitespace, 7},
      {"\tnginx", Code::kWhitespace, 0},
      {"nginx\r", Code::kWhitespace, 5},
      {"reg.corp /app", Code::kWhitespace, 8},
      {"a@" + kSha256 + " ", Code::kWhitespace, 2 + kSha256.size()},
      {"a@sha 256:0", Code::kWhitespace, 5},
      {"a: 1", Code::kWhitespace, 2},
  });
}

TEST_CASE("text that is not a reference is refused at the byte where it stops being one") {
  check_bad({
      {"", Code::kEmpty, 0},
      {kHex64, Code::kIdentifier, 0},
      {":justtag", Code::kInvalidFormat, 0},
      {"@" + kSha256, Code::kInvalidFormat, 0},
      {"nginx:", Code::kInvalidTag, 6},
      {"nginx:-a", Code::kInvalidTag, 6},
      {"nginx:.a", Code::kInvalidTag, 6},
      {"nginx:a:b", Code::kInvalidTag, 7},
      {"nginx:a/b", Code::kInvalidRegistry, 6},
      {"host:5000/app:a/b", Code::kInvalidTag, 15},
      {"/app", Code::kInvalidFormat, 0},
      {"app/", Code::kInvalidFormat, 4},
      {"a//b", Code::kInvalidFormat, 2},
      {"reg.corp/", Code::kInvalidFormat, 9},
      {"reg.corp//app", Code::kInvalidFormat, 9},
      {"a..b", Code::kInvalidFormat, 2},
      {"a___b", Code::kInvalidFormat, 3},
      {"a_.b", Code::kInvalidFormat, 2},
      {"-a/b", Code::kInvalidFormat, 0},
      {"a-/b", Code::kInvalidFormat, 2},
      {"a-", Code::kInvalidFormat, 2},
      {"aa/asdf$$^/aa", Code::kInvalidFormat, 7},
      {"-reg.corp/app", Code::kInvalidRegistry, 0},
      {"reg-.corp/app", Code::kInvalidRegistry, 4},
      {"reg..corp/app", Code::kInvalidRegistry, 4},
      {"reg.corp./app", Code::kInvalidRegistry, 9},
      {"reg.corp:/app", Code::kInvalidRegistry, 9},
      {"reg.corp:http/app", Code::kInvalidRegistry, 9},
      {"reg.corp:50x/app", Code::kInvalidRegistry, 11},
      {"bad_host.corp:8080/app", Code::kInvalidRegistry, 3},
      {"[::1]", Code::kInvalidFormat, 0},
      {"[::1]:5000", Code::kInvalidFormat, 0},
      {"[]:1/a", Code::kInvalidRegistry, 1},
      {"[::1/a", Code::kInvalidRegistry, 4},
      {"[::1]5000/a", Code::kInvalidRegistry, 5},
      {"[::1]::5000/a", Code::kInvalidRegistry, 6},
      {"[fe80::1%eth0]:5000/a", Code::kInvalidRegistry, 8},
      {"[::192.0.2.33]:5000/a", Code::kInvalidRegistry, 6},
      {"[abc]/a", Code::kInvalidFormat, 0},
      {"fc00::1:5000/a", Code::kInvalidRegistry, 5},
      {"https://registry.corp/app", Code::kScheme, 0},
      {"docker://nginx", Code::kScheme, 0},
      {"oci:/a", Code::kInvalidRegistry, 4},
  });
}

TEST_CASE("limits count the path with library/ and the tag") {
  check_good({
      {"reg.corp/" + repeat("a", 255) + ":t", "reg.corp", repeat("a", 255), "t", ""},
      {repeat("a", 247), "docker.io", "library/" + repeat("a", 247), "", ""},
      {"b/" + repeat("a", 253), "docker.io", "b/" + repeat("a", 253), "", ""},
      {"a:" + repeat("t", 128), "docker.io", "library/a", repeat("t", 128), ""},
      {repeat("h.", 300) + "h/a", repeat("h.", 300) + "h", "a", "", ""},
  });
  check_bad({
      {"reg.corp/" + repeat("a", 256) + ":t", Code::kNameTooLong, 9 + 255},
      {repeat("a", 248), Code::kNameTooLong, 247},
      {"index.docker.io/" + repeat("a", 248), Code::kNameTooLong, 16 + 247},
      {"b/" + repeat("a", 254), Code::kNameTooLong, 255},
      {"a:" + repeat("t", 129), Code::kTagTooLong, 2 + 128},
      {"a:" + repeat("t", 129) + "@" + kSha256, Code::kTagTooLong, 2 + 128},
  });
}

TEST_CASE("a first segment that is not a host by its letters stays in the path") {
  check_good({
      {"foo_bar.com/app:1", "", "foo_bar.com/app", "1", ""},
      {"a__b.c/d/e", "", "a__b.c/d/e", "", ""},
  });
  const auto reference = parse_image_reference("foo_bar.com/team/app:1");
  REQUIRE(reference.has_value());
  CHECK(reference->host() == "foo_bar.com");
  CHECK(reference->path_on_host() == "team/app");
}

TEST_CASE("host, path on it and last segment are parts of the name") {
  const auto reference = parse_image_reference("reg.corp:5000/shop/web:1");
  REQUIRE(reference.has_value());
  CHECK(reference->host() == "reg.corp:5000");
  CHECK(reference->path_on_host() == "shop/web");
  CHECK(reference->last_segment() == "web");
  CHECK(parse_image_reference("nginx")->last_segment() == "nginx");
  CHECK(parse_image_reference("nginx")->host() == "docker.io");
}

TEST_CASE("every reason has words of its own") {
  std::vector<std::string_view> seen;
  for (int code = 0; code <= static_cast<int>(Code::kTagTooLong); ++code) {
    const std::string_view words = describe(static_cast<Code>(code));
    CHECK_FALSE(words.empty());
    for (const auto other : seen) CHECK(words != other);
    seen.push_back(words);
  }
}

TEST_CASE("reading the canonical form gives the canonical form again") {
  CHECK(rc::check([] {
    const auto alphabet = rc::gen::elementOf(std::string("abz019._-/:@[]AZ \xc3"));
    const auto text = *rc::gen::container<std::string>(alphabet);
    const auto reference = parse_image_reference(text);
    if (!reference) {
      RC_ASSERT(reference.error().offset <= text.size());
      RC_SUCCEED("refused");
    }
    const std::string canonical = reference->canonical();
    const auto again = parse_image_reference(canonical);
    RC_ASSERT(again.has_value());
    RC_ASSERT(again->canonical() == canonical);
    RC_ASSERT(again->registry == reference->registry);
    RC_ASSERT(again->tag == reference->tag);
    RC_ASSERT(again->digest == reference->digest);
  }));
}

}  // namespace
}  // namespace belay::policy
