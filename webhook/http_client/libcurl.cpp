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
  take(curl.easy_cleanup, "curl_easy_cleanup");
  take(curl.easy_getinfo, "curl_easy_getinfo");
  take(curl.easy_init, "curl_easy_init");
  take(curl.easy_reset, "curl_easy_reset");
  take(curl.easy_setopt, "curl_easy_setopt");
  take(curl.easy_strerror, "curl_easy_strerror");
  take(curl.free, "curl_free");
  take(curl.global_init, "curl_global_init");
  take(curl.multi_add_handle, "curl_multi_add_handle");
  take(curl.multi_cleanup, "curl_multi_cleanup");
  take(curl.multi_info_read, "curl_multi_info_read");
  take(curl.multi_init, "curl_multi_init");
  take(curl.multi_perform, "curl_multi_perform");
  take(curl.multi_poll, "curl_multi_poll");
  take(curl.multi_remove_handle, "curl_multi_remove_handle");
  take(curl.multi_wakeup, "curl_multi_wakeup");
  take(curl.slist_append, "curl_slist_append");
  take(curl.slist_free_all, "curl_slist_free_all");
  take(curl.url, "curl_url");
  take(curl.url_cleanup, "curl_url_cleanup");
  take(curl.url_get, "curl_url_get");
  take(curl.url_set, "curl_url_set");
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
