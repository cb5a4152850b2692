// Namespaces as the command line or manifests name them: sorted, searched by halving.
#include "webhook/namespaces/fixed_namespaces.h"

#include <algorithm>
#include <memory>

#include "policy/message.h"
#include "policy/selector.h"

namespace belay::webhook::namespaces {
namespace {

constexpr std::string_view kNameLabel = "kubernetes.io/metadata.name";

class FixedReader final : public admission::NamespaceReader {
 public:
  explicit FixedReader(const FixedNamespaces& source) : source_(source) {}
  bool find(std::string_view name, std::vector<policy::Label>& labels) override {
    return source_.find(name, labels);
  }

 private:
  const FixedNamespaces& source_;
};

}  // namespace

std::string FixedNamespaces::add(std::string_view text) {
  const auto quoted = [&] { return "\"" + policy::escape(text) + "\""; };
  const std::size_t colon = text.find(':');
  const std::size_t equals = text.find('=', colon == std::string_view::npos ? 0 : colon);
  if (colon == std::string_view::npos || equals == std::string_view::npos || colon == 0) {
    return quoted() + " is not of the form namespace:key=value, such as shop:environment=prod";
  }
  const std::string_view key = text.substr(colon + 1, equals - colon - 1);
  const std::string_view value = text.substr(equals + 1);
  if (std::string problem = policy::check_label_key(key); !problem.empty()) {
    return quoted() + ": label key: " + problem;
  }
  if (std::string problem = policy::check_label_value(value); !problem.empty()) {
    return quoted() + ": label value: " + problem;
  }
  set(text.substr(0, colon), key, value);
  return "";
}

void FixedNamespaces::set(std::string_view ns, std::string_view key, std::string_view value) {
  auto at = std::ranges::lower_bound(entries_, ns, {}, &Entry::name);
  if (at == entries_.end() || at->name != ns) at = entries_.insert(at, {std::string(ns), {}});
  for (auto& [known, known_value] : at->labels) {
    if (known == key) {
      known_value = value;
      return;
    }
  }
  at->labels.emplace_back(key, value);
}

bool FixedNamespaces::find(std::string_view name, std::vector<policy::Label>& labels) const {
  labels.clear();
  const auto at = std::ranges::lower_bound(entries_, name, {}, &Entry::name);
  if (at != entries_.end() && at->name == name) {
    for (const auto& [key, value] : at->labels) {
      if (key == kNameLabel) continue;  // the cluster sets it, nobody else
      labels.push_back({key, value});
    }
  }
  labels.push_back({kNameLabel, name});
  return true;
}

std::unique_ptr<admission::NamespaceReader> FixedNamespaces::reader() const {
  return std::make_unique<FixedReader>(*this);
}

}  // namespace belay::webhook::namespaces
