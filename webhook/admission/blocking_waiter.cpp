// The same lookups as the server's, with a promise in the place of its reactor.
#include "webhook/admission/blocking_waiter.h"

#include <future>
#include <memory>

namespace belay::webhook::admission {

bool BlockingWaiter::wait(const Missing& missing, const Review& /*review*/, Learned& learned) {
  if (missing.images == nullptr) return true;
  if (lookups_ == nullptr) {
    learned.give_up_images("no registries are configured");
    return true;
  }
  const auto deadline = std::chrono::steady_clock::now() + limit_;
  const auto all = std::make_shared<std::promise<void>>();
  const auto lookup = lookups_->start(learned.images, deadline, [all] { all->set_value(); });
  if (lookup == nullptr) {
    learned.give_up_images("too many image lookups are waiting");
    return true;
  }
  all->get_future().wait_until(deadline);
  learned.images = lookup->result();
  return true;
}

}  // namespace belay::webhook::admission
