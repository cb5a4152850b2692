// What `belay pin` says: results on standard output, everything else on standard error.
// Pure but for the streams.
#pragma once

#include <iosfwd>
#include <span>
#include <vector>

#include "webhook/check/pin.h"
#include "webhook/report/report.h"

namespace belay::webhook::command {

/// How a run went, for both formats.
struct PinRun {
  std::span<const check::PinFile> files;
  std::vector<report::InputError> errors;  ///< what could not be read, resolved or written
  bool check = false;                      ///< --check: unpinned images are findings
  std::size_t count(check::PinStatus status) const;
  /// Images that run what their tag points to at the time.
  std::size_t unpinned() const;
  /// Images that got a digest in a file that was given out, and those files.
  std::size_t pinned() const;
  std::size_t changed_files() const;
};

/// One line an image that a person has to know of: in --check every finding and note, else what
/// stays without digest; nothing about images that were pinned.
void print_images(const PinRun& run, bool color, std::ostream& out);
/// One line each: file, place and cause.
void print_errors(const PinRun& run, std::ostream& err);
/// "12 images in 3 files: 9 pinned, 2 had a digest, 1 left as it was".
void print_summary(const PinRun& run, std::ostream& out);
/// One JSON object: images, errors, summary.
void print_pin_json(const PinRun& run, std::ostream& out);

}  // namespace belay::webhook::command
