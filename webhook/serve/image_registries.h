// All that a server asks registries with, as one thing that starts and ends: the tag history, the
// files of registries and credentials, and the threads that ask while requests wait.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "webhook/admission/image_lookups.h"
#include "webhook/registry/registry_service.h"
#include "webhook/serve/config.h"
#include "webhook/serve/limits.h"
#include "webhook/tag_history/tag_history.h"

namespace belay::webhook::serve {

/// Whom it tells, and what the cluster lends it.
struct ImageRegistriesContext {
  registry::RegistryObserver* observer = nullptr;  ///< of every request to a registry
  std::function<void(const registry::RegistryReload&)> report;
  tag_history::TagHistoryReport report_tag_history;
  kube::Api* api = nullptr;  ///< reads pull secrets; nullptr outside a cluster
  registry::TagRecords* cluster_history = nullptr;  ///< nullptr outside a cluster
};

class ImageRegistries {
 public:
  /// Starts what the configuration asks for; without a file of registries none is ever contacted.
  /// \param context  all that it points to outlives this
  /// \return why the file of the tag history can't be used, as a sentence
  static std::expected<std::unique_ptr<ImageRegistries>, std::string> start(
      const RegistryConfig& config, const Limits& limits, ImageRegistriesContext context);
  ~ImageRegistries();  ///< stops, and waits for what is being asked
  ImageRegistries(const ImageRegistries&) = delete;
  ImageRegistries& operator=(const ImageRegistries&) = delete;

  /// nullptr where no registry is ever asked.
  registry::RegistryService* service() { return service_.get(); }
  admission::ImageLookups* lookups() { return lookups_.get(); }

 private:
  ImageRegistries() = default;

  std::unique_ptr<tag_history::TagHistory> file_history_;  ///< nullptr without --tag-history
  std::unique_ptr<registry::RegistryService> service_;
  std::unique_ptr<admission::ImageLookups> lookups_;
};

}  // namespace belay::webhook::serve
