// The table of formats and what they have in common.
#include "webhook/report/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/message.h"

/// ROW(json, "for programs"): `--output json`, which print_json() in json.cpp writes.
#define BELAY_FORMATS(ROW)            \
  ROW(text, "for people and editors") \
  ROW(json, "for programs")

namespace belay::webhook::report {

#define BELAY_FORMAT_FUNCTION(name, use) \
  void print_##name(const Report& report, bool color, std::ostream& out);
BELAY_FORMATS(BELAY_FORMAT_FUNCTION)
#undef BELAY_FORMAT_FUNCTION

namespace {

#define BELAY_FORMAT_ROW(name, use) {#name, use, print_##name},
constexpr Format kFormats[] = {BELAY_FORMATS(BELAY_FORMAT_ROW)};
#undef BELAY_FORMAT_ROW

/// "1 problem", "2 problems"
std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

std::size_t Report::count(policy::Mode mode) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      findings, [mode](const PlacedFinding& f) { return f.finding.effective_mode() == mode; }));
}

std::span<const Format> formats() { return kFormats; }

const Format* find_format(std::string_view name) {
  const auto* const found = std::ranges::find(kFormats, name, &Format::name);
  return found == std::end(kFormats) ? nullptr : found;
}

std::string to_string(const Place& place) {
  std::string out = policy::escape(place.file);
  if (place.line != 0) out += fmt::format(":{}:{}", place.line, place.column);
  return out;
}

std::string summary(const Report& report) {
  std::string out = fmt::format("checked {} in {}", counted(report.objects, "object"),
                                counted(report.files, "file"));
  std::string rest;
  if (const std::size_t without = report.objects - report.evaluated; without != 0) {
    rest = fmt::format("{} without pods", without);
  }
  if (report.unmatched != 0) {
    rest += fmt::format("{}{} that no policy matches", rest.empty() ? "" : ", ", report.unmatched);
  }
  if (report.passed_over != 0) {
    rest += fmt::format("{}skipped {} without a Kubernetes object", rest.empty() ? "" : ", ",
                        counted(report.passed_over, "document"));
  }
  if (!rest.empty()) out += fmt::format(" ({})", rest);
  out += ": ";
  std::string figures;
  const auto add = [&figures](std::size_t count, std::string_view noun) {
    if (count == 0) return;
    if (!figures.empty()) figures += ", ";
    figures += counted(count, noun);
  };
  add(report.count(policy::Mode::kEnforce), "problem");
  add(report.count(policy::Mode::kWarn), "warning");
  add(report.count(policy::Mode::kAudit), "audit finding");
  add(report.errors.size(), "input error");
  return out + (figures.empty() ? "no problems" : figures);
}

}  // namespace belay::webhook::report
