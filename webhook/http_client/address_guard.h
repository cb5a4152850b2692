// Which network addresses belay may dial for a name that a user wrote: the fence against being sent
// to metadata services, link-local and internal addresses (server-side request forgery). The
// address itself is evaluated, as it is dialled, so no second name lookup can change it.
//
// Ranges: IANA's IPv4 and IPv6 special-purpose address registries (RFC 6890). An IPv6 address that
// embeds an IPv4 one (mapped, NAT64, 6to4) is evaluated by that. Pure; thread-safe.
#pragma once

#include <sys/socket.h>

#include <cstdint>

namespace belay::webhook::http_client {

enum class AddressClass : std::uint8_t {
  kPublic,
  kPrivate,    ///< loopback, private networks, shared address space, unique local
  kForbidden,  ///< link-local (cloud metadata among them), multicast, unspecified, reserved, …
};

/// \param address  of family AF_INET or AF_INET6; anything else is kForbidden
AddressClass class_of(const sockaddr& address);

/// What a client may dial.
enum class AddressGuard : std::uint8_t {
  kNone,           ///< everything: whom to dial is the admin's word alone
  kPublic,         ///< public addresses
  kPublicPrivate,  ///< and private ones, never a forbidden one
};
bool may_dial(AddressGuard guard, const sockaddr& address);

}  // namespace belay::webhook::http_client
