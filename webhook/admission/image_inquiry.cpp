// From needs to facts, and to the questions that are left.
#include "webhook/admission/image_inquiry.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "policy/image_reference.h"
#include "policy/message.h"

namespace belay::webhook::admission {
namespace {

using Item = ImageInquiry::Item;

constexpr std::string_view kNoRegistries = "no registries are configured (--registries)";
constexpr std::string_view kChanged = "the policies changed during the request; try again";

Item* find(std::vector<Item>& items, std::string_view image) {
  const auto found = std::ranges::find(items, image, &Item::image);
  return found == items.end() ? nullptr : &*found;
}

const Item* find(const std::vector<Item>& items, std::string_view image) {
  const auto found = std::ranges::find(items, image, &Item::image);
  return found == items.end() ? nullptr : &*found;
}

bool covers(const Item& item, const policy::ImageNeed& need) {
  return item.digest >= need.digest && item.metadata >= need.metadata && item.record >= need.record;
}

/// Takes a need into the questions; the text of an image stands there once.
void want(std::string_view image, const policy::ImageNeed& need, ImageInquiry& wanted) {
  Item* item = find(wanted.items, image);
  if (item == nullptr) {
    item = &wanted.items.emplace_back();
    item->image = image;
  }
  item->digest |= need.digest;
  item->metadata |= need.metadata;
  item->record |= need.record;
}

}  // namespace

void ImageInquiry::clear() {
  namespace_name.clear();
  service_account.clear();
  pull_secrets.clear();
  items.clear();
}

void identify(const policy::Workload& workload, PullIdentity& identity) {
  identity.namespace_name = workload.namespace_name;
  identity.service_account = workload.pod.service_account;
  identity.pull_secrets = workload.pod.pull_secrets;
}

void gather(ImageSource* source, const PullIdentity& identity, const policy::Workload& workload,
            std::span<const policy::ImageNeed> needs, const ImageInquiry* learned,
            std::vector<policy::ImageFacts>& facts, ImageInquiry& wanted) {
  wanted.clear();
  facts.clear();
  facts.resize(workload.pod.images.size());
  for (const policy::ImageNeed& need : needs) {
    const std::string_view image = workload.pod.images.at(need.image).image;
    policy::ImageFacts& known = facts.at(need.image);
    if (source == nullptr) {
      known.problem = kNoRegistries;
      continue;
    }
    if (learned != nullptr) {
      const Item* item = find(learned->items, image);
      if (item != nullptr && covers(*item, need)) {
        known = item->facts;
        continue;
      }
    }
    const auto reference = policy::parse_image_reference(image);
    if (!reference) {  // the rules ask about none that does not parse
      known.problem = "it is not an image reference";
    } else if (!source->known(identity, {*reference, need}, known)) {
      if (learned == nullptr) {
        want(image, need, wanted);
      } else {
        known.problem = kChanged;
      }
    }
  }
  if (wanted.items.empty()) return;
  wanted.namespace_name = identity.namespace_name;
  wanted.service_account = identity.service_account;
  wanted.pull_secrets.assign(identity.pull_secrets.begin(), identity.pull_secrets.end());
}

policy::ImageFacts ask_one(ImageSource& source, const ImageInquiry& inquiry, const Item& item,
                           std::chrono::steady_clock::time_point deadline) {
  if (std::chrono::steady_clock::now() >= deadline) return not_in_time(item);
  policy::ImageFacts facts;
  try {
    const PullIdentity identity{inquiry.namespace_name,
                                inquiry.service_account,
                                {inquiry.pull_secrets.begin(), inquiry.pull_secrets.end()}};
    const policy::ImageNeed need{
        .image = 0, .digest = item.digest, .metadata = item.metadata, .record = item.record};
    if (const auto reference = policy::parse_image_reference(item.image)) {
      source.ask(identity, {*reference, need}, deadline, facts);
    }
  } catch (const std::exception&) {  // out of memory
    facts = {};
    facts.problem = "the registry could not be asked";
  }
  return facts;
}

policy::ImageFacts not_in_time(const Item& item) {
  policy::ImageFacts facts;
  const auto reference = policy::parse_image_reference(item.image);
  facts.problem = (reference ? std::string(reference->host()) : "the registry");
  facts.problem += " did not respond in time";
  return facts;
}

}  // namespace belay::webhook::admission
