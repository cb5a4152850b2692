#include "webhook/command/tag_memory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <utility>

#include "build_info.h"
#include "webhook/kube/api_client.h"
#include "webhook/kube/connection.h"
#include "webhook/tag_history/sighting_file.h"
#include "webhook/tag_history/sighting_shards.h"

namespace belay::webhook::command {
namespace {

using kube::Connection;
using tag_history::SightingMap;
using Wanted = std::function<bool(std::string_view key)>;

constexpr std::chrono::seconds kDeadline{30};
constexpr std::string_view kNamespace = "belay-system";

/// Where the cluster is, with belay's namespace in place of the connection's.
std::expected<Connection, std::string> connection_of(const TagMemoryOptions& options) {
  bool in_pod = false;
  auto found = kube::usual_connection(options.kubeconfig, &in_pod);
  if (!found) {
    if (options.kubeconfig.empty()) found.error() += ", or --tag-history FILE for a file";
    return found;
  }
  if (!options.namespace_name.empty()) {
    found->namespace_name = options.namespace_name;
  } else if (!in_pod || found->namespace_name.empty()) {
    found->namespace_name = kNamespace;
  }
  return found;
}

/// Takes what is wanted out of `entries` into `forgotten`. \return whether there was any
bool take_out(SightingMap& entries, const Wanted& wanted, SightingMap& forgotten) {
  const std::size_t before = entries.size();
  std::erase_if(entries, [&](const SightingMap::value_type& entry) {
    if (!wanted(entry.first)) return false;
    tag_history::keep_older(forgotten, entry.first, entry.second);
    return true;
  });
  return entries.size() != before;
}

TagsForgotten forget_in_file(const std::string& path, const Wanted& wanted) {
  TagsForgotten result;
  if (::access(path.c_str(), F_OK) != 0) {
    result.failure = fmt::format("{}: this file does not exist", path);
    return result;
  }
  const auto changed = tag_history::change_sighting_file(path, [&](SightingMap& entries) {
    result.forgotten.clear();
    return take_out(entries, wanted, result.forgotten);
  });
  if (!changed) {
    result.failure = changed.error();
    result.forgotten.clear();
  }
  return result;
}

TagsForgotten forget_in_cluster(const TagMemoryOptions& options, const Wanted& wanted) {
  TagsForgotten result;
  auto connection = connection_of(options);
  if (!connection) {
    result.failure = std::move(connection.error());
    return result;
  }
  const std::string namespace_name = connection->namespace_name;
  kube::ApiClient api(*std::move(connection), "belay/" BELAY_VERSION);
  auto shards = tag_history::list_sighting_shards(api, namespace_name, kDeadline);
  if (!shards) {
    result.failure = shards.error().message;
    return result;
  }
  for (tag_history::SightingShard& shard : *shards) {
    SightingMap here;
    const auto changed = tag_history::change_sighting_shard(
        api, namespace_name, std::move(shard),
        [&](SightingMap& entries) {
          here.clear();
          return take_out(entries, wanted, here);
        },
        kDeadline);
    if (!changed) {
      result.failure = changed.error().message;
      return result;
    }
    for (const auto& [key, sighting] : here) {
      tag_history::keep_older(result.forgotten, key, sighting);
    }
  }
  return result;
}

}  // namespace

std::expected<TagMemory, std::string> read_tag_memory(const TagMemoryOptions& options) {
  TagMemory memory;
  const auto add = [&memory](const std::string& place, const std::vector<std::string>& problems) {
    for (const std::string& problem : problems) {
      memory.problems.push_back(fmt::format("{}: {}", place, problem));
    }
  };
  if (!options.file.empty()) {
    auto read = tag_history::read_sighting_file(options.file);
    if (!read) return std::unexpected(std::move(read.error()));
    add(options.file, read->problems);
    memory.entries = std::move(read->entries);
    return memory;
  }
  auto connection = connection_of(options);
  if (!connection) return std::unexpected(std::move(connection.error()));
  const std::string namespace_name = connection->namespace_name;
  kube::ApiClient api(*std::move(connection), "belay/" BELAY_VERSION);
  const auto shards = tag_history::list_sighting_shards(api, namespace_name, kDeadline);
  if (!shards) return std::unexpected(shards.error().message);
  for (const tag_history::SightingShard& shard : *shards) {
    add(fmt::format("ConfigMap {}/{}", namespace_name, shard.name), shard.problems);
    for (const auto& [key, sighting] : shard.entries) {
      tag_history::keep_older(memory.entries, key, sighting);
    }
  }
  return memory;
}

TagsForgotten forget_tags(const TagMemoryOptions& options, const Wanted& wanted) {
  return options.file.empty() ? forget_in_cluster(options, wanted)
                              : forget_in_file(options.file, wanted);
}

}  // namespace belay::webhook::command
