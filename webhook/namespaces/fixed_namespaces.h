// Namespaces as the command line or manifests name them, for whoever evaluates without a cluster.
// Filled by one thread; then any number of readers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/selector.h"
#include "webhook/admission/namespace_source.h"

namespace belay::webhook::namespaces {

/// Namespaces with labels from the command line; every namespace is known. All carry
/// kubernetes.io/metadata.name, as every cluster's do.
class FixedNamespaces final : public admission::NamespaceSource {
 public:
  /// `ns:key=value`; adds one label.
  /// \return what is wrong with the text, or "".
  std::string add(std::string_view text);
  void set(std::string_view ns, std::string_view key, std::string_view value);
  bool find(std::string_view name, std::vector<policy::Label>& labels) const;
  std::unique_ptr<admission::NamespaceReader> reader() const override;

 private:
  struct Entry {
    std::string name;
    std::vector<std::pair<std::string, std::string>> labels;
  };
  std::vector<Entry> entries_;  ///< sorted by name
};

}  // namespace belay::webhook::namespaces
