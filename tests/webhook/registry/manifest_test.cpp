// What registries respond: manifests, configs, lists of attached artifacts.
#include "webhook/registry/manifest.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "webhook/registry/json_text.h"

namespace belay::webhook::registry {
namespace {

using Json = nlohmann::json;

const std::string kDigest = "sha256:" + std::string(64, 'a');
constexpr const char* kOciImage = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* kOciIndex = "application/vnd.oci.image.index.v1+json";
constexpr const char* kDockerImage = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* kDockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json";

Json descriptor(const char* type = kOciImage) {
  return {{"mediaType", type}, {"digest", kDigest}, {"size", 7}};
}
Json for_platform(const char* os, const char* architecture) {
  Json out = descriptor();
  out["platform"] = {{"os", os}, {"architecture", architecture}};
  return out;
}
Json image() {
  return {{"schemaVersion", 2},
          {"mediaType", kOciImage},
          {"config", descriptor("application/vnd.oci.image.config.v1+json")},
          {"layers", Json::array()}};
}
Json index(Json manifests) {
  return {{"schemaVersion", 2}, {"mediaType", kOciIndex}, {"manifests", std::move(manifests)}};
}

/// The clause with which a manifest is refused, "" where it is not.
std::string refusal(const Json& manifest, std::string_view type = {}) {
  const auto read = read_manifest(manifest.dump(), type);
  constexpr std::string_view kLead = "its manifest is invalid: ";
  if (read) return "";
  REQUIRE(read.error().starts_with(kLead));
  return read.error().substr(kLead.size());
}

TEST_CASE("images and indexes of OCI and Docker are read") {
  for (const auto* const type : {kOciImage, kDockerImage}) {
    Json manifest = image();
    manifest["mediaType"] = type;
    manifest["annotations"] = {{"b", "2"}, {"a", "1"}};
    const auto read = read_manifest(manifest.dump(), std::string(type) + "; charset=utf-8");
    REQUIRE(read);
    CHECK_FALSE(read->index);
    CHECK(read->config.digest == kDigest);
    CHECK(read->config.size == 7);
    CHECK(read->annotations == policy::Annotations{{"a", "1"}, {"b", "2"}});
  }
  for (const auto* const type : {kOciIndex, kDockerIndex}) {
    Json manifest = index({for_platform("Linux", "AMD64"), for_platform("linux", "arm")});
    manifest["manifests"][1]["platform"]["variant"] = "v7";
    manifest["manifests"][1]["annotations"] = {{"k", "v"}};
    manifest["mediaType"] = type;
    const auto read = read_manifest(manifest.dump(), type);
    REQUIRE(read);
    CHECK(read->index);
    REQUIRE(read->manifests.size() == 2);
    CHECK(read->manifests[0].platform == "linux/amd64");
    CHECK(read->manifests[1].platform == "linux/arm/v7");
    CHECK(read->manifests[1].annotations == policy::Annotations{{"k", "v"}});
  }
}

TEST_CASE("a manifest may leave its type to the header, or the header to the manifest") {
  Json manifest = image();
  CHECK(refusal(manifest, "").empty());
  CHECK(refusal(manifest, "application/json").empty());
  CHECK(refusal(manifest, " APPLICATION/vnd.oci.image.manifest.v1+json ;x=y").empty());
  manifest.erase("mediaType");
  CHECK(refusal(manifest, kOciImage).empty());
  CHECK(refusal(manifest, "").empty());
}

TEST_CASE("attestations are not images, and only what no node runs is an attestation") {
  Json disguised = for_platform("linux", "amd64");
  disguised["annotations"] = {{"vnd.docker.reference.type", "attestation-manifest"}};
  const auto read =
      read_manifest(index({disguised, for_platform("unknown", "unknown")}).dump(), kOciIndex);
  REQUIRE(read);
  REQUIRE(read->manifests.size() == 1);
  CHECK(read->manifests[0].platform == "linux/amd64");
  CHECK(refusal(index(Json::array({for_platform("unknown", "unknown")}))) ==
        "an index contains no image");
  CHECK(refusal(index(Json::array({for_platform("unknown", "amd64")}))).empty());
}

TEST_CASE("3.15: a manifest that can be taken in two ways, or in none, is refused") {
  const auto with = [](Json manifest, const char* key, Json value) {
    manifest[key] = std::move(value);
    return manifest;
  };
  const std::string schema1 = "it is a Docker schema 1 manifest, which has no stable digest";
  CHECK(refusal(with(image(), "manifests", Json::array({descriptor()}))) ==
        "it is neither an image nor an index");
  CHECK(refusal({{"schemaVersion", 2}}) == "it is neither an image nor an index");
  CHECK(refusal(with(image(), "mediaType", kOciIndex)) ==
        "its content does not match its media type");
  CHECK(refusal(image(), kDockerImage) == "its mediaType differs from its Content-Type");
  CHECK(refusal(image(), kOciIndex) == "its mediaType differs from its Content-Type");
  CHECK(refusal(with(image(), "mediaType", "text/html")) ==
        "its media type is not that of an image");
  CHECK(refusal(with(image(), "schemaVersion", 1)) == "it is not a manifest of schema version 2");
  CHECK(refusal(image(), "application/vnd.docker.distribution.manifest.v1+prettyjws") == schema1);
  CHECK(refusal(with(image(), "schemaVersion", "2")) == "it is not a manifest of schema version 2");
  CHECK(refusal(with(image(), "mediaType", 7)) == "mediaType is not a string");
  CHECK(refusal(with(image(), "config", Json())) == "a descriptor is not an object");
  CHECK(refusal(with(image(), "annotations", {{"a", 1}})) ==
        "a value of annotations is not a string");
  CHECK(refusal(with(image(), "annotations", Json::array())) == "annotations is not an object");
  CHECK(refusal(index(Json::array({descriptor(kOciIndex)}))) == "an index contains another index");
  CHECK(refusal(index(Json::array({descriptor("application/octet-stream")}))) ==
        "an index contains something other than images");
  CHECK(refusal(index(
            Json::array({descriptor("application/vnd.docker.distribution.manifest.v1+json")}))) ==
        "an index contains something other than images");
  CHECK(refusal(index(Json::array())) == "an index contains no image");
  CHECK(refusal(index(Json::object())) == "manifests is not a list");
  CHECK(refusal(index(Json::array({1}))) == "a descriptor is not an object");
  CHECK(refusal(index(Json::array({for_platform("linux", "")}))) ==
        "a platform has only one of os and architecture");
  CHECK(refusal(index(Json::array({for_platform("linux", "a b")}))) ==
        "architecture contains invalid characters");
}

TEST_CASE("3.15: a digest that is none never leaves the reader") {
  const std::string hex(64, 'a');
  for (const std::string& digest : std::vector<std::string>{
           "", "sha256:", "sha256:" + hex.substr(1), "sha256:" + hex + "a",
           "sha256:" + std::string(64, 'A'), "SHA256:" + hex, "md5:" + hex.substr(32), hex,
           "sha256:" + hex + "\"},{\"op\":\"add\"", "sha256:" + hex + "\n", " sha256:" + hex,
           "sha256:" + hex.substr(1) + std::string(1, '\0'), "sha512:" + hex,
           "sha256:" + hex.substr(2) + "/.", "a@sha256:" + hex, "b:tag@sha256:" + hex}) {
    CAPTURE(digest);
    Json manifest = image();
    manifest["config"]["digest"] = digest;
    CHECK(refusal(manifest) == "a descriptor has an invalid digest");
    CHECK_FALSE(has_digest("", digest));
  }
  for (const Json& size : {Json(-1), Json(1.5), Json("7"), Json(18'446'744'073'709'551'615ULL)}) {
    Json manifest = image();
    manifest["config"]["size"] = size;
    CHECK(refusal(manifest) == "a descriptor has an invalid size");
  }
}

TEST_CASE("3.15: bodies beyond the limits are refused") {
  CHECK(refusal(index(Json::array({Json::parse(std::string(40, '[') + std::string(40, ']'))}))) ==
        "it is nested too deeply");
  const auto text = [](const std::string& body) {
    const auto read = read_manifest(body, "");
    return read ? std::string() : read.error().substr(read.error().find(": ") + 2);
  };
  CHECK(text(std::string(1'000'000, '[')) == "it is nested too deeply");
  CHECK(text(std::string(kMaxResponse + 1, ' ')) == "it is too large");
  Json many = image();
  many["layers"] = Json(std::vector<int>(100'001, 1));
  CHECK(refusal(many) == "it contains too many values");
  CHECK(text(R"({"a":{"b":1,"b":2}})") == "it contains a duplicate key");
  CHECK(text("{\"a\":\"\xC3\"}") == "it is not a JSON object");
  CHECK(text(image().dump() + "x") == "it is not a JSON object");

  CHECK(refusal(index(std::vector<Json>(64, descriptor()))).empty());
  CHECK(refusal(index(std::vector<Json>(65, descriptor()))) == "an index has too many platforms");
  Json annotated = image();
  for (int i = 0; i <= 1'000; ++i) annotated["annotations"][std::to_string(i)] = "";
  CHECK(refusal(annotated) == "annotations contains too many entries");
}

TEST_CASE("an image's config is read: labels, when it was made, for which platform") {
  const auto config = read_image_config(R"({"architecture":"ARM64","os":"linux","variant":"v8",
      "created":"2026-11-01T00:00:00Z","config":{"Labels":{"z":"","a":"1"},"Env":["A=b"]},
      "rootfs":{"type":"layers","diff_ids":[]},"history":[{}]})");
  REQUIRE(config);
  CHECK(config->platform == "linux/arm64/v8");
  CHECK(config->created == "2026-11-01T00:00:00Z");
  CHECK(config->labels == policy::Annotations{{"a", "1"}, {"z", ""}});
  for (const auto* const body : {"{}", R"({"config":null})", R"({"config":{"Labels":null}})",
                                 R"({"os":"","architecture":""})"}) {
    CAPTURE(body);
    const auto bare = read_image_config(body);
    REQUIRE(bare);
    CHECK(bare->labels.empty());
    CHECK(bare->platform.empty());
  }
}

TEST_CASE(
    "3.15: a config whose labels are not strings is refused, not taken as one without labels") {
  for (const auto* const body :
       {R"({"config":{"Labels":{"a":1}}})", R"({"config":{"Labels":{"a":null}}})",
        R"({"config":{"Labels":["a"]}})", R"({"config":{"Labels":"a"}})", R"({"config":[]})",
        R"({"config":{"Labels":{"a":"1","a":"2"}}})", R"({"created":1})", R"({"os":"linux"})",
        R"({"os":"linux","architecture":"\u0000"})", "[]", ""}) {
    CAPTURE(body);
    const auto config = read_image_config(body);
    REQUIRE_FALSE(config);
    CHECK_FALSE(config.error().empty());
  }
}

TEST_CASE("attached artifacts come with their annotations, whatever their type") {
  Json artifact = descriptor("application/vnd.example.mark+json");
  artifact["annotations"] = {{"security", "verified"}};
  const auto list = read_referrers(index({artifact, descriptor()}).dump());
  REQUIRE(list);
  REQUIRE(list->size() == 2);
  CHECK((*list)[0].annotations == policy::Annotations{{"security", "verified"}});
  CHECK(read_referrers(R"({"schemaVersion":2,"manifests":[]})")->empty());
  CHECK(read_referrers(R"({"schemaVersion":2,"manifests":null})")->empty());
  CHECK_FALSE(read_referrers("{}"));
  CHECK_FALSE(read_referrers(image().dump()));
  CHECK_FALSE(read_referrers(R"({"manifests":{}})"));
  CHECK_FALSE(read_referrers(index(std::vector<Json>(1'001, descriptor())).dump()));
}

TEST_CASE("a body has its digest under all three algorithms, and no other") {
  // FIPS 180-4's example "abc".
  const std::string abc256 =
      "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(digest_of("abc") == abc256);
  CHECK(has_digest("abc", abc256));
  CHECK(
      has_digest("abc",
                 "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1"
                 "e7cc2358baeca134c825a7"));
  CHECK(
      has_digest("abc",
                 "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a27"
                 "4fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"));
  CHECK_FALSE(has_digest("abd", abc256));
  CHECK_FALSE(has_digest("abc", "sha256:"));
  CHECK_FALSE(has_digest("abc", ""));
}

TEST_CASE("labels come out of a config as they went in") {
  CHECK(rc::check([] {
    const auto word = rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
    const auto labels = *rc::gen::container<std::map<std::string, std::string>>(word, word);
    const auto config = read_image_config(Json{{"config", {{"Labels", labels}}}}.dump());
    RC_ASSERT(config.has_value());
    RC_ASSERT(config->labels == policy::Annotations(labels.begin(), labels.end()));
  }));
}

}  // namespace
}  // namespace belay::webhook::registry
