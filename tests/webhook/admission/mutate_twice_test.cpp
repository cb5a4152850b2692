// Pinning is idempotent: what /mutate makes of a pod, it leaves as it is. 100,000 random pods, so
// bodies are put together from text and patches applied by pointer; mutate_test.cpp has them
// applied by a library.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "policy/text/base64.h"
#include "tests/webhook/admission/policies.h"
#include "tests/webhook/admission/registry_fake.h"
#include "tests/webhook/admission/review_text.h"
#include "webhook/admission/admission.h"
#include "webhook/namespaces/fixed_namespaces.h"

namespace belay::webhook::admission {
namespace {

using test::digest_of;
using test::Json;

constexpr std::array<std::string_view, 4> kLists{"initContainers", "containers",
                                                 "ephemeralContainers", "volumes"};

struct Image {
  std::size_t list = 0, index = 0;
  std::string text;

  std::string pointer() const {
    return "/spec/" + std::string(kLists.at(list)) + "/" + std::to_string(index) +
           (list == 3 ? "/image/reference" : "/image");
  }
};

using Random = std::mt19937;

template <std::size_t N>
std::string_view any(const std::array<std::string_view, N>& choices, Random& random) {
  return choices[random() % N];
}

/// References of every kind, and texts that are none.
std::string image_text(Random& random) {
  constexpr std::array<std::string_view, 12> kNames{"nginx",
                                                    "shop/web",
                                                    "registry.corp:5000/a/b",
                                                    "docker.io/library/nginx",
                                                    "Registry/x",
                                                    "localhost/a",
                                                    "shop/UPPER",
                                                    "",
                                                    "auto",
                                                    "a//b",
                                                    "[::1]:5000/a",
                                                    "index.docker.io/nginx"};
  constexpr std::array<std::string_view, 7> kTags{"",          ":v1", ":latest", ":1.2.3-prod",
                                                  ":moved-on", ":",   ":~1"};
  constexpr std::array<std::string_view, 4> kDigests{"", "", "", "@sha256:abc"};
  std::string text = std::string(any(kNames, random)).append(any(kTags, random));
  text += any(kDigests, random);
  if (random() % 8 == 0) text += "@" + digest_of('a');
  return text;
}

std::vector<Image> random_pod(Random& random) {
  std::vector<Image> images(random() % 5);
  std::array<std::size_t, 4> counts{};
  for (Image& image : images) {
    image.list = random() % kLists.size();
    image.index = counts.at(image.list)++;
    image.text = image_text(random);
  }
  return images;
}

std::string body_of(const std::vector<Image>& images) {
  std::string body =
      R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u",)"
      R"("kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"shop",)"
      R"("operation":"CREATE","object":{"spec":{)";
  for (std::size_t list = 0; list < kLists.size(); ++list) {
    body.append(list == 0 ? "\"" : ",\"").append(kLists.at(list)).append("\":[");
    std::string comma;
    for (const Image& image : images) {
      if (image.list != list) continue;
      body.append(comma).append(R"({"name":"n","image":)");
      body.append(list == 3 ? R"({"reference":")" : "\"").append(image.text);
      body.append(list == 3 ? "\"}}" : "\"}");
      comma = ",";
    }
    body += "]";
  }
  body += "}}}}";
  return body;
}

struct Mutating {
  Mutating() {
    registry.have_all();
    registry.cache_all();
    registry.push("docker.io/shop/web:latest", "no digest");
  }

  /// Applies what is answered to `images`. \return whether there was a patch
  bool mutate(std::vector<Image>& images) {
    std::string body = body_of(images);
    body.reserve(body.size() + 64);
    const Result result =
        admission.admit(Endpoint::kMutate, policies, {body.data(), body.size()}, out);
    RC_ASSERT(result.outcome == Outcome::kAllowed);
    if (out.find("\"patch\"") == std::string::npos) return false;
    const Json patch = Json::parse(
        *policy::base64_decode(Json::parse(out)["response"]["patch"].get<std::string>()));
    RC_ASSERT(!patch.empty());
    for (std::size_t step = 0; step < patch.size(); step += 2) {
      const Json& test = patch.at(step);
      const Json& replace = patch.at(step + 1);
      const auto found = std::ranges::find(images, test["path"].get<std::string>(),
                                           [](const Image& image) { return image.pointer(); });
      RC_ASSERT(found != images.end());
      RC_ASSERT(test["op"] == "test");
      RC_ASSERT(test["value"] == found->text);
      RC_ASSERT(replace["op"] == "replace");
      RC_ASSERT(replace["path"] == test["path"]);
      const auto after = replace["value"].get<std::string>();
      RC_ASSERT(after.starts_with(found->text + "@sha256:"));
      found->text = after;
    }
    return true;
  }

  policy::PolicySet policies = test::set_of(test::pin_policy("pins"));
  test::RegistryFake registry;
  namespaces::FixedNamespaces namespaces;
  Admission admission{namespaces, {.images = {.source = &registry}}};
  std::string out;
};

TEST_CASE("property: f(f(x)) = f(x) on 100,000 random pods") {
  Mutating mutating;
  int pods = 0;
  int patched = 0;
  const bool held = rc::check("mutating twice is mutating once", [&](unsigned seed) {
    Random random(seed);
    for (int i = 0; i < 1'000; ++i) {
      std::vector<Image> images = random_pod(random);
      ++pods;
      if (!mutating.mutate(images)) continue;
      ++patched;
      RC_ASSERT_FALSE(mutating.mutate(images));
    }
  });
  CHECK(held);
  CHECK(pods >= 100'000);
  CHECK(patched > 20'000);
}

}  // namespace
}  // namespace belay::webhook::admission
