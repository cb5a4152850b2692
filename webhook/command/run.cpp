// Arguments -> command -> exit status: finds the command, lets CLI11 read its options, and says
// what is wrong in our own words.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iterator>
#include <ostream>

#include "build_info.h"
#include "webhook/command/command.h"
#include "webhook/command/help.h"
#include "webhook/command/suggest.h"

namespace belay::webhook::command {
namespace {

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& candidates) {
  const std::string found = nearest(typed, candidates);
  return found.empty() ? "" : fmt::format(", did you mean {}?", found);
}

int usage_error(Streams& streams, std::string_view name, std::string_view problem) {
  streams.err << fmt::format("{}: {}\nTry: {} --help\n", name, problem, name);
  return kExitError;
}

/// The innermost subcommand that was given, with the names that lead to it.
const CLI::App& innermost(const CLI::App& app, std::vector<std::string>& path) {
  const CLI::App* current = &app;
  while (true) {
    const auto given = current->get_subcommands();
    if (given.empty()) return *current;
    current = given.front();
    path.push_back(current->get_name());
  }
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const OptionText& text : option_texts(app)) {
    std::ranges::copy(text.names, std::back_inserter(names));
  }
  return names;
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

/// What stands on the line and fits nowhere.
std::string unexpected(const CLI::App& app, const std::string& typed) {
  if (typed.size() > 1 && typed.starts_with('-')) {
    const std::string name = typed.substr(0, typed.find('='));
    return fmt::format("unknown option {}{}", name, did_you_mean(name, option_names(app)));
  }
  if (const auto names = subcommand_names(app); !names.empty()) {
    return fmt::format("unknown command \"{}\"{}", typed, did_you_mean(typed, names));
  }
  return fmt::format("unexpected argument \"{}\"", typed);
}

/// CLI11's words for a value that does not convert: `Could not convert: --threads = x`.
std::string conversion_problem(std::string text, const CLI::App& app) {
  constexpr std::string_view kPrefix = "Could not convert: ";
  if (text.starts_with(kPrefix)) text.erase(0, kPrefix.size());
  const std::size_t sign = text.find(" = ");
  if (sign == std::string::npos) return text;
  const std::string name = text.substr(0, sign);
  const CLI::Option* const option = app.get_option_no_throw(name);
  if (option != nullptr && option->get_expected_max() == 0) {
    return fmt::format("{} takes no value", name);
  }
  return fmt::format("{}: \"{}\" is not a number", name, text.substr(sign + 3));
}

/// CLI11's words for an option without its value, `--policy: 1 required PATH missing`, and for one
/// that is given too often, `--output: At Most 1 required but received 2`.
std::string mismatch_problem(const std::string& text) {
  const std::string name = text.substr(0, text.find_first_of(": "));
  constexpr std::string_view kReceived = " received ";
  if (const std::size_t at = text.find(kReceived); at != std::string::npos) {
    return fmt::format("{} is given {} times; give it once", name,
                       text.substr(at + kReceived.size()));
  }
  return fmt::format("{} needs a value", name);
}

/// CLI11's words for a number out of bounds: `--days: Value 0 not in range 1 to 3650`.
std::string range_problem(const std::string& text, std::size_t range) {
  constexpr std::string_view kValue = ": Value ";
  const std::size_t value = text.find(kValue);
  if (value == std::string::npos) return text;
  return fmt::format("{}: \"{}\" is not a number from {}", text.substr(0, value),
                     text.substr(value + kValue.size(), range - value - kValue.size()),
                     text.substr(range + std::string_view(" not in range ").size()));
}

/// CLI11's words for a value outside a closed set: `--output: xml not in {text,json}`.
std::string choice_problem(std::string text) {
  if (const std::size_t range = text.find(" not in range "); range != std::string::npos) {
    return range_problem(text, range);
  }
  constexpr std::string_view kNotIn = " not in {";
  const std::size_t value = text.find(": ");
  const std::size_t set = text.rfind(kNotIn);
  if (value == std::string::npos || set == std::string::npos || set < value) return text;
  std::string choices = text.substr(set + kNotIn.size(), text.size() - set - kNotIn.size() - 1);
  for (std::size_t comma = 0; (comma = choices.find(',', comma)) != std::string::npos; comma += 2) {
    choices.insert(comma + 1, " ");
  }
  return fmt::format("{}: \"{}\" is not one of {}", text.substr(0, value),
                     text.substr(value + 2, set - value - 2), choices);
}

std::string parse_problem(const CLI::ParseError& error, const CLI::App& app) {
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    return conversion_problem(error.what(), app);
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return mismatch_problem(error.what());
  }
  if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) {
    return choice_problem(error.what());
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    const auto names = subcommand_names(app);
    if (!names.empty()) return fmt::format("give one of the commands {}", fmt::join(names, ", "));
  }
  return error.what();
}

/// CLI11 takes "[a,b]" for a list, and so "[::1]" for "::1". A mark in front keeps it from that;
/// the options take it off again.
constexpr char kBracketMark = '\x01';

void mark_brackets(std::vector<std::string>& arguments) {
  for (std::string& argument : arguments) {
    if (argument.starts_with('[') && argument.ends_with(']')) {
      argument.insert(argument.begin(), kBracketMark);
    }
  }
}

std::string without_mark(const std::string& text) {
  return text.starts_with(kBracketMark) ? text.substr(1) : text;
}

/// The first word on the line that fits nowhere, or "". "--" itself, which ends the options, is
/// among them for CLI11.
std::string first_extra(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  const auto word = std::ranges::find_if(words, [](const auto& w) { return w != "--"; });
  return word == words.end() ? std::string() : without_mark(*word);
}

void take_off_marks(CLI::App& app) {
  for (CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    option->transform(without_mark);
  }
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; })) take_off_marks(*sub);
}

/// What is wrong with a value that is empty, as a shell's variable is that nobody set: a path would
/// be taken for one that was not given. "" where there is none. A reference may be empty: the
/// command says that it is none.
std::string empty_value_problem(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    const std::vector<std::string>& values = option->results();
    if (std::ranges::find(values, "") == values.end()) continue;
    if (option->nonpositional()) {
      return fmt::format("{} needs a value, and was given an empty one", option->get_name());
    }
    const std::string type = option->get_type_name();
    if (type.find("FILE") != std::string::npos || type == "PATH") {
      return fmt::format("{}: \"\" names no file", option->get_name());
    }
  }
  return "";
}

/// What was printed must have gone somewhere. \return the status, or kExitError where it has not
int delivered(int status, std::string_view name, Streams& streams) {
  streams.out.flush();
  if (streams.out) return status;
  streams.err << fmt::format("{}: cannot write the output\n", name);
  return kExitError;
}

int run_command(std::string_view program, const Command& command,
                std::vector<std::string> arguments, Streams& streams) {
  CLI::App app;
  app.name(std::string(command.name));
  app.set_help_flag("-h,--help", "Show this help");
  app.allow_extras();
  const Run action = command.define(CommandLine(app));

  take_off_marks(app);
  mark_brackets(arguments);
  std::ranges::reverse(arguments);  // the order that CLI11 takes
  std::vector<std::string> path{std::string(command.name)};
  std::string problem;
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    const CLI::App& sub = innermost(app, path);
    streams.out << command_help(program, command, sub, path);
    return delivered(kExitClean, fmt::format("{} {}", program, fmt::join(path, " ")), streams);
  } catch (const CLI::ParseError& error) {
    const CLI::App& sub = innermost(app, path);
    problem = parse_problem(error, sub);
    // An unknown word explains more than what is missing without it.
    if (!first_extra(sub).empty()) problem.clear();
  }
  path.resize(1);
  const CLI::App& sub = innermost(app, path);
  const std::string name = fmt::format("{} {}", program, fmt::join(path, " "));
  for (const CLI::App* level : {&sub, static_cast<const CLI::App*>(&app)}) {
    const std::string extra = first_extra(*level);
    if (problem.empty() && !extra.empty()) problem = unexpected(*level, extra);
  }
  for (const CLI::App* level : {&sub, static_cast<const CLI::App*>(&app)}) {
    if (problem.empty()) problem = empty_value_problem(*level);
  }
  if (!problem.empty()) return usage_error(streams, name, problem);
  return delivered(action(streams), name, streams);
}

int unknown_command(std::string_view program, const std::string& typed, Streams& streams) {
  std::vector<std::string> names;
  for (const Command& command : commands()) {
    if (!command.hidden) names.emplace_back(command.name);
  }
  const std::string_view kind = typed.starts_with('-') ? "option" : "command";
  return usage_error(streams, program,
                     fmt::format("unknown {} \"{}\"{}", kind, typed, did_you_mean(typed, names)));
}

}  // namespace

std::string program_name(std::string_view argv0) {
  const std::string_view file = argv0.substr(argv0.rfind('/') + 1);
  return file.starts_with("kubectl-") ? "kubectl belay" : "belay";
}

int run(std::string_view program, const std::vector<std::string>& arguments, Streams& streams) {
  if (arguments.empty()) {
    streams.err << program_help(program);
    return kExitError;
  }
  std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  const std::string& first = arguments.front();
  if (first == "-h" || first == "--help" || first == "help") {
    if (rest.empty()) {
      streams.out << program_help(program);
      return delivered(kExitClean, program, streams);
    }
    const Command* const command = find_command(rest.front());
    if (command == nullptr) return unknown_command(program, rest.front(), streams);
    rest.erase(rest.begin());
    rest.emplace_back("--help");
    return run_command(program, *command, std::move(rest), streams);
  }
  if (first == "--version") {
    streams.out << fmt::format("belay {} ({})\n", BELAY_VERSION, BELAY_COMMIT);
    return delivered(kExitClean, program, streams);
  }
  const Command* const command = find_command(first);
  if (command == nullptr) return unknown_command(program, first, streams);
  try {
    return run_command(program, *command, std::move(rest), streams);
  } catch (const std::exception& error) {
    // Commands handle what can fail; this is for what cannot be foreseen, such as memory.
    streams.err << fmt::format("{} {}: {}\n", program, command->name, error.what());
    return kExitError;
  }
}

}  // namespace belay::webhook::command
