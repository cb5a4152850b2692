// What registries must be asked for one request, and what came back. Owns all its texts, so that it
// outlives the body of the request: workers fill it while the request waits.
//
// Plain values and pure functions around an ImageSource; thread-safe where the source is.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "policy/registry_facts.h"
#include "policy/workload.h"
#include "webhook/admission/image_source.h"

namespace belay::webhook::admission {

struct ImageInquiry {
  /// One image text; equal texts of a pod are asked about once.
  struct Item {
    std::string image;
    bool digest = false, metadata = false, record = false;  ///< as in policy::ImageNeed
    policy::ImageFacts facts;                               ///< once it is answered
  };
  std::string namespace_name, service_account;
  std::vector<std::string> pull_secrets;
  std::vector<Item> items;

  void clear();
};

/// The pull identity of a pod; borrows from the workload. `identity` keeps its capacity.
void identify(const policy::Workload& workload, PullIdentity& identity);

/// Fills `facts`, one entry an image of the workload, for what is needed: from `learned` where the
/// image was asked about, else from what `source` knows. What is known of neither goes into
/// `wanted` (cleared first), or, where `learned` is there, becomes a problem: nothing is asked for
/// twice.
/// \param source   nullptr: every need is a problem, that no registries are listed
/// \param learned  nullptr where nobody asked yet
void gather(ImageSource* source, const PullIdentity& identity, const policy::Workload& workload,
            std::span<const policy::ImageNeed> needs, const ImageInquiry* learned,
            std::vector<policy::ImageFacts>& facts, ImageInquiry& wanted);

/// Asks for one item, until `deadline` at most. Blocks; lets no exception out.
policy::ImageFacts ask_one(ImageSource& source, const ImageInquiry& inquiry,
                           const ImageInquiry::Item& item,
                           std::chrono::steady_clock::time_point deadline);

/// The facts of an image that nobody could ask about in time.
policy::ImageFacts not_in_time(const ImageInquiry::Item& item);

}  // namespace belay::webhook::admission
