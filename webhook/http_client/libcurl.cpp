// dlopen and dlsym, once a process.
#include "webhook/http_client/libcurl.h"

#include <dlfcn.h>

#include <utility>

namespace belay::webhook::http_client {
namespace {

constexpr const char* kName = "libcurl.so.4";  // the ABI since 2006, on Debian 12 and 13 alike

std::unexpected<std::string> failed(const std::string& what) {
  const char* const problem = dlerror();
  return std::unexpected(std::string(kName) + " " + what + ": " +
                         (problem == nullptr ? "no reason given" : problem));
}

std::expected<LibCurl, std::string> load() {
  void* const library = dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return failed("cannot be loaded");
  LibCurl curl{};
  const char* missing = nullptr;
  const auto take = [&]<typename F>(F& function, const char* name) {
    function = reinterpret_cast<F>(dlsym(library, name));  // as POSIX has it for dlsym
    if (function == nullptr && missing == nullptr) missing = name;
  };
#define BELAY_TAKE(name) take(curl.name, "curl_" #name);
  BELAY_LIBCURL_FUNCTIONS(BELAY_TAKE)
#undef BELAY_TAKE
  if (missing != nullptr) return failed(std::string("lacks ") + missing);
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return std::unexpected(std::string(kName) + " cannot be initialised");
  }
  return curl;
}

}  // namespace

const std::expected<LibCurl, std::string>& libcurl() {
  static const std::expected<LibCurl, std::string> kLibrary = load();
  return kLibrary;
}

}  // namespace belay::webhook::http_client
