#include "webhook/command/options.h"

#include <CLI/CLI.hpp>

namespace belay::webhook::command {

Option Option::type_name(const std::string& name) const {
  option_->type_name(name);
  return *this;
}

Option Option::required() const {
  option_->required();
  return *this;
}

Option Option::show_default() const {
  option_->capture_default_str();
  return *this;
}

Option Option::choices(const std::vector<std::string>& words) const {
  option_->check(CLI::IsMember(words));
  return *this;
}

Option Option::range(unsigned least, unsigned most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option Option::check(const std::function<std::string(const std::string& value)>& problem_of) const {
  option_->check(problem_of);
  return *this;
}

Option Option::repeatable() const {
  option_->delimiter(',')->allow_extra_args(false);
  return *this;
}

Option Option::group(const std::string& heading) const {
  option_->group(heading);
  return *this;
}

Option Option::environment(const std::string& name) const {
  option_->envname(name);
  return *this;
}

Option CommandLine::option(const std::string& names, std::string& target,
                           const std::string& text) const {
  return Option(app_->add_option(names, target, text));
}

Option CommandLine::option(const std::string& names, unsigned& target,
                           const std::string& text) const {
  return Option(app_->add_option(names, target, text));
}

Option CommandLine::option(const std::string& names, std::vector<std::string>& target,
                           const std::string& text) const {
  return Option(app_->add_option(names, target, text));
}

Option CommandLine::flag(const std::string& names, bool& target, const std::string& text) const {
  return Option(app_->add_flag(names, target, text));
}

CommandLine CommandLine::subcommand(const std::string& name, const std::string& summary) const {
  return CommandLine(*app_->add_subcommand(name, summary));
}

void CommandLine::require_subcommand() const { app_->require_subcommand(1); }

bool CommandLine::given() const { return app_->parsed(); }

}  // namespace belay::webhook::command
