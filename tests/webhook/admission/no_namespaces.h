// Namespaces of a cluster in which none is known: before the first list came, or while RBAC is
// missing.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "webhook/admission/namespace_source.h"

namespace belay::test {

class NoNamespaces final : public webhook::admission::NamespaceSource {
 public:
  std::unique_ptr<webhook::admission::NamespaceReader> reader() const override {
    class Reader final : public webhook::admission::NamespaceReader {
      bool find(std::string_view /*name*/, std::vector<policy::Label>& /*labels*/) override {
        return false;
      }
    };
    return std::make_unique<Reader>();
  }
};

}  // namespace belay::test
