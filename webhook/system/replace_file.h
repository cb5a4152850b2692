// Writing over a file that people own: whole or not at all, with the mode it had. Stateless;
// thread-safe for different files.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace belay::webhook {

/// Replaces a file's text: whoever reads it meanwhile sees the old text or the new one. Mode and,
/// where permitted, owner stay; a symbolic link stays one, and the file it leads to is replaced.
/// \param before  what the file must still hold
/// \return why nothing was changed
std::expected<void, std::string> replace_file(const std::string& path, std::string_view before,
                                              std::string_view text);

}  // namespace belay::webhook
