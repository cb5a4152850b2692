// What to do next with a serving certificate and its authority that several replicas share: a pure
// function from what is held and seen to what should be held. No clock, no network, no state but
// what the holding says, so whoever leads goes on from wherever the one before stopped.
//
// The rule that everything follows from: no certificate is issued by an authority that clients have
// not been seen to trust for `overlap`, and no authority leaves the bundle while a replica may
// serve a certificate of it. A change of authority therefore goes in steps:
//
//   1. a new authority is made and stands in the bundle beside the old one ("next");
//   2. once every client was told of it, and `overlap` has passed, it issues the certificate;
//   3. once no replica can serve a certificate of the old one, that leaves the bundle.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "certs/authority.h"
#include "certs/bundle.h"
#include "certs/key_pair.h"

namespace belay::certs {

/// What is kept between the steps: PEM texts, "" for what is not there.
struct Holding {
  std::string certificate;         ///< what replicas serve
  std::string key;                 ///< of `certificate`
  std::string authorities;         ///< the bundle that clients should trust
  std::string authority_key;       ///< of the one in `authorities` that issues
  std::string next_authority;      ///< between steps 1 and 2
  std::string next_authority_key;  ///< between steps 1 and 2
  /// A person's wish, cleared when it is fulfilled: "ca" or "certificate" to renew before its time.
  std::string renew;

  bool operator==(const Holding&) const = default;
};

/// An authority that some client trusts now.
struct PublishedAuthority {
  Authority authority;
  /// For how long the caller has seen all clients' bundles hold it; nothing where one does not.
  std::optional<std::chrono::milliseconds> everywhere_for;
};

/// What the caller saw, measured by its own steady clock: who begins to lead begins at zero, which
/// delays a step and never hurries one.
struct Observation {
  std::vector<PublishedAuthority> published;  ///< empty: no client trusts anything of ours
  /// For how long the holding has had the same authority_key.
  std::chrono::milliseconds settled_for{0};
};

struct RotationOptions {
  std::vector<std::string> names;  ///< of the certificate; at least one
  std::chrono::seconds ca_duration = kDefaultCaDuration;
  std::chrono::seconds cert_duration = kDefaultCertDuration;
  /// How long a client may take to learn of a published bundle.
  std::chrono::seconds overlap{60};
};

/// An old authority leaves the bundle so many overlaps after the last certificate of it: a replica
/// learns of a new one within seconds, unless its connection is half open.
inline constexpr int kRetireAfterOverlaps = 10;

struct Plan {
  Holding holding;      ///< what to keep from now on; its `authorities` are what to publish
  std::string reason;   ///< what changes and why, as a sentence; "" where nothing does
  std::string waiting;  ///< what is put off, as a sentence; "" where nothing is
  std::chrono::milliseconds look_in{0};  ///< when there may be more to do, at the latest
};

/// Two thirds of the life that a certificate of ours was issued for, the backdated hour apart.
TimePoint due_at(const CertificateFacts& certificate);

/// \return the plan, or why no certificate can be issued (names that are none).
std::expected<Plan, Error> plan_rotation(const Holding& held, const Observation& seen,
                                         const RotationOptions& options, TimePoint now);

/// The pair that a replica should serve instead of `in_force` (nullptr for none).
/// \return why it should not: the pair does not read or fit, no authority of the bundle signed it,
///         or it has expired and the one in force has not.
std::expected<std::shared_ptr<const KeyPair>, Error> pair_to_serve(const Holding& held,
                                                                   const KeyPair* in_force,
                                                                   TimePoint now);

}  // namespace belay::certs
