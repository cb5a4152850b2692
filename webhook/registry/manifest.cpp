#include "webhook/registry/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "certs/digest.h"
#include "policy/image_reference.h"
#include "policy/text/ascii.h"
#include "webhook/registry/json_text.h"

namespace belay::webhook::registry {
namespace {

using nlohmann::json;
using policy::Annotations;

constexpr std::string_view kIndexTypes[] = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json"};
constexpr std::string_view kImageTypes[] = {"application/vnd.oci.image.manifest.v1+json",
                                            "application/vnd.docker.distribution.manifest.v2+json"};
constexpr std::string_view kSchemaOne = "application/vnd.docker.distribution.manifest.v1";
constexpr std::size_t kMaxReferrers = 1'000;

template <std::size_t N>
bool is_one_of(std::string_view type, const std::string_view (&types)[N]) {
  return std::ranges::find(types, type) != std::end(types);
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) throw Fault{std::string(key) + " is not a string"};
  return found->get<std::string>();
}

/// A map of texts, in the order of its keys.
Annotations annotations_of(const json& object, const char* key) {
  Annotations annotations;
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return annotations;
  if (!found->is_object()) throw Fault{std::string(key) + " is not an object"};
  if (found->size() > kMaxAnnotations) throw Fault{std::string(key) + " contains too many entries"};
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string()) throw Fault{"a value of " + std::string(key) + " is not a string"};
    annotations.emplace_back(name, value.get<std::string>());
  }
  return annotations;
}

/// In lower case. Findings name platforms, so they may hold nothing but words.
std::string platform_word(const json& object, const char* key) {
  constexpr std::size_t kLongest = 32;
  std::string word = policy::lower_case(text_of(object, key));
  const auto fits = [](char c) {
    return policy::is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
  };
  if (word.size() > kLongest || !std::ranges::all_of(word, fits)) {
    throw Fault{std::string(key) + " contains invalid characters"};
  }
  return word;
}

std::string platform_of(const json& object) {
  std::string text = platform_word(object, "os");
  const std::string architecture = platform_word(object, "architecture");
  const std::string variant = platform_word(object, "variant");
  if (text.empty() && architecture.empty()) return {};
  if (text.empty() || architecture.empty())
    throw Fault{"a platform has only one of os and architecture"};
  text += "/" + architecture;
  if (!variant.empty()) text += "/" + variant;
  return text;
}

Descriptor descriptor_of(const json& value) {
  if (!value.is_object()) throw Fault{"a descriptor is not an object"};
  Descriptor descriptor;
  descriptor.media_type = text_of(value, "mediaType");
  descriptor.digest = text_of(value, "digest");
  if (!policy::is_digest(descriptor.digest)) throw Fault{"a descriptor has an invalid digest"};
  const auto size = value.find("size");
  if (size != value.end() && !size->is_null()) {
    if (!size->is_number_unsigned() || size->get<std::uint64_t>() > INT64_MAX) {
      throw Fault{"a descriptor has an invalid size"};
    }
    descriptor.size = size->get<std::int64_t>();
  }
  const auto platform = value.find("platform");
  if (platform != value.end() && platform->is_object())
    descriptor.platform = platform_of(*platform);
  descriptor.annotations = annotations_of(value, "annotations");
  return descriptor;
}

/// Whether an entry of an index is no image but a statement about one (BuildKit's attestations). By
/// its platform alone, which no node has: BuildKit's annotation could as well stand on an image
/// that nodes run and that wants to be passed over.
bool is_attestation(const Descriptor& descriptor) {
  return descriptor.platform == "unknown/unknown";
}

std::vector<Descriptor> images_of(const json& list) {
  if (!list.is_array()) throw Fault{"manifests is not a list"};
  std::vector<Descriptor> images;
  for (const json& value : list) {
    Descriptor descriptor = descriptor_of(value);
    if (is_attestation(descriptor)) continue;
    if (is_one_of(descriptor.media_type, kIndexTypes))
      throw Fault{"an index contains another index"};
    if (!descriptor.media_type.empty() && !is_one_of(descriptor.media_type, kImageTypes)) {
      throw Fault{"an index contains something other than images"};
    }
    images.push_back(std::move(descriptor));
    if (images.size() > kMaxPlatforms) throw Fault{"an index has too many platforms"};
  }
  if (images.empty()) throw Fault{"an index contains no image"};
  return images;
}

/// The type of the body, by what it and its Content-Type say; both must agree.
std::string type_of(const json& root, std::string_view content_type) {
  std::string inside = text_of(root, "mediaType");
  std::string_view outside = content_type.substr(0, content_type.find(';'));
  while (outside.ends_with(' ')) outside.remove_suffix(1);
  while (outside.starts_with(' ')) outside.remove_prefix(1);
  const bool known = is_one_of(outside, kIndexTypes) || is_one_of(outside, kImageTypes);
  if (inside.starts_with(kSchemaOne) || outside.starts_with(kSchemaOne)) {
    throw Fault{"it is a Docker schema 1 manifest, which has no stable digest"};
  }
  if (!inside.empty() && known && inside != outside) {
    throw Fault{"its mediaType differs from its Content-Type"};
  }
  if (!inside.empty() && !is_one_of(inside, kIndexTypes) && !is_one_of(inside, kImageTypes)) {
    throw Fault{"its media type is not that of an image"};
  }
  if (!inside.empty()) return inside;
  return known ? std::string(outside) : std::string();
}

Manifest manifest_of(const json& root, std::string_view content_type) {
  const auto version = root.find("schemaVersion");
  if (version == root.end() || *version != 2) {
    throw Fault{"it is not a manifest of schema version 2"};
  }
  const std::string type = type_of(root, content_type);
  const bool has_list = root.contains("manifests");
  const bool has_config = root.contains("config");
  // Both at once means two things to two readers (GHSA-mc8v-mgrf-8f4m).
  if (has_list == has_config) throw Fault{"it is neither an image nor an index"};
  if ((has_list && is_one_of(type, kImageTypes)) || (has_config && is_one_of(type, kIndexTypes))) {
    throw Fault{"its content does not match its media type"};
  }
  Manifest manifest;
  manifest.index = has_list;
  manifest.annotations = annotations_of(root, "annotations");
  if (has_list) {
    manifest.manifests = images_of(root["manifests"]);
  } else {
    manifest.config = descriptor_of(root["config"]);
  }
  return manifest;
}

/// The entries of an index of referrers, not looked into.
json referrers_in(std::string_view body) {
  json root = parse_object(body, kMaxResponse);
  const auto list = root.find("manifests");
  if (list == root.end()) throw Fault{"it is not an index"};
  if (list->is_null()) return json::array();
  if (!list->is_array()) throw Fault{"manifests is not a list"};
  if (list->size() > kMaxReferrers) throw Fault{"it has too many entries"};
  return std::move(*list);
}

}  // namespace

const std::string_view kManifestTypes =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

std::expected<Manifest, std::string> read_manifest(std::string_view body,
                                                   std::string_view media_type) {
  try {
    return manifest_of(parse_object(body, kMaxResponse), media_type);
  } catch (const Fault& fault) {
    return std::unexpected("its manifest is invalid: " + fault.message);
  }
}

std::expected<ImageConfig, std::string> read_image_config(std::string_view body) {
  try {
    const json root = parse_object(body, kMaxResponse);
    ImageConfig config;
    config.created = text_of(root, "created");
    config.platform = platform_of(root);
    const auto inner = root.find("config");
    if (inner != root.end() && !inner->is_object() && !inner->is_null()) {
      throw Fault{"config is not an object"};
    }
    if (inner != root.end() && inner->is_object()) config.labels = annotations_of(*inner, "Labels");
    return config;
  } catch (const Fault& fault) {
    return std::unexpected("its image config is invalid: " + fault.message);
  }
}

std::expected<std::vector<Descriptor>, std::string> read_referrers(std::string_view body) {
  try {
    std::vector<Descriptor> referrers;
    for (const json& value : referrers_in(body)) referrers.push_back(descriptor_of(value));
    return referrers;
  } catch (const Fault& fault) {
    return std::unexpected("its list of referrers is invalid: " + fault.message);
  }
}

std::expected<std::string, std::string> merge_referrers(const std::vector<std::string>& pages) {
  try {
    json all = json::array();
    for (const std::string& page : pages) {
      for (json& value : referrers_in(page)) all.push_back(std::move(value));
      if (all.size() > kMaxReferrers) throw Fault{"it has too many entries"};
    }
    return json{{"schemaVersion", 2}, {"manifests", std::move(all)}}.dump();
  } catch (const Fault& fault) {
    return std::unexpected("its list of referrers is invalid: " + fault.message);
  }
}

std::string digest_of(std::string_view bytes) { return "sha256:" + certs::sha256_hex(bytes); }

bool has_digest(std::string_view bytes, std::string_view digest) {
  if (!policy::is_digest(digest)) return false;
  const std::size_t colon = digest.find(':');
  constexpr std::pair<std::string_view, certs::Hash> kHashes[] = {{"sha256", certs::Hash::kSha256},
                                                                  {"sha384", certs::Hash::kSha384},
                                                                  {"sha512", certs::Hash::kSha512}};
  for (const auto& [name, hash] : kHashes) {
    if (digest.substr(0, colon) == name)
      return certs::hash_hex(hash, bytes) == digest.substr(colon + 1);
  }
  return false;
}

}  // namespace belay::webhook::registry
