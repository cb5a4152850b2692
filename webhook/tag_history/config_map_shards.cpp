#include "webhook/tag_history/config_map_shards.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "certs/digest.h"

namespace belay::webhook::tag_history {
namespace {

using nlohmann::json;

constexpr std::string_view kName = "belay-tag-history-";
constexpr int kTries = 8;

kube::ApiError bad_answer(std::string message) {
  kube::ApiError error;
  error.kind = kube::ApiError::Kind::kServer;
  error.message = std::move(message);
  return error;
}

std::expected<Shard, kube::ApiError> shard_of_answer(const kube::Api::Answer& answer) {
  if (!answer) return std::unexpected(answer.error());
  const auto object = kube::read_object(*answer);
  if (!object) return std::unexpected(bad_answer(object.error()));
  return read_shard(*object);
}

/// All that belay says about the ConfigMap; what others wrote into it stays.
std::string body_of(const std::string& namespace_name, const Shard& shard) {
  json metadata = {{"name", shard.name},
                   {"namespace", namespace_name},
                   {"labels", {{kTagHistoryLabel, "true"}}}};
  if (!shard.resource_version.empty()) {
    metadata["uid"] = shard.uid;
    metadata["resourceVersion"] = shard.resource_version;
  }
  return json{{"apiVersion", "v1"},
              {"kind", "ConfigMap"},
              {"metadata", std::move(metadata)},
              {"data", {{kRecordsKey, write_records(shard.entries)}}}}
      .dump();
}

}  // namespace

std::size_t shard_of(std::string_view repository) {
  const std::string digest = certs::sha256_hex(repository);
  return digest.empty() ? 0 : std::string_view("0123456789abcdef").find(digest.front());
}

std::string shard_name(std::size_t shard) { return fmt::format("{}{:x}", kName, shard); }

Shard read_shard(const kube::Object& config_map) {
  Shard shard{.name = config_map.name,
              .uid = config_map.uid,
              .resource_version = config_map.resource_version,
              .entries = {},
              .problems = {}};
  const auto text = config_map.data.find(kRecordsKey);
  if (text == config_map.data.end()) return shard;
  auto read = read_records(text->second);
  shard.entries = std::move(read.entries);
  shard.problems = std::move(read.problems);
  return shard;
}

std::expected<std::vector<Shard>, kube::ApiError> list_shards(kube::Api& api,
                                                              const std::string& namespace_name,
                                                              std::chrono::milliseconds deadline) {
  std::vector<Shard> shards;
  std::string next;
  // A "/" may stand in a query as it is (RFC 3986, section 3.4).
  const std::string first =
      fmt::format("/api/v1/namespaces/{}/configmaps?labelSelector={}%3Dtrue&limit={}",
                  namespace_name, kTagHistoryLabel, kShardPage);
  do {
    std::string path = first;
    if (!next.empty()) path += fmt::format("&continue={}", next);
    const auto answer = api.get(path, deadline);
    if (!answer) return std::unexpected(answer.error());
    auto page = kube::read_list(*answer);
    if (!page) return std::unexpected(bad_answer(std::move(page.error())));
    for (const kube::Object& object : page->items) shards.push_back(read_shard(object));
    next = std::move(page->continue_token);
  } while (!next.empty());
  return shards;
}

std::expected<Shard, kube::ApiError> change_shard(kube::Api& api, const std::string& namespace_name,
                                                  Shard known,
                                                  const std::function<bool(RecordMap&)>& change,
                                                  std::chrono::milliseconds deadline) {
  const std::string all = fmt::format("/api/v1/namespaces/{}/configmaps", namespace_name);
  const std::string one = fmt::format("{}/{}", all, known.name);
  for (int i = 0;; ++i) {
    if (!change(known.entries)) return known;
    const std::string body = body_of(namespace_name, known);
    const bool there = !known.resource_version.empty();
    auto written = shard_of_answer(
        there ? api.patch(one + "?fieldManager=belay", kube::PatchType::kMerge, body, deadline)
              : api.create(all + "?fieldManager=belay", body, deadline));
    if (written) return written;
    const auto kind = written.error().kind;
    const bool another = kind == kube::ApiError::Kind::kConflict ||
                         (there && kind == kube::ApiError::Kind::kNotFound);
    if (!another || i + 1 == kTries) return written;
    auto read = shard_of_answer(api.get(one, deadline));
    if (!read && read.error().kind != kube::ApiError::Kind::kNotFound) return read;
    known = read ? *std::move(read)
                 : Shard{.name = std::move(known.name),
                         .uid = {},
                         .resource_version = {},
                         .entries = {},
                         .problems = {}};
  }
}

}  // namespace belay::webhook::tag_history
