// The gaps there are. Pure.
#include "policy/gaps.h"

#include <algorithm>
#include <array>

namespace belay::policy {

namespace {

/// Samples are never shown. The version is one that hardly anybody uses, so that it is recognised
/// where a rule takes it out of a tag.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kGaps{{
    {"version", "6.28.31"},
    {"date", "20250405"},
    {"commit", "3f9d1c2"},
    {"name", "model"},
    {"number", "42"},
    {"text", "x"},
    {"registry", "registry.example"},
    {"repository", "web"},
    {"64 hex digits", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    {"value", "value"},
}};

}  // namespace

std::string_view sample_of(std::string_view gap) {
  const auto* found = std::find_if(kGaps.begin(), kGaps.end(),
                                   [gap](const auto& known) { return known.first == gap; });
  return found == kGaps.end() ? std::string_view() : found->second;
}

std::string sample_text(std::string_view form) { return fill_gaps(form, sample_of); }

}  // namespace belay::policy
