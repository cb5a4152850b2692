// Registries in memory, for tests of admission: quick, slow, wrong or away, as the test wants it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "webhook/admission/image_source.h"

namespace belay::test {

/// A digest made of one hex digit.
inline std::string digest_of(char digit) { return "sha256:" + std::string(64, digit); }

/// Thread-safe.
class RegistryFake final : public webhook::admission::ImageSource {
 public:
  using Clock = std::chrono::steady_clock;

  /// \param tag  canonical: "docker.io/library/nginx:1.27"
  void push(const std::string& tag, const std::string& digest) {
    const std::lock_guard lock(mutex_);
    pushed_[tag] = digest;
  }
  /// Every tag there is gets a digest of its own.
  void have_all() {
    const std::lock_guard lock(mutex_);
    all_ = true;
  }
  /// What known() may say from now on without asking.
  void cache(const std::string& tag) {
    const std::lock_guard lock(mutex_);
    cached_.insert(tag);
  }
  void cache_all() {
    const std::lock_guard lock(mutex_);
    cache_all_ = true;
  }
  void fail(std::string problem) {
    const std::lock_guard lock(mutex_);
    problem_ = std::move(problem);
  }
  /// From now on whoever asks waits for release(), past any deadline.
  void hang() {
    const std::lock_guard lock(mutex_);
    hanging_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    hanging_ = false;
    changed_.notify_all();
  }
  void wait_for_asking(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return now_asking_ >= count; });
  }
  int asked() const { return asked_; }
  int most_at_once() const {
    const std::lock_guard lock(mutex_);
    return most_at_once_;
  }
  std::vector<std::string> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::string last_identity() const {
    const std::lock_guard lock(mutex_);
    return last_identity_;
  }

  bool known(const webhook::admission::PullIdentity& /*identity*/,
             const webhook::admission::ImageFactRequest& question,
             policy::ImageFacts& facts) override {
    const std::lock_guard lock(mutex_);
    if (!cache_all_ && !cached_.contains(question.reference.canonical())) return false;
    answer(question, facts);
    return true;
  }
  std::string known_digest(const webhook::admission::PullIdentity& /*identity*/,
                           const policy::ImageReference& reference) override {
    const std::lock_guard lock(mutex_);
    return cache_all_ || cached_.contains(reference.canonical()) ? digest(reference) : "";
  }
  void ask(const webhook::admission::PullIdentity& identity,
           const webhook::admission::ImageFactRequest& question, Clock::time_point /*deadline*/,
           policy::ImageFacts& facts) override {
    std::unique_lock lock(mutex_);
    ++asked_;
    most_at_once_ = std::max(most_at_once_, ++now_asking_);
    last_identity_ =
        std::string(identity.namespace_name) + "/" + std::string(identity.service_account);
    for (const std::string_view secret : identity.pull_secrets) {
      last_identity_.append(" ").append(secret);
    }
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !hanging_; });
    --now_asking_;
    answer(question, facts);
  }
  void admitted(const webhook::admission::PullIdentity& /*identity*/,
                const policy::ImageReference& reference, std::string_view digest) override {
    const std::lock_guard lock(mutex_);
    seen_.push_back(reference.canonical() + " " + std::string(digest));
  }

 private:
  std::string digest(const policy::ImageReference& reference) const {
    const auto found = pushed_.find(reference.canonical());
    if (found != pushed_.end()) return found->second;
    if (!all_) return "";
    constexpr std::string_view kHex = "0123456789abcdef";
    return digest_of(kHex[std::hash<std::string>()(reference.canonical()) % kHex.size()]);
  }
  void answer(const webhook::admission::ImageFactRequest& question,
              policy::ImageFacts& facts) const {
    facts.digest = problem_.empty() ? digest(question.reference) : "";
    facts.problem = problem_;
    facts.record_known = question.need.record;
    if (facts.digest.empty() && facts.problem.empty()) {
      facts.problem = std::string(question.reference.host()) + " has no such tag";
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> pushed_;
  std::set<std::string> cached_;
  bool all_ = false, cache_all_ = false, hanging_ = false;
  std::string problem_, last_identity_;
  std::vector<std::string> seen_;
  int now_asking_ = 0, most_at_once_ = 0;
  std::atomic<int> asked_{0};
};

}  // namespace belay::test
