// A waiter that waits for nobody: it notes what it was asked for, and the request goes on.
#pragma once

#include <string>

#include "webhook/admission/missing.h"

namespace belay::test {

class NotingWaiter final : public webhook::admission::Waiter {
 public:
  bool wait(const webhook::admission::Missing& missing,
            const webhook::admission::Review& /*review*/,
            webhook::admission::Learned& learned) override {
    if (missing.images != nullptr) {
      for (const auto& item : missing.images->items) noted += item.image + " ";
      learned.give_up_images(problem);
    } else {
      noted += missing.namespace_name;
      learned.namespace_problem = problem;
    }
    return true;
  }

  std::string noted;    ///< "shop", or "a:1 b:2 "
  std::string problem;  ///< why nothing was learned
};

}  // namespace belay::test
