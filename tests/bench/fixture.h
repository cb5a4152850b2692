// What benchmarks evaluate: the reviews of reviews.py and policies made of text. Read once at
// start; a benchmark that finds no review ends with a message. Single-threaded.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "policy/policy.h"

namespace belay::bench {

/// A file's text; ends the program with a message where it cannot be read.
std::string read_file(const std::string& path);

/// tests/bench/data/policy.yaml, as it stands.
policy::PolicySet one_policy();

/// One that refuses every image of the reviews.
policy::PolicySet refusing_policy();

/// The policy of one_policy(), and tags are pinned.
policy::PolicySet pinning_policy();

/// What keeps a policy from a namespace.
enum class Narrowed { kByName, kByLabel };

/// `applying` policies of that kind that match the benchmark's namespace, and `others` that do not.
/// Narrowed by label, all of them select by one.
policy::PolicySet many_policies(std::size_t applying, std::size_t others, Narrowed narrowed);

/// The labels of the benchmark's namespace.
std::span<const policy::Label> namespace_labels();

/// A fixed day, so that runs are alike.
std::chrono::year_month_day today();

}  // namespace belay::bench
