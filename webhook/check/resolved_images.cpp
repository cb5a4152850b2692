// What is asked for again (a digest first, its labels later) is asked for with all of its needs.
#include "webhook/check/resolved_images.h"

#include <utility>

#include "policy/image_reference.h"

namespace belay::webhook::check {
namespace {

bool covers(const policy::ImageNeed& asked, const policy::ImageNeed& need) {
  return asked.digest >= need.digest && asked.metadata >= need.metadata &&
         asked.record >= need.record;
}

}  // namespace

bool ResolvedImages::Item::is_open() const { return !covers(asked, wanted); }

ResolvedImages::Item& ResolvedImages::want(const policy::ImageReference& reference,
                                           const policy::ImageNeed& need) {
  Item& item = items_[reference.canonical()];
  item.wanted.digest |= need.digest;
  item.wanted.metadata |= need.metadata;
  item.wanted.record |= need.record;
  return item;
}

bool ResolvedImages::known(const admission::PullIdentity& /*identity*/,
                           const admission::ImageFactRequest& question, policy::ImageFacts& facts) {
  const Item& item = want(question.reference, question.need);
  facts = item.facts;
  if (item.is_open()) facts.problem = "it was not looked up yet";
  return true;
}

std::string ResolvedImages::known_digest(const admission::PullIdentity& /*identity*/,
                                         const policy::ImageReference& reference) {
  if (!reference.has_tag() || reference.has_digest()) return "";
  policy::ImageNeed need;
  need.digest = true;
  return want(reference, need).facts.digest;
}

void ResolvedImages::ask(const admission::PullIdentity& identity,
                         const admission::ImageFactRequest& question,
                         std::chrono::steady_clock::time_point deadline,
                         policy::ImageFacts& facts) {
  source_.ask(identity, question, deadline, facts);
}

void ResolvedImages::admitted(const admission::PullIdentity& /*identity*/,
                              const policy::ImageReference& /*reference*/,
                              std::string_view /*digest*/) {}

std::size_t ResolvedImages::wanted() const {
  std::size_t count = 0;
  for (const auto& [image, item] : items_) count += item.is_open() ? 1 : 0;
  return count;
}

void ResolvedImages::ask_all(std::size_t at_once, std::chrono::milliseconds each,
                             const Progress& progress) {
  std::vector<std::pair<const std::string, Item>*> open;
  for (auto& entry : items_) {
    if (entry.second.is_open()) open.push_back(&entry);
  }
  side_by_side(
      open.size(), at_once,
      [&](std::size_t i) {
        Item& item = open[i]->second;
        policy::ImageFacts facts;
        if (const auto reference = policy::parse_image_reference(open[i]->first)) {
          source_.ask({}, {*reference, item.wanted}, std::chrono::steady_clock::now() + each,
                      facts);
        }
        item.facts = std::move(facts);
        item.asked = item.wanted;
        return item.facts.problem.empty();
      },
      progress);
}

}  // namespace belay::webhook::check
