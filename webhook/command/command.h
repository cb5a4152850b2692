// The command line: one table of subcommands, one file a subcommand.
//
// A command declares its options on a CLI11 app and hands back what to run. What it reads and
// writes comes in as streams, so tests run a command without a process. Nothing here is thread-safe
// but commands(), which is immutable.
#pragma once

#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace belay::webhook::command {

/// Exit statuses; what 1 means, each command's help says.
inline constexpr int kExitClean = 0;     ///< done; no finding of mode enforce
inline constexpr int kExitFindings = 1;  ///< findings, an invalid reference, a denial
inline constexpr int kExitError = 2;     ///< usage, input or configuration error

/// What a command talks to. Findings and results go to `out`, everything else to `err`.
struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool color = false;     ///< `out` is a terminal and NO_COLOR is not set
  bool progress = false;  ///< `err` is a terminal on which a line may be written over
};

/// Runs the command with the options that were parsed. \return the exit status
using Run = std::function<int(Streams& streams)>;

/// A row of the table.
struct Command {
  std::string_view name;     ///< "lint"
  std::string_view summary;  ///< one line, lower case, no full stop: "reads policies and …"
  /// Paragraphs of --help below the summary, separated by blank lines; wrapped when shown. May be
  /// empty.
  std::string_view description;
  /// Lines of --help: commands that begin with "belay", and comments that begin with "#".
  std::string_view example;
  /// Declares the options and returns what runs once they hold what the user gave; it is called for
  /// help and completion too, so it only declares. Options live in a shared_ptr that the returned
  /// function keeps:
  ///
  ///     Run define_lint(CLI::App& app) {
  ///       auto options = std::make_shared<LintOptions>();
  ///       app.add_option("POLICY", options->paths, "Files or directories")->required();
  ///       return [options](Streams& streams) { return run_lint(*options, streams); };
  ///     }
  ///
  /// Take repeatable() for options that may stand several times, type_name("FILE") or
  /// type_name("DIR") for paths (completion asks it), CLI::IsMember for closed sets.
  Run (*define)(CLI::App& app);
  bool hidden = false;  ///< works, but is not listed
};

/// Every command, in the order of `belay --help`.
std::span<const Command> commands();

/// The command of that name, or nullptr.
const Command* find_command(std::string_view name);

/// An option that may be given several times, one value at a time: `--policy a --policy b`; also
/// `--policy a,b`, which is how its environment variable holds several.
CLI::Option* repeatable(CLI::Option* option);

/// Runs the program.
/// \param program    what the user typed, for help: "belay" or "kubectl belay"
/// \param arguments  without the program's name
/// \return the exit status
int run(std::string_view program, const std::vector<std::string>& arguments, Streams& streams);

/// "belay" or, where the file is called kubectl-belay, "kubectl belay".
std::string program_name(std::string_view argv0);

// One function a command, each in the file that is named after it.
Run define_certs(CLI::App& app);
Run define_check(CLI::App& app);
Run define_completion(CLI::App& app);
Run define_image(CLI::App& app);
Run define_lint(CLI::App& app);
Run define_man(CLI::App& app);
Run define_pin(CLI::App& app);
Run define_probe(CLI::App& app);
Run define_review(CLI::App& app);
Run define_serve(CLI::App& app);
Run define_tags(CLI::App& app);
Run define_version(CLI::App& app);

}  // namespace belay::webhook::command
