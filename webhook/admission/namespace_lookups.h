// Questions about namespaces that no watch has told of yet (made a moment ago): asked on a few
// threads beside the reactors, each with a deadline, the same name once at a time. When too many
// wait, a question is turned away at once.
//
// Thread-safe. Lives longer than the handlers that ask, shorter than whom it asks.
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

/// Who can be asked for a namespace that a NamespaceSource does not know. Thread-safe; blocks.
class NamespaceFetcher {
 public:
  virtual ~NamespaceFetcher() = default;
  /// \return nothing where the source knows the namespace now; else why it does not, as a clause
  ///     for people, without any address: "the API server knows no namespace of that name"
  virtual std::expected<void, std::string> ask(std::string_view name,
                                               std::chrono::milliseconds deadline) = 0;
};

class NamespaceLookups {
 public:
  struct Options {
    std::size_t threads = 4;
    std::size_t queue = 256;                         ///< names that wait for a thread
    std::chrono::milliseconds deadline = kDeadline;  ///< of one question
  };
  static constexpr std::chrono::milliseconds kDeadline{500};

  explicit NamespaceLookups(NamespaceFetcher& asker) : NamespaceLookups(asker, Options()) {}
  NamespaceLookups(NamespaceFetcher& asker, Options options);

  /// What became of a question: "" where the namespace is known now, else why not.
  using Then = std::function<void(const std::string& problem)>;

  /// Asks for a namespace, or joins who asks already. `then` is called on another thread, maybe
  /// before ask() returns and maybe after `deadline` (or never, if the pool ends); it must be quick
  /// and let no exception out.
  /// \return false, and `then` is never called, where too many questions wait
  bool ask(std::string_view name, std::chrono::steady_clock::time_point deadline, Then then);

  /// How long a question may take at most.
  std::chrono::milliseconds deadline() const { return deadline_; }

 private:
  void answer(const std::string& name, std::chrono::steady_clock::time_point deadline);

  NamespaceFetcher& asker_;
  const std::chrono::milliseconds deadline_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Then>, std::less<>> waiting_;  ///< guarded by mutex_
  WorkerPool pool_;                                                ///< last: its threads end first
};

}  // namespace belay::webhook::admission
