// A cluster in memory that is slow, wrong or away as the test wants it.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "webhook/admission/namespace_lookups.h"
#include "webhook/admission/namespace_source.h"

namespace belay::test {

/// It learns of a namespace by being asked. Thread-safe.
class SlowCluster final : public webhook::admission::NamespaceSource,
                          public webhook::admission::NamespaceFetcher {
 public:
  void make(const std::string& name, const std::string& environment) {
    const std::lock_guard lock(mutex_);
    there_[name] = environment;
  }
  void fail(std::string problem) {
    const std::lock_guard lock(mutex_);
    problem_ = std::move(problem);
  }
  /// From now on questions wait for release().
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  int asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::chrono::milliseconds longest{500};  ///< that a question may be given; set before any

  std::expected<void, std::string> fetch(std::string_view name,
                                         std::chrono::milliseconds deadline) override {
    std::unique_lock lock(mutex_);
    ++asked_;
    CHECK(deadline <= longest);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !held_; });
    if (!problem_.empty()) return std::unexpected(problem_);
    const auto found = there_.find(name);
    if (found == there_.end()) return std::unexpected("this namespace does not exist");
    known_.insert(*found);
    return {};
  }

  std::unique_ptr<webhook::admission::NamespaceReader> reader() const override {
    class Reader final : public webhook::admission::NamespaceReader {
     public:
      explicit Reader(const SlowCluster& cluster) : cluster_(cluster) {}
      bool find(std::string_view name, std::vector<policy::Label>& labels) override {
        const std::lock_guard lock(cluster_.mutex_);
        const auto found = cluster_.known_.find(name);
        if (found == cluster_.known_.end()) return false;
        environment_ = found->second;
        labels.push_back({"environment", environment_});
        return true;
      }

     private:
      const SlowCluster& cluster_;
      std::string environment_;
    };
    return std::make_unique<Reader>(*this);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string, std::less<>> there_, known_;
  std::string problem_;
  bool held_ = false;
  int asked_ = 0;
};

}  // namespace belay::test
