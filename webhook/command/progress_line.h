// A line on the terminal that counts what was asked, where that takes more than a moment. Not
// thread-safe.
#pragma once

#include <chrono>
#include <cstddef>

#include "webhook/command/command.h"

namespace belay::webhook::command {

/// Writes nothing where `err` is no terminal; takes its line away at the end.
class ProgressLine {
 public:
  ProgressLine(std::size_t all, Streams& streams) : all_(all), streams_(streams) {}
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::size_t done, std::size_t failed);

 private:
  using Clock = std::chrono::steady_clock;
  std::size_t all_;
  Streams& streams_;
  Clock::time_point start_ = Clock::now();
  bool shown_ = false;
};

}  // namespace belay::webhook::command
