// Everything that `belay serve`, `belay check --resolve` and `belay pin` need to ask registries, as
// one thing that starts and stops: files of registries and credentials, client, caches, pull
// secrets, the tag history. Follows the files; what does not read leaves the last good in force.
//
// image_source(), figures() and hosts() are thread-safe; start(), reload() and stop() may be called
// from any thread, one at a time.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "webhook/admission/image_source.h"
#include "webhook/kube/api.h"
#include "webhook/registry/registry_client.h"
#include "webhook/registry/resolver.h"
#include "webhook/registry/tag_records.h"

namespace belay::webhook::registry {

struct RegistryServiceOptions {
  std::string registries_file;  ///< "": no registry is ever contacted
  std::vector<std::string> docker_config_files = {};
  /// Reads the pods' pull secrets and their ServiceAccounts'; nullptr: belay's credentials alone.
  /// Outlives the service.
  kube::Api* pull_secrets = nullptr;
  /// The tag history; nullptr: there is none. Outlives the service.
  TagRecords* tag_history = nullptr;
  RegistryClientOptions client = {};
  ResolverOptions resolver = {};
  std::chrono::milliseconds poll{2'000};  ///< from one look at the files to the next
};

/// What a look at the files changed, for the log.
struct RegistryReload {
  bool good = false;           ///< all files read
  std::size_t registries = 0;  ///< in force now
  /// What is wrong, each with its file and place ("registries.yaml:4:5: registries[0].host: …");
  /// never a credential. What these files said last stays in force.
  std::vector<std::string> problems;
};

class RegistryService {
 public:
  /// \param observer  told of every request; outlives the service; may be nullptr
  /// \param report    called after every look that changed something (start() included), on the
  ///        thread that looked; may be empty
  RegistryService(RegistryServiceOptions options, RegistryObserver* observer,
                  std::function<void(const RegistryReload&)> report);
  ~RegistryService();  ///< stops
  RegistryService(const RegistryService&) = delete;
  RegistryService& operator=(const RegistryService&) = delete;

  /// Reads the files and follows them from now on. The service runs even where they have problems:
  /// it then knows no registry until they read.
  /// \return the problems of the first look
  std::expected<void, std::vector<std::string>> start();
  /// Looks at the files now.
  void reload();
  /// Follows no file any more; what is in force stays.
  void stop();

  /// Lives as long as this; answers from what is in force when it is asked.
  admission::ImageSource& image_source();
  /// Of the caches in force; counts go on over reloads.
  CacheFigures figures() const;
  /// The hosts in force: for the labels of metrics.
  std::vector<std::string> hosts() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::registry
