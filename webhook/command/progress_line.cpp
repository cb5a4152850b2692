// Writes over itself with a carriage return; what was longer is erased to the line's end.
#include "webhook/command/progress_line.h"

#include <fmt/format.h>

#include <ostream>

namespace belay::webhook::command {
namespace {

constexpr std::string_view kStartOfLine = "\r\033[K";
constexpr std::chrono::milliseconds kMoment{500};

}  // namespace

ProgressLine::~ProgressLine() {
  if (shown_) streams_.err << kStartOfLine << std::flush;
}

void ProgressLine::show(std::size_t done, std::size_t failed) {
  if (!streams_.progress || Clock::now() - start_ < kMoment) return;
  shown_ = true;
  streams_.err << kStartOfLine << fmt::format("looked up {} of {} images", done, all_);
  if (failed != 0) streams_.err << fmt::format(", {} failed", failed);
  streams_.err << std::flush;
}

}  // namespace belay::webhook::command
