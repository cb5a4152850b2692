#include "webhook/admission/admit_and_wait.h"

#include <algorithm>
#include <future>
#include <memory>
#include <vector>

namespace belay::webhook::admission {

Answer admit_and_wait(Admission& admission, ImageLookups* questions, Endpoint endpoint,
                      const policy::PolicySet& policies, std::span<char> body, std::string& out,
                      std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::vector<char> as_it_came;
  if (questions != nullptr) as_it_came.assign(body.begin(), body.end());
  Answer answer = admission.admit(endpoint, policies, body, out);
  if (answer.wanted == nullptr || questions == nullptr) return answer;

  ImageInquiry images = *answer.wanted;
  const auto all = std::make_shared<std::promise<void>>();
  const auto asked = questions->ask(images, deadline, [all] { all->set_value(); });
  if (asked) {
    all->get_future().wait_until(deadline);
    images = asked->result();
  } else {
    for (auto& item : images.items) {
      item.facts.problem = "too many image lookups are waiting";
    }
  }
  std::ranges::copy(as_it_came, body.begin());  // reading changed it
  Learned learned;
  learned.images = &images;
  return admission.admit(endpoint, policies, body, out, learned);
}

}  // namespace belay::webhook::admission
