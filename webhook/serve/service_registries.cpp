// The step of the service that asks registries: the tag history, the files of registries and
// credentials, the threads that ask while requests wait.
#include <utility>

#include "webhook/http_client/proxy.h"
#include "webhook/serve/service.h"
#include "webhook/tag_history/file_store.h"
#include "webhook/tag_history/tag_history.h"

namespace belay::webhook::serve {

std::expected<void, std::string> Service::start_registries() {
  const RegistryConfig& config = config_.registry;
  registry::TagRecords* tag_history = cluster_ ? cluster_->tag_history() : nullptr;
  if (!config.tag_history_file.empty()) {
    auto opened = tag_history::TagHistory::open(
        std::make_shared<tag_history::FileStore>(config.tag_history_file),
        tag_history::options_for_file(),
        [this](const tag_history::TagHistoryNews& news) { report_tag_history(news); });
    if (!opened) return std::unexpected(std::move(opened.error()));
    tag_history_ = std::move(*opened);
    tag_history = tag_history_.get();
  }
  if (config.registries_file.empty()) return {};
  registry::RegistryServiceOptions options{
      .registries_file = config.registries_file,
      .docker_config_files = config.docker_config_files,
      .pull_secrets = config.pull_secrets && cluster_ ? &cluster_->api() : nullptr,
      .tag_history = tag_history,
      .client = config_.limits.registries,
      .resolver = config_.limits.digests};
  options.client.proxies = http_client::proxies_of_environment();
  registries_ = std::make_unique<registry::RegistryService>(
      std::move(options), &metrics_,
      [this](const registry::RegistryReload& reload) { report_registries(reload); });
  // Files that do not read are no failure: the report has said so, and they are looked at again.
  (void)registries_->start();
  image_lookups_ =
      std::make_unique<admission::ImageLookups>(registries_->image_source(), config_.limits.images);
  return {};
}

void Service::stop_registries() {
  if (registries_) registries_->stop();
  image_lookups_.reset();
  registries_.reset();
  tag_history_.reset();
}

void Service::report_registries(const registry::RegistryReload& reload) {
  for (const std::string& problem : reload.problems) {
    log_->write(LogLevel::kError,
                "registries or credentials are invalid; the last good ones stay in force",
                {{"problem", problem}});
  }
  log_->write(reload.good ? LogLevel::kInfo : LogLevel::kWarning, "registries in force",
              {{"registries", static_cast<std::int64_t>(reload.registries)}});
}

void Service::report_tag_history(const tag_history::TagHistoryNews& news) {
  log_->write(news.good ? LogLevel::kInfo : LogLevel::kWarning, "tag history",
              {{"place", news.place}, {"news", news.what}});
}

}  // namespace belay::webhook::serve
