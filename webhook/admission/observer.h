// What the admission handler tells about every request: for metrics and logs, which it knows
// nothing of. Implementations are called on reactor threads, one handler at a time; an observer
// that several handlers share must be thread-safe. It must be quick and must not block.
#pragma once

#include <chrono>
#include <string_view>

#include "webhook/admission/result.h"

namespace belay::webhook::admission {

/// Why the handler rejected a request without looking at the body. Closed set, used as metric
/// label.
enum class Rejection : std::uint8_t {
  kMediaType,  ///< 415: the Content-Type is not application/json
  kNotReady,   ///< 503: no policies were ever read
};
std::string_view name_of(Rejection reason);

class DecisionObserver {
 public:
  virtual ~DecisionObserver() = default;
  /// A body was answered, well (a verdict) or badly (a 4xx). Views in `result` are valid during
  /// the call only. `duration` is the time from bytes to bytes.
  virtual void decided(const Result& result, Endpoint endpoint,
                       std::chrono::nanoseconds duration) = 0;
  /// A request was rejected unread.
  virtual void rejected(Rejection reason, Endpoint endpoint) = 0;
  /// After a batch of requests: the moment to pass on what was gathered.
  virtual void flush() {}
};

}  // namespace belay::webhook::admission
