// Caches, single flight and the order of credentials around RegistryReader.
#include "webhook/registry/resolver.h"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "webhook/registry/answer_cache.h"
#include "webhook/registry/image_metadata.h"
#include "webhook/registry/single_flight.h"
#include "webhook/system/worker_pool.h"

namespace belay::webhook::registry {
namespace {

using Digest = Asked<std::string>;
using Metadata = std::shared_ptr<const policy::ImageMetadata>;

constexpr std::size_t kWaitingRefreshes = 64;
constexpr std::size_t kMostRefreshes = 1'024;
constexpr std::chrono::seconds kRefreshTime{5};
constexpr std::chrono::seconds kRefreshPause{2};

std::string cache_key_of(const ImageName& image, const Credential& credential,
                         std::string_view what) {
  return cache_key(credential.identity, image.registry, image.repository, what);
}

/// An answer about the image and the credential, not about the registry's health: believed a while.
bool is_negative(Failure failure) {
  return failure == Failure::kNotFound || failure == Failure::kUnauthorized;
}

/// Whoever asked had less time, or no room.
bool ran_out(Failure failure) { return failure == Failure::kTimeout || failure == Failure::kBusy; }

const std::vector<Credential>& or_anonymous(const std::vector<Credential>& credentials) {
  static const std::vector<Credential> kAnonymous(1);
  return credentials.empty() ? kAnonymous : credentials;
}

}  // namespace

class Resolver::Impl {
 public:
  Impl(RegistryReader& reader, const ResolverOptions& options, Now now)
      : reader_(reader),
        options_(options),
        now_(now),
        digests_(options.max_bytes / 4, options.max_entries),
        metadata_(options.max_bytes / 2, options.max_entries),
        parts_(reader, options.max_bytes / 4, options.max_entries),
        refreshers_("refresher", options.refreshers, kWaitingRefreshes) {}

  std::optional<Digest> known(const ImageName& image, const std::vector<Credential>& credentials,
                              Renew renew) {
    std::optional<Digest> answer;
    for (const Credential& credential : or_anonymous(credentials)) {
      answer = known_for(image, credential, cache_key_of(image, credential, image.tag), renew);
      if (!answer || *answer) return answer;
    }
    return answer;
  }

  Digest digest(const ImageName& image, const std::vector<Credential>& credentials,
                Clock::time_point deadline) {
    return first_that_may<Digest>(credentials, [&](const Credential& credential) {
      return digest_for(image, credential, deadline);
    });
  }

  Metadata known_metadata(const ImageName& image, const std::vector<Credential>& credentials) {
    for (const Credential& credential : or_anonymous(credentials)) {
      const auto found = metadata_.find(cache_key_of(image, credential, image.digest));
      if (found && now_() - found->said < options_.attached) return found->value;
    }
    return nullptr;
  }

  Asked<Metadata> metadata(const ImageName& image, const std::vector<Credential>& credentials,
                           Clock::time_point deadline) {
    return first_that_may<Asked<Metadata>>(credentials, [&](const Credential& credential) {
      return metadata_for(image, credential, deadline);
    });
  }

  CacheFigures figures() const {
    return {.hits = hits_,
            .stale_hits = stale_hits_,
            .misses = misses_,
            .joined = joined_,
            .evicted = digests_.evicted() + metadata_.evicted() + parts_.kept().evicted(),
            .entries = digests_.size() + metadata_.size() + parts_.kept().size(),
            .bytes = digests_.bytes() + metadata_.bytes() + parts_.kept().bytes()};
  }

 private:
  using Counter = std::atomic<std::uint64_t>;
  static void count(Counter& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

  /// The answer of the first credential that is shown the image; else the last refusal.
  template <class Answer, class Ask>
  static Answer first_that_may(const std::vector<Credential>& credentials, const Ask& ask) {
    const auto& all = or_anonymous(credentials);
    for (std::size_t i = 0;; ++i) {
      Answer answer = ask(all[i]);
      if (answer || !is_negative(answer.error().failure) || i + 1 == all.size()) return answer;
    }
  }

  /// What is believed still.
  std::optional<Digest> known_for(const ImageName& image, const Credential& credential,
                                  const std::string& key, Renew renew) {
    auto found = digests_.find(key);
    if (!found) return std::nullopt;
    const auto age = now_() - found->said;
    const bool good = found->value.has_value();
    if (age >= (good ? options_.stale : options_.negative)) return std::nullopt;
    const bool fresh = !good || age < options_.fresh;
    count(fresh ? hits_ : stale_hits_);
    if (!fresh && renew == Renew::kYes) refresh(image, credential);
    return std::move(found->value);
  }

  Digest digest_for(const ImageName& image, const Credential& credential,
                    Clock::time_point deadline) {
    const std::string key = cache_key_of(image, credential, image.tag);
    if (auto known = known_for(image, credential, key, Renew::kYes)) return std::move(*known);
    auto answer = digest_flights_.run(
        key, deadline, [&] { return fetch_digest(image, credential, key, deadline); },
        [](const Digest& other) { return !other && ran_out(other.error().failure); },
        [&] { count(joined_); });
    return answer ? std::move(*answer)
                  : Digest(std::unexpected(error_of(image.registry, Failure::kTimeout)));
  }

  Digest fetch_digest(const ImageName& image, const Credential& credential, const std::string& key,
                      Clock::time_point deadline) {
    const auto asked = now_();
    // Another's request may have been answered since we looked.
    if (auto found = digests_.find(key);
        found && asked - found->said < (found->value ? options_.fresh : options_.negative)) {
      return std::move(found->value);
    }
    count(misses_);
    Digest answer =
        reader_.digest({image.registry, image.repository, credential}, image.tag, deadline);
    if (answer || is_negative(answer.error().failure)) {
      const std::size_t bytes = answer ? answer->size() : answer.error().message.size();
      digests_.put(key, answer, bytes, asked);
    }
    return answer;
  }

  /// Asks anew behind everybody's back; what is known stays where that fails.
  void refresh(const ImageName& image, const Credential& credential) {
    const std::string key = cache_key_of(image, credential, image.tag);
    if (!may_refresh(key)) return;
    (void)refreshers_.submit([this, image, credential, key] {
      const auto found = digests_.find(key);
      if (found && now_() - found->said < options_.fresh) return;  // somebody was quicker
      const auto deadline = Clock::now() + kRefreshTime;
      (void)digest_flights_.run(
          key, Clock::now(), [&] { return fetch_digest(image, credential, key, deadline); },
          [](const Digest&) { return false; }, [] {});
    });
  }

  /// One of all who find a digest stale has it renewed; where that fails, another one a while
  /// later.
  bool may_refresh(const std::string& key) {
    const auto now = now_();
    const std::lock_guard lock(refresh_mutex_);
    if (refresh_from_.size() > kMostRefreshes) {
      std::erase_if(refresh_from_, [now](const auto& entry) { return entry.second <= now; });
      if (refresh_from_.size() > kMostRefreshes) return false;
    }
    auto& from = refresh_from_.try_emplace(key, now).first->second;
    if (now < from) return false;
    from = now + kRefreshPause;
    return true;
  }

  Asked<Metadata> metadata_for(const ImageName& image, const Credential& credential,
                               Clock::time_point deadline) {
    const std::string key = cache_key_of(image, credential, image.digest);
    const auto found = metadata_.find(key);
    if (found && now_() - found->said < options_.attached) return found->value;
    auto answer = metadata_flights_.run(
        key, deadline,
        [&] {
          return fetch_metadata(image, credential, key, found ? found->value : nullptr, deadline);
        },
        [](const Asked<Metadata>& other) { return !other && ran_out(other.error().failure); },
        [] {});
    return answer ? std::move(*answer)
                  : Asked<Metadata>(std::unexpected(error_of(image.registry, Failure::kTimeout)));
  }

  /// \param before  whose platforms hold still, or nullptr
  Asked<Metadata> fetch_metadata(const ImageName& image, const Credential& credential,
                                 const std::string& key, const Metadata& before,
                                 Clock::time_point deadline) {
    const Place place{image.registry, image.repository, credential};
    const auto asked = now_();
    policy::ImageMetadata metadata;
    if (before != nullptr) {
      metadata.platforms = before->platforms;
    } else {
      auto platforms = parts_.platforms(place, image.digest, deadline);
      if (!platforms) return std::unexpected(platforms.error());
      metadata.platforms = std::move(*platforms);
    }
    auto attached = parts_.attached(place, image.digest, deadline);
    if (!attached) return std::unexpected(attached.error());
    metadata.attached = std::move(*attached);
    const std::size_t bytes = bytes_of(metadata);
    Metadata shared = std::make_shared<const policy::ImageMetadata>(std::move(metadata));
    metadata_.put(key, shared, bytes, asked);
    return shared;
  }

  RegistryReader& reader_;
  const ResolverOptions options_;
  const Now now_;
  AnswerCache<Digest> digests_;
  AnswerCache<Metadata, 4> metadata_;
  MetadataReader parts_;
  SingleFlight<Digest> digest_flights_;
  SingleFlight<Asked<Metadata>> metadata_flights_;
  std::mutex refresh_mutex_;
  std::map<std::string, Clock::time_point> refresh_from_;  ///< guarded by refresh_mutex_
  Counter hits_{0}, stale_hits_{0}, misses_{0}, joined_{0};
  WorkerPool refreshers_;  ///< last: its threads end first
};

Resolver::Resolver(RegistryReader& reader, ResolverOptions options, Now now)
    : impl_(std::make_unique<Impl>(reader, options, now)) {}
Resolver::~Resolver() = default;

std::optional<std::string> Resolver::known_digest(
    const ImageName& image, const std::vector<Credential>& credentials) const {
  auto answer = impl_->known(image, credentials, Renew::kNo);
  if (!answer || !*answer) return std::nullopt;
  return std::move(**answer);
}
std::optional<std::expected<std::string, RegistryError>> Resolver::known(
    const ImageName& image, const std::vector<Credential>& credentials, Renew renew) const {
  return impl_->known(image, credentials, renew);
}
std::expected<std::string, RegistryError> Resolver::digest(
    const ImageName& image, const std::vector<Credential>& credentials,
    Clock::time_point deadline) {
  return impl_->digest(image, credentials, deadline);
}
std::shared_ptr<const policy::ImageMetadata> Resolver::known_metadata(
    const ImageName& image, const std::vector<Credential>& credentials) const {
  return impl_->known_metadata(image, credentials);
}
std::expected<std::shared_ptr<const policy::ImageMetadata>, RegistryError> Resolver::metadata(
    const ImageName& image, const std::vector<Credential>& credentials,
    Clock::time_point deadline) {
  return impl_->metadata(image, credentials, deadline);
}
CacheFigures Resolver::figures() const { return impl_->figures(); }

}  // namespace belay::webhook::registry
