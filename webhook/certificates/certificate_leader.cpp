#include "webhook/certificates/certificate_leader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "webhook/certificates/certificate_secret.h"
#include "webhook/kube/object.h"

namespace belay::webhook::certificates {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDeadline{5'000};
/// Between two looks: how late a configuration that was made or changed by others is published to.
constexpr milliseconds kPeriod{5'000};
/// After a step of our own, which the next look sees in place.
constexpr milliseconds kSoon{500};
constexpr milliseconds kAfterFailure{2'000};

/// Another writer was first; the next look sees what it wrote. A JSON patch whose test fails is a
/// 422.
bool was_first(const kube::ApiError& error) {
  return error.kind == kube::ApiError::Kind::kConflict || error.status == 422;
}

}  // namespace

CertificateLeader::CertificateLeader(kube::Api& api, CertificateOptions options, SystemClock clock,
                                     SteadyClock steady,
                                     std::function<void(const CertificateEvent&)> report)
    : api_(api),
      options_(std::move(options)),
      clock_(std::move(clock)),
      steady_(std::move(steady)),
      report_(std::move(report)),
      ca_key_since_(steady_()) {}

void CertificateLeader::begin() {
  everywhere_since_.clear();
  ca_key_.clear();
  last_failure_.clear();
  last_waiting_.clear();
}

milliseconds CertificateLeader::look() {
  const auto configurations = read_configurations();
  if (!configurations) return failed("cannot read webhook configuration", configurations.error());
  const auto secret = read_secret();
  if (!secret) return failed("cannot read Secret", secret.error());

  const auto plan = certs::plan_rotation(secret->holding, observe(*configurations, *secret),
                                         {.names = options_.names,
                                          .ca_duration = options_.ca_duration,
                                          .cert_duration = options_.cert_duration,
                                          .overlap = options_.ca_overlap},
                                         clock_());
  if (!plan) {
    return failed("cannot issue a certificate",
                  {.kind = kube::ApiError::Kind::kRejected, .message = plan.error().message});
  }
  const bool changed = plan->holding != secret->holding || secret->json.empty();
  if (changed) {
    if (const auto done = write(*secret, plan->holding); !done) {
      return was_first(done.error()) ? kSoon : failed("cannot write Secret", done.error());
    }
    progress(plan->reason);
  }
  const auto published = publish(*configurations, plan->holding.authorities);
  if (!published) {
    return was_first(published.error())
               ? kSoon
               : failed("cannot publish the CA in webhook configuration", published.error());
  }
  if (plan->waiting != std::exchange(last_waiting_, plan->waiting) && !plan->waiting.empty()) {
    progress(plan->waiting);
  }
  last_failure_.clear();
  return std::min({plan->look_in, kPeriod, changed || *published ? kSoon : kPeriod});
}

std::string CertificateLeader::configuration_path(std::size_t which) const {
  return fmt::format("{}{}", kWebhookConfigurationPaths.at(which), options_.webhook_configuration);
}

std::string CertificateLeader::secret_path() const {
  return fmt::format("/api/v1/namespaces/{}/secrets/{}", options_.namespace_name, options_.secret);
}

std::expected<CertificateLeader::Configurations, kube::ApiError>
CertificateLeader::read_configurations() {
  Configurations result;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto answer = api_.get(configuration_path(i), kDeadline);
    if (!answer) {
      if (answer.error().kind == kube::ApiError::Kind::kNotFound) continue;
      return std::unexpected(answer.error());
    }
    auto read = read_ca_bundles(*answer);
    if (!read) {
      return std::unexpected(
          kube::ApiError{.kind = kube::ApiError::Kind::kServer, .message = read.error()});
    }
    result.at(i) = std::move(*read);
  }
  return result;
}

std::expected<CertificateLeader::Secret, kube::ApiError> CertificateLeader::read_secret() {
  auto answer = api_.get(secret_path(), kDeadline);
  if (!answer) {
    if (answer.error().kind == kube::ApiError::Kind::kNotFound) return Secret{};
    return std::unexpected(answer.error());
  }
  const auto object = kube::read_object(*answer);
  if (!object) {
    return std::unexpected(
        kube::ApiError{.kind = kube::ApiError::Kind::kServer, .message = object.error()});
  }
  return Secret{.json = std::move(*answer), .holding = holding_of(*object)};
}

certs::Observation CertificateLeader::observe(const Configurations& configurations,
                                              const Secret& secret) {
  const auto now = steady_();
  std::vector<certs::Bundle> all;
  certs::Bundle any;
  for (const auto& configuration : configurations) {
    if (!configuration) continue;
    for (const std::string& pem : configuration->bundles) {
      all.push_back(certs::read_bundle(pem).value_or(certs::Bundle{}));
      for (const certs::Authority& ca : all.back()) certs::add_to(any, ca);
    }
  }
  certs::Observation result;
  decltype(everywhere_since_) still;
  for (const certs::Authority& ca : any) {
    const std::string& fingerprint = ca.facts.fingerprint;
    std::optional<milliseconds> age;
    if (std::ranges::all_of(all, [&](const auto& one) { return holds(one, fingerprint); })) {
      const auto known = everywhere_since_.find(fingerprint);
      const auto since = known == everywhere_since_.end() ? now : known->second;
      still.emplace(fingerprint, since);
      age = std::chrono::floor<milliseconds>(now - since);
    }
    result.published.push_back({ca, age});
  }
  everywhere_since_ = std::move(still);
  if (ca_key_ != secret.holding.authority_key) {
    ca_key_ = secret.holding.authority_key;
    ca_key_since_ = now;
  }
  result.settled_for = std::chrono::floor<milliseconds>(now - ca_key_since_);
  return result;
}

std::expected<void, kube::ApiError> CertificateLeader::write(const Secret& secret,
                                                             const certs::Holding& holding) {
  if (secret.json.empty()) {
    const auto done =
        api_.create(fmt::format("/api/v1/namespaces/{}/secrets", options_.namespace_name),
                    new_secret(options_.namespace_name, options_.secret, holding), kDeadline);
    if (!done) return std::unexpected(done.error());
    return {};
  }
  const auto text = with_holding(secret.json, holding);
  if (!text) {
    return std::unexpected(
        kube::ApiError{.kind = kube::ApiError::Kind::kServer, .message = text.error()});
  }
  // With the resourceVersion that was read: a 409 where another writer was first.
  const auto done = api_.replace(secret_path(), *text, kDeadline);
  if (!done) return std::unexpected(done.error());
  return {};
}

std::expected<bool, kube::ApiError> CertificateLeader::publish(const Configurations& configurations,
                                                               const std::string& bundle) {
  bool changed = false;
  for (std::size_t i = 0; i < configurations.size(); ++i) {
    if (!configurations.at(i)) continue;
    const auto patch = ca_bundle_patch(*configurations.at(i), bundle);
    if (!patch) continue;
    const auto done = api_.patch(fmt::format("{}?fieldManager=belay", configuration_path(i)),
                                 kube::PatchType::kJson, *patch, kDeadline);
    if (!done) {
      if (done.error().kind == kube::ApiError::Kind::kNotFound) continue;  // gone since
      return std::unexpected(done.error());
    }
    changed = true;
  }
  if (changed) {
    progress(fmt::format("published in webhook configuration {}", options_.webhook_configuration));
  }
  return changed;
}

/// Says a failure once, not at every look.
milliseconds CertificateLeader::failed(std::string_view what, const kube::ApiError& error) {
  std::string message = fmt::format("{}: {}", what, error.message);
  if (message != last_failure_) {
    last_failure_ = message;
    report_({.pair = nullptr, .message = std::move(message)});
  }
  return std::max<milliseconds>(kAfterFailure, error.retry_after);
}

void CertificateLeader::progress(const std::string& message) {
  report_({.pair = nullptr, .message = message, .progress = true});
}

}  // namespace belay::webhook::certificates
