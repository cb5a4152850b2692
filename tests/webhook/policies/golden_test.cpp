// Golden answers: every AdmissionReview that a real kube-apiserver sent (tests/golden/reviews) goes
// through the server's code path under tests/golden/policy.yaml; what comes out must be what stands
// in tests/golden/answers. After a change that is meant, write them anew and read the difference:
//
//     BELAY_WRITE_GOLDEN=1 build/dev/tests/policies_tests -tc='golden*' && git diff tests/golden
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/policy_reader.h"
#include "policy/policy_set.h"
#include "tests/support/sources.h"
#include "webhook/admission/admission.h"
#include "webhook/namespaces/fixed_namespaces.h"
#include "webhook/policies/config_map_review.h"

namespace belay::webhook::policies {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

const fs::path kGolden = tests::source("tests/golden");

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> reviews() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(kGolden / "reviews")) {
    if (entry.path().extension() == ".json") found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

TEST_CASE("golden: recorded reviews get the answers that are kept beside them") {
  auto policy =
      policy::read_policy(read(kGolden / "policy.yaml"),
                          {policy::PolicySource::Kind::kConfigMap, "belay-system/golden"});
  REQUIRE(policy.has_value());
  policy->revision = "0123456789ab";
  const policy::PolicySet policies =
      policy::make_policy_set({std::make_shared<const policy::Policy>(std::move(*policy))});
  namespaces::FixedNamespaces namespaces;
  admission::Admission admission(
      namespaces, {.today =
                       [] {
                         return std::chrono::year_month_day{std::chrono::year{2026},
                                                            std::chrono::June, std::chrono::day{1}};
                       },
                   .extra_templates = {{"argoproj.io", "Rollout", "spec.template"}},
                   .config_maps = review_config_map});

  REQUIRE(reviews().size() > 40);
  const bool write = std::getenv("BELAY_WRITE_GOLDEN") != nullptr;
  fs::create_directories(kGolden / "answers");
  for (const fs::path& path : reviews()) {
    CAPTURE(path.filename().string());
    std::string body = read(path);
    // Each namespace of the recording has the environment that the golden policy is written for.
    const Json review = Json::parse(body);
    namespaces.set(review["request"].value("namespace", ""), "environment", "prod");
    const bool mutate = path.stem().string().ends_with("-mutate");
    std::string out;
    const admission::Result result =
        admission.admit(mutate ? admission::Endpoint::kMutate : admission::Endpoint::kValidate,
                        policies, {body.data(), body.size()}, out);
    const Json got = {{"status", result.http_status}, {"body", Json::parse(out)}};
    if (result.http_status == 200) {
      CHECK(got["body"]["response"]["uid"] == review["request"]["uid"]);
    }
    const fs::path golden = kGolden / "answers" / path.filename();
    if (write) {
      std::ofstream(golden) << got.dump(2) << '\n';
      continue;
    }
    REQUIRE_MESSAGE(fs::exists(golden), "no answer is kept: see the top of this file");
    CHECK(got == Json::parse(read(golden)));
  }
}

TEST_CASE("golden: no answer is kept for a review that is gone") {
  for (const auto& entry : fs::directory_iterator(kGolden / "answers")) {
    CAPTURE(entry.path().filename().string());
    CHECK(fs::exists(kGolden / "reviews" / entry.path().filename()));
  }
}

}  // namespace
}  // namespace belay::webhook::policies
