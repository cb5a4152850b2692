// Follows a collection of the Kubernetes API and prints a JSON line for everything that the watch
// tells, for tests against a real API server. Ends when its standard input does.
//
// usage: follow KUBECONFIG PATH [SILENCE_MS] [LABEL_SELECTOR]
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "webhook/kube/api_client.h"
#include "webhook/kube/watch.h"

namespace {

using namespace belay::webhook::kube;

void print(const nlohmann::json& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::cout << line.dump() << std::endl;
}

class Printer final : public WatchSink {
 public:
  void replaced(std::vector<Object> objects) override {
    nlohmann::json names = nlohmann::json::array();
    for (const Object& object : objects) names.push_back(object.name);
    print({{"replaced", names}});
  }
  void changed(Object object) override {
    print({{"changed", object.name}, {"labels", object.labels}, {"data", object.data}});
  }
  void deleted(const Object& object) override { print({{"deleted", object.name}}); }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: follow KUBECONFIG PATH [SILENCE_MS] [LABEL_SELECTOR]\n";
    return 2;
  }
  const auto connection = kubeconfig_connection(argv[1]);
  if (!connection) {
    std::cerr << connection.error() << '\n';
    return 2;
  }
  ApiClient api(*connection, "belay-tests");
  WatchOptions options;
  options.path = argv[2];
  if (argc > 3) options.silence = std::chrono::milliseconds(std::atoi(argv[3]));
  if (argc > 4) options.label_selector = argv[4];
  options.page = 3;
  options.deadline = std::chrono::milliseconds(1'000);
  options.backoff_min = std::chrono::milliseconds(50);
  options.backoff_max = std::chrono::milliseconds(500);
  Printer printer;
  Watch watch(api, options, printer, [](const WatchEventReport& report) {
    constexpr const char* kNames[] = {"listed", "ended", "failed", "expired"};
    print({{"watch", kNames[static_cast<int>(report.kind)]}, {"problem", report.problem}});
  });
  watch.start();
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  watch.stop();
  return 0;
}
