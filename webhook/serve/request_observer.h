// What becomes of every request, told to metrics and log. One a reactor, so it is not locked: lines
// gather here and go to the log in one piece when the reactor has done its batch.
#pragma once

#include <string>

#include "webhook/admission/observer.h"
#include "webhook/serve/log.h"
#include "webhook/serve/metrics.h"

namespace belay::webhook::serve {

/// Denials, warnings and requests that were no review are logged at info, what could not be decided
/// at warning, everything else at debug.
class RequestObserver final : public admission::DecisionObserver {
 public:
  /// Both outlive the observer.
  RequestObserver(Metrics& metrics, Log& log) : metrics_(metrics), log_(log) {}

  void decided(const admission::Result& result, admission::Endpoint endpoint,
               std::chrono::nanoseconds duration) override;
  void rejected(admission::Rejection reason, admission::Endpoint endpoint) override;
  void flush() override;

 private:
  void append(LogLevel level, std::string_view message, LogFields fields);

  Metrics& metrics_;
  Log& log_;
  std::string lines_;
};

}  // namespace belay::webhook::serve
