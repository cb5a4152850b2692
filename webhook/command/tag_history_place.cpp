#include "webhook/command/tag_history_place.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <utility>

#include "build_info.h"
#include "webhook/kube/api_client.h"
#include "webhook/kube/connection.h"
#include "webhook/tag_history/config_map_shards.h"
#include "webhook/tag_history/history_file.h"

namespace belay::webhook::command {
namespace {

using kube::Connection;
using tag_history::RecordMap;
using Wanted = std::function<bool(std::string_view key)>;

constexpr std::chrono::seconds kDeadline{30};
constexpr std::string_view kNamespace = "belay-system";

/// Where the cluster is, with belay's namespace in place of the connection's.
std::expected<Connection, std::string> connection_of(const TagHistoryPlace& place) {
  bool in_pod = false;
  auto found = kube::usual_connection(place.kubeconfig, &in_pod);
  if (!found) {
    if (place.kubeconfig.empty()) found.error() += ", or --tag-history FILE for a file";
    return found;
  }
  if (!place.namespace_name.empty()) {
    found->namespace_name = place.namespace_name;
  } else if (!in_pod || found->namespace_name.empty()) {
    found->namespace_name = kNamespace;
  }
  return found;
}

/// Takes what is wanted out of `entries` into `forgotten`. \return whether there was any
bool take_out(RecordMap& entries, const Wanted& wanted, RecordMap& forgotten) {
  const std::size_t before = entries.size();
  std::erase_if(entries, [&](const RecordMap::value_type& entry) {
    if (!wanted(entry.first)) return false;
    tag_history::keep_older(forgotten, entry.first, entry.second);
    return true;
  });
  return entries.size() != before;
}

ForgottenTags forget_in_file(const std::string& path, const Wanted& wanted) {
  ForgottenTags result;
  if (::access(path.c_str(), F_OK) != 0) {
    result.failure = fmt::format("{}: this file does not exist", path);
    return result;
  }
  const auto changed = tag_history::change_history_file(path, [&](RecordMap& entries) {
    result.forgotten.clear();
    return take_out(entries, wanted, result.forgotten);
  });
  if (!changed) {
    result.failure = changed.error();
    result.forgotten.clear();
  }
  return result;
}

ForgottenTags forget_in_cluster(const TagHistoryPlace& place, const Wanted& wanted) {
  ForgottenTags result;
  auto connection = connection_of(place);
  if (!connection) {
    result.failure = std::move(connection.error());
    return result;
  }
  const std::string namespace_name = connection->namespace_name;
  kube::ApiClient api(*std::move(connection), "belay/" BELAY_VERSION);
  auto shards = tag_history::list_shards(api, namespace_name, kDeadline);
  if (!shards) {
    result.failure = shards.error().message;
    return result;
  }
  for (tag_history::Shard& shard : *shards) {
    RecordMap here;
    const auto changed = tag_history::change_shard(
        api, namespace_name, std::move(shard),
        [&](RecordMap& entries) {
          here.clear();
          return take_out(entries, wanted, here);
        },
        kDeadline);
    if (!changed) {
      result.failure = changed.error().message;
      return result;
    }
    for (const auto& [key, record] : here) {
      tag_history::keep_older(result.forgotten, key, record);
    }
  }
  return result;
}

}  // namespace

std::expected<tag_history::ReadRecords, std::string> read_tag_history(
    const TagHistoryPlace& place) {
  tag_history::ReadRecords history;
  const auto add = [&history](const std::string& where, const std::vector<std::string>& problems) {
    for (const std::string& problem : problems) {
      history.problems.push_back(fmt::format("{}: {}", where, problem));
    }
  };
  if (!place.file.empty()) {
    auto read = tag_history::read_history_file(place.file);
    if (!read) return std::unexpected(std::move(read.error()));
    add(place.file, read->problems);
    history.entries = std::move(read->entries);
    return history;
  }
  auto connection = connection_of(place);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const std::string namespace_name = connection->namespace_name;
  kube::ApiClient api(*std::move(connection), "belay/" BELAY_VERSION);
  const auto shards = tag_history::list_shards(api, namespace_name, kDeadline);
  if (!shards) return std::unexpected(shards.error().message);
  for (const tag_history::Shard& shard : *shards) {
    add(fmt::format("ConfigMap {}/{}", namespace_name, shard.name), shard.problems);
    for (const auto& [key, record] : shard.entries) {
      tag_history::keep_older(history.entries, key, record);
    }
  }
  return history;
}

ForgottenTags forget_tags(const TagHistoryPlace& place, const Wanted& wanted) {
  return place.file.empty() ? forget_in_cluster(place, wanted) : forget_in_file(place.file, wanted);
}

}  // namespace belay::webhook::command
