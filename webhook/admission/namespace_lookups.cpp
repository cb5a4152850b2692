// One lookup a name, and everyone who waits for it.
#include "webhook/admission/namespace_lookups.h"

#include <exception>
#include <utility>

namespace belay::webhook::admission {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

NamespaceLookups::NamespaceLookups(NamespaceFetcher& fetcher, Options options)
    : fetcher_(fetcher),
      deadline_(options.deadline),
      pool_("namespaces", options.threads, options.queue) {}

bool NamespaceLookups::start(std::string_view name, Clock::time_point deadline, Then then) {
  const std::lock_guard lock(mutex_);
  if (const auto asked = waiting_.find(name); asked != waiting_.end()) {
    asked->second.push_back(std::move(then));
    return true;
  }
  std::string key(name);
  if (!pool_.submit([this, key, deadline] { run(key, deadline); })) return false;
  waiting_[std::move(key)].push_back(std::move(then));
  return true;
}

void NamespaceLookups::run(const std::string& name, Clock::time_point deadline) {
  const auto left = std::chrono::floor<std::chrono::milliseconds>(deadline - Clock::now());
  std::string problem;
  if (left.count() <= 0) {
    problem = "too many namespace lookups are waiting";
  } else {
    try {
      if (auto done = fetcher_.fetch(name, left); !done) problem = std::move(done.error());
    } catch (const std::exception&) {  // out of memory
      problem = "the API server could not be asked";
    }
  }
  std::vector<Then> waited;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = waiting_.find(name); found != waiting_.end()) {
      waited = std::move(found->second);
      waiting_.erase(found);
    }
  }
  for (const Then& then : waited) then(problem);
}

}  // namespace belay::webhook::admission
