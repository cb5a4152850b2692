// What people read about a command, made from the table and its CLI11 options. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "webhook/command/command.h"

namespace belay::webhook::command {

/// Help is wrapped at this column.
inline constexpr std::size_t kHelpWidth = 100;

/// One option or argument in words.
struct OptionText {
  std::string syntax;       ///< "-o, --output FORMAT", "[FILE]..."
  std::string description;  ///< with what values are allowed, default and environment variable
  bool positional = false;
  std::vector<std::string> names;    ///< "-o", "--output"
  std::string value;                 ///< "FORMAT", "" for a flag
  std::vector<std::string> choices;  ///< the closed set that is taken, if it is one
  std::string group;                 ///< the heading above it: "Options", "Limits"
};

/// A command, or a command's command, in words.
struct CommandText {
  std::string name, summary;
  std::vector<OptionText> options;
  std::vector<CommandText> subcommands;
};
CommandText text_of(const Command& command);

/// The options of an app, arguments first, in the order in which they were declared; those under
/// headings of their own last.
std::vector<OptionText> option_texts(const CLI::App& app);

/// `belay --help`.
std::string program_help(std::string_view program);

/// `belay certs show --help`. `path` names the subcommands below the program: {"certs", "show"}.
std::string command_help(std::string_view program, const Command& command, const CLI::App& app,
                         const std::vector<std::string>& path);

/// A man page in roff (man(7)) about the whole program.
std::string man_page();

}  // namespace belay::webhook::command
