// Where labels of namespaces come from. The admission room knows nothing of how;
// webhook/namespaces implements it.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "policy/selector.h"

namespace belay::webhook::admission {

/// One thread's view of the namespaces. Not thread-safe; must not block.
class NamespaceReader {
 public:
  virtual ~NamespaceReader() = default;
  /// Fills `labels` with the namespace's labels: views that live until the next find(), whatever
  /// happens to the namespace meanwhile.
  /// \return false where the namespace is not known.
  virtual bool find(std::string_view name, std::vector<policy::Label>& labels) = 0;
};

/// Where namespace labels come from. Implementations must be thread-safe.
class NamespaceSource {
 public:
  virtual ~NamespaceSource() = default;
  /// A view for one thread. The source outlives it.
  virtual std::unique_ptr<NamespaceReader> reader() const = 0;
};

}  // namespace belay::webhook::admission
