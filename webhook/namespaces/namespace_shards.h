// Namespaces by name, in shards that are immutable snapshots: the memory behind namespaces.h.
//
// One writer at a time (the owner's lock); any number of readers, each on a thread of its own.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/selector.h"
#include "webhook/admission/namespace_source.h"
#include "webhook/kube/object.h"
#include "webhook/system/snapshot.h"

namespace belay::webhook::namespaces {

/// One namespace in one block of memory: its name, its labels, and when it was asked for.
/// Immutable. A label costs its text and eight bytes.
class NamespaceEntry {
 public:
  using Clock = std::chrono::steady_clock;

  NamespaceEntry() = default;
  /// \param asked  when the API server told of it, where no watch has yet; else {}
  explicit NamespaceEntry(const kube::Object& object, Clock::time_point asked = {});

  std::string_view name() const;
  void append_labels(std::vector<policy::Label>& labels) const;
  Clock::time_point asked() const;
  bool same(const NamespaceEntry& other) const;

 private:
  std::size_t size() const;

  std::shared_ptr<const char[]> block_;
};

class NamespaceShards {
 public:
  static constexpr std::size_t kCount = 256;
  using Shard = std::vector<NamespaceEntry>;  ///< sorted by name

  NamespaceShards();

  // The writer's side.
  /// \return the entry, or nullptr. Valid until the next change.
  const NamespaceEntry* find(std::string_view name) const;
  void put(NamespaceEntry entry);
  bool remove(std::string_view name);
  /// Makes `entries` all there is. Shards, and entries within them, that say the same as before are
  /// left as they are, so that what readers hold is not held twice.
  void replace(std::vector<NamespaceEntry> entries);
  /// All entries that were asked for and that no watch has told of.
  std::vector<NamespaceEntry> asked() const;

  // Any thread.
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  std::unique_ptr<admission::NamespaceReader> reader() const;

 private:
  class Reader;

  void publish(std::size_t index, std::shared_ptr<const Shard> shard);

  std::array<std::shared_ptr<const Shard>, kCount> current_;  ///< the writer's copy
  std::array<Snapshot<Shard>, kCount> published_;
  std::atomic<std::size_t> size_{0};
};

}  // namespace belay::webhook::namespaces
