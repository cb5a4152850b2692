// Opens the file of the tag history, if one was given, then the registries above it.
#include "webhook/serve/image_registries.h"

#include <utility>

#include "webhook/http_client/proxy.h"
#include "webhook/tag_history/file_store.h"

namespace belay::webhook::serve {

std::expected<std::unique_ptr<ImageRegistries>, std::string> ImageRegistries::start(
    const RegistryConfig& config, const Limits& limits, ImageRegistriesContext context) {
  std::unique_ptr<ImageRegistries> made(new ImageRegistries());
  registry::TagRecords* history = context.cluster_history;
  if (!config.tag_history_file.empty()) {
    auto opened = tag_history::TagHistory::open(
        std::make_shared<tag_history::FileStore>(config.tag_history_file),
        tag_history::options_for_file(), std::move(context.report_tag_history));
    if (!opened) return std::unexpected(std::move(opened.error()));
    made->file_history_ = std::move(*opened);
    history = made->file_history_.get();
  }
  if (config.registries_file.empty()) return made;
  registry::RegistryServiceOptions options{
      .registries_file = config.registries_file,
      .docker_config_files = config.docker_config_files,
      .pull_secrets = config.pull_secrets ? context.api : nullptr,
      .tag_history = history,
      .client = limits.registries,
      .resolver = limits.digests};
  options.client.proxies = http_client::proxies_of_environment();
  made->service_ = std::make_unique<registry::RegistryService>(std::move(options), context.observer,
                                                               std::move(context.report));
  // Invalid files are no failure: the report has said so, and they are looked at again.
  (void)made->service_->start();
  made->lookups_ =
      std::make_unique<admission::ImageLookups>(made->service_->image_source(), limits.images);
  return made;
}

ImageRegistries::~ImageRegistries() {
  if (service_) service_->stop();
}

}  // namespace belay::webhook::serve
