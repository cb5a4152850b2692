// What is wanted of each ConfigMap, and the loop that writes it.
#include "webhook/policies/policy_status_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "certs/digest.h"
#include "policy/text/time_text.h"
#include "webhook/policies/cluster_policies.h"
#include "webhook/policies/policy_status.h"
#include "webhook/system/background_loop.h"

namespace belay::webhook::policies {
namespace {

using Clock = BackgroundLoop::Clock;
using nlohmann::json;

constexpr std::size_t kMaxNameInEvent = 230;  // of the 253 that a name may have

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string status_annotation_of(const ConfigMapStatus& status) {
  return dump({{"apiVersion", "v1"},
               {"kind", "ConfigMap"},
               {"metadata",
                {{"name", status.name},
                 {"namespace", status.namespace_name},
                 {"uid", status.uid},
                 {"resourceVersion", status.resource_version},
                 {"annotations", {{kStatusAnnotation, status.text}}}}}});
}

/// A name that the same news of the same ConfigMap always has: told twice, it is one Event.
std::string event_name(const ConfigMapStatus& status) {
  std::string name = status.name.substr(0, kMaxNameInEvent);
  while (!name.empty() && (name.back() == '.' || name.back() == '-')) name.pop_back();
  const auto digest =
      certs::sha256_hex(status.uid + "\n" + status.resource_version + "\n" + status.text);
  return name + "." + digest.substr(0, 16);
}

/// A core/v1 Event. Its message is one line: lists of events show no more.
std::string event_of(const ConfigMapStatus& status, const std::string& pod,
                     std::chrono::system_clock::time_point now) {
  const std::string time = policy::micro_time_text(now);
  std::string message;
  for (const char c : status.text) {
    if (c != '\n') {
      message += c;
    } else {
      message += message.ends_with(':') ? " " : "; ";
    }
  }
  // "; " is longer than the line break it stands for.
  if (message.size() > kMaxStatusBytes) {
    std::size_t size = kMaxStatusBytes - 3;
    while ((static_cast<unsigned char>(message[size]) & 0xC0U) == 0x80U) --size;
    message.resize(size);
    message += "...";
  }
  return dump({{"apiVersion", "v1"},
               {"kind", "Event"},
               {"metadata", {{"name", event_name(status)}, {"namespace", status.namespace_name}}},
               {"involvedObject",
                {{"apiVersion", "v1"},
                 {"kind", "ConfigMap"},
                 {"namespace", status.namespace_name},
                 {"name", status.name},
                 {"uid", status.uid},
                 {"resourceVersion", status.resource_version}}},
               {"type", status.in_force ? "Normal" : "Warning"},
               {"reason", status.in_force ? "PolicyInForce" : "PolicyInvalid"},
               {"message", message},
               {"source", {{"component", "belay"}}},
               {"reportingComponent", "belay"},
               {"reportingInstance", pod},
               {"firstTimestamp", time},
               {"lastTimestamp", time},
               {"count", 1}});
}

/// Whether trying again may help. A role that lacks a verb may be given it, so 403 counts.
bool worth_retrying(const kube::ApiError& error) {
  switch (error.kind) {
    case kube::ApiError::Kind::kNotFound:
    case kube::ApiError::Kind::kConflict:
    case kube::ApiError::Kind::kGone:
      return false;  // the ConfigMap is another by now; the watch tells of it
    default:
      return true;
  }
}

bool is_passing(const kube::ApiError& error) {
  switch (error.kind) {
    case kube::ApiError::Kind::kUnreachable:
    case kube::ApiError::Kind::kTimeout:
    case kube::ApiError::Kind::kServer:
      return true;
    default:
      return false;
  }
}

}  // namespace

class PolicyStatusWriter::Impl {
 public:
  Impl(kube::Api& api, PolicyStatusOptions options) : api_(api), options_(std::move(options)) {
    loop_.start();
  }

  void want(ConfigMapStatus status) {
    {
      const std::lock_guard lock(mutex_);
      Item& item = items_[{status.namespace_name, status.name}];
      if (item.version > 0 && status == item.status) return;  // said, or still being tried
      item.pending = status.text != status.present;
      item.status = std::move(status);
      item.failures = 0;
      item.due = not_before(item);
      ++item.version;
    }
    loop_.wake();
  }

  void forget(const std::string& namespace_name, const std::string& name) {
    const std::lock_guard lock(mutex_);
    items_.erase({namespace_name, name});
  }

  void set_leading(bool leading) {
    {
      const std::lock_guard lock(mutex_);
      leading_ = leading;
    }
    loop_.wake();
  }

 private:
  struct Item {
    ConfigMapStatus status;
    bool pending = false;
    unsigned failures = 0;
    Clock::time_point due;
    std::optional<Clock::time_point> written;
    std::uint64_t version = 0;  ///< of `status`
  };
  using Items = std::map<std::pair<std::string, std::string>, Item>;

  /// What was never written waits for nothing, on a machine too that has run for less than `pause`:
  /// its clock began with it.
  Clock::time_point not_before(const Item& item) const {
    return item.written ? *item.written + options_.pause : Clock::time_point::min();
  }

  /// Writes the one status that is due, if any is.
  Clock::time_point step() {
    std::unique_lock lock(mutex_);
    const auto next = leading_ ? first_due() : items_.end();
    if (next == items_.end()) return BackgroundLoop::kNever;
    if (next->second.due > Clock::now()) return next->second.due;
    write(lock, next->first, next->second.status, next->second.version);
    return BackgroundLoop::kAtOnce;
  }

  Items::iterator first_due() {
    auto first = items_.end();
    const auto now = Clock::now();
    for (auto item = items_.begin(); item != items_.end(); ++item) {
      if (!item->second.pending) continue;
      if (item->second.due <= now) return item;
      if (first == items_.end() || item->second.due < first->second.due) first = item;
    }
    return first;
  }

  /// By value: what is asked for may change while the API server is.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): a reference into items_ would change
  void write(std::unique_lock<std::mutex>& lock, const Items::key_type key,
             // NOLINTNEXTLINE(performance-unnecessary-value-param)
             const ConfigMapStatus status, std::uint64_t version) {
    const bool first_try = items_.at(key).failures == 0;
    lock.unlock();
    const auto failed = tell(status);
    if (failed && first_try && options_.on_failure) options_.on_failure(status, failed->message);
    lock.lock();
    const auto found = items_.find(key);
    if (found == items_.end()) return;
    Item& item = found->second;
    if (!failed) item.written = Clock::now();
    if (item.version != version) {  // something else is wanted by now
      if (!failed) item.due = not_before(item);
      return;
    }
    if (failed && worth_retrying(*failed)) {
      item.due = Clock::now() + backoff(item.failures++, *failed);
    } else {
      item.pending = false;
    }
  }

  /// The Event first: a replica that ends between the two is followed by one that tells the same
  /// Event once more, under the same name.
  std::optional<kube::ApiError> tell(const ConfigMapStatus& status) {
    const auto event = api_.create(
        fmt::format("/api/v1/namespaces/{}/events?fieldManager=belay", status.namespace_name),
        event_of(status, options_.pod_name, options_.wall()), options_.deadline);
    if (!event && is_passing(event.error())) return event.error();
    // An Event that may not be made (no such right, a namespace that ends) holds nothing up.
    const auto annotation =
        api_.patch(fmt::format("/api/v1/namespaces/{}/configmaps/{}?fieldManager=belay&force=true",
                               status.namespace_name, status.name),
                   kube::PatchType::kApply, status_annotation_of(status), options_.deadline);
    if (!annotation) return annotation.error();
    return std::nullopt;
  }

  std::chrono::milliseconds backoff(unsigned failures, const kube::ApiError& error) const {
    constexpr unsigned kMostDoublings = 16;
    const auto time = std::min(options_.backoff_max,
                               options_.backoff_min * (1U << std::min(failures, kMostDoublings)));
    return std::max<std::chrono::milliseconds>(
        time, std::min<std::chrono::milliseconds>(error.retry_after, options_.backoff_max));
  }

  kube::Api& api_;
  const PolicyStatusOptions options_;
  std::mutex mutex_;
  Items items_;           ///< guarded by mutex_
  bool leading_ = false;  ///< the same
  BackgroundLoop loop_{"policy status", [this](const std::stop_token&) { return step(); }};
};

PolicyStatusWriter::PolicyStatusWriter(kube::Api& api, PolicyStatusOptions options)
    : impl_(std::make_unique<Impl>(api, std::move(options))) {}
PolicyStatusWriter::~PolicyStatusWriter() = default;
void PolicyStatusWriter::want(ConfigMapStatus status) { impl_->want(std::move(status)); }
void PolicyStatusWriter::forget(const std::string& namespace_name, const std::string& name) {
  impl_->forget(namespace_name, name);
}
void PolicyStatusWriter::set_leading(bool leading) { impl_->set_leading(leading); }

}  // namespace belay::webhook::policies
