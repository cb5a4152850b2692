// The labels of every namespace, followed by a watch and read by the reactors without a lock. A
// namespace that is not known yet (made a moment ago) is asked for once, outside the reactors.
//
// Kept in shards, each an immutable snapshot: a change makes one shard anew and leaves the others
// alone, and a reader takes a shard's lock only for the first look after a change of it. A
// namespace is one block of memory, shared between the versions of its shard.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/admission/namespace_lookups.h"
#include "webhook/admission/namespace_source.h"
#include "webhook/kube/api.h"
#include "webhook/kube/watch.h"

namespace belay::webhook::namespaces {

class Namespaces final : public kube::WatchSink, public admission::NamespaceSource {
 public:
  using SteadyClock = std::function<std::chrono::steady_clock::time_point()>;

  explicit Namespaces(SteadyClock clock = std::chrono::steady_clock::now);
  ~Namespaces() override;
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  // The watch's side: one thread.
  void replaced(std::vector<kube::Object> objects) override;
  void changed(kube::Object object) override;
  void deleted(const kube::Object& object) override;

  // The reactors' side: any thread; a reader never blocks.
  std::unique_ptr<admission::NamespaceReader> reader() const override;
  std::size_t size() const;

  /// Asks the API server for one namespace and keeps the answer until the watch tells of it.
  /// Thread-safe, for a worker thread: blocks up to `deadline`. Calls for one name share a request;
  /// that there is none is believed for a moment.
  /// \return nothing where it is known now; else why not, as admission::NamespaceFetcher says it
  std::expected<void, std::string> ask(kube::Api& api, std::string_view name,
                                       std::chrono::milliseconds deadline);

  /// Names that are believed not to exist; for tests of its bound.
  std::size_t missing() const;

 private:
  class Store;
  std::unique_ptr<Store> store_;
};

/// Namespaces::ask() for admission::NamespaceLookups. Both outlive it.
class NamespaceLookup final : public admission::NamespaceFetcher {
 public:
  NamespaceLookup(Namespaces& namespaces, kube::Api& api) : namespaces_(namespaces), api_(api) {}
  std::expected<void, std::string> fetch(std::string_view name,
                                         std::chrono::milliseconds deadline) override {
    return namespaces_.ask(api_, name, deadline);
  }

 private:
  Namespaces& namespaces_;
  kube::Api& api_;
};

}  // namespace belay::webhook::namespaces
