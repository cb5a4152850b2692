// The table of schemes.
#include "webhook/registry/auth/scheme.h"

#include <algorithm>
#include <iterator>

/// ROW(bearer): the scheme "Bearer", for which log_in_bearer() in bearer.cpp logs in.
#define BELAY_AUTH_SCHEMES(ROW) \
  ROW(basic)                    \
  ROW(bearer)

namespace belay::webhook::registry {

#define BELAY_SCHEME_FUNCTION(name) LoginResult log_in_##name(const Login& login);
BELAY_AUTH_SCHEMES(BELAY_SCHEME_FUNCTION)
#undef BELAY_SCHEME_FUNCTION

namespace {

#define BELAY_SCHEME_ROW(name) {#name, log_in_##name},
constexpr AuthScheme kSchemes[] = {BELAY_AUTH_SCHEMES(BELAY_SCHEME_ROW)};
#undef BELAY_SCHEME_ROW

}  // namespace

const AuthScheme* find_auth_scheme(std::string_view name) {
  const auto* const found = std::ranges::find(kSchemes, name, &AuthScheme::name);
  return found == std::end(kSchemes) ? nullptr : found;
}

}  // namespace belay::webhook::registry
