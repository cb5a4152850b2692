#include "policy/field_path.h"

namespace belay::policy {

std::string append_key(std::string path, std::string_view key) {
  const bool signs = key.find_first_of("./[] \t\n") != std::string_view::npos || key.empty();
  if (signs) return path.append("[").append(key).append("]");
  if (!path.empty()) path += '.';
  return path.append(key);
}

std::string append_index(std::string path, std::size_t index) {
  return path.append("[").append(std::to_string(index)).append("]");
}

}  // namespace belay::policy
