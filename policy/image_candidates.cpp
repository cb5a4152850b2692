// Images that may take the place of one that is refused. Pure.
#include "policy/image_candidates.h"

#include <algorithm>
#include <span>
#include <utility>

#include "policy/gaps.h"
#include "policy/image_reference.h"

namespace belay::policy {

namespace {

constexpr std::size_t kMaxCandidates = 64;
constexpr std::size_t kMaxNames = 12;
constexpr std::size_t kMaxTags = 24;
constexpr std::size_t kMaxEnds = 3;  ///< prefixes, and suffixes, of a tag

struct Name {
  std::string text;
  bool is_own = false;  ///< the repository that the user wrote, with another prefix at most
};

template <class T>
void add_candidate(std::vector<T>& list, T value, std::size_t max) {
  if (list.size() < max && std::ranges::find(list, value) == list.end()) {
    list.push_back(std::move(value));
  }
}

std::string prefixed(const ImageOffers::Repository& repository,
                     const ImageOffers::NamePrefix& prefix) {
  std::string_view last = repository.last;
  if (last.size() > prefix.drop.size() && last.starts_with(prefix.drop)) {
    last.remove_prefix(prefix.drop.size());
  }
  std::string name = repository.front;
  if (!last.starts_with(prefix.text)) name += prefix.text;
  return name.append(last);
}

std::vector<Name> names(std::string_view repository, RepositoryUse use, const ImageOffers& offers) {
  std::vector<Name> all;
  const auto add = [&](const ImageOffers::Repository& offered, bool is_own) {
    const auto plain = [&] {
      if (all.size() < kMaxNames) all.push_back({offered.front + offered.last, is_own});
    };
    if (is_own && use == RepositoryUse::kMayStay) plain();
    for (const auto& prefix : offers.name_prefixes) {
      if (all.size() < kMaxNames) all.push_back({prefixed(offered, prefix), is_own});
    }
    if (!is_own) plain();
  };
  if (const auto reference = parse_image_reference(repository);
      reference && use != RepositoryUse::kMayNotStay) {
    const std::string_view last = reference->last_segment();
    const std::string_view front = repository.substr(0, repository.size() - last.size());
    add({std::string(front), std::string(last)}, true);
  }
  for (const auto& offered : offers.repositories) add(offered, false);
  if (all.empty() || repository.empty()) add({{}, std::string(kRepositoryGap)}, false);
  return all;
}

/// The first few of the ends of tags, and none at last.
std::vector<std::string_view> ends(const std::vector<std::string>& offered) {
  std::vector<std::string_view> all;
  for (const std::string& end : offered) add_candidate(all, std::string_view(end), kMaxEnds);
  all.emplace_back();
  return all;
}

std::vector<std::string> tags(const ImageOffers& offers) {
  std::vector<std::string> bodies = offers.tags;
  bodies.emplace_back(kVersionGap);
  bodies.push_back("v" + std::string(kVersionGap));
  const auto prefixes = ends(offers.tag_prefixes);
  const auto suffixes = ends(offers.tag_suffixes);
  std::vector<std::string> all;
  for (const std::string& body : bodies) {
    for (const std::string_view prefix : prefixes) {
      for (const std::string_view suffix : suffixes) {
        std::string tag;
        if (!body.starts_with(prefix)) tag = prefix;
        tag += body;
        if (!tag.ends_with(suffix)) tag += suffix;
        add_candidate(all, std::move(tag), kMaxTags);
      }
    }
  }
  return all;
}

}  // namespace

std::string repository_in(const RefusedImage& image) {
  const auto name_in = [](std::string_view text) {
    const auto reference = parse_image_reference(text);
    return reference ? std::string(reference->written_name()) : std::string();
  };
  std::string name = name_in(image.text);
  for (const std::string& proposal : image.proposals) {
    if (!name.empty()) break;
    name = name_in(sample_text(proposal));
    if (!proposal.starts_with(name)) name.clear();  // it has gaps
  }
  // What is wrong may be the digest or the tag alone.
  const std::string_view tagged = image.text.substr(0, image.text.find('@'));
  if (name.empty()) name = name_in(tagged);
  const std::size_t slash = tagged.rfind('/') + 1;  // 0 where there is none
  if (name.empty()) name = name_in(tagged.substr(0, tagged.find(':', slash)));
  return name;
}

std::string by_digest(const RefusedImage& image) {
  const auto reference = parse_image_reference(image.text);
  if (!reference || reference->has_digest()) return {};
  return std::string(reference->written_name()) + "@" +
         (image.known_digest.empty() ? std::string(kDigestGap) : image.known_digest);
}

std::vector<std::string> image_candidates(const RefusedImage& image, std::string_view repository,
                                          const ImageOffers& offers) {
  std::vector<std::string> all;
  const auto add = [&](std::string candidate) {
    if (candidate != image.text) add_candidate(all, std::move(candidate), kMaxCandidates);
  };
  for (const std::string& proposal : image.proposals) {
    if (!proposal.empty()) add(proposal);
  }
  const auto reference = parse_image_reference(image.text);
  // ":v1@sha256:…", as the user wrote it
  const std::string_view rest =
      reference ? image.text.substr(reference->written_name().size()) : std::string_view();
  const bool has_digest = reference && reference->has_digest();
  const std::vector<Name> all_names = names(repository, image.repository, offers);
  const std::vector<std::string> all_tags = tags(offers);
  const auto add_tags = [&](const std::string& digest) {
    for (const Name& name : all_names) {
      for (const std::string& tag : all_tags) {
        std::string text = name.text;
        add(text.append(":").append(tag).append(digest));
      }
    }
  };

  for (const Name& name : all_names) {
    if (name.is_own && reference) add(name.text + std::string(rest));
  }
  const std::string kept = has_digest ? "@" + std::string(reference->digest) : std::string();
  if (has_digest && image.same_image) add_tags(kept);
  add_tags({});
  if (offers.digest) {
    const std::string digest = "@" + std::string(kDigestGap);
    for (const Name& name : all_names) {
      if (name.is_own && reference && !has_digest) add(name.text + std::string(rest) + digest);
    }
    add_tags(digest);
  }
  if (image.digest_helps) {
    if (std::string candidate = by_digest(image); !candidate.empty()) add(std::move(candidate));
  }
  return all;
}

}  // namespace belay::policy
