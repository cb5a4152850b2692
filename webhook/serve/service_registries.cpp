// The step of the service that asks registries: the memory of tags, the files of registries and
// credentials, the threads that ask while requests wait.
#include <utility>

#include "webhook/http_client/proxy.h"
#include "webhook/serve/service.h"
#include "webhook/tag_history/sighting_file.h"

namespace belay::webhook::serve {

std::expected<void, std::string> Service::start_registries() {
  const RegistryConfig& config = config_.registry;
  registry::Sightings* sightings = cluster_ ? cluster_->sightings() : nullptr;
  if (!config.sightings_file.empty()) {
    auto opened = tag_history::SightingFile::open(
        config.sightings_file, {},
        [this](const registry::SightingsNews& news) { report_sightings(news); });
    if (!opened) return std::unexpected(std::move(opened.error()));
    sighting_file_ = std::move(*opened);
    sightings = sighting_file_.get();
  }
  if (config.registries_file.empty()) return {};
  registry::RegistryServiceOptions options{
      .registries_file = config.registries_file,
      .docker_config_files = config.docker_config_files,
      .pull_secrets = config.pull_secrets && cluster_ ? &cluster_->api() : nullptr,
      .sightings = sightings,
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
  sighting_file_.reset();
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

void Service::report_sightings(const registry::SightingsNews& news) {
  log_->write(news.good ? LogLevel::kInfo : LogLevel::kWarning, "tag history",
              {{"place", news.place}, {"news", news.what}});
}

}  // namespace belay::webhook::serve
