// Questions to registries, asked on a few threads beside the reactors while requests wait: the
// images of one request side by side, each with the request's deadline. When too many wait, a
// request is turned away at once.
//
// Thread-safe. Lives longer than the handlers that ask, shorter than the source that is asked.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "webhook/admission/image_inquiry.h"
#include "webhook/system/worker_pool.h"

namespace belay::webhook::admission {

/// The questions of one request, on their way. Thread-safe.
class ImageLookup {
 public:
  virtual ~ImageLookup() = default;
  /// What is known by now; an image that was not answered yet has a problem that says so.
  virtual ImageInquiry result() const = 0;
};

class ImageLookups {
 public:
  struct Options {
    std::size_t threads = 16;
    std::size_t queue = 256;                         ///< pieces of work that wait for a thread
    std::size_t side_by_side = 8;                    ///< images of one request at most
    std::chrono::milliseconds deadline = kDeadline;  ///< of one request
  };
  static constexpr std::chrono::milliseconds kDeadline{2'500};

  explicit ImageLookups(ImageSource& source) : ImageLookups(source, Options()) {}
  ImageLookups(ImageSource& source, Options options);

  /// Asks for all items. `then` is called on another thread once all are answered, maybe before
  /// ask() returns and maybe after `deadline` (or never, if the pool ends); it must be quick and
  /// let no exception out.
  /// \return nullptr, and `then` is never called, where too many questions wait
  std::shared_ptr<const ImageLookup> ask(ImageInquiry inquiry,
                                         std::chrono::steady_clock::time_point deadline,
                                         std::function<void()> then);

  /// How long the questions of one request may take at most.
  std::chrono::milliseconds deadline() const { return options_.deadline; }

 private:
  class Asked;

  ImageSource& source_;
  const Options options_;
  WorkerPool pool_;
};

}  // namespace belay::webhook::admission
