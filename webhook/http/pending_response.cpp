// Handing a response from the thread that has it to the reactor that waits for it.
#include "webhook/http/pending_response.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <tuple>
#include <utility>

namespace belay::webhook::http {

void PendingResponse::ready() {
  std::shared_ptr<ReadyQueue> queue;
  {
    const std::lock_guard lock(mutex_);
    if (ready_) return;
    ready_ = true;
    queue = queue_;
  }
  if (queue != nullptr) queue->push(shared_from_this());
}

void PendingResponse::park(Connection& connection, const std::shared_ptr<ReadyQueue>& queue) {
  connection_ = &connection;
  {
    const std::lock_guard lock(mutex_);
    queue_ = queue;
    if (!ready_) return;
  }
  queue->push(shared_from_this());
}

ReadyQueue::ReadyQueue() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

ReadyQueue::~ReadyQueue() {
  if (fd_ >= 0) ::close(fd_);
}

void ReadyQueue::wake() {
  const std::uint64_t one = 1;
  std::ignore = ::write(fd_, &one, sizeof one);  // full means awake
}

void ReadyQueue::push(std::shared_ptr<PendingResponse> response) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    responses_.push_back(std::move(response));
  }
  wake();
}

void ReadyQueue::take(std::vector<std::shared_ptr<PendingResponse>>& into) {
  const std::lock_guard lock(mutex_);
  into.swap(responses_);
}

void ReadyQueue::close() {
  std::vector<std::shared_ptr<PendingResponse>> dropped;  // ended outside the lock
  const std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(responses_);
}

}  // namespace belay::webhook::http
