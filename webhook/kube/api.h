// The Kubernetes API as the rooms above see it: requests that end by a deadline, and
// one stream of watch events. Knows paths and bytes; what they mean is the callers' business.
//
// Implementations are thread-safe: each call uses a connection of its own or of a pool.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

namespace belay::webhook::kube {

/// Why a request had no good answer. Kinds are what callers act upon; `status` is the HTTP status,
/// 0 where there was none.
struct ApiError {
  enum class Kind : std::uint8_t {
    kUnreachable,   ///< no connection, TLS refused, cut off
    kTimeout,       ///< the deadline passed
    kUnauthorized,  ///< 401
    kForbidden,     ///< 403: the role lacks a verb
    kNotFound,      ///< 404
    kConflict,      ///< 409: exists already, or another writer was first
    kGone,          ///< 410: the resource version is too old; list again
    kRejected,      ///< any other 4xx
    kServer,        ///< 429 and 5xx: try again later
    kStopped,       ///< the caller's stop token
    kTooLarge,      ///< more than we read: ask for less of it
  };
  Kind kind = Kind::kUnreachable;
  int status = 0;
  std::string message = {};  ///< a sentence for people; never a token or a key
  /// What a Retry-After header asked for; 0 where there was none.
  std::chrono::seconds retry_after{0};
};

enum class PatchType : std::uint8_t {
  kMerge,  ///< application/merge-patch+json
  kJson,   ///< application/json-patch+json
  kApply,  ///< application/apply-patch+yaml; the path carries fieldManager and force
};

class Api {
 public:
  virtual ~Api() = default;

  /// Paths begin with "/" and carry their query: "/api/v1/namespaces?limit=500". Every function
  /// returns the body of a 2xx answer, at most 64 MiB of it.
  using Answer = std::expected<std::string, ApiError>;
  virtual Answer get(std::string_view path, std::chrono::milliseconds deadline) = 0;
  /// get() that a stop ends at once, with kStopped, where the implementation can.
  virtual Answer get_unless_stopped(std::string_view path, std::chrono::milliseconds deadline,
                                    const std::stop_token& /*stop*/) {
    return get(path, deadline);
  }
  virtual Answer create(std::string_view path, std::string_view json,
                        std::chrono::milliseconds deadline) = 0;
  virtual Answer replace(std::string_view path, std::string_view json,
                         std::chrono::milliseconds deadline) = 0;
  virtual Answer patch(std::string_view path, PatchType type, std::string_view json,
                       std::chrono::milliseconds deadline) = 0;

  /// Streams the lines of a GET with `watch=true` until the server ends the stream (a value
  /// without error), `on_line` returns false, nothing at all came for `silence` (kTimeout: the
  /// peer is half open), or a stop is asked for. Lines are at most 16 MiB: a
  /// ConfigMap of 1 MiB that JSON escapes sixfold fits (kTooLarge beyond).
  using OnLine = std::function<bool(std::string_view line)>;
  virtual std::expected<void, ApiError> stream(std::string_view path,
                                               std::chrono::milliseconds silence,
                                               std::stop_token stop, const OnLine& on_line) = 0;
};

}  // namespace belay::webhook::kube
