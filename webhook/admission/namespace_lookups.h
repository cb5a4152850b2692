// Lookups of namespaces that no watch has reported yet (made a moment ago): on a few threads beside
// the reactors, each with a deadline, the same name once at a time. When too many wait, a further
// one is not started at all.
//
// Thread-safe. Lives longer than the handlers that use it, shorter than its fetcher.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/system/worker_pool.h"

namespace belay::webhook::admission {

/// Fetches a namespace that a NamespaceSource does not know. Thread-safe; blocks.
class NamespaceFetcher {
 public:
  virtual ~NamespaceFetcher() = default;
  /// \return nothing where the source knows the namespace now; else why it does not, as a clause
  ///     for people, without any address: "the API server knows no namespace of that name"
  virtual std::expected<void, std::string> fetch(std::string_view name,
                                                 std::chrono::milliseconds deadline) = 0;
};

class NamespaceLookups {
 public:
  struct Options {
    std::size_t threads = 4;
    std::size_t queue = 256;                         ///< names that wait for a thread
    std::chrono::milliseconds deadline = kDeadline;  ///< of one lookup
  };
  static constexpr std::chrono::milliseconds kDeadline{500};

  explicit NamespaceLookups(NamespaceFetcher& fetcher) : NamespaceLookups(fetcher, Options()) {}
  NamespaceLookups(NamespaceFetcher& fetcher, Options options);

  /// What became of a lookup: "" where the namespace is known now, else why not.
  using Then = std::function<void(const std::string& problem)>;

  /// Fetches a namespace, or joins who does so already. `then` is called on another thread, maybe
  /// before start() returns and maybe after `deadline` (or never, if the pool ends); it must be
  /// quick and let no exception out.
  /// \return false, and `then` is never called, where too many lookups wait
  bool start(std::string_view name, std::chrono::steady_clock::time_point deadline, Then then);

  /// How long a lookup may take at most.
  std::chrono::milliseconds deadline() const { return deadline_; }

 private:
  void run(const std::string& name, std::chrono::steady_clock::time_point deadline);

  NamespaceFetcher& fetcher_;
  const std::chrono::milliseconds deadline_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Then>, std::less<>> waiting_;  ///< guarded by mutex_
  WorkerPool pool_;                                                ///< last: its threads end first
};

}  // namespace belay::webhook::admission
