// The time that a reactor gives to one object: nobody's object or policy keeps the others waiting.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "policy/budget.h"

namespace belay::webhook::admission {

/// Counts the CPU time of its thread. Where one object of a namespace took too long, no other one
/// of that namespace that makes much work is evaluated for a while: else whoever sends such objects
/// would take all the time there is. Objects that make little work are evaluated as ever. Not
/// thread-safe.
class EvaluationBudget final : public policy::Budget {
 public:
  struct Limits {
    std::chrono::milliseconds most{250};  ///< CPU time of one object
    std::chrono::seconds pause{10};       ///< of a namespace behind one that took longer
  };
  explicit EvaluationBudget(Limits limits) : limits_(limits) {}

  /// Another object comes. \param namespace_name  "" for one outside of namespaces
  void start(std::string_view namespace_name);

  bool exhausted() override;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMostPaused = 1'000;

  const Limits limits_;
  std::string namespace_;
  bool begun_ = false;
  bool over_ = false;
  std::chrono::nanoseconds cpu_at_begin_{};
  Clock::time_point look_at_;  ///< CPU time can't be used up before; the cheaper clock says so
  std::map<std::string, Clock::time_point, std::less<>> paused_;  ///< namespace -> until when
};

}  // namespace belay::webhook::admission
