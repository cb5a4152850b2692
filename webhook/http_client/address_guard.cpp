#include "webhook/http_client/address_guard.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace belay::webhook::http_client {
namespace {

using Class = AddressClass;
using Bytes4 = std::array<std::uint8_t, 4>;
using Bytes16 = std::array<std::uint8_t, 16>;

template <class Bytes>
struct Range {
  Bytes prefix;
  int bits;
  Class of;
};

/// The first that holds counts; what none holds is public.
constexpr std::array<Range<Bytes4>, 17> kIpv4 = {{
    {{0}, 8, Class::kForbidden},                    // this network; 0.0.0.0 reaches the host itself
    {{10}, 8, Class::kPrivate},                     //
    {{100, 100, 100, 200}, 32, Class::kForbidden},  // a cloud's metadata service
    {{100, 64}, 10, Class::kPrivate},               // shared address space (RFC 6598)
    {{127}, 8, Class::kPrivate},                    // loopback
    {{168, 63, 129, 16}, 32, Class::kForbidden},    // a cloud's wire server
    {{169, 254}, 16, Class::kForbidden},            // link-local, metadata services
    {{172, 16}, 12, Class::kPrivate},               //
    {{192, 0, 0}, 24, Class::kForbidden},           // protocol assignments
    {{192, 0, 2}, 24, Class::kForbidden},           // documentation
    {{192, 88, 99}, 24, Class::kForbidden},         // 6to4 relays, deprecated
    {{192, 168}, 16, Class::kPrivate},              //
    {{198, 18}, 15, Class::kForbidden},             // benchmarking
    {{198, 51, 100}, 24, Class::kForbidden},        // documentation
    {{203, 0, 113}, 24, Class::kForbidden},         // documentation
    {{224}, 4, Class::kForbidden},                  // multicast
    {{240}, 4, Class::kForbidden},                  // reserved, broadcast
}};

constexpr std::array<Range<Bytes16>, 11> kIpv6 = {{
    {{0xfd, 0x00, 0x0e, 0xc2}, 32, Class::kForbidden},        // a cloud's metadata service
    {{0xfd, 0x20, 0x00, 0xce}, 32, Class::kForbidden},        // another's
    {{0xfc}, 7, Class::kPrivate},                             // unique local
    {{0xfe, 0x80}, 10, Class::kForbidden},                    // link-local
    {{0xfe, 0xc0}, 10, Class::kForbidden},                    // site-local, deprecated
    {{0xff}, 8, Class::kForbidden},                           // multicast
    {{0x01}, 8, Class::kForbidden},                           // discard-only and unassigned
    {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, Class::kForbidden},  // local-use NAT64
    {{0x20, 0x01, 0x00}, 23, Class::kForbidden},              // Teredo, ORCHID, benchmarking, …
    {{0x20, 0x01, 0x0d, 0xb8}, 32, Class::kForbidden},        // documentation
    {{0x3f, 0xff}, 20, Class::kForbidden},                    // documentation
}};

/// Where an IPv6 address holds the IPv4 address that it leads to.
struct Embedding {
  Bytes16 prefix;
  int bits;
  std::size_t offset;
};
constexpr std::array<Embedding, 4> kEmbeddings = {{
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12},  // ::ffff:0:0/96, mapped
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12},        // ::ffff:0:0:0/96, translated
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12},                    // 64:ff9b::/96, NAT64
    {{0x20, 0x02}, 16, 2},                                 // 2002::/16, 6to4
}};

template <class Bytes>
bool begins_with(const Bytes& address, const Bytes& prefix, int bits) {
  const auto whole = static_cast<std::ptrdiff_t>(bits / 8);
  if (!std::equal(prefix.begin(), prefix.begin() + whole, address.begin())) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto at = static_cast<std::size_t>(whole);
  return (address[at] >> (8 - rest)) == (prefix[at] >> (8 - rest));
}

Class class_of_ipv4(const Bytes4& address) {
  for (const auto& range : kIpv4) {
    if (begins_with(address, range.prefix, range.bits)) return range.of;
  }
  return Class::kPublic;
}

Class class_of_ipv6(const Bytes16& address) {
  constexpr Bytes16 kLoopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (address == kLoopback) return Class::kPrivate;
  for (const Embedding& embedding : kEmbeddings) {
    if (!begins_with(address, embedding.prefix, embedding.bits)) continue;
    Bytes4 inner{};
    std::copy_n(address.begin() + static_cast<std::ptrdiff_t>(embedding.offset), inner.size(),
                inner.begin());
    return class_of_ipv4(inner);
  }
  for (const auto& range : kIpv6) {
    if (begins_with(address, range.prefix, range.bits)) return range.of;
  }
  // Global unicast is 2000::/3; the rest is the unspecified address, compatible ones, or
  // unassigned.
  return (address[0] >> 5U) == 1 ? Class::kPublic : Class::kForbidden;
}

}  // namespace

AddressClass class_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    Bytes4 bytes{};
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return class_of_ipv4(bytes);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    Bytes16 bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return class_of_ipv6(bytes);
  }
  return Class::kForbidden;
}

bool may_dial(AddressGuard guard, const sockaddr& address) {
  if (guard == AddressGuard::kNone) return true;
  const Class of = class_of(address);
  return of == Class::kPublic || (of == Class::kPrivate && guard == AddressGuard::kPublicPrivate);
}

}  // namespace belay::webhook::http_client
