// Lookups of images in registries, on a few threads beside the reactors while requests wait: the
// images of one request side by side, each with the request's deadline. When too many wait, a
// further one is not started at all.
//
// Thread-safe. Lives longer than the handlers that use it, shorter than its source.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "webhook/admission/image_inquiry.h"
#include "webhook/system/worker_pool.h"

namespace belay::webhook::admission {

/// The images of one request, on their way. Thread-safe.
class ImageLookup {
 public:
  virtual ~ImageLookup() = default;
  /// What is known by now; an image that is not known yet has a problem that says so.
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

  /// Asks for all items. `then` is called on another thread once all are known, maybe before
  /// start() returns and maybe after `deadline` (or never, if the pool ends); it must be quick and
  /// let no exception out.
  /// \return nullptr, and `then` is never called, where too many lookups wait
  std::shared_ptr<const ImageLookup> start(ImageInquiry inquiry,
                                           std::chrono::steady_clock::time_point deadline,
                                           std::function<void()> then);

  /// How long the lookup of one request may take at most.
  std::chrono::milliseconds deadline() const { return options_.deadline; }

 private:
  class Running;

  ImageSource& source_;
  const Options options_;
  WorkerPool pool_;
};

}  // namespace belay::webhook::admission
