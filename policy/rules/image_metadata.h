// What an image lacks of the labels and the age that a policy asks for, platform by platform. Pure;
// thread-safe. Everything in the metadata was written by whoever pushed the image, so it is quoted
// and cut wherever it is shown.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/registry_facts.h"

namespace belay::policy {

/// One thing that an image lacks, in the parts of a finding.
struct Shortcoming {
  std::string problem;
  std::string fix;
};

/// \param metadata  of at least one platform
/// \param now  for the age
/// \return what the image lacks, in the order of the policy's labels, its age last; nothing where
///     it has all. With platforms `any`: what the platform lacks that comes closest.
std::vector<Shortcoming> shortcomings(const ImageLabelsSettings& settings,
                                      const ImageMetadata& metadata, std::chrono::sys_seconds now);

}  // namespace belay::policy
