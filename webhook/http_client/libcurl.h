// libcurl, loaded when the first client is made, not linked. Linked, it brings 24 libraries more
// (GnuTLS, Kerberos, LDAP) into every run, whether it asks anybody or not. Measured on Debian 12:
// `belay serve` with 100 idle connections holds 19.4 MiB instead of 15.4, of the 16 that README
// promises, and every subcommand takes 9 ms of CPU time to start instead of 5.
//
// For client.cpp and client_exchange.cpp only. Thread-safe.
#pragma once

#include <curl/curl.h>

#include <expected>
#include <string>

namespace belay::webhook::http_client {

// The functions that are called, under their names without "curl_".
#define BELAY_LIBCURL_FUNCTIONS(X) \
  X(easy_cleanup)                  \
  X(easy_getinfo)                  \
  X(easy_init)                     \
  X(easy_reset)                    \
  X(easy_setopt)                   \
  X(easy_strerror)                 \
  X(free)                          \
  X(global_init)                   \
  X(multi_add_handle)              \
  X(multi_cleanup)                 \
  X(multi_info_read)               \
  X(multi_init)                    \
  X(multi_perform)                 \
  X(multi_poll)                    \
  X(multi_remove_handle)           \
  X(multi_wakeup)                  \
  X(slist_append)                  \
  X(slist_free_all)                \
  X(url)                           \
  X(url_cleanup)                   \
  X(url_get)                       \
  X(url_set)

struct LibCurl {
// NOLINTNEXTLINE(bugprone-macro-parentheses): it is a name that is declared
#define BELAY_DECLARE(name) decltype(&curl_##name) name;
  BELAY_LIBCURL_FUNCTIONS(BELAY_DECLARE)
#undef BELAY_DECLARE
};

/// Loads and initialises the library the first time, for the whole process; it is never unloaded.
/// \return its functions; or why there are none: "libcurl.so.4 cannot be loaded: …"
const std::expected<LibCurl, std::string>& libcurl();

}  // namespace belay::webhook::http_client
