#include "webhook/registry/auth/scheme.h"

#include <algorithm>
#include <iterator>

namespace belay::webhook::registry {
namespace {

constexpr AuthScheme kSchemes[] = {
    {"basic", log_in_basic},
    {"bearer", log_in_bearer},
};

}  // namespace

const AuthScheme* find_auth_scheme(std::string_view name) {
  const auto* const found = std::ranges::find(kSchemes, name, &AuthScheme::name);
  return found == std::end(kSchemes) ? nullptr : found;
}

}  // namespace belay::webhook::registry
