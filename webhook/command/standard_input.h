// Standard input, where a command is told to read it. Not thread-safe.
#pragma once

#include <expected>
#include <iosfwd>
#include <string>

namespace belay::webhook::command {

/// All that is left of it.
/// \return why it does not read: a shell may have closed it, or put a directory there
std::expected<std::string, std::string> read_standard_input(std::istream& in);

/// Says it of a stream that went bad while it was read.
std::string unreadable_input();

}  // namespace belay::webhook::command
