// Line n of one text stands against line n of the other, so nothing has to be searched.
#include "webhook/check/unified_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace belay::webhook::check {
namespace {

constexpr std::size_t kContext = 3;  ///< lines around a change, as diff -u has them

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

void add_line(char sign, std::string_view line, std::string& out) {
  out += sign;
  out += line;
  if (!line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

std::string marked(std::string_view side, std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  if (path.starts_with("./")) path.remove_prefix(2);
  return fmt::format("{}/{}", side, path);
}

/// "12,7", "12" for one line.
std::string range(std::size_t begin, std::size_t end) {
  return end - begin == 1 ? fmt::format("{}", begin + 1)
                          : fmt::format("{},{}", begin + 1, end - begin);
}

}  // namespace

std::string unified_diff(const std::string& path, std::string_view before, std::string_view after) {
  const std::vector<std::string_view> old_lines = lines_of(before);
  const std::vector<std::string_view> new_lines = lines_of(after);
  const std::size_t count = std::min(old_lines.size(), new_lines.size());
  const auto next_change = [&](std::size_t line) {
    while (line < count && old_lines[line] == new_lines[line]) ++line;
    return line;
  };
  std::string out;
  for (std::size_t change = next_change(0); change < count;) {
    if (out.empty()) {
      out = fmt::format("--- {}\n+++ {}\n", marked("a", path), marked("b", path));
    }
    // A hunk takes the changes whose contexts meet.
    const std::size_t begin = change - std::min(change, kContext);
    std::size_t last = change;
    std::size_t next = next_change(last + 1);
    while (next < count && next - last <= 2 * kContext + 1) {
      last = next;
      next = next_change(last + 1);
    }
    const std::size_t end = std::min(last + 1 + kContext, count);
    out += fmt::format("@@ -{0} +{0} @@\n", range(begin, end));
    for (std::size_t line = begin; line < end;) {
      if (old_lines[line] == new_lines[line]) {
        add_line(' ', old_lines[line++], out);
        continue;
      }
      std::size_t run = line;
      while (run < end && old_lines[run] != new_lines[run]) ++run;
      for (std::size_t i = line; i < run; ++i) add_line('-', old_lines[i], out);
      for (std::size_t i = line; i < run; ++i) add_line('+', new_lines[i], out);
      line = run;
    }
    change = next;
  }
  return out;
}

}  // namespace belay::webhook::check
