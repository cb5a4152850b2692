// One question a name, and everyone who waits for its answer.
#include "webhook/admission/namespace_lookups.h"

#include <exception>
#include <utility>

namespace belay::webhook::admission {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

NamespaceLookups::NamespaceLookups(NamespaceFetcher& asker, Options options)
    : asker_(asker), deadline_(options.deadline), pool_("asker", options.threads, options.queue) {}

bool NamespaceLookups::ask(std::string_view name, Clock::time_point deadline, Then then) {
  const std::lock_guard lock(mutex_);
  if (const auto asked = waiting_.find(name); asked != waiting_.end()) {
    asked->second.push_back(std::move(then));
    return true;
  }
  std::string key(name);
  if (!pool_.submit([this, key, deadline] { answer(key, deadline); })) return false;
  waiting_[std::move(key)].push_back(std::move(then));
  return true;
}

void NamespaceLookups::answer(const std::string& name, Clock::time_point deadline) {
  const auto left = std::chrono::floor<std::chrono::milliseconds>(deadline - Clock::now());
  std::string problem;
  if (left.count() <= 0) {
    problem = "too many namespace lookups are waiting";
  } else {
    try {
      if (auto asked = asker_.ask(name, left); !asked) problem = std::move(asked.error());
    } catch (const std::exception&) {  // out of memory
      problem = "the API server could not be asked";
    }
  }
  std::vector<Then> answered;
  {
    const std::lock_guard lock(mutex_);
    if (const auto asked = waiting_.find(name); asked != waiting_.end()) {
      answered = std::move(asked->second);
      waiting_.erase(asked);
    }
  }
  for (const Then& then : answered) then(problem);
}

}  // namespace belay::webhook::admission
