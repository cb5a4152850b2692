// The pair in force, swapped whole while connections go on. Thread-safe.
#pragma once

#include <memory>

#include "certs/key_pair.h"

namespace belay::certs {

/// Hot store: the server asks it at every handshake; whoever renews publishes into it. A connection
/// that is open keeps what it was made with.
class Store {
 public:
  Store();
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void publish(std::shared_ptr<const KeyPair> pair);
  /// nullptr before the first publish().
  std::shared_ptr<const KeyPair> current() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace belay::certs
