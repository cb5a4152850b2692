#include "certs/rotation.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace belay::certs {
namespace {

using std::chrono::milliseconds;

/// Looking more often than this serves nobody, whatever the clock says.
constexpr milliseconds kSoonest{200};
/// Something is not published everywhere yet; the caller is about to do so.
constexpr milliseconds kUnpublished{1'000};
constexpr milliseconds kLatest{std::chrono::hours{1}};

constexpr std::string_view kRenewAuthority = "ca";
constexpr std::string_view kRenewLeaf = "certificate";

/// An authority's name tells people apart what they see in two bundles.
std::string authority_name(TimePoint now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const std::size_t size =
      std::strftime(text.data(), text.size(), "belay CA %Y-%m-%d %H:%M:%S", &parts);
  return {text.data(), size};
}

/// An address in the one form in which certificates are read back.
std::string canonical_name(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, name.c_str(), bytes.data()) == 1) {
      return inet_ntop(family, bytes.data(), text.data(), text.size());
    }
  }
  return name;
}

bool same_names(const std::vector<std::string>& one, const std::vector<std::string>& other) {
  const auto all = [](const std::vector<std::string>& names) {
    std::set<std::string> result;
    for (const std::string& name : names) result.insert(canonical_name(name));
    return result;
  };
  return all(one) == all(other);
}

/// The authority of `bundle` whose key this is, or nullptr.
const Authority* owner_of(const Bundle& bundle, const std::string& key) {
  const auto found = std::ranges::find_if(bundle, [&](const Authority& authority) {
    return KeyPair::from_pem(authority.pem, key).has_value();
  });
  return found == bundle.end() ? nullptr : &*found;
}

class Planner {
 public:
  Planner(const Holding& held, const Observation& seen, const RotationOptions& options,
          TimePoint now)
      : seen_(seen), options_(options), now_(now), look_at_(now + kLatest) {
    plan_.holding = held;
  }

  std::expected<Plan, Error> run() {
    const Holding held = plan_.holding;
    read();
    if (auto made = ensure_next(); !made) return std::unexpected(made.error());
    auto issued = next_ && may_issue(*next_) ? promote() : ensure_leaf();
    if (!issued) return std::unexpected(issued.error());
    retire();
    Holding& holding = plan_.holding;
    holding.authorities = bundle_pem(bundle_);
    // A renewed authority brings a new leaf, so a wish for both is one.
    if (holding.renew != kRenewAuthority && holding.renew != kRenewLeaf) holding.renew.clear();
    if (plan_.reason.empty() && holding != held)
      plan_.reason = "certificates that are no longer valid were removed";
    plan_.look_in = std::clamp(std::chrono::ceil<milliseconds>(look_at_ - now_), kSoonest, kLatest);
    return std::move(plan_);
  }

 private:
  void read() {
    Holding& holding = plan_.holding;
    if (auto bundle = read_bundle(holding.authorities)) bundle_ = std::move(*bundle);
    drop_expired(bundle_);
    if (const Authority* found = owner_of(bundle_, holding.authority_key)) current_ = *found;

    auto pair = KeyPair::from_pem(holding.certificate, holding.key);
    if (pair) leaf_ = std::move(*pair);
    if (!leaf_) leaf_problem_ = pair.error().message;
    signed_by_current_ = leaf_ && current_ && is_signed_by(holding.certificate, current_->pem);
    // Whatever clients trust may be what a replica still serves by: the bundle lost it, so it
    // comes back.
    if (!signed_by_current_) {
      Bundle published;
      for (const PublishedAuthority& one : seen_.published) add_to(published, one.authority);
      drop_expired(published);
      for (const Authority& one : published) add_to(bundle_, one);
    }

    if (auto next = read_bundle(holding.next_authority); next && next->size() == 1) {
      const Authority& authority = next->front();
      if (validity(authority.facts, now_) == Validity::kValid &&
          KeyPair::from_pem(authority.pem, holding.next_authority_key)) {
        next_ = authority;
      }
    }
    if (!next_) clear_next();
  }

  void drop_expired(Bundle& bundle) const {
    std::erase_if(bundle, [this](const Authority& authority) {
      return validity(authority.facts, now_) == Validity::kExpired;
    });
  }

  void clear_next() {
    next_.reset();
    plan_.holding.next_authority.clear();
    plan_.holding.next_authority_key.clear();
  }

  /// Why the authority has to be followed by another; "" where it has not.
  std::string authority_reason() const {
    const Holding& holding = plan_.holding;
    if (holding.authorities.empty() && holding.authority_key.empty()) {
      return "there was none";
    }
    if (!current_) return "no valid CA has a key";
    if (validity(current_->facts, now_) == Validity::kNotYet) return "the CA is not valid yet";
    if (holding.renew == kRenewAuthority) return "a new one was requested";
    if (now_ >= due_at(current_->facts)) return "two thirds of its validity are over";
    return "";
  }

  /// Step 1.
  std::expected<void, Error> ensure_next() {
    if (!next_) {
      const std::string reason = authority_reason();
      if (reason.empty()) {
        look_at_ = std::min(look_at_, due_at(current_->facts));
        return {};
      }
      auto made = create_authority(authority_name(now_), now_, options_.ca_duration);
      if (!made) return std::unexpected(made.error());
      auto read = read_bundle(made->certificate);
      if (!read) return std::unexpected(read.error());
      next_ = std::move(read->front());
      plan_.holding.next_authority = std::move(made->certificate);
      plan_.holding.next_authority_key = std::move(made->key);
      say("a new CA was created, because " + reason);
    }
    add_to(bundle_, *next_);
    return {};
  }

  const PublishedAuthority* published(const Authority& authority) const {
    const auto found = std::ranges::find_if(seen_.published, [&](const PublishedAuthority& one) {
      return one.authority.facts.fingerprint == authority.facts.fingerprint;
    });
    return found == seen_.published.end() ? nullptr : &*found;
  }

  /// Whether clients trust what this authority issues, or there is no trust that could be lost.
  bool may_issue(const Authority& authority) {
    const bool any_trusted = std::ranges::any_of(seen_.published, [this](const auto& one) {
      return validity(one.authority.facts, now_) != Validity::kExpired;
    });
    if (!any_trusted) return true;
    const PublishedAuthority* const seen = published(authority);
    if (seen != nullptr && seen->everywhere_for >= options_.overlap) return true;
    const bool everywhere = seen != nullptr && seen->everywhere_for;
    plan_.waiting = everywhere ? "the new CA is published; waiting until every "
                                 "API server has seen it"
                               : "waiting until the new CA is published in the "
                                 "webhook configurations";
    look_at_ = std::min<TimePoint>(
        look_at_, now_ + (everywhere ? options_.overlap - *seen->everywhere_for : kUnpublished));
    return false;
  }

  std::expected<void, Error> issue(const Authority& authority, const std::string& key,
                                   const std::string& reason) {
    auto made = issue_leaf({.certificate = authority.pem, .key = key}, options_.names, now_,
                           options_.cert_duration);
    if (!made) return std::unexpected(made.error());
    Holding& holding = plan_.holding;
    holding.certificate = std::move(made->certificate);
    holding.key = std::move(made->key);
    if (holding.renew == kRenewLeaf) holding.renew.clear();
    auto pair = KeyPair::from_pem(holding.certificate, holding.key);
    if (!pair) return std::unexpected(pair.error());
    leaf_ = std::move(*pair);
    say("a certificate was issued, because " + reason);
    look_at_ = std::min(look_at_, due_at(leaf_->leaf()));
    return {};
  }

  /// Step 2.
  std::expected<void, Error> promote() {
    Holding& holding = plan_.holding;
    holding.authority_key = holding.next_authority_key;
    if (auto done = issue(*next_, holding.authority_key, "the CA is new"); !done) {
      return done;
    }
    // The one that issues comes first, for people who read the bundle.
    const auto place = std::ranges::find_if(bundle_, [this](const Authority& authority) {
      return authority.facts.fingerprint == next_->facts.fingerprint;
    });
    std::rotate(bundle_.begin(), place, std::next(place));
    current_ = *next_;
    signed_by_current_ = true;
    promoted_ = true;
    clear_next();
    holding.renew.clear();
    return {};
  }

  /// Why the certificate has to be issued again; "" where it is good.
  std::string leaf_reason() const {
    const Holding& holding = plan_.holding;
    if (holding.certificate.empty() && holding.key.empty()) return "there was none";
    if (!leaf_) return leaf_problem_;
    if (!signed_by_current_) return "the old one was not signed by the CA";
    if (!same_names(leaf_->leaf().names, options_.names)) return "its names changed";
    if (leaf_->validity(now_) == Validity::kNotYet) return "the old one was not valid yet";
    if (leaf_->validity(now_) == Validity::kExpired) return "the old one had expired";
    if (holding.renew == kRenewLeaf) return "a new one was requested";
    // Near the authority's end a new leaf would last no longer than the old one.
    const bool longer = std::min<TimePoint>(now_ + options_.cert_duration,
                                            current_->facts.not_after) > leaf_->leaf().not_after;
    if (longer && now_ >= due_at(leaf_->leaf()))
      return "two thirds of the old one's validity are over";
    return "";
  }

  std::expected<void, Error> ensure_leaf() {
    if (!current_ || validity(current_->facts, now_) != Validity::kValid) return {};
    const std::string reason = leaf_reason();
    if (reason.empty()) {
      if (const TimePoint due = due_at(leaf_->leaf()); due > now_) {
        look_at_ = std::min(look_at_, due);
      }
      return {};
    }
    // An expired leaf of ours is what all replicas serve: nothing can be lost.
    const bool dead = signed_by_current_ && leaf_->validity(now_) == Validity::kExpired;
    if (!dead && !may_issue(*current_)) return {};
    if (auto done = issue(*current_, plan_.holding.authority_key, reason); !done) return done;
    signed_by_current_ = true;
    return {};
  }

  /// Step 3.
  void retire() {
    if (!current_ || !signed_by_current_) return;
    const auto is_old = [this](const Authority& authority) {
      const std::string& fingerprint = authority.facts.fingerprint;
      return fingerprint != current_->facts.fingerprint &&
             (!next_ || fingerprint != next_->facts.fingerprint);
    };
    if (std::ranges::none_of(bundle_, is_old)) return;
    const milliseconds wait = options_.overlap * kRetireAfterOverlaps;
    const milliseconds settled = promoted_ ? milliseconds{0} : seen_.settled_for;
    if (settled < wait) {
      look_at_ = std::min<TimePoint>(look_at_, now_ + (wait - settled));
      return;
    }
    std::erase_if(bundle_, is_old);
    say("the old CA was removed from the bundle, because no replica serves a certificate from it");
  }

  void say(const std::string& sentence) {
    plan_.reason += (plan_.reason.empty() ? "" : "; ") + sentence;
  }

  const Observation& seen_;
  const RotationOptions& options_;
  const TimePoint now_;
  TimePoint look_at_;
  Plan plan_;

  Bundle bundle_;
  std::optional<Authority> current_;  ///< the one that issues: its key is ours
  std::optional<Authority> next_;
  std::shared_ptr<const KeyPair> leaf_;
  std::string leaf_problem_;  ///< where leaf_ is nullptr
  bool signed_by_current_ = false;
  bool promoted_ = false;
};

}  // namespace

TimePoint due_at(const CertificateFacts& certificate) {
  const auto span = certificate.not_after - certificate.not_before;
  const auto life = span > kBackdate ? span - kBackdate : span;
  return certificate.not_after - life / 3;
}

std::expected<Plan, Error> plan_rotation(const Holding& held, const Observation& seen,
                                         const RotationOptions& options, TimePoint now) {
  return Planner(held, seen, options, now).run();
}

std::expected<std::shared_ptr<const KeyPair>, Error> pair_to_serve(const Holding& held,
                                                                   const KeyPair* in_force,
                                                                   TimePoint now) {
  if (held.certificate.empty() && held.key.empty()) {
    return std::unexpected(Error{"it contains no certificate"});
  }
  auto pair = KeyPair::from_pem(held.certificate, held.key);
  if (!pair) return pair;
  const auto bundle = read_bundle(held.authorities);
  if (!bundle) return std::unexpected(Error{"ca.crt " + bundle.error().message});
  if (issuer_of(*bundle, held.certificate) == nullptr) {
    return std::unexpected(Error{"no CA in ca.crt signed tls.crt"});
  }
  if (in_force != nullptr && in_force->validity(now) == Validity::kValid &&
      (*pair)->validity(now) != Validity::kValid) {
    return std::unexpected(Error{(*pair)->validity(now) == Validity::kExpired
                                     ? "its certificate has expired"
                                     : "its certificate is not valid yet"});
  }
  return pair;
}

}  // namespace belay::certs
