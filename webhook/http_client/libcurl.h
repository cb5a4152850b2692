// libcurl, loaded when the first client is made: with it come some twenty libraries (Kerberos,
// LDAP, GnuTLS), which cost a server that asks nobody 3.5 MB of memory and a third of its start.
//
// For client.cpp only. Thread-safe.
#pragma once

#include <curl/curl.h>

#include <expected>
#include <string>

namespace belay::webhook::http_client {

/// The functions of libcurl that are called, under their names without "curl_".
struct LibCurl {
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_free) free;
  decltype(&curl_global_init) global_init;
  decltype(&curl_multi_add_handle) multi_add_handle;
  decltype(&curl_multi_cleanup) multi_cleanup;
  decltype(&curl_multi_info_read) multi_info_read;
  decltype(&curl_multi_init) multi_init;
  decltype(&curl_multi_perform) multi_perform;
  decltype(&curl_multi_poll) multi_poll;
  decltype(&curl_multi_remove_handle) multi_remove_handle;
  decltype(&curl_multi_wakeup) multi_wakeup;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
  decltype(&curl_url) url;
  decltype(&curl_url_cleanup) url_cleanup;
  decltype(&curl_url_get) url_get;
  decltype(&curl_url_set) url_set;
};

/// Loads and initialises the library the first time, for the whole process; it is never unloaded.
/// \return its functions; or why there are none: "libcurl.so.4 does not load: …"
const std::expected<LibCurl, std::string>& libcurl();

}  // namespace belay::webhook::http_client
