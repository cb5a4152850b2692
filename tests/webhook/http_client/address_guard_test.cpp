// Which addresses may be dialled: every range at its first and last address, and one beside it.
#include "webhook/http_client/address_guard.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <string>

namespace belay::webhook::http_client {
namespace {

/// An address of either family.
struct Address {
  explicit Address(const std::string& text) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
      storage.ss_family = AF_INET;
    } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
      storage.ss_family = AF_INET6;
    } else {
      FAIL("no address: " << text);
    }
  }
  const sockaddr& get() const { return reinterpret_cast<const sockaddr&>(storage); }
  sockaddr_storage storage{};
};

TEST_CASE("3.9: public addresses are contacted") {
  for (const char* text :
       {"1.0.0.0",         "9.255.255.255",   "11.0.0.0",         "100.63.255.255",
        "100.128.0.0",     "126.255.255.255", "128.0.0.0",        "169.253.255.255",
        "169.255.0.0",     "172.15.255.255",  "172.32.0.0",       "191.255.255.255",
        "192.0.1.0",       "192.167.255.255", "192.169.0.0",      "198.17.255.255",
        "198.20.0.0",      "223.255.255.255", "2001:200::",       "2001:4860:4860::8888",
        "2606:4700::1111", "::ffff:8.8.8.8",  "64:ff9b::808:808", "2002:808:808::1"}) {
    CAPTURE(text);
    CHECK(may_dial(AddressGuard::kPublic, Address(text).get()));
    CHECK(may_dial(AddressGuard::kPublicPrivate, Address(text).get()));
  }
}

TEST_CASE("3.9: private addresses are contacted only where the admin allows it") {
  for (const char* text :
       {"10.0.0.0",         "10.255.255.255",  "100.64.0.0",      "100.127.255.255",
        "127.0.0.0",        "127.0.0.1",       "127.255.255.255", "172.16.0.0",
        "172.31.255.255",   "192.168.0.0",     "192.168.255.255", "::1",
        "fc00::1",          "fdff:ffff::1",    "::ffff:10.0.0.1", "::ffff:127.0.0.1",
        "64:ff9b::a00:1",   "64:ff9b::7f00:1", "2002:a00:1::",    "2002:c0a8:101::1",
        "::ffff:0:10.0.0.1"}) {
    CAPTURE(text);
    CHECK_FALSE(may_dial(AddressGuard::kPublic, Address(text).get()));
    CHECK(may_dial(AddressGuard::kPublicPrivate, Address(text).get()));
  }
}

TEST_CASE("3.9: metadata, link-local and what is not a host are never contacted") {
  for (const char* text : {"0.0.0.0",
                           "0.255.255.255",
                           "100.100.100.200",
                           "168.63.129.16",
                           "169.254.0.0",
                           "169.254.169.254",
                           "169.254.255.255",
                           "192.0.0.0",
                           "192.0.0.192",
                           "192.0.0.255",
                           "192.0.2.1",
                           "192.88.99.1",
                           "198.18.0.0",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.0",
                           "239.255.255.255",
                           "240.0.0.0",
                           "255.255.255.255",
                           "::",
                           "::2",
                           "::8.8.8.8",
                           "::127.0.0.1",
                           "100::1",
                           "64:ff9b:1::1",
                           "64:ff9b:1:ffff::a9fe:a9fe",
                           "2001::1",
                           "2001:1ff::1",
                           "2001:db8::1",
                           "3fff::1",
                           "5f00::1",
                           "fd00:ec2::254",
                           "fd20:ce::254",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "feff::1",
                           "ff00::1",
                           "ff02::1",
                           "::ffff:169.254.169.254",
                           "::ffff:0.0.0.0",
                           "::ffff:0:169.254.169.254",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b::",
                           "2002:a9fe:a9fe::1",
                           "2002:e000:1::"}) {
    CAPTURE(text);
    CHECK(class_of(Address(text).get()) == AddressClass::kForbidden);
    CHECK_FALSE(may_dial(AddressGuard::kPublic, Address(text).get()));
    CHECK_FALSE(may_dial(AddressGuard::kPublicPrivate, Address(text).get()));
    CHECK(may_dial(AddressGuard::kNone, Address(text).get()));
  }
}

TEST_CASE("3.9: a socket that is none of the internet's is never contacted") {
  sockaddr local{};
  local.sa_family = AF_UNIX;
  CHECK_FALSE(may_dial(AddressGuard::kPublicPrivate, local));
}

}  // namespace
}  // namespace belay::webhook::http_client
