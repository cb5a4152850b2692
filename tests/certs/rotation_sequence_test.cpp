// The promise that holds over all sequences of plans, whoever dies or lags: what a client trusts
// verifies what a replica serves.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <array>
#include <map>
#include <set>

#include "certs/rotation.h"
#include "tests/certs/verify.h"

namespace {

using namespace belay::certs;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

const TimePoint kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};
constexpr const char* kHost = "belay.belay-system.svc";

/// A cluster in which everything may be late by up to the overlap, and leaders die between any two
/// steps.
class World {
 public:
  World() {
    lead();
    lead();
    for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i] = {configurations_[i % 2], now_};
    for (auto& replica : replicas_) replica = {held_.certificate, now_};
  }

  void pass(milliseconds time) {
    now_ += std::chrono::floor<std::chrono::seconds>(time);
    for (auto& client : clients_) {
      if (now_ - client.at >= options_.overlap) see(client);
    }
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
      if (now_ - replicas_[i].at >= options_.overlap) follow(i);
    }
  }

  /// One look of the leader, that ends after `steps` of: the Secret, one configuration, the other.
  void lead(int steps = 3) {
    observe();
    auto next = plan_rotation(held_, seen(), options_, now_);
    RC_ASSERT(next.has_value());
    if (steps > 0) held_ = next->holding;
    for (int i = 0; i < 2; ++i) {
      if (steps > i + 1) configurations_.at(static_cast<std::size_t>(i)) = held_.authorities;
    }
    if (steps < 3) forget();
  }
  void forget() {
    since_.clear();
    key_since_ = now_;
    key_.clear();
  }

  void client_sees(std::size_t which) { see(clients_.at(which % clients_.size())); }
  void replica_follows(std::size_t which) { follow(which % replicas_.size()); }
  void wish() { held_.renew = "ca"; }
  void break_by_hand(std::size_t which, const std::string& text) {
    constexpr std::array kFields{&Holding::certificate,    &Holding::key,
                                 &Holding::authorities,    &Holding::authority_key,
                                 &Holding::next_authority, &Holding::next_authority_key};
    held_.*kFields.at(which % kFields.size()) = text;
  }
  void delete_secret() { held_ = {}; }

  void check() {
    for (const auto& client : clients_) {
      for (const auto& replica : replicas_) {
        TimePoint& verified = verified_[{replica.text, client.text}];
        if (now_ - verified < 5min) continue;  // nothing expires so soon; it costs most of the time
        RC_ASSERT(verify(replica.text, client.text, kHost, now_) == X509_V_OK);
        verified = now_;
      }
    }
  }

 private:
  /// Something that is copied late.
  struct Copy {
    std::string text;
    TimePoint at;
  };

  void see(Copy& client) {
    client = {configurations_.at((&client == clients_.data()) ? 0 : 1), now_};
  }
  void follow(std::size_t which) {
    Copy& replica = replicas_.at(which);
    replica.at = now_;
    const auto in_force = certificates_.find(replica.text);
    const KeyPair* const pair = in_force == certificates_.end() ? nullptr : in_force->second.get();
    if (auto next = pair_to_serve(held_, pair, now_)) {
      replica.text = held_.certificate;
      certificates_[replica.text] = *next;
    }
  }
  void observe() {
    std::map<std::string, TimePoint> still;
    const Bundle other = read_bundle(configurations_[1]).value_or(Bundle{});
    for (const Authority& one : read_bundle(configurations_[0]).value_or(Bundle{})) {
      if (!holds(other, one.facts.fingerprint)) continue;
      const auto known = since_.find(one.facts.fingerprint);
      still[one.facts.fingerprint] = known == since_.end() ? now_ : known->second;
    }
    since_ = std::move(still);
    if (held_.authority_key != key_) {
      key_ = held_.authority_key;
      key_since_ = now_;
    }
  }
  Observation seen() const {
    Bundle all;
    for (const std::string& bundle :
         std::set<std::string>{configurations_[0], configurations_[1]}) {
      for (const Authority& one : read_bundle(bundle).value_or(Bundle{})) add_to(all, one);
    }
    Observation result;
    for (const Authority& one : all) {
      const auto known = since_.find(one.facts.fingerprint);
      result.published.push_back(
          {one, known == since_.end() ? std::optional<milliseconds>{}
                                      : std::chrono::floor<milliseconds>(now_ - known->second)});
    }
    result.settled_for = std::chrono::floor<milliseconds>(now_ - key_since_);
    return result;
  }

  const RotationOptions options_{.names = {kHost}, .ca_duration = 3h, .cert_duration = 1h};
  TimePoint now_ = kNow;
  Holding held_;
  std::array<std::string, 2> configurations_;
  std::array<Copy, 2> clients_;
  std::array<Copy, 3> replicas_;
  std::map<std::string, std::shared_ptr<const KeyPair>> certificates_;
  std::map<std::string, TimePoint> since_;
  std::map<std::pair<std::string, std::string>, TimePoint> verified_;
  std::string key_;
  TimePoint key_since_ = kNow;
};

}  // namespace

TEST_CASE("A9: whoever dies or lags, what a client trusts verifies what a replica serves") {
  CHECK(rc::check([] {
    World world;
    const auto actions = *rc::gen::container<std::vector<std::pair<int, int>>>(
        60, rc::gen::pair(rc::gen::inRange(0, 24), rc::gen::inRange(0, 1'000)));
    for (const auto& [action, number] : actions) {
      const auto which = static_cast<std::size_t>(number);
      switch (action) {
        case 0:
          world.lead(number % 3);  // and dies
          break;
        case 1:
          world.forget();  // another leads
          break;
        case 2:
          world.wish();
          break;
        case 3:
          if (number % 4 == 0) world.delete_secret();
          break;
        case 4:
          world.break_by_hand(which, number % 2 == 0 ? "" : "hello");
          break;
        case 5:
        case 6:
          world.client_sees(which);
          break;
        case 7:
        case 8:
          world.replica_follows(which);
          break;
        default:
          world.lead();
          world.pass(std::chrono::seconds(number * 60 / 1'000));
      }
      world.check();
    }
  }));
}
