// An AdmissionReview request as belay reads it: what answering needs and what rules look at.
// Views borrow from the request body. One review belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/workload.h"

namespace belay::webhook::admission {

enum class Operation : std::uint8_t { kCreate, kUpdate, kDelete, kConnect };
std::string_view name_of(Operation operation);

/// request.kind: what was asked for, after the API server's conversion (matchPolicy: Equivalent).
struct Kind {
  std::string_view group, version, kind;
};

struct Review {
  std::string_view uid;
  Kind kind;
  std::string_view resource, subresource;
  Operation operation = Operation::kCreate;
  bool dry_run = false;
  std::string_view user;         ///< userInfo.username
  bool evaluated = false;        ///< belay evaluates this kind on this operation
  std::string_view metric_kind;  ///< kind from the closed set of evaluated kinds, else "other"
  policy::Workload workload;     ///< filled where `evaluated`; of a ConfigMap, names and labels
  bool is_config_map = false;    ///< a ConfigMap, on any operation but CONNECT; never `evaluated`
  std::vector<policy::Label> data, old_data;  ///< of a ConfigMap: texts by key

  void clear();
};

/// Why a body is no review that belay can evaluate. Never a verdict: it becomes a 4xx.
enum class ReadErrorCode : std::uint8_t {
  kSyntax,         ///< no JSON
  kDepth,          ///< nested deeper than 64
  kDuplicateKey,   ///< the same key twice in one object
  kEncoding,       ///< a string that is used is not UTF-8
  kWrongType,      ///< a field that is used has another type
  kVersion,        ///< apiVersion is not admission.k8s.io/v1
  kKind,           ///< kind is not AdmissionReview
  kMissingField,   ///< request, uid, kind, operation or object is absent
  kOperation,      ///< none of CREATE, UPDATE, DELETE, CONNECT
  kTooManyImages,  ///< more than 1,000 image fields (or labels) in a pod
};
/// "duplicate-key": closed set, used as metric label.
std::string_view name_of(ReadErrorCode code);

struct ReadError {
  ReadErrorCode code;
  /// A sentence for people with the place and what to do: `duplicate key "image" at byte 512`.
  std::string message;
  /// Path of the field, where one is to blame: "request.object.spec.containers[0].image".
  std::string field = {};
};

}  // namespace belay::webhook::admission
