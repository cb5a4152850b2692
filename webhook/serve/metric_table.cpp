#include "webhook/serve/metric_table.h"

#include <algorithm>
#include <cassert>

#include "build_info.h"
#include "policy/policy.h"
#include "policy/verdict.h"
#include "webhook/admission/observer.h"
#include "webhook/admission/review.h"
#include "webhook/admission/review_reader.h"
#include "webhook/http/rejection.h"
#include "webhook/kube/watch.h"
#include "webhook/workload/workload_kinds.h"

namespace belay::webhook::serve {
namespace {

#define BELAY_METRIC_ROW(id, type, name, labels, help) \
  {Metric::id, MetricType::type, name, labels, help},
constexpr MetricRow kRows[] = {BELAY_METRICS(BELAY_METRIC_ROW)};
#undef BELAY_METRIC_ROW

using Names = std::vector<std::string>;

void add_once(Names& names, std::string_view name) {
  if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
}

/// The names of an enumeration from 0 to `last`.
template <class Enum>
void add_names(Names& names, Enum last) {
  for (std::size_t i = 0; i <= static_cast<std::size_t>(last); ++i) {
    add_once(names, name_of(static_cast<Enum>(i)));
  }
}

template <auto kLast>
Names names_up_to(const Names& /*extra_kinds*/) {
  Names names;
  add_names(names, kLast);
  return names;
}

/// The last is "other".
Names kinds(const Names& extra_kinds) {
  Names names;
  for (const workload::WorkloadKind& row : workload::workload_kinds()) add_once(names, row.kind);
  add_once(names, workload::kNamespaceKind);
  add_once(names, workload::kConfigMapKind);
  for (const std::string& kind : extra_kinds) add_once(names, kind);
  names.emplace_back("other");
  return names;
}

/// Two layers may reject for one reason (a media type); they share its series.
Names reasons(const Names& /*extra_kinds*/) {
  Names names;
  add_names(names, admission::ReadErrorCode::kTooManyImages);
  add_names(names, admission::Rejection::kNotReady);
  add_names(names, http::Rejection::kOverload);
  return names;
}

/// Labels whose values are enumerations of the program.
constexpr struct {
  std::string_view name;
  Names (*values)(const Names& extra_kinds);
} kEnumerations[] = {
    {"operation", names_up_to<admission::Operation::kConnect>},
    {"kind", kinds},
    {"reason", reasons},
    {"rule", names_up_to<static_cast<policy::RuleId>(policy::kRuleCount - 1)>},
    {"mode", names_up_to<policy::Mode::kEnforce>},
    {"watch", names_up_to<static_cast<kube::WatchName>(kube::kWatchNames - 1)>},
    {"version", [](const Names&) { return Names{BELAY_VERSION}; }},
    {"commit", [](const Names&) { return Names{BELAY_COMMIT}; }},
};

/// Takes what stands in front of the separator off the text.
std::string_view take(std::string_view& text, std::string_view separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
  return part;
}

}  // namespace

std::span<const MetricRow> metric_rows() { return kRows; }

std::string_view name_of(MetricType type) {
  if (type == MetricType::kCounter) return "counter";
  return type == MetricType::kGauge ? "gauge" : "histogram";
}

std::vector<MetricLabel> labels_of(const MetricRow& row, const Names& extra_kinds) {
  std::vector<MetricLabel> labels;
  for (std::string_view rest = row.labels; !rest.empty();) {
    std::string_view values = take(rest, ", ");
    MetricLabel label{.name = std::string(take(values, "=")), .values = {}};
    while (!values.empty()) label.values.emplace_back(take(values, "|"));
    if (label.values.empty()) {
      const auto* const found = std::ranges::find_if(
          kEnumerations, [&label](const auto& one) { return one.name == label.name; });
      assert(found != std::end(kEnumerations));
      label.values = found->values(extra_kinds);
    }
    labels.push_back(std::move(label));
  }
  return labels;
}

}  // namespace belay::webhook::serve
