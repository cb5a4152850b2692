// An API server in memory, for what the rooms above webhook/kube write: objects by path, resource
// versions that are preconditions, uids, and failures on request. It watches nothing. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/kube/api.h"

namespace belay::webhook::kube {

class FakeApi final : public Api {
 public:
  using Json = nlohmann::json;

  /// A request as it came in.
  struct Call {
    std::string verb;  ///< "get", "create", "replace", "patch"
    std::string path;  ///< without query
    std::string query;
    Json body;
  };

  /// Called for every request before it is looked at, without a lock; may fail it.
  std::function<std::optional<ApiError>(const Call&)> before;

  static ApiError error(ApiError::Kind kind, int status = 0) {
    ApiError made;
    made.kind = kind;
    made.status = status;
    made.message = "said the API server in memory";
    return made;
  }

  // The tests' side.
  void put(const std::string& path, Json object) {
    const std::lock_guard lock(mutex_);
    store(path, std::move(object));
  }
  void remove(const std::string& path) {
    const std::lock_guard lock(mutex_);
    objects_.erase(path);
  }
  /// null where there is none.
  Json at(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(path);
    return found == objects_.end() ? Json() : found->second;
  }
  /// Everything below a collection, by name.
  std::vector<Json> below(const std::string& collection) const {
    const std::lock_guard lock(mutex_);
    std::vector<Json> found;
    for (const auto& [path, object] : objects_) {
      if (path.starts_with(collection + "/")) found.push_back(object);
    }
    return found;
  }
  std::vector<Call> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

  // The program's side.
  Answer get(std::string_view path, std::chrono::milliseconds /*deadline*/) override {
    return answer("get", path, "", [](Json* there, const Call&) -> std::expected<Json, ApiError> {
      if (there == nullptr) return std::unexpected(error(ApiError::Kind::kNotFound, 404));
      return *there;
    });
  }

  Answer create(std::string_view path, std::string_view json,
                std::chrono::milliseconds /*deadline*/) override {
    return answer("create", path, json, [](Json* there, const Call& call) {
      return there == nullptr ? std::expected<Json, ApiError>(call.body)
                              : std::unexpected(error(ApiError::Kind::kConflict, 409));
    });
  }

  Answer replace(std::string_view path, std::string_view json,
                 std::chrono::milliseconds /*deadline*/) override {
    return answer("replace", path, json, [](Json* there, const Call& call) {
      if (there == nullptr || !agrees(*there, call.body)) return refusal(there);
      return std::expected<Json, ApiError>(call.body);
    });
  }

  Answer patch(std::string_view path, PatchType type, std::string_view json,
               std::chrono::milliseconds /*deadline*/) override {
    return answer("patch", path, json, [type](Json* there, const Call& call) {
      if (there == nullptr && type == PatchType::kApply && !call.body["metadata"].contains("uid")) {
        return std::expected<Json, ApiError>(call.body);
      }
      if (there == nullptr || !agrees(*there, call.body)) {
        return type == PatchType::kApply ? std::unexpected(error(ApiError::Kind::kConflict, 409))
                                         : refusal(there);
      }
      Json changed = *there;
      changed.merge_patch(call.body);
      return std::expected<Json, ApiError>(changed);
    });
  }

  std::expected<void, ApiError> stream(std::string_view /*path*/,
                                       std::chrono::milliseconds /*silence*/,
                                       std::stop_token /*stop*/,
                                       const OnLine& /*on_line*/) override {
    return std::unexpected(error(ApiError::Kind::kStopped));
  }

 private:
  /// Whether uid and resource version, where the body names them, are those of the object.
  static bool agrees(const Json& there, const Json& body) {
    const Json said = body.value("metadata", Json::object());
    for (const char* key : {"uid", "resourceVersion"}) {
      if (said.contains(key) && said[key] != there["metadata"][key]) return false;
    }
    return true;
  }
  static std::expected<Json, ApiError> refusal(const Json* there) {
    return std::unexpected(there == nullptr ? error(ApiError::Kind::kNotFound, 404)
                                            : error(ApiError::Kind::kConflict, 409));
  }

  template <class Change>
  Answer answer(std::string verb, std::string_view path, std::string_view json,
                const Change& change) {
    Call call{std::move(verb), std::string(path.substr(0, path.find('?'))), "",
              json.empty() ? Json() : Json::parse(json)};
    if (path.find('?') != std::string_view::npos) call.query = path.substr(path.find('?') + 1);
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(call);
    }
    if (before) {
      if (auto failed = before(call)) return std::unexpected(std::move(*failed));
    }
    const std::lock_guard lock(mutex_);
    std::string name = call.path;
    if (call.verb == "create") name += "/" + call.body["metadata"]["name"].get<std::string>();
    const auto found = objects_.find(name);
    auto changed = change(found == objects_.end() ? nullptr : &found->second, call);
    if (!changed) return std::unexpected(changed.error());
    if (call.verb != "get") store(name, *changed);
    return objects_[name].dump();
  }

  /// A new version, unless nothing but the version differs: as the API server does.
  void store(const std::string& path, Json object) {
    Json& there = objects_[path];
    Json& metadata = object["metadata"];
    metadata["uid"] =
        there.is_null() ? Json("uid-" + std::to_string(++last_uid_)) : there["metadata"]["uid"];
    if (!there.is_null()) metadata["resourceVersion"] = there["metadata"]["resourceVersion"];
    if (object == there) return;
    metadata["resourceVersion"] = std::to_string(++version_);
    there = std::move(object);
  }

  mutable std::mutex mutex_;
  std::map<std::string, Json> objects_;
  std::vector<Call> calls_;
  int version_ = 100;
  int last_uid_ = 0;
};

}  // namespace belay::webhook::kube
