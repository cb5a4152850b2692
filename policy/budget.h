// How much CPU time one object may take: lists of patterns and lists of images multiply, and
// whoever writes them may mean harm.
#pragma once

namespace belay::policy {

/// Asked only where an object and the policies that match it make much work. Not thread-safe.
class Budget {
 public:
  virtual ~Budget() = default;
  /// Whether the work must end now; stays so for this object. The first call starts the clock.
  virtual bool exhausted() = 0;
};

}  // namespace belay::policy
