#include "policy/settings.h"

#include <array>

namespace belay::policy {

void visit_mode(SettingsVisitor& visitor, std::optional<Mode>& mode) {
  static constexpr std::array<std::string_view, 3> kWords = {"enforce", "warn", "audit"};
  static constexpr std::array<Mode, 3> kModes = {Mode::kEnforce, Mode::kWarn, Mode::kAudit};
  int choice = -1;
  visitor.choice({.name = "mode",
                  .summary = "Mode of this rule alone: deny, admit with a warning, or admit, "
                             "count and log",
                  .default_text = "spec.mode"},
                 {kWords}, choice);
  if (choice >= 0) mode = kModes[static_cast<std::size_t>(choice)];
}

void visit_on_registry_error(SettingsVisitor& visitor, std::string_view default_text,
                             OnRegistryError& value) {
  static constexpr std::array<std::string_view, 2> kWords = {"allow", "deny"};
  int choice = static_cast<int>(value);
  visitor.choice(
      {.name = "onRegistryError",
       .summary = "What happens to an image whose registry cannot be asked: allow admits "
                  "it with a warning that names the cause",
       .default_text = default_text},
      {kWords}, choice);
  value = static_cast<OnRegistryError>(choice);
}

}  // namespace belay::policy
