// How long judging one object may take: lists of patterns and lists of images multiply, and who
// writes either need not mean well.
#pragma once

namespace belay::policy {

/// Asked only where an object and the policies that match it make much work. Not thread-safe.
class Patience {
 public:
  virtual ~Patience() = default;
  /// Whether the work must end now; stays so for this object. The first question begins it.
  virtual bool over() = 0;
};

}  // namespace belay::policy
