// A replica's tag history without the rest of it, for tests against a real API server: takes
// what was seen from standard input, answers what is known, and ends with its input.
//
// usage: remember KUBECONFIG NAMESPACE
//   saw REPOSITORY TAG DIGEST 2026-11-22T20:59:46Z
//   first REPOSITORY TAG     prints {"first":{"digest":…,"time":…}}, {"first":null} or
//   {"unknown":…}
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "policy/text/time_text.h"
#include "webhook/kube/api_client.h"
#include "webhook/tag_history/config_map_store.h"
#include "webhook/tag_history/tag_history.h"

namespace {

using namespace belay::webhook;

void print(const nlohmann::json& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::cout << line.dump() << std::endl;
}

void answer(const tag_history::TagHistory& history, const std::string& repository,
            const std::string& tag) {
  const auto first = history.first(repository, tag);
  if (!first) return print({{"unknown", first.error()}});
  if (!*first) return print({{"first", nullptr}});
  print({{"first",
          {{"digest", (*first)->digest}, {"time", belay::policy::time_text((*first)->time)}}}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: remember KUBECONFIG NAMESPACE\n";
    return 2;
  }
  const auto connection = kube::kubeconfig_connection(argv[1]);
  if (!connection) {
    std::cerr << connection.error() << '\n';
    return 2;
  }
  kube::ApiClient api(*connection, "belay-tests");
  tag_history::ConfigMapStoreOptions maps;
  maps.own_namespace = argv[2];
  maps.deadline = std::chrono::milliseconds(1'000);
  const auto store = std::make_shared<tag_history::ConfigMapStore>(api, maps);
  tag_history::TagHistoryOptions options;
  options.batch = std::chrono::milliseconds(100);
  options.backoff_min = std::chrono::milliseconds(100);
  options.backoff_max = std::chrono::milliseconds(500);
  const auto history =
      *tag_history::TagHistory::open(store, options, [](const tag_history::TagHistoryNews& news) {
        print({{"good", news.good}, {"place", news.place}, {"news", news.what}});
      });
  kube::WatchOptions followed = tag_history::tag_history_watch(argv[2]);
  followed.silence = std::chrono::milliseconds(3'000);
  followed.backoff_min = std::chrono::milliseconds(50);
  followed.backoff_max = std::chrono::milliseconds(500);
  kube::Watch watch(api, followed, *store);
  watch.start();
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string word;
    std::string repository;
    std::string tag;
    std::string digest;
    std::string time;
    words >> word >> repository >> tag >> digest >> time;
    const auto when = tag_history::read_record_time(time);
    if (word == "saw" && when) history->saw(repository, tag, {digest, *when});
    if (word == "first") answer(*history, repository, tag);
  }
  history->stop();
  watch.stop();
  return 0;
}
