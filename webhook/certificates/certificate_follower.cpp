#include "webhook/certificates/certificate_follower.h"

#include <fmt/format.h>

#include <utility>

#include "webhook/certificates/certificate_secret.h"

namespace belay::webhook::certificates {

CertificateFollower::CertificateFollower(std::string secret, std::shared_ptr<certs::Store> store,
                                         SystemClock clock,
                                         std::function<void(const CertificateEvent&)> report,
                                         std::function<void()> changed)
    : secret_(std::move(secret)),
      store_(std::move(store)),
      clock_(std::move(clock)),
      report_(std::move(report)),
      changed_(std::move(changed)) {}

void CertificateFollower::replaced(std::vector<kube::Object> objects) {
  for (kube::Object& object : objects) {
    if (object.name == secret_) return this->changed(std::move(object));
  }
  keep("the Secret does not exist");
  changed_();
}

void CertificateFollower::changed(kube::Object object) {
  if (object.name != secret_) return;
  take(holding_of(object));
  changed_();
}

void CertificateFollower::deleted(const kube::Object& object) {
  if (object.name != secret_) return;
  keep("the Secret was deleted");
  changed_();
}

void CertificateFollower::take(const certs::Holding& holding) {
  const auto in_force = store_->current();
  const auto pair = certs::pair_to_serve(holding, in_force.get(), clock_());
  if (!pair) return keep(pair.error().message);
  last_problem_.clear();
  if (in_force && in_force->leaf().fingerprint == (*pair)->leaf().fingerprint) return;
  store_->publish(*pair);
  CertificateEvent event{.pair = *pair, .message = fmt::format("read from Secret {}", secret_)};
  if (const auto bundle = certs::read_bundle(holding.authorities)) {
    const certs::Authority* const issuer = certs::issuer_of(*bundle, holding.certificate);
    if (issuer != nullptr) event.ca_expiry = issuer->facts.not_after;
  }
  report_(event);
}

/// Says a problem once, not at each event.
void CertificateFollower::keep(const std::string& problem) {
  if (problem == last_problem_) return;
  last_problem_ = problem;
  report_({.pair = nullptr, .message = fmt::format("Secret {}: {}", secret_, problem)});
}

}  // namespace belay::webhook::certificates
