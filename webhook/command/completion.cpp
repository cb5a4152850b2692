// `belay completion bash|zsh` and `belay man`: what shells and man(1) know of the program, made
// from the table of commands and their options.
#include <fmt/format.h>

#include <memory>
#include <ostream>

#include "webhook/command/command.h"
#include "webhook/command/help.h"

namespace belay::webhook::command {
namespace {

struct Word {
  std::string text;
  std::string description;
};

/// What may stand behind an option.
struct Value {
  std::vector<std::string> options;  ///< "-o", "--output"
  std::vector<std::string> choices;  ///< empty: a file
};

/// A place on the command line: the program, a command, or a command's command.
struct Place {
  std::string path;  ///< "", "certs", "certs show"
  std::vector<Word> commands;
  std::vector<Word> options;
  std::vector<Value> values;
};

bool is_path(std::string_view type) { return type == "FILE" || type == "DIR" || type == "PATH"; }

/// Summaries may hold any sign but the quote that both shells end a word with.
std::string shell_quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result += c;
    }
  }
  return result + "'";
}

void add_places(const std::string& path, const CommandText& command, std::vector<Place>& places) {
  Place place{.path = path, .commands = {}, .options = {}, .values = {}};
  for (const OptionText& text : command.options) {
    if (text.positional) continue;
    for (const std::string& name : text.names) place.options.push_back({name, text.description});
    if (!text.choices.empty() || is_path(text.value)) {
      place.values.push_back({text.names, text.choices});
    }
  }
  for (const CommandText& sub : command.subcommands) {
    place.commands.push_back({sub.name, sub.summary});
  }
  places.push_back(std::move(place));
  for (const CommandText& sub : command.subcommands) add_places(path + " " + sub.name, sub, places);
}

std::vector<Place> all_places() {
  std::vector<Place> places{
      {.path = "",
       .commands = {},
       .options = {{"--help", "Show the help"}, {"--version", "Show the version"}},
       .values = {}}};
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    places.front().commands.push_back({std::string(command.name), std::string(command.summary)});
    add_places(std::string(command.name), text_of(command), places);
  }
  return places;
}

/// Lines of a `case` over "path word" that follow the words typed so far into `at`.
std::string walk_cases(const std::vector<Place>& places, std::string_view indent) {
  std::string out;
  for (const Place& place : places) {
    for (const Word& command : place.commands) {
      const std::string below = place.path.empty() ? command.text : place.path + " " + command.text;
      out += fmt::format("{}'{} {}') at='{}' ;;\n", indent, place.path, command.text, below);
    }
  }
  return out;
}

/// 'certs show -o'|'certs show --output'
std::string value_pattern(const Place& place, const Value& value) {
  std::string out;
  for (const std::string& option : value.options) {
    out += fmt::format("{}'{} {}'", out.empty() ? "" : "|", place.path, option);
  }
  return out;
}

std::string bash_completion() {
  const std::vector<Place> places = all_places();
  std::string out =
      "# Completion of belay for bash. Load it with: source <(belay completion bash)\n"
      "_belay() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at='' words='' i\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case \"$at ${COMP_WORDS[i]}\" in\n";
  out += walk_cases(places, "      ");
  out += "    esac\n  done\n  COMPREPLY=()\n  case \"$at $prev\" in\n";
  for (const Place& place : places) {
    for (const Value& value : place.values) {
      const std::string action =
          value.choices.empty()
              ? "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")"
              : fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")",
                            fmt::join(value.choices, " "));
      out += fmt::format("    {}) {}; return ;;\n", value_pattern(place, value), action);
    }
  }
  out += "  esac\n  case \"$at\" in\n";
  for (const Place& place : places) {
    std::string commands;
    std::string options;
    for (const Word& word : place.commands) commands += word.text + " ";
    for (const Word& word : place.options) options += word.text + " ";
    // Options are offered where they are begun, or where nothing else could stand.
    out += fmt::format("    '{}') [[ $cur == -* ]] && words='{}' || words='{}' ;;\n", place.path,
                       options, commands);
  }
  out +=
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
      "}\n"
      "complete -o default -o bashdefault -F _belay belay\n";
  return out;
}

std::string zsh_completion() {
  const std::vector<Place> places = all_places();
  std::string out =
      "#compdef belay\n"
      "# Completion of belay for zsh. Put it into a directory of $fpath as _belay, or load it "
      "with:\n"
      "# source <(belay completion zsh)\n"
      "_belay() {\n"
      "  local at='' word\n"
      "  local -a options=() commands=()\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
      "    case \"$at $word\" in\n";
  out += walk_cases(places, "      ");
  out += "    esac\n  done\n  case \"$at ${words[CURRENT-1]}\" in\n";
  for (const Place& place : places) {
    for (const Value& value : place.values) {
      const std::string action = value.choices.empty()
                                     ? "_files"
                                     : fmt::format("compadd -- {}", fmt::join(value.choices, " "));
      out += fmt::format("    {}) {}; return ;;\n", value_pattern(place, value), action);
    }
  }
  out += "  esac\n  case \"$at\" in\n";
  const auto array = [](const std::vector<Word>& words) {
    std::string result;
    for (const Word& word : words) result += " " + shell_quoted(word.text + ":" + word.description);
    return result;
  };
  for (const Place& place : places) {
    out += fmt::format("    '{}') options=({} ); commands=({} ) ;;\n", place.path,
                       array(place.options), array(place.commands));
  }
  out +=
      "  esac\n"
      "  if [[ ${words[CURRENT]} == -* ]]; then\n"
      "    _describe -t options option options\n"
      "  elif (( ${#commands} )); then\n"
      "    _describe -t commands command commands\n"
      "  else\n"
      "    _files\n"
      "  fi\n"
      "}\n"
      "compdef _belay belay\n";
  return out;
}

}  // namespace

Run define_completion(const CommandLine& line) {
  auto shell = std::make_shared<std::string>();
  line.option("SHELL", *shell, "Shell to write for")
      .type_name("SHELL")
      .choices({"bash", "zsh"})
      .required();
  return [shell](Streams& streams) {
    streams.out << (*shell == "bash" ? bash_completion() : zsh_completion());
    return kExitClean;
  };
}

Run define_man(const CommandLine& /*line*/) {
  return [](Streams& streams) {
    streams.out << man_page();
    return kExitClean;
  };
}

}  // namespace belay::webhook::command
