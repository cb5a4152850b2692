// The items of one request are taken one by one by as many workers as there was room for. A worker
// goes to the end of the queue after each, so that a request with many images, or one whose
// registry is slow, does not keep all threads from the others.
#include "webhook/admission/image_lookups.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace belay::webhook::admission {

/// `inquiry_` but for the facts in it never changes, so workers read it without the lock.
class ImageLookups::Running final : public ImageLookup,
                                    public std::enable_shared_from_this<Running> {
 public:
  using Clock = std::chrono::steady_clock;

  Running(ImageSource& source, WorkerPool& pool, ImageInquiry inquiry, Clock::time_point deadline,
          std::function<void()> then)
      : source_(source),
        pool_(pool),
        inquiry_(std::move(inquiry)),
        deadline_(deadline),
        then_(std::move(then)),
        facts_(inquiry_.items.size()),
        answered_(inquiry_.items.size(), false) {}

  /// \return whether there was room for a worker
  bool start_worker() {
    return pool_.submit([self = shared_from_this()] { self->work(); });
  }

  ImageInquiry result() const override {
    ImageInquiry copy = inquiry_;
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < copy.items.size(); ++i) {
      copy.items[i].facts = answered_[i] ? facts_[i] : not_in_time(copy.items[i]);
    }
    return copy;
  }

 private:
  /// Answers an item, then leaves the rest to a worker at the end of the queue; without room there,
  /// goes on itself.
  void work() {
    for (std::size_t item = next(); item < inquiry_.items.size(); item = next()) {
      policy::ImageFacts facts = ask_one(source_, inquiry_, inquiry_.items[item], deadline_);
      bool all = false;
      bool none_left = false;
      {
        const std::lock_guard lock(mutex_);
        facts_[item] = std::move(facts);
        answered_[item] = true;
        all = ++answers_ == inquiry_.items.size();
        none_left = next_ >= inquiry_.items.size();
      }
      if (all) then_();
      if (none_left || start_worker()) return;
    }
  }
  std::size_t next() {
    const std::lock_guard lock(mutex_);
    return next_++;
  }

  ImageSource& source_;
  WorkerPool& pool_;
  const ImageInquiry inquiry_;
  const Clock::time_point deadline_;
  const std::function<void()> then_;
  mutable std::mutex mutex_;
  std::vector<policy::ImageFacts> facts_;  ///< guarded by mutex_, as what follows
  std::vector<bool> answered_;
  std::size_t next_ = 0;
  std::size_t answers_ = 0;
};

ImageLookups::ImageLookups(ImageSource& source, Options options)
    : source_(source), options_(options), pool_("images", options.threads, options.queue) {}

std::shared_ptr<const ImageLookup> ImageLookups::start(
    ImageInquiry inquiry, std::chrono::steady_clock::time_point deadline,
    std::function<void()> then) {
  const std::size_t workers = std::min(inquiry.items.size(), options_.side_by_side);
  const auto running =
      std::make_shared<Running>(source_, pool_, std::move(inquiry), deadline, std::move(then));
  std::size_t submitted = 0;
  while (submitted < workers && running->start_worker()) ++submitted;
  return submitted == 0 ? nullptr : running;  // fewer workers than wished for will do
}

}  // namespace belay::webhook::admission
