#include "webhook/policies/policy_status.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace belay::webhook::policies {
namespace {

/// Room for "and N more lines" behind what fits.
constexpr std::size_t kRoomForMore = 32;

std::string_view config_map_key_of(const PolicyProblem& problem) {
  std::string_view file = problem.file;
  if (!file.starts_with("data[") || !file.ends_with(']')) return {};
  file.remove_prefix(std::string_view("data[").size());
  file.remove_suffix(1);
  return file;
}

/// Splits into lines and appends them.
void append_lines(std::string_view text, std::vector<std::string>& lines) {
  while (true) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

/// At most `size` bytes, no character of UTF-8 cut in two.
std::string_view shortened(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return text.substr(0, size);
}

/// As many whole lines as fit, and how many did not.
std::string bounded(const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t left = lines.size() - i;
    const std::size_t room = kMaxStatusBytes - (left > 1 ? kRoomForMore : 0);
    if (text.size() + lines[i].size() + 1 > room) {
      if (text.empty()) {  // one line that is longer than all there is room for
        text = shortened(lines[i], kMaxStatusBytes - kRoomForMore - 3);
        text += "...";
        if (left > 1) text += fmt::format("\nand {} more lines", left - 1);
      } else {
        text += fmt::format("\nand {} more line{}", left, left == 1 ? "" : "s");
      }
      break;
    }
    if (!text.empty()) text += '\n';
    text += lines[i];
  }
  return text;
}

}  // namespace

std::string status_text(const ConfigMapVerdict& verdict) {
  std::vector<std::string> lines;
  for (const PolicyProblem& problem : verdict.problems) {
    const std::string key(config_map_key_of(problem));
    const auto found = verdict.in_force.find(key);
    if (found == verdict.in_force.end()) {
      if (!key.empty()) lines.emplace_back("invalid, not in force:");
    } else if (verdict.kept.contains(found->first)) {
      lines.push_back(fmt::format("invalid, last good revision {} of {} stays in force:",
                                  found->second->revision, found->second->name));
    }
    append_lines(problem.format(), lines);
  }
  std::string good;
  for (const auto& [key, policy] : verdict.in_force) {
    if (verdict.kept.contains(key)) continue;
    good += fmt::format("{}{} (revision {})", good.empty() ? "in force: " : ", ", policy->name,
                        policy->revision);
    if (!policy->only_namespace.empty()) {
      good += fmt::format(" for namespace {}", policy->only_namespace);
    }
  }
  if (!good.empty()) lines.push_back(std::move(good));
  return bounded(lines);
}

}  // namespace belay::webhook::policies
