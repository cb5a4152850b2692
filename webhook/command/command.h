// The command line: one table of subcommands, one file a subcommand.
//
// A command declares its options and hands back what to run. What it reads and
// writes comes in as streams, so tests run a command without a process. Nothing here is thread-safe
// but commands(), which is immutable.
#pragma once

#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/command/options.h"

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
  ///     Run define_lint(const CommandLine& line) {
  ///       auto options = std::make_shared<LintOptions>();
  ///       line.option("POLICY", options->paths, "Files or directories").required();
  ///       return [options](Streams& streams) { return run_lint(*options, streams); };
  ///     }
  ///
  Run (*define)(const CommandLine& line);
  bool hidden = false;  ///< works, but is not listed
};

/// Every command, in the order of `belay --help`.
std::span<const Command> commands();

/// The command of that name, or nullptr.
const Command* find_command(std::string_view name);

/// Runs the program.
/// \param program    what the user typed, for help: "belay" or "kubectl belay"
/// \param arguments  without the program's name
/// \return the exit status
int run(std::string_view program, const std::vector<std::string>& arguments, Streams& streams);

/// "belay" or, where the file is called kubectl-belay, "kubectl belay".
std::string program_name(std::string_view argv0);

// One function a command, each in the file that is named after it.
Run define_certs(const CommandLine& line);
Run define_check(const CommandLine& line);
Run define_completion(const CommandLine& line);
Run define_image(const CommandLine& line);
Run define_lint(const CommandLine& line);
Run define_man(const CommandLine& line);
Run define_pin(const CommandLine& line);
Run define_probe(const CommandLine& line);
Run define_review(const CommandLine& line);
Run define_serve(const CommandLine& line);
Run define_tag_history(const CommandLine& line);
Run define_version(const CommandLine& line);

}  // namespace belay::webhook::command
