#include "webhook/admission/evaluation_budget.h"

#include <time.h>

namespace belay::webhook::admission {
namespace {

std::chrono::nanoseconds thread_cpu_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

void EvaluationBudget::start(std::string_view namespace_name) {
  namespace_ = namespace_name;
  begun_ = over_ = false;
}

bool EvaluationBudget::exhausted() {
  if (over_) return true;
  const auto now = Clock::now();
  if (!begun_) {
    const auto found = paused_.find(namespace_);
    over_ = found != paused_.end() && now < found->second;
    begun_ = true;
    cpu_at_begin_ = thread_cpu_time();
    look_at_ = now + limits_.most;
    return over_;
  }
  if (now < look_at_) return false;
  const auto used = thread_cpu_time() - cpu_at_begin_;
  if (used < limits_.most) {  // the thread had to wait for a CPU
    look_at_ = now + (limits_.most - used);
    return false;
  }
  over_ = true;
  std::erase_if(paused_, [now](const auto& entry) { return entry.second <= now; });
  if (paused_.size() < kMostPaused) paused_[namespace_] = now + limits_.pause;
  return true;
}

}  // namespace belay::webhook::admission
