// What a coordination.k8s.io/v1 Lease says, and its text with something else in it. Pure and
// thread-safe.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

namespace belay::webhook::kube {

/// The `spec` of a Lease as client-go's leader election fills it; what is absent is "" or 0.
struct LeaseRecord {
  std::string holder;  ///< "" where nobody holds it
  std::chrono::seconds duration{0};
  std::string acquire_time;  ///< MicroTime, as written
  std::string renew_time;
  int transitions = 0;  ///< how often the holder changed

  bool operator==(const LeaseRecord&) const = default;
};

/// \return what is wrong with the text, as a sentence.
std::expected<LeaseRecord, std::string> read_lease(std::string_view json);

/// The Lease `json` (with its resource version, labels and whatever else it has) with this record.
/// \param json  that read_lease() has read; "" for a new Lease of that name
std::string write_lease(std::string_view json, std::string_view namespace_name,
                        std::string_view name, const LeaseRecord& record);

}  // namespace belay::webhook::kube
