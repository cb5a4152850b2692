// The files behind -f FILE|DIR|-, which `belay check` and `belay pin` share. Not thread-safe.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "webhook/check/manifest.h"
#include "webhook/command/command.h"
#include "webhook/report/report.h"

namespace belay::webhook::command {

/// A file that was read.
struct InputFile {
  check::ManifestFile origin;
  std::string text;
};

struct ManifestOptions {
  std::vector<std::string> named;  ///< behind -f
  std::vector<std::string> paths;  ///< without it
  std::string default_namespace = "default";
  /// All of them, in the order of their kinds.
  std::vector<std::string> all() const;
};

/// Declares -f, FILE and --namespace.
void declare_manifests(const CommandLine& line, ManifestOptions& options);

/// What standard input is called in places.
inline constexpr std::string_view kStandardInput = "<stdin>";

/// Every file behind the paths, each once; what cannot be read goes to `errors`.
std::vector<InputFile> read_inputs(const std::vector<std::string>& paths, std::istream& in,
                                   std::vector<report::InputError>& errors);

}  // namespace belay::webhook::command
