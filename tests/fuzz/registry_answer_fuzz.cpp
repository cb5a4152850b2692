// Any body -> token, manifest, config, list of attached artifacts: within the limits, and with
// digests that fit the grammar. The first line of the input stands for the Content-Type.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/image_reference.h"
#include "webhook/registry/auth/token.h"
#include "webhook/registry/manifest.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void require_good(const belay::webhook::registry::Descriptor& descriptor) {
  const std::string reference = "a@" + descriptor.digest;
  const auto parsed = belay::policy::parse_image_reference(reference);
  require(parsed && parsed->digest == descriptor.digest);
  require(descriptor.size >= 0);
  require(descriptor.annotations.size() <= belay::webhook::registry::kMaxAnnotations);
  require(std::ranges::all_of(descriptor.platform, [](char c) { return c > ' ' && c < '\x7f'; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belay::webhook::registry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view type = text.substr(0, text.find('\n'));
  const std::string_view body = text.substr(std::min(type.size() + 1, text.size()));
  if (const auto token = read_token(body)) {
    require(!token->text.empty() && token->lifetime.count() >= 0);
    require(std::ranges::all_of(token->text, [](char c) { return c > ' ' && c < '\x7f'; }));
  } else {
    require(!token.error().empty());
  }
  if (const auto manifest = read_manifest(body, type)) {
    require(manifest->index != manifest->manifests.empty());
    require(manifest->manifests.size() <= kMaxPlatforms);
    if (!manifest->index) require_good(manifest->config);
    for (const Descriptor& descriptor : manifest->manifests) require_good(descriptor);
  } else {
    require(!manifest.error().empty());
  }
  if (const auto config = read_image_config(body)) {
    require(config->labels.size() <= kMaxAnnotations);
  } else {
    require(!config.error().empty());
  }
  if (const auto list = read_referrers(body)) {
    for (const Descriptor& descriptor : *list) require_good(descriptor);
  }
  require(has_digest(body, digest_of(body)));
  return 0;
}
