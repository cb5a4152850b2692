// The plan for each state that a shared certificate can be in.
#include "certs/rotation.h"

#include <doctest/doctest.h>

#include <array>

#include "tests/certs/verify.h"

namespace {

using namespace belay::certs;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

const TimePoint kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};
constexpr const char* kHost = "belay.belay-system.svc";

RotationOptions options() {
  return {.names = {kHost, "::1"}, .ca_duration = 24h * 365, .cert_duration = 24h * 90};
}

/// Clients that hold `bundle`, all of them for `age`.
std::vector<PublishedAuthority> published(const std::string& bundle,
                                          std::optional<milliseconds> age = 1h) {
  std::vector<PublishedAuthority> result;
  if (const auto read = read_bundle(bundle)) {
    for (const Authority& one : *read) result.push_back({one, age});
  }
  return result;
}

Plan plan(const Holding& held, const Observation& seen, TimePoint now = kNow,
          const RotationOptions& with = options()) {
  auto result = plan_rotation(held, seen, with, now);
  REQUIRE(result);
  return std::move(*result);
}

/// What a first look leaves.
Holding fresh(TimePoint now = kNow) { return plan({}, {}, now).holding; }

std::size_t size_of(const std::string& bundle) {
  const auto read = read_bundle(bundle);
  return read ? read->size() : 0;
}

bool verifies(const Holding& held, TimePoint at, const std::string& bundle) {
  return verify(held.certificate, bundle, kHost, at) == X509_V_OK;
}

}  // namespace

TEST_CASE("nothing held and nothing trusted gives a certificate at once") {
  const Plan first = plan({}, {});
  CHECK(verifies(first.holding, kNow, first.holding.authorities));
  CHECK(verifies(first.holding, kNow - 59min, first.holding.authorities));
  CHECK(first.holding.next_authority.empty());
  CHECK(first.waiting.empty());
  CHECK(first.reason ==
        "a new CA was created, because there was none; a certificate was issued, "
        "because the CA is new");
}

TEST_CASE("what is good is left alone, for as long as it is") {
  const Holding held = fresh();
  for (const TimePoint at : {kNow, kNow + 24h, kNow + 24h * 60 - 1min}) {
    const Plan again = plan(held, {published(held.authorities)}, at);
    CHECK(again.holding == held);
    CHECK(again.reason.empty());
    CHECK(again.look_in > 0s);
  }
}

TEST_CASE("A8: the certificate is renewed at two thirds of its validity, by the same CA") {
  const Holding held = fresh();
  const Plan due = plan(held, {published(held.authorities)}, kNow + 24h * 60 + 1min);
  CHECK(due.holding.certificate != held.certificate);
  CHECK(due.holding.authorities == held.authorities);
  CHECK(due.holding.authority_key == held.authority_key);
  CHECK(verifies(due.holding, kNow + 24h * 100, held.authorities));
  CHECK(due.reason ==
        "a certificate was issued, because two thirds of the old one's validity are over");
}

TEST_CASE("A8: a certificate that has expired is issued again at once, whoever begins to lead") {
  const Holding held = fresh();
  const Plan late = plan(held, {published(held.authorities, 0ms)}, kNow + 24h * 91);
  CHECK(verifies(late.holding, kNow + 24h * 91, held.authorities));
}

TEST_CASE("A9: a new CA is published, then seen, then issues, then the old one goes") {
  const TimePoint due = kNow + 24h * 244;
  Holding held = fresh();
  held = plan(held, {published(held.authorities)}, due - 24h * 10).holding;  // its certificate
  const Holding old = held;

  const Plan made = plan(held, {published(old.authorities)}, due);
  CHECK(made.holding.certificate == old.certificate);
  CHECK(size_of(made.holding.authorities) == 2);
  CHECK(made.reason == "a new CA was created, because two thirds of its validity are over");

  // Not before it is published in all, nor before all have had the time to see it.
  for (const auto age : {std::optional<milliseconds>{}, std::optional<milliseconds>{59'999ms}}) {
    const Plan waits = plan(made.holding, {published(made.holding.authorities, age)}, due);
    CHECK(waits.holding == made.holding);
    CHECK_FALSE(waits.waiting.empty());
    CHECK(waits.look_in <= 1s);
  }

  const Plan issued = plan(made.holding, {published(made.holding.authorities, 60s)}, due + 60s);
  CHECK(issued.holding.certificate != old.certificate);
  CHECK(issued.holding.authority_key == made.holding.next_authority_key);
  CHECK(issued.holding.next_authority.empty());
  CHECK(issued.holding.next_authority_key.empty());
  CHECK(size_of(issued.holding.authorities) == 2);
  CHECK_FALSE(verifies(issued.holding, due, old.authorities));

  const auto everywhere = published(issued.holding.authorities, 1h);
  CHECK(plan(issued.holding, {everywhere, 599s}, due + 659s).holding == issued.holding);
  const Plan retired = plan(issued.holding, {everywhere, 600s}, due + 660s);
  CHECK(size_of(retired.holding.authorities) == 1);
  CHECK(retired.holding.certificate == issued.holding.certificate);
  CHECK(verifies(retired.holding, due, retired.holding.authorities));
}

TEST_CASE("A9: a CA that is asked for comes in the same steps, and the wish is cleared") {
  Holding held = fresh();
  held.renew = "ca";
  const Plan made = plan(held, {published(held.authorities)});
  CHECK(made.holding.renew == "ca");
  const Plan issued = plan(made.holding, {published(made.holding.authorities)});
  CHECK(issued.holding.renew.empty());
  CHECK(issued.holding.authority_key != held.authority_key);
  held.renew = "certificate";
  const Plan leaf = plan(held, {published(held.authorities)});
  CHECK(leaf.holding.renew.empty());
  CHECK(leaf.holding.authority_key == held.authority_key);
  CHECK(leaf.holding.certificate != held.certificate);
}

TEST_CASE("a Secret that was deleted gets a new CA beside the one that clients trust") {
  const Holding before = fresh();
  const Plan made = plan({}, {published(before.authorities)});
  CHECK(made.holding.certificate.empty());
  CHECK(size_of(made.holding.authorities) == 2);
  CHECK(verifies(before, kNow, made.holding.authorities));  // who still serves it is trusted
  const Plan issued = plan(made.holding, {published(made.holding.authorities)});
  CHECK(verifies(issued.holding, kNow, made.holding.authorities));
}

TEST_CASE("a Secret broken by hand is repaired with as little change as can be") {
  const Holding good = fresh();
  const Holding other = fresh();
  struct Case {
    const char* name;
    std::string Holding::* field;
    std::string text;
    bool new_authority;
  };
  const std::array cases{
      Case{"no certificate", &Holding::certificate, "", false},
      Case{"no key", &Holding::key, "", false},
      Case{"another's key", &Holding::key, other.key, false},
      Case{"a certificate that does not read", &Holding::certificate, "hello", false},
      Case{"no authority", &Holding::authorities, "", true},
      Case{"an authority that does not read", &Holding::authorities,
           "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", true},
      Case{"another's authority", &Holding::authorities, other.authorities, true},
      Case{"no authority's key", &Holding::authority_key, "", true},
      Case{"another authority's key", &Holding::authority_key, other.authority_key, true},
  };
  for (const Case& one : cases) {
    CAPTURE(one.name);
    Holding held = good;
    held.*one.field = one.text;
    Plan next = plan(held, {published(good.authorities)});
    CHECK_FALSE(next.reason.empty());
    CHECK(verifies(good, kNow, next.holding.authorities));
    next = plan(next.holding, {published(next.holding.authorities)});
    CHECK(verifies(next.holding, kNow, next.holding.authorities));
    CHECK((next.holding.authority_key != good.authority_key) == one.new_authority);
    CHECK(plan(next.holding, {published(next.holding.authorities)}).holding == next.holding);
  }
  // Both halves of another's pair: it reads, but nobody would trust it.
  Holding held = good;
  held.certificate = other.certificate;
  held.key = other.key;
  CHECK(verifies(plan(held, {published(good.authorities)}).holding, kNow, good.authorities));
}

TEST_CASE("A11: a CA made by a clock that runs ahead is followed by one that is valid") {
  const Holding ahead = fresh(kNow + 30min);
  CHECK(plan(ahead, {published(ahead.authorities)}).holding == ahead);  // backdated enough
  const Holding far = fresh(kNow + 2h);
  const Plan made = plan(far, {published(far.authorities)});
  CHECK(size_of(made.holding.authorities) == 2);
  const Plan issued = plan(made.holding, {published(made.holding.authorities)});
  CHECK(verifies(issued.holding, kNow, issued.holding.authorities));
}

TEST_CASE("a certificate never outlives its CA, nor is it issued in vain near its end") {
  RotationOptions with = options();
  with.cert_duration = with.ca_duration * 2;
  const Holding held = plan({}, {}, kNow, with).holding;
  const auto leaf = read_certificates(held.certificate);
  CHECK(leaf->front().not_after == kNow + with.ca_duration);
  // The new authority cannot be published, so the old one's end comes near.
  const TimePoint late = kNow + with.ca_duration - 1min;
  CHECK(plan(held, {published(held.authorities)}, late, with).holding.certificate ==
        held.certificate);
}

TEST_CASE("names that changed, and only those, give a new certificate") {
  const Holding held = fresh();
  RotationOptions with = options();
  with.names = {"0:0:0:0:0:0:0:1", kHost};  // the same ones
  CHECK(plan(held, {published(held.authorities)}, kNow, with).holding == held);
  with.names = {kHost};
  CHECK(plan(held, {published(held.authorities)}, kNow, with).holding.certificate !=
        held.certificate);
  with.names = {"not a name"};
  CHECK_FALSE(plan_rotation(held, {published(held.authorities)}, with, kNow));
}

TEST_CASE("a replica takes a good pair only, and none that has expired for one that has not") {
  const Holding good = fresh();
  const auto pair = pair_to_serve(good, nullptr, kNow);
  REQUIRE(pair);
  const auto problem = [&](const Holding& held, TimePoint at = kNow) {
    const auto result = pair_to_serve(held, pair->get(), at);
    return result ? std::string() : result.error().message;
  };
  CHECK(problem(good).empty());
  CHECK(problem({}) == "it contains no certificate");
  Holding held = good;
  held.authorities = fresh().authorities;
  CHECK(problem(held) == "no CA in ca.crt signed tls.crt");
  held.authorities.clear();
  CHECK(problem(held) == "ca.crt contains no PEM certificate");
  held = good;
  held.key = fresh().key;
  CHECK(problem(held) == "certificate and key do not belong together");
  const Holding old = fresh(kNow - 24h * 100);
  CHECK(problem(old) == "its certificate has expired");
  CHECK(pair_to_serve(old, nullptr, kNow));  // better than nothing: the clock may be wrong
  CHECK(problem(fresh(kNow + 2h)) == "its certificate is not valid yet");
}
