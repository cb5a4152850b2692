// Words that the texts of findings are made of. Pure.
#include "policy/rules/words.h"

#include <algorithm>
#include <vector>

namespace belay::policy {

namespace {

constexpr std::size_t kMaxWords = 8;

}  // namespace

std::string one_of(std::span<const std::string> words) {
  const std::size_t shown = std::min(words.size(), kMaxWords);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  if (shown < words.size()) text += " and " + std::to_string(words.size() - shown) + " more";
  return text;
}

std::string one_of(std::span<const RepositoryGlob> globs) {
  std::vector<std::string> patterns;
  patterns.reserve(globs.size());
  for (const RepositoryGlob& glob : globs) patterns.push_back(glob.pattern());
  return one_of(patterns);
}

}  // namespace belay::policy
