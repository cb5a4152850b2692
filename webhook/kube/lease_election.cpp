#include "webhook/kube/lease_election.h"

#include <algorithm>
#include <utility>

#include "policy/text/time_text.h"

namespace belay::webhook::kube {
namespace {

using std::chrono::ceil;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Our own name on every field that we write, in metadata.managedFields.
constexpr std::string_view kFieldManager = "?fieldManager=belay";
/// A holder may say that it renews less often than we do (another version of belay), within reason:
/// a hand-written year would leave the cluster without a leader.
constexpr int kLongestOfOurs = 10;

}  // namespace

LeaseElection::LeaseElection(Api& api, LeaseOptions options, LeaseClocks clocks)
    : api_(api),
      options_(std::move(options)),
      clocks_(std::move(clocks)),
      collection_("/apis/coordination.k8s.io/v1/namespaces/" + options_.namespace_name +
                  "/leases") {}

void LeaseElection::step() {
  if (leading() && !lease_.empty() && take()) return;
  look();
}

void LeaseElection::look() {
  lease_.clear();
  auto answer = api_.get(collection_ + "/" + options_.name, deadline());
  if (!answer) {
    if (answer.error().kind == ApiError::Kind::kNotFound) create();
    return;  // who does not answer has not taken our lead; its deadline goes on
  }
  const auto record = read_lease(*answer);
  if (!record) return;
  observe(*record);
  if (may_take()) {
    lease_ = std::move(*answer);
    take();
  } else {
    leading_until_ = TimePoint::min();
  }
}

void LeaseElection::create() {
  const auto began = clocks_.steady();
  const LeaseRecord record = own_record();
  auto answer =
      api_.create(collection_ + std::string(kFieldManager),
                  write_lease("", options_.namespace_name, options_.name, record), deadline());
  if (!answer) return;
  lease_ = std::move(*answer);
  observe(record);
  leading_until_ = began + options_.renew_deadline;
}

bool LeaseElection::take() {
  const auto began = clocks_.steady();
  const LeaseRecord record = own_record();
  auto answer =
      api_.replace(collection_ + "/" + options_.name + std::string(kFieldManager),
                   write_lease(lease_, options_.namespace_name, options_.name, record), deadline());
  if (answer) {
    lease_ = std::move(*answer);
    observe(record);
    leading_until_ = began + options_.renew_deadline;
    return true;
  }
  // The API server has the lease differently from what we know: look. Else: it does not answer.
  const auto kind = answer.error().kind;
  return kind != ApiError::Kind::kConflict && kind != ApiError::Kind::kNotFound;
}

void LeaseElection::observe(const LeaseRecord& record) {
  // Compared as a whole and timed by our own clock: what the holder's clock says is not looked at.
  if (!observed_ || observed_->record != record) observed_ = {record, clocks_.steady()};
}

bool LeaseElection::may_take() const {
  const LeaseRecord& record = observed_->record;
  if (record.holder.empty() || record.holder == options_.identity) return true;
  const milliseconds patience = std::clamp<milliseconds>(record.duration, options_.duration,
                                                         options_.duration * kLongestOfOurs);
  return clocks_.steady() - observed_->since > patience;
}

LeaseRecord LeaseElection::own_record() const {
  const std::string now = policy::micro_time_text(clocks_.wall());
  LeaseRecord record{.holder = options_.identity,
                     .duration = std::max(seconds(1), ceil<seconds>(options_.duration)),
                     .acquire_time = now,
                     .renew_time = now,
                     .transitions = 0};
  if (!observed_) return record;
  const LeaseRecord& before = observed_->record;
  record.transitions = before.transitions;
  if (before.holder == options_.identity) {
    if (!before.acquire_time.empty()) record.acquire_time = before.acquire_time;
  } else {
    ++record.transitions;
  }
  return record;
}

milliseconds LeaseElection::deadline() const {
  const milliseconds usual = options_.renew_deadline / 2;
  const auto now = clocks_.steady();
  if (now >= leading_until_) return usual;
  return std::clamp(ceil<milliseconds>(leading_until_ - now), milliseconds(1), usual);
}

void LeaseElection::release() {
  const bool ours = leading() && !lease_.empty();
  leading_until_ = TimePoint::min();
  if (!ours) return;
  // As client-go leaves it: nobody holds it, and who still takes the duration seriously waits for
  // a second. The resource version keeps us from giving back what another has taken meanwhile.
  const std::string now = policy::micro_time_text(clocks_.wall());
  const LeaseRecord record{.holder = "",
                           .duration = seconds(1),
                           .acquire_time = now,
                           .renew_time = now,
                           .transitions = observed_->record.transitions};
  const auto ignored =
      api_.replace(collection_ + "/" + options_.name + std::string(kFieldManager),
                   write_lease(lease_, options_.namespace_name, options_.name, record),
                   std::min<milliseconds>(options_.renew_deadline / 2, seconds(2)));
  static_cast<void>(ignored);  // nobody is left who could do better; the others wait for it to end
  lease_.clear();
}

}  // namespace belay::webhook::kube
