// The steps, and what is asked of the running whole.
#include "webhook/serve/service.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>
#include <vector>

#include "policy/policy_reader.h"
#include "policy/policy_set.h"
#include "policy/text/time_text.h"
#include "webhook/admission/handler.h"
#include "webhook/policies/config_map_review.h"
#include "webhook/serve/request_observer.h"

namespace belay::webhook::serve {
namespace {

std::vector<std::string> kinds_of(const std::vector<admission::ExtraTemplate>& templates) {
  std::vector<std::string> kinds;
  kinds.reserve(templates.size());
  for (const admission::ExtraTemplate& row : templates) kinds.push_back(row.kind);
  return kinds;
}

/// One reactor's handler with the observer it reports to.
class ReactorHandler final : public http::Handler {
 public:
  ReactorHandler(Metrics& metrics, Log& log, const Snapshot<policy::PolicySet>& policies,
                 const admission::NamespaceSource& namespaces, admission::Lookups lookups,
                 admission::AdmissionOptions options)
      : observer_(metrics, log),
        admission_(policies, namespaces, observer_, std::move(options), lookups) {}

  void handle(const http::Request& request, http::Response& response) override {
    admission_.handle(request, response);
  }
  void flush() override { admission_.flush(); }

 private:
  RequestObserver observer_;
  admission::AdmissionHandler admission_;
};

}  // namespace

// ---- steps

struct Service::Step {
  std::string_view name;  ///< begins the message of a failure
  std::expected<void, std::string> (Service::*start)();
  void (Service::*stop)();
};

/// In the order in which they start; each may count on those above it.
const Service::Step Service::kSteps[] = {
    {"log", &Service::start_log, &Service::stop_log},
    {"certificate", &Service::start_certificate, &Service::stop_certificate},
    {"policies", &Service::start_policies, &Service::stop_policies},
    {"cluster", &Service::start_cluster, &Service::stop_cluster},
    {"registries", &Service::start_registries, &Service::stop_registries},
    {"webhook port", &Service::start_server, &Service::stop_server},
    {"admin port", &Service::start_admin, &Service::stop_admin},
};

Service::Service(ServerConfig config, certificates::SystemClock clock)
    : config_(std::move(config)),
      clock_(std::move(clock)),
      metrics_(kinds_of(config_.extra_templates)) {}

Service::~Service() { stop(std::chrono::milliseconds(0)); }

std::expected<void, std::string> Service::start() {
  for (; started_ < std::size(kSteps); ++started_) {
    const Step& step = kSteps[started_];
    if (auto done = (this->*step.start)(); !done) {
      const std::string problem = fmt::format("{}: {}", step.name, done.error());
      stop(std::chrono::milliseconds(0));
      return std::unexpected(problem);
    }
  }
  const std::string listen = to_string({config_.listen.host, port()});
  const std::string admin = to_string({config_.admin_listen.host, admin_port()});
  log_->write(LogLevel::kInfo, "listening",
              {{"listen", listen}, {"admin", admin}, {"ready", readiness().ready}});
  return {};
}

void Service::reload() {
  log_->write(LogLevel::kInfo, "reloading");
  if (certificate_) certificate_->look();
  if (watch_) {  // it looks when it starts, and keeps what it knows in between
    watch_->stop();
    watch_->start();
  }
  if (registries_ && registries_->service()) registries_->service()->reload();
}

void Service::begin_drain() {
  draining_ = true;
  if (server_) server_->begin_drain();
}

void Service::stop(std::chrono::milliseconds grace) {
  grace_ = grace;
  draining_ = true;
  while (started_ > 0) {
    --started_;
    (this->*kSteps[started_].stop)();
  }
}

std::expected<void, std::string> Service::start_log() {
  log_ = std::make_unique<Log>(config_.log);
  reports_ = std::make_unique<Reports>(*log_, metrics_, policies_, *certificates_, clock_);
  return {};
}

void Service::stop_log() {
  reports_.reset();
  log_.reset();
}

std::expected<void, std::string> Service::start_certificate() {
  if (config_.cluster && !config_.cluster->tls_secret.empty()) return {};  // the cluster's step
  certificate_ = std::make_unique<certificates::ServingCertificate>(
      certificates::ServingCertificateOptions{.certificate_file = config_.certificate_file,
                                              .key_file = config_.key_file,
                                              .directory = config_.certificate_directory,
                                              .names = config_.certificate_names},
      certificates_, clock_,
      [this](const certificates::CertificateEvent& event) { reports_->certificate(event); });
  if (auto done = certificate_->start(); !done) return std::unexpected(done.error().message);
  if (config_.certificate_file.empty() && config_.certificate_directory.empty()) {
    log_->write(LogLevel::kWarning,
                "no certificate given: serving a self-signed one that is kept in memory only; "
                "give --self-signed DIR, or --tls-cert and --tls-key, for one that clients can "
                "trust");
  }
  return {};
}

void Service::stop_certificate() { certificate_.reset(); }

std::expected<void, std::string> Service::start_policies() {
  if (config_.policy_paths.empty() && config_.cluster) return {};
  if (config_.policy_paths.empty()) {
    policies_.in_force.publish(std::make_shared<policy::PolicySet>(policy::make_policy_set(
        {std::make_shared<const policy::Policy>(policy::builtin_policy())})));
    metrics_.set(Metric::kPolicies, 1, {"current"});
    log_->write(LogLevel::kWarning,
                "no policy given: the built-in one refuses images without a tag and tags that can "
                "move, such as latest; give --policy PATH for your own");
    return {};
  }
  watch_ = std::make_unique<policies::PolicyWatch>(
      config_.policy_paths, policies_.files, [this](const policies::ReloadReport& report) {
        reports_->policies(PolicyOrigin::kFiles, report);
      });
  watch_->start();
  return {};
}

void Service::stop_policies() { watch_.reset(); }

std::expected<void, std::string> Service::start_cluster() {
  if (!config_.cluster) return {};
  auto made = Cluster::make(
      *config_.cluster, policies_.cluster, certificates_, clock_,
      {.policies =
           [this](const policies::ReloadReport& report) {
             reports_->policies(PolicyOrigin::kCluster, report);
           },
       .certificate =
           [this](const certificates::CertificateEvent& event) { reports_->certificate(event); },
       .watch = [this](const kube::WatchEventReport& report) { reports_->watch(report); },
       .leading = [this](bool leading) { reports_->leading(leading); },
       .status_failed =
           [this](const std::string& config_map, const std::string& problem) {
             reports_->status_failed(config_map, problem);
           },
       .tag_history =
           [this](const tag_history::TagHistoryNews& news) { reports_->tag_history(news); }});
  if (!made) return std::unexpected(std::move(made.error()));
  cluster_ = std::move(*made);
  namespace_lookups_ = std::make_unique<admission::NamespaceLookups>(cluster_->namespace_fetcher(),
                                                                     config_.limits.namespaces);
  cluster_->start();
  return {};
}

void Service::stop_cluster() {
  namespace_lookups_.reset();
  cluster_.reset();
}

std::expected<void, std::string> Service::start_registries() {
  auto started = ImageRegistries::start(
      config_.registry, config_.limits,
      {.observer = &metrics_,
       .report = [this](const registry::RegistryReload& reload) { reports_->registries(reload); },
       .report_tag_history =
           [this](const tag_history::TagHistoryNews& news) { reports_->tag_history(news); },
       .api = cluster_ ? &cluster_->api() : nullptr,
       .cluster_history = cluster_ ? cluster_->tag_history() : nullptr});
  if (!started) return std::unexpected(std::move(started.error()));
  registries_ = std::move(*started);
  return {};
}

void Service::stop_registries() { registries_.reset(); }

std::expected<void, std::string> Service::start_server() {
  http::ServerOptions options = config_.limits.server;
  options.host = config_.listen.host;
  options.port = config_.listen.port;
  options.threads = config_.threads;
  if (!config_.client_ca_file.empty()) {
    auto pem = certificates::read_pem_file(config_.client_ca_file);
    if (!pem) return std::unexpected(pem.error().message);
    if (const auto read = certs::read_certificates(*pem); !read) {
      return std::unexpected(fmt::format("{}: {}", config_.client_ca_file, read.error().message));
    }
    options.client_ca_pem = std::move(*pem);
  }
  server_ = std::make_unique<http::Server>(
      std::move(options), certificates_,
      [this] {
        const admission::NamespaceSource* namespaces = &config_.namespaces;
        if (cluster_) namespaces = &cluster_->namespaces();
        registry::RegistryService* const asked = registries_->service();
        return std::make_unique<ReactorHandler>(
            metrics_, *log_, policies_.in_force, *namespaces,
            admission::Lookups{.namespaces = namespace_lookups_.get(),
                               .images = registries_->lookups()},
            admission::AdmissionOptions{
                .today = [this] { return today(); },
                .extra_templates = config_.extra_templates,
                .images = {.source = asked ? &asked->image_source() : nullptr},
                .limits = config_.limits.evaluation,
                .config_maps = policies::review_config_map});
      },
      http::ServerEvents{.rejected = [this](http::Rejection reason) {
        metrics_.count(Metric::kRejected, {name_of(reason)});
      }});
  if (auto done = server_->start(); !done) return std::unexpected(done.error().message);
  return {};
}

void Service::stop_server() {
  server_->stop(grace_);
  server_.reset();
}

std::expected<void, std::string> Service::start_admin() {
  const auto alive = [] { return http::AdminResponse{.body = "ok\n"}; };
  admin_ = std::make_unique<http::AdminServer>(
      config_.admin_listen.host, config_.admin_listen.port,
      std::vector<http::AdminRoute>{
          {"/livez", alive},
          {"/healthz", alive},
          {"/readyz",
           [this] {
             Readiness now = readiness();
             return http::AdminResponse{.status = now.ready ? 200 : 503,
                                        .body = std::move(now.text)};
           }},
          {"/metrics", [this] {
             return http::AdminResponse{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                                        .body = metrics_text()};
           }}});
  if (auto done = admin_->start(); !done) return std::unexpected(done.error().message);
  return {};
}

void Service::stop_admin() {
  admin_->stop();
  admin_.reset();
}

// ---- state

std::uint16_t Service::port() const { return server_->port(); }
std::uint16_t Service::admin_port() const { return admin_->port(); }

std::chrono::year_month_day Service::today() const {
  return std::chrono::floor<std::chrono::days>(clock_());
}

Service::Readiness Service::readiness() const {
  Readiness result{.ready = true, .text = ""};
  const auto condition = [&result](std::string_view name, std::string_view problem) {
    result.text += problem.empty() ? fmt::format("[+]{} ok\n", name)
                                   : fmt::format("[-]{} failed: {}\n", name, problem);
    if (!problem.empty()) result.ready = false;
  };
  const auto pair = certificates_->current();
  std::string problem;
  if (!pair) {
    problem = "there is none";
  } else if (pair->validity(clock_()) == certs::Validity::kExpired) {
    problem = fmt::format(
        "expired at {}",
        policy::time_text(std::chrono::floor<std::chrono::seconds>(pair->leaf().not_after)));
  } else if (pair->validity(clock_()) == certs::Validity::kNotYet) {
    problem = fmt::format(
        "is valid from {}",
        policy::time_text(std::chrono::floor<std::chrono::seconds>(pair->leaf().not_before)));
  }
  condition("certificate", problem);
  const bool listed = !cluster_ || cluster_->policies_synced();
  condition("policies", !listed ? "not yet listed: the API server has not responded"
                        : policies_.in_force.load() ? ""
                                                    : "no valid policy was read yet, see the log");
  if (cluster_) {
    condition("namespaces", cluster_->namespaces_synced()
                                ? ""
                                : "not yet listed: the API server has not responded");
  }
  condition("serving", draining_ ? "shutting down" : "");
  result.text += result.ready ? "readyz check passed\n" : "readyz check failed\n";
  return result;
}

std::string Service::metrics_text() {
  metrics_.set(Metric::kConnections, server_ ? server_->connections() : 0);
  metrics_.set(Metric::kReady, readiness().ready);
  metrics_.set(Metric::kDroppedLogs, log_->dropped());
  std::size_t expired = 0;
  if (const auto set = policies_.in_force.load()) {
    for (const auto& policy : set->policies) {
      for (const policy::Exemption& exemption : policy->exemptions) {
        if (exemption.expires && *exemption.expires <= today()) ++expired;
      }
    }
  }
  metrics_.set(Metric::kExpiredExemptions, expired);
  if (cluster_) {
    for (const auto& [watch, since] : cluster_->quiet()) {
      metrics_.set(Metric::kWatchQuiet, std::chrono::duration<double>(since).count(),
                   {name_of(watch)});
    }
    metrics_.set(Metric::kNamespaces, cluster_->namespaces().size());
  }
  if (registries_ && registries_->service()) {
    metrics_.set_digest_cache(registries_->service()->figures());
  }
  return metrics_.exposition();
}

}  // namespace belay::webhook::serve
