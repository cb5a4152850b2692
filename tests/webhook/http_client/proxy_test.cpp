// Which requests go through a proxy: what does is not guarded by address, so none may by mistake.
#include "webhook/http_client/proxy.h"

#include <doctest/doctest.h>

namespace belay::webhook::http_client {
namespace {

TEST_CASE("each scheme has its proxy, and hosts of no_proxy and below have none") {
  const Proxies proxies = {.https = "http://secure:1",
                           .http = "http://plain:2",
                           .none = "registry.corp, .internal,[fd12::1] 10.1.2.3"};
  CHECK(proxy_for(proxies, "https://ghcr.io/v2/") == "http://secure:1");
  CHECK(proxy_for(proxies, "http://ghcr.io/v2/") == "http://plain:2");
  for (const char* url :
       {"https://registry.corp/v2/", "https://registry.corp:5000?x", "https://Registry.CORP",
        "https://a.registry.corp/", "https://internal/", "https://a.internal:5000/",
        "https://[fd12::1]:5000/v2/", "https://10.1.2.3:5000/v2/", "http://registry.corp/"}) {
    CAPTURE(url);
    CHECK(proxy_for(proxies, url).empty());
  }
  for (const char* url : {"https://evilregistry.corp/", "https://registry.corp.evil/",
                          "https://110.1.2.3/", "https://[fd12::11]:5000/"}) {
    CAPTURE(url);
    CHECK(proxy_for(proxies, url) == "http://secure:1");
  }
}

TEST_CASE("a network of no_proxy excepts the addresses in it, and no name") {
  const Proxies proxies = {
      .https = "http://p:1",
      .http = {},
      .none = "10.0.0.0/8,192.168.4.0/22, fd12::/16,172.16.0.1/32,2001:db8::/33"};
  for (const char* url :
       {"https://10.255.0.1/", "https://10.0.0.0:5000/", "https://192.168.7.255/",
        "https://[fd12:ffff::1]:5000/v2/", "https://172.16.0.1/", "https://[2001:db8:7fff::1]/"}) {
    CAPTURE(url);
    CHECK(proxy_for(proxies, url).empty());
  }
  for (const char* url :
       {"https://11.0.0.1/", "https://192.168.8.0/", "https://[fd13::1]/", "https://172.16.0.2/",
        "https://[2001:db8:8000::1]/", "https://registry.corp/", "https://10.registry.corp/"}) {
    CAPTURE(url);
    CHECK(proxy_for(proxies, url) == "http://p:1");
  }
  for (const char* none :
       {"10.0.0.0/", "10.0.0.0/x", "10.0.0.0/33", "10.0.0.0/-1", "/8", "a/8", "10.0.0.0/8/8"}) {
    CAPTURE(none);
    CHECK(proxy_for({.https = "http://p:1", .http = {}, .none = none}, "https://10.0.0.1/") ==
          "http://p:1");
  }
  CHECK(proxy_for({.https = "http://p:1", .http = {}, .none = "0.0.0.0/0"}, "https://9.9.9.9/")
            .empty());
}

TEST_CASE("an entry of no_proxy with a port excepts that port alone") {
  const Proxies proxies = {
      .https = "http://p:1", .http = {}, .none = "registry.corp:5000,[fd12::1]:443,fd13::1"};
  for (const char* url : {"https://registry.corp:5000/", "https://a.registry.corp:5000/",
                          "https://[fd12::1]/", "https://[fd13::1]:5000/"}) {
    CAPTURE(url);
    CHECK(proxy_for(proxies, url).empty());
  }
  for (const char* url :
       {"https://registry.corp/", "https://registry.corp:500/", "https://[fd12::1]:5000/"}) {
    CAPTURE(url);
    CHECK(proxy_for(proxies, url) == "http://p:1");
  }
}

TEST_CASE("a star excepts every host, and without a proxy there is none") {
  CHECK(proxy_for({.https = "http://p:1", .http = {}, .none = "*"}, "https://a/").empty());
  CHECK(proxy_for({.https = "http://p:1", .http = {}, .none = ","}, "https://a/") == "http://p:1");
  CHECK(proxy_for({.https = "http://p:1", .http = {}, .none = {}}, "http://a/").empty());
}

}  // namespace
}  // namespace belay::webhook::http_client
