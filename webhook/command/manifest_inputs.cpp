// Reads files whole; a directory stands for all below it.
#include "webhook/command/manifest_inputs.h"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "webhook/command/standard_input.h"

namespace belay::webhook::command {

std::vector<std::string> ManifestOptions::all() const {
  std::vector<std::string> every = named;
  every.insert(every.end(), paths.begin(), paths.end());
  return every;
}

void declare_manifests(const CommandLine& line, ManifestOptions& options) {
  line.option("-f,--filename", options.named,
              "Manifests: a file, a directory with everything below it, or - for standard "
              "input")
      .repeatable()
      .type_name("FILE|DIR|-");
  line.option("FILE", options.paths, "Like -f, for file lists from a shell")
      .type_name("FILE|DIR|-");
  line.option("-n,--namespace", options.default_namespace,
              "Namespace of objects without a namespace")
      .type_name("NAME")
      .show_default();
}

std::vector<InputFile> read_inputs(const std::vector<std::string>& paths, std::istream& in,
                                   std::vector<report::InputError>& errors) {
  std::vector<InputFile> files;
  std::set<std::string> seen;
  for (const std::string& path : paths) {
    if (path == "-") {
      if (!seen.emplace(path).second) continue;
      if (auto text = read_standard_input(in)) {
        files.push_back({{std::string(kStandardInput)}, std::move(*text)});
      } else {
        errors.push_back({{std::string(kStandardInput)}, text.error()});
      }
      continue;
    }
    const auto found = check::find_manifests(path);
    if (!found) {
      errors.push_back({{path}, found.error()});
      continue;
    }
    for (const check::ManifestFile& file : *found) {
      std::error_code error;
      const std::string real = std::filesystem::canonical(file.path, error).string();
      if (!error && !seen.insert(real).second) continue;
      if (auto text = check::read_file(file.path)) {
        files.push_back({file, std::move(*text)});
      } else {
        errors.push_back({{file.path}, text.error()});
      }
    }
  }
  return files;
}

}  // namespace belay::webhook::command
