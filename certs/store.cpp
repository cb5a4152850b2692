#include "certs/store.h"

#include <mutex>
#include <utility>

namespace belay::certs {

// A mutex, not std::atomic<shared_ptr>: handshakes take it for a copy of a pointer, once a
// connection.
struct Store::State {
  mutable std::mutex mutex;
  std::shared_ptr<const KeyPair> pair;
};

Store::Store() : state_(std::make_unique<State>()) {}
Store::~Store() = default;

void Store::publish(std::shared_ptr<const KeyPair> pair) {
  const std::lock_guard lock(state_->mutex);
  std::swap(state_->pair, pair);  // the old pair, if it is the last hold on it, goes with `pair`
}

std::shared_ptr<const KeyPair> Store::current() const {
  const std::lock_guard lock(state_->mutex);
  return state_->pair;
}

}  // namespace belay::certs
