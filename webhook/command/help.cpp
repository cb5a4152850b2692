#include "webhook/command/help.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>

#include "build_info.h"

namespace belay::webhook::command {
namespace {

constexpr std::size_t kOptionColumn = 30;  // where descriptions begin

constexpr std::string_view kTagline =
    "A Kubernetes admission webhook for image tags. It refuses workloads whose images use "
    "\"latest\" or another mutable tag, and requires environment label, namespace and tag to "
    "match.";

constexpr std::string_view kExitStatus =
    "0 success; 1 the result is negative: a finding of mode enforce, an invalid policy or "
    "reference, a missing digest, a certificate that is not valid now, nothing to clear, an "
    "unexpected result of probe; 2 a usage, input or configuration error.";

/// Breaks `text` between words so that no line exceeds kHelpWidth. The first line goes on at column
/// `indent`; later ones are indented to it.
void append_wrapped(std::string& out, std::string_view text, std::size_t indent) {
  std::size_t column = indent;
  bool first = true;
  while (!text.empty()) {
    const std::size_t begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    text.remove_prefix(end);
    if (!first && column + 1 + word.size() > kHelpWidth) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    first = false;
  }
  out += '\n';
}

void append_row(std::string& out, std::string_view left, std::string_view right) {
  out += "  ";
  out += left;
  if (right.empty()) {
    out += '\n';
    return;
  }
  if (left.size() + 4 > kOptionColumn) {
    out += '\n';
    out.append(kOptionColumn, ' ');
  } else {
    out.append(kOptionColumn - left.size() - 2, ' ');
  }
  append_wrapped(out, right, kOptionColumn);
}

std::vector<std::string_view> paragraphs(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    const std::size_t end = text.find("\n\n");
    result.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return result;
}

std::vector<std::string_view> lines(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    result.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return result;
}

/// The values of CLI::IsMember and its kin, which CLI11 adds to the type's name: "TEXT:{a,b}".
std::vector<std::string> choices_of(const std::string& type_name) {
  const std::size_t begin = type_name.find('{');
  const std::size_t end = type_name.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return {};
  std::vector<std::string> result;
  std::string_view rest = std::string_view(type_name).substr(begin + 1, end - begin - 1);
  while (true) {
    const std::size_t comma = rest.find(',');
    result.emplace_back(rest.substr(0, comma));
    if (comma == std::string_view::npos) return result;
    rest.remove_prefix(comma + 1);
  }
}

OptionText text_of(const CLI::Option& option) {
  OptionText text;
  text.positional = option.get_positional();
  const std::string& group = option.get_group();
  const bool usual = group == "Options" || group == "OPTIONS";  // by the version of CLI11
  text.group = text.positional ? "Arguments" : usual ? "Options" : group;
  const bool takes_value = option.get_items_expected_max() != 0;
  const std::string type = takes_value ? option.get_type_name() : "";
  // CLI11 puts what a check takes behind the type: "TEXT:{a,b}", "N:UINT in [1 - 9]".
  const bool has_check = type.find_first_of("{ ") != std::string::npos;
  text.value = has_check ? type.substr(0, type.find_first_of(":{")) : type;
  if (takes_value && text.value.empty()) text.value = "VALUE";
  text.choices = choices_of(type);
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);

  if (text.positional) {
    text.syntax = option.get_name(true, false);
    if (!option.get_required()) text.syntax = "[" + text.syntax + "]";
    if (option.get_expected_max() > 1) text.syntax += "...";
  } else {
    if (option.get_snames().empty()) text.syntax = "    ";
    text.syntax += fmt::format("{}", fmt::join(text.names, ", "));
    if (takes_value) text.syntax += " " + text.value;
  }
  text.description = option.get_description();
  if (!text.choices.empty()) {
    text.description += fmt::format(": {}", fmt::join(text.choices, ", "));
  }
  if (option.get_required() && !text.positional) text.description += " (required)";
  if (const std::string value = option.get_default_str();
      takes_value && !value.empty() && value != "[]" && value != "{}" && value != "\"\"") {
    text.description += fmt::format(" [default: {}]", value);
  }
  if (!option.get_envname().empty()) {
    text.description += fmt::format(" [env: {}]", option.get_envname());
  }
  return text;
}

/// Examples name the program as the user called it.
std::string example_line(std::string_view line, std::string_view program) {
  constexpr std::string_view kName = "belay";
  std::string result;
  while (!line.empty()) {
    const std::size_t at = line.find(kName);
    const bool is_program =
        at != std::string_view::npos && !line.starts_with('#') &&
        (at == 0 || line.substr(0, at).ends_with("| ") || line.substr(0, at).ends_with("<(")) &&
        line.substr(at + kName.size()).starts_with(' ');
    result += line.substr(0, at);
    if (at == std::string_view::npos) break;
    result += is_program ? program : kName;
    line.remove_prefix(at + kName.size());
  }
  return result;
}

std::vector<const CLI::App*> subcommands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string usage_of(const CLI::App& app) {
  std::string result;
  bool has_options = false;
  std::string required;
  std::string positionals;
  for (const OptionText& text : option_texts(app)) {
    if (text.positional) {
      positionals += " " + text.syntax;
    } else if (text.description.find("(required)") != std::string::npos) {
      required += fmt::format(" {} {}", text.names.back(), text.value);
    } else {
      has_options = true;
    }
  }
  if (!subcommands_of(app).empty()) return " COMMAND [OPTIONS]";
  if (has_options) result += " [OPTIONS]";
  return result + required + positionals;
}

// ---- roff

/// Text for man(7): backslashes, hyphens (so that they can be copied) and leading dots escaped.
std::string roff(std::string_view text) {
  std::string result;
  if (text.starts_with('.') || text.starts_with('\'')) result = "\\&";
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result;
}

void append_man_options(std::string& out, const CLI::App& app) {
  for (std::string group = "Options"; const OptionText& text : option_texts(app)) {
    if (text.group != group && !text.positional) {
      out += fmt::format(".PP\n.B {}\n", roff(text.group));
      group = text.group;
    }
    const std::size_t begin = text.syntax.find_first_not_of(' ');
    out += fmt::format(".TP\n.B {}\n{}\n", roff(std::string_view(text.syntax).substr(begin)),
                       roff(text.description));
  }
}

}  // namespace

std::vector<OptionText> option_texts(const CLI::App& app) {
  std::vector<OptionText> result;
  for (const CLI::Option* option : app.get_options([](const CLI::Option* candidate) {
         return !candidate->get_group().empty() || candidate->get_positional();
       })) {
    result.push_back(text_of(*option));
  }
  // --help is declared first by CLI11 and read last by people.
  std::ranges::stable_sort(result, {}, [](const OptionText& text) {
    if (text.positional) return 0;
    if (text.group != "Options") return 3;
    return std::ranges::find(text.names, "--help") == text.names.end() ? 1 : 2;
  });
  return result;
}

namespace {

CommandText text_of_app(std::string name, std::string summary, const CLI::App& app) {
  CommandText text{std::move(name), std::move(summary), option_texts(app), {}};
  for (const CLI::App* sub : subcommands_of(app)) {
    text.subcommands.push_back(text_of_app(sub->get_name(), sub->get_description(), *sub));
  }
  return text;
}

}  // namespace

CommandText text_of(const Command& command) {
  CLI::App app;
  app.set_help_flag("-h,--help", "Show this help");
  command.define(CommandLine(app));
  return text_of_app(std::string(command.name), std::string(command.summary), app);
}

std::string program_help(std::string_view program) {
  std::string out;
  append_wrapped(out, kTagline, 0);
  out += fmt::format("\nUsage: {} COMMAND [OPTIONS]\n\nCommands:\n", program);
  for (const Command& command : commands()) {
    if (!command.hidden) append_row(out, command.name, command.summary);
  }
  out += "\nOptions:\n";
  append_row(out, "-h, --help", "Show this help, or that of a command");
  append_row(out, "    --version", "Show the version");
  out += "\nExit status:\n  ";
  append_wrapped(out, kExitStatus, 2);
  out += fmt::format("\n{0} COMMAND --help shows more about a command, with examples.\n", program);
  return out;
}

std::string command_help(std::string_view program, const Command& command, const CLI::App& app,
                         const std::vector<std::string>& path) {
  const std::string name = fmt::format("{} {}", program, fmt::join(path, " "));
  const bool top = path.size() <= 1;
  std::string out;
  append_wrapped(out, fmt::format("{}: {}", name, top ? command.summary : app.get_description()),
                 0);
  out += fmt::format("\nUsage: {}{}\n", name, usage_of(app));
  if (top) {
    for (const std::string_view paragraph : paragraphs(command.description)) {
      out += '\n';
      append_wrapped(out, paragraph, 0);
    }
  }
  if (const auto below = subcommands_of(app); !below.empty()) {
    out += "\nCommands:\n";
    for (const CLI::App* sub : below) append_row(out, sub->get_name(), sub->get_description());
  }
  std::string group;
  for (const OptionText& text : option_texts(app)) {
    if (text.group != group) out += fmt::format("\n{}:\n", text.group);
    group = text.group;
    append_row(out, text.syntax, text.description);
  }
  bool in_examples = false;
  const std::string wanted = top ? "" : fmt::format("belay {}", fmt::join(path, " "));
  for (const std::string_view line : lines(command.example)) {
    if (!wanted.empty() && line.find(wanted) == std::string_view::npos) continue;
    if (!in_examples) out += "\nExamples:\n";
    in_examples = true;
    out += fmt::format("  {}\n", example_line(line, program));
  }
  return out;
}

std::string man_page() {
  std::string out = fmt::format(".TH BELAY 1 \"\" \"belay {}\" \"User Commands\"\n", BELAY_VERSION);
  out += ".SH NAME\nbelay \\- Kubernetes admission webhook for image tags\n";
  out += ".SH SYNOPSIS\n.B belay\n.I COMMAND\n.RI [ OPTIONS ]\n.SH DESCRIPTION\n";
  out += roff(kTagline) + "\n.SH COMMANDS\n";
  std::string examples;
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    CLI::App app;
    app.set_help_flag();
    command.define(CommandLine(app));
    out += fmt::format(".SS belay {}{}\n{}.\n", roff(command.name), roff(usage_of(app)),
                       roff(command.summary));
    for (const std::string_view paragraph : paragraphs(command.description)) {
      out += fmt::format(".PP\n{}\n", roff(paragraph));
    }
    append_man_options(out, app);
    for (const CLI::App* sub : subcommands_of(app)) {
      out += fmt::format(".PP\n.B belay {} {}{}\n.br\n{}.\n", roff(command.name),
                         roff(sub->get_name()), roff(usage_of(*sub)), roff(sub->get_description()));
      append_man_options(out, *sub);
    }
    for (const std::string_view line : lines(command.example)) examples += roff(line) + "\n";
  }
  out += ".SH EXIT STATUS\n" + roff(kExitStatus) + "\n";
  out +=
      ".SH ENVIRONMENT\nEvery option that names a variable is read from it where it is not "
      "given.\n.TP\n.B NO_COLOR\nNo colour, where it is set to anything.\n";
  out += ".SH EXAMPLES\n.nf\n" + examples + ".fi\n";
  return out;
}

}  // namespace belay::webhook::command
