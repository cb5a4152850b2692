// Any WWW-Authenticate -> where a token is asked for: never anywhere but where it may be.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "webhook/registry/auth/token.h"
#include "webhook/registry/url.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belay::webhook::registry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Endpoint endpoint;
  endpoint.url = "https://reg.corp:5000";
  endpoint.token_hosts = {"auth.corp"};
  for (const Challenge& challenge : read_challenges(text)) {
    const auto url = token_url(challenge, endpoint, "repository:shop/web:pull");
    if (!url) {
      require(!url.error().empty());
      continue;
    }
    const auto read = parse_url(*url);
    require(read && read->https && read->text() == *url);
    require(read->authority() == "reg.corp:5000" || read->authority() == "auth.corp");
    require(url->find_first_of("\\#\r\n \"<>") == std::string_view::npos);
    require(url->ends_with("scope=repository:shop/web:pull"));
    const std::string query = "&" + read->query;
    require(query.find("&scope=") == query.rfind("&scope="));
  }
  return 0;
}
