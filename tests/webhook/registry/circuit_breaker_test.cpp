// When a circuit is open, in times that the test makes up.
#include "webhook/registry/circuit_breaker.h"

#include <doctest/doctest.h>

namespace belay::webhook::registry {
namespace {

using namespace std::chrono_literals;
constexpr CircuitBreaker::Clock::time_point kNow{1h};

TEST_CASE("a circuit opens after so many failures in a row, then one request tries") {
  CircuitBreaker breaker(3, 10s);
  breaker.failed(kNow);
  breaker.failed(kNow);
  breaker.succeeded();
  breaker.failed(kNow);
  breaker.failed(kNow);
  CHECK(breaker.may_ask(kNow));
  breaker.failed(kNow);
  CHECK_FALSE(breaker.may_ask(kNow + 9s));
  CHECK(breaker.may_ask(kNow + 10s));        // the trial
  CHECK_FALSE(breaker.may_ask(kNow + 11s));  // it has not reported
  breaker.failed(kNow + 12s);
  CHECK_FALSE(breaker.may_ask(kNow + 21s));
  CHECK(breaker.may_ask(kNow + 22s));
  breaker.succeeded();
  CHECK(breaker.may_ask(kNow + 22s));
  CHECK(breaker.may_ask(kNow + 22s));
}

TEST_CASE("A18: a pause that a registry asked for outlasts a success that was under way") {
  CircuitBreaker breaker(3, 10s);
  breaker.pause(kNow + 30s);
  breaker.succeeded();
  CHECK_FALSE(breaker.may_ask(kNow + 29s));
  breaker.pause(kNow + 5s);  // a shorter one ends it no sooner
  CHECK_FALSE(breaker.may_ask(kNow + 29s));
  CHECK(breaker.may_ask(kNow + 30s));
  CHECK(breaker.may_ask(kNow + 30s));
}

TEST_CASE("after a trial that never reports the circuit stays open once more, no longer") {
  CircuitBreaker breaker(1, 10s);
  breaker.failed(kNow);
  CHECK(breaker.may_ask(kNow + 10s));
  CHECK_FALSE(breaker.may_ask(kNow + 19s));
  CHECK(breaker.may_ask(kNow + 20s));
  CHECK_FALSE(breaker.may_ask(kNow + 21s));
  breaker.succeeded();
  CHECK(breaker.may_ask(kNow + 21s));
}

}  // namespace
}  // namespace belay::webhook::registry
