// argv -> command, nothing else.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/command/command.h"

namespace {

/// Colour is for terminals, and for people who did not ask for none (no-color.org).
bool wants_color() {
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') &&
         terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace

int main(int argc, char** argv) {
  namespace command = belay::webhook::command;
  std::ios::sync_with_stdio(false);
  command::Streams streams{std::cin, std::cout, std::cerr, wants_color(),
                           isatty(STDERR_FILENO) == 1};
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return command::run(command::program_name(argc > 0 ? argv[0] : "belay"), arguments, streams);
}
