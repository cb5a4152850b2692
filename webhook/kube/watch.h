// Follows one collection of the Kubernetes API: list, then watch from where the list ended, for as
// long as the process lives. Bookmarks, 410 Gone, cut and half-open streams and an API server that
// is away are its business; the sink sees a consistent sequence.
//
// One thread a watch, which alone calls the sink. start() and stop() belong to the owner.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/kube/api.h"
#include "webhook/kube/object.h"

namespace belay::webhook::kube {

/// What a watch tells. Called on the watch's thread only.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  /// An object of a list, before the next page is asked for: the place to take what is wanted of it
  /// and to clear the rest, which would stay in memory until the list is whole. The list may yet be
  /// cut off; then another one follows.
  virtual void listed(Object& /*object*/) {}
  /// A whole list: what is not in it is gone. Also after every 410.
  virtual void replaced(std::vector<Object> objects) = 0;
  virtual void changed(Object object) = 0;
  virtual void deleted(const Object& object) = 0;
};

/// What belay watches, by one watch each: the closed set of the metrics' label `watch`.
enum class WatchName : std::uint8_t { kNamespaces, kPolicies, kTagHistory, kCertificate };
inline constexpr std::size_t kWatchNames = static_cast<std::size_t>(WatchName::kCertificate) + 1;

/// "tag_history": as the metrics and the log name it.
std::string_view name_of(WatchName name);

/// How a watch fares, for log and metrics (belay_watch_…).
struct WatchEventReport {
  enum class Kind : std::uint8_t { kListed, kEnded, kFailed, kExpired };
  Kind kind = Kind::kListed;
  WatchName watch = WatchName::kNamespaces;
  std::string_view problem = {};  ///< of kFailed
  std::chrono::milliseconds retry_in{0};
};

struct WatchOptions {
  WatchName name = WatchName::kNamespaces;
  std::string path = {};            ///< "/api/v1/namespaces", without query
  std::string label_selector = {};  ///< "" for all
  std::string field_selector = {};  ///< "metadata.name=belay-tls", "" for all
  bool labels_only = false;         ///< leave annotations and data out: they cost memory
  std::size_t page = 500;           ///< objects a request; halved while a page is too large to read
  std::chrono::milliseconds deadline{10'000};  ///< of one page of a list
  std::chrono::seconds server_timeout{300};    ///< timeoutSeconds of a stream
  std::chrono::milliseconds silence{90'000};   ///< bookmarks come each minute; then half open
  std::chrono::milliseconds backoff_min{1'000};
  std::chrono::milliseconds backoff_max{30'000};  ///< doubled each time, with jitter of a half
};

class Watch {
 public:
  /// \param api, sink  outlive the watch
  /// \param report  called on the watch's thread
  Watch(Api& api, WatchOptions options, WatchSink& sink,
        std::function<void(const WatchEventReport&)> report = {});
  ~Watch();  ///< stops
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void start();  ///< once
  /// Returns when the sink is not called any more; not to be called from the sink itself.
  void stop();
  /// Whether a list was ever read whole.
  bool synced() const;
  /// Since the API server last said anything on this watch; before it did, since the start. For the
  /// staleness metric.
  std::chrono::milliseconds quiet_for() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace belay::webhook::kube
