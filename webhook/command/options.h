// How a command declares its options and arguments. A thin face of CLI11, whose headers take the
// compiler eight seconds a file: they stand behind options.cpp, help.cpp and run.cpp alone.
//
// Handles: cheap to copy, valid as long as the command line that they were declared on. Targets
// hold their default when they are declared, and what the user gave once the line was read. Not
// thread-safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace belay::webhook::command {

class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  /// What stands for the value in help: "FILE" and "DIR" are completed as paths.
  Option type_name(const std::string& name) const;
  Option required() const;
  /// Help shows the default.
  Option show_default() const;
  /// The closed set of values that are taken.
  Option choices(const std::vector<std::string>& words) const;
  /// The numbers that are taken.
  Option range(unsigned least, unsigned most) const;
  /// \param problem_of  what is wrong with a value, or ""
  Option check(const std::function<std::string(const std::string& value)>& problem_of) const;
  /// The option may be given several times, one value at a time: `--policy a --policy b`; also
  /// `--policy a,b`, which is how its environment variable holds several.
  Option repeatable() const;
  /// The heading under which help shows it, below "Options".
  Option group(const std::string& heading) const;
  /// The variable that is read where the option is not given.
  Option environment(const std::string& name) const;

 private:
  CLI::Option* option_;
};

/// A command's part of the command line.
class CommandLine {
 public:
  explicit CommandLine(CLI::App& app) : app_(&app) {}

  /// \param names  "-o,--output" for an option, "FILE" for an argument
  Option option(const std::string& names, std::string& target, const std::string& text) const;
  Option option(const std::string& names, unsigned& target, const std::string& text) const;
  /// An argument that may be given several times; for an option see Option::repeatable().
  Option option(const std::string& names, std::vector<std::string>& target,
                const std::string& text) const;
  Option flag(const std::string& names, bool& target, const std::string& text) const;

  /// A command of the command, such as `certs show`.
  CommandLine subcommand(const std::string& name, const std::string& summary) const;
  /// One of the subcommands must be given.
  void require_subcommand() const;
  /// Whether the user gave this subcommand.
  bool given() const;

 private:
  CLI::App* app_;
};

}  // namespace belay::webhook::command
