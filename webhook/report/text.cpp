// Findings for people and for editors that jump to `file:line:column`: one a line, then the
// summary.
#include <fmt/format.h>

#include <ostream>
#include <string_view>

#include "policy/message.h"
#include "webhook/report/report.h"

namespace belay::webhook::report {
namespace {

constexpr std::string_view kReset = "\033[0m";
constexpr std::string_view kBold = "\033[1m";

std::string_view color_of(policy::Mode mode) {
  switch (mode) {
    case policy::Mode::kEnforce:
      return "\033[1;31m";
    case policy::Mode::kWarn:
      return "\033[33m";
    case policy::Mode::kAudit:
      break;
  }
  return "\033[36m";
}

}  // namespace

void print_text(const Report& report, bool color, std::ostream& out) {
  const auto paint = [color](std::string_view code, std::string_view text) {
    return color ? fmt::format("{}{}{}", code, text, kReset) : std::string(text);
  };
  for (const PlacedFinding& placed : report.findings) {
    const policy::Finding& finding = placed.finding;
    const policy::Mode mode = finding.effective_mode();
    out << paint(kBold, to_string(placed.place)) << ": "
        << paint(color_of(mode), policy::name_of(mode)) << ' ' << policy::name_of(finding.rule)
        << ' ' << policy::escape(finding.field);
    if (!finding.container.empty()) out << " (" << policy::escape(finding.container) << ')';
    out << ": " << policy::finding_text(finding) << '\n';
  }
  out << summary(report) << '\n';
}

}  // namespace belay::webhook::report
