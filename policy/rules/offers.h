// What rules would accept in place of what they refuse, in parts. remedy.cpp puts the parts
// together and tries the results on all rules, so an offer may be too generous: what it costs is a
// try.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/fix.h"

namespace belay::policy {

/// More of one kind are not tried.
inline constexpr std::size_t kMaxOffers = 16;

/// Parts of images; all may have gaps (gaps.h).
struct ImageOffers {
  /// A repository in two parts: "registry.corp:5000/", "<repository>".
  struct Repository {
    std::string front;
    std::string last;
  };
  /// What comes before the last part of a repository, and what is taken off it first.
  struct NamePrefix {
    std::string text;
    std::string drop;
  };
  std::vector<Repository> repositories;
  std::vector<NamePrefix> name_prefixes;
  std::vector<std::string> tags;
  std::vector<std::string> tag_prefixes;
  std::vector<std::string> tag_suffixes;
  bool digest = false;  ///< a digest after the tag is wanted
};

struct LabelOffers {
  struct Value {
    std::string text;    ///< may have gaps
    std::string sample;  ///< with the gaps filled; "" where nothing that fits is known
  };
  std::vector<Value> values;

  void add(std::string_view value) { values.push_back({std::string(value), std::string(value)}); }
};

}  // namespace belay::policy
