// AdmissionReviews for tests, built as JSON values and written as text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace belay::test {

using Json = nlohmann::ordered_json;

inline constexpr std::string_view kUid = "705ab4f5-6393-11e8-b7cc-42010a800002";

/// A container.
inline Json container(std::string_view name, std::string_view image) {
  return {{"name", name}, {"image", image}};
}

/// A list. As a Json, `{one}` is a list of one to GCC 12 and `one` itself to clang 19.
using List = std::vector<Json>;

/// A pod (or the template of one) with these containers, labelled environment: prod.
inline Json pod(List containers) {
  return {{"metadata", {{"labels", {{"environment", "prod"}}}}},
          {"spec", {{"containers", std::move(containers)}}}};
}

/// A request for `object` of a kind; `old` for an UPDATE.
inline Json review(std::string_view group, std::string_view kind, Json object,
                   std::string_view operation = "CREATE", Json old = nullptr) {
  return {{"kind", "AdmissionReview"},
          {"apiVersion", "admission.k8s.io/v1"},
          {"request",
           {{"uid", kUid},
            {"kind", {{"group", group}, {"version", "v1"}, {"kind", kind}}},
            {"resource", {{"group", group}, {"version", "v1"}, {"resource", "things"}}},
            {"name", "checkout"},
            {"namespace", "shop"},
            {"operation", operation},
            {"userInfo", {{"username", "alice"}}},
            {"object", std::move(object)},
            {"oldObject", std::move(old)},
            {"dryRun", false}}}};
}

inline Json pod_review(List containers) { return review("", "Pod", pod(std::move(containers))); }

/// `inner` at a dotted path: at("spec.template", pod) is what a Deployment looks like.
inline Json at(std::string_view path, Json inner) {
  if (path.empty()) return inner;
  const std::size_t dot = path.find('.');
  const std::string_view rest = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  return {{std::string(path.substr(0, dot)), at(rest, std::move(inner))}};
}

}  // namespace belay::test
