// What every replica does with the certificate of all: takes each good pair that the Secret holds
// into the store that handshakes read, and keeps the last good one otherwise.
//
// The watch's side of the Secret; its one thread calls. Connections that are open stay.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "certs/rotation.h"
#include "certs/store.h"
#include "webhook/certificates/serving_certificate.h"
#include "webhook/kube/watch.h"

namespace belay::webhook::certificates {

class CertificateFollower final : public kube::WatchSink {
 public:
  /// \param changed  the Secret is another one, or gone: a leader looks at it now
  CertificateFollower(std::string secret, std::shared_ptr<certs::Store> store, SystemClock clock,
                      std::function<void(const CertificateEvent&)> report,
                      std::function<void()> changed);

  void replaced(std::vector<kube::Object> objects) override;
  void changed(kube::Object object) override;
  void deleted(const kube::Object& object) override;

 private:
  void take(const certs::Holding& holding);
  void keep(const std::string& problem);

  const std::string secret_;
  const std::shared_ptr<certs::Store> store_;
  const SystemClock clock_;
  const std::function<void(const CertificateEvent&)> report_;
  const std::function<void()> changed_;
  std::string last_problem_;
};

}  // namespace belay::webhook::certificates
