// Writes what became of each policy ConfigMap to where its author looks: the annotation
// belay.dev/status and an Event, both only when the annotation says something else. One thread,
// which alone waits for the API server; the others only leave word.
//
// What is written names uid and resource version of the ConfigMap that was read, so that nothing is
// said about a text that nobody has read, nothing that was deleted comes back, and two leaders at
// once do no harm: the second is refused, and the watch tells it of the first.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "webhook/kube/api.h"

namespace belay::webhook::policies {

/// What one ConfigMap should say, and what it says.
struct ConfigMapStatus {
  std::string namespace_name;
  std::string name;
  std::string uid;
  std::string resource_version;
  std::string text;      ///< wanted
  std::string present;   ///< the annotation as it is; "" where there is none
  bool in_force = true;  ///< whether all of its policies are: an Event of type Normal, else Warning

  bool operator==(const ConfigMapStatus&) const = default;
};

struct PolicyStatusOptions {
  std::string pod_name;                       ///< reporting instance of Events
  std::chrono::milliseconds deadline{5'000};  ///< of each request
  /// From one write to the same ConfigMap to the next: who fights over an annotation does it
  /// slowly.
  std::chrono::milliseconds pause{2'000};
  std::chrono::milliseconds backoff_min{1'000};  ///< doubled with each failure
  std::chrono::milliseconds backoff_max{60'000};
  std::function<std::chrono::system_clock::time_point()> wall = std::chrono::system_clock::now;
  /// Told when a status can't be written, once for each: it is tried again. On the writer's thread.
  std::function<void(const ConfigMapStatus& status, const std::string& problem)> on_failure =
      nullptr;
};

class PolicyStatusWriter {
 public:
  /// \param api  outlives the writer
  PolicyStatusWriter(kube::Api& api, PolicyStatusOptions options);
  ~PolicyStatusWriter();  ///< stops; what is not written yet is written by the next leader
  PolicyStatusWriter(const PolicyStatusWriter&) = delete;
  PolicyStatusWriter& operator=(const PolicyStatusWriter&) = delete;

  // Thread-safe, and never wait for the API server.
  void want(ConfigMapStatus status);
  /// The ConfigMap has gone.
  void forget(const std::string& namespace_name, const std::string& name);
  void set_leading(bool leading);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belay::webhook::policies
