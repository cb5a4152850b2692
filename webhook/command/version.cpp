// `belay version`: what this build is and which libraries it was made with.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "build_info.h"
#include "certs/key_pair.h"
#include "webhook/command/command.h"

namespace belay::webhook::command {
namespace {

struct VersionOptions {
  std::string output = "text";
};

struct Library {
  std::string_view name;
  std::string_view version;
};
constexpr Library kLibraries[] = {BELAY_LIBRARIES};

int run_version(const VersionOptions& options, Streams& streams) {
  if (options.output == "json") {
    nlohmann::ordered_json root{
        {"version", BELAY_VERSION}, {"commit", BELAY_COMMIT}, {"compiler", BELAY_COMPILER}};
    for (const Library& library : kLibraries) {
      root["libraries"][std::string(library.name)] = library.version;
    }
    root["openssl"] = certs::library_version();
    streams.out << root.dump() << '\n';
    return kExitClean;
  }
  streams.out << fmt::format("belay {} ({})\n\n", BELAY_VERSION, BELAY_COMMIT);
  for (const Library& library : kLibraries) {
    streams.out << fmt::format("  {:<15}{}\n", library.name, library.version);
  }
  streams.out << fmt::format("\nbuilt by {}, runs with {}\n", BELAY_COMPILER,
                             certs::library_version());
  return kExitClean;
}

}  // namespace

Run define_version(const CommandLine& line) {
  auto options = std::make_shared<VersionOptions>();
  line.option("-o,--output", options->output, "Format of the output")
      .type_name("FORMAT")
      .choices({"text", "json"})
      .show_default();
  return [options](Streams& streams) { return run_version(*options, streams); };
}

}  // namespace belay::webhook::command
