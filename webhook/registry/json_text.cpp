#include "webhook/registry/json_text.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace belay::webhook::registry {

using nlohmann::json;

json parse_object(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) throw Fault{"it is too large"};
  std::size_t values = 0;
  std::vector<std::set<std::string, std::less<>>> keys;  // of the objects that are open
  const json::parser_callback_t look = [&](int depth, json::parse_event_t event, json& value) {
    using Event = json::parse_event_t;
    // Thrown out of the parser, which frees what it holds: the rest of the text is not read.
    if (depth > kMaxJsonDepth) throw Fault{"it is nested too deeply"};
    if (event != Event::key && ++values > kMaxJsonValues)
      throw Fault{"it contains too many values"};
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second) {
      throw Fault{"it contains a duplicate key"};
    }
    return true;
  };
  json root = json::parse(text.begin(), text.end(), look, /*allow_exceptions=*/false);
  if (!root.is_object()) throw Fault{"it is not a JSON object"};
  return root;
}

}  // namespace belay::webhook::registry
