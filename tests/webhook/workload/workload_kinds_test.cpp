// The table of kinds, and the chart's copy of it: what the webhooks are asked about. With
// BELAY_UPDATE_DOCS=1 the copy is written instead of compared.
#include "webhook/workload/workload_kinds.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/support/sources.h"

using namespace belay::webhook::workload;

namespace {

std::string chart_file() {
  std::string text =
      "# The kinds with pods in them, as webhook/workload/workload_kinds.cpp has them. Do not "
      "edit:\n"
      "# BELAY_UPDATE_DOCS=1 build/dev/tests/workload_tests writes this file.\n";
  for (const WorkloadKind& row : workload_kinds()) {
    text.append("- {group: \"").append(row.group).append("\", kind: ").append(row.kind);
    text.append(", resources: [").append(row.resources).append("], podPath: \"");
    text.append(row.pod_path).append("\"}\n");
  }
  return text;
}

}  // namespace

TEST_CASE("the chart's webhooks are asked about every kind of the table, and no other") {
  const std::string path = belay::tests::source("charts/belay/files/workloads.yaml");
  if (std::getenv("BELAY_UPDATE_DOCS") != nullptr) std::ofstream(path) << chart_file();
  std::ifstream file(path);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == chart_file());
}

TEST_CASE("a kind is found by its group and its name, and stands once in the table") {
  std::set<const WorkloadKind*> found;
  for (const WorkloadKind& row : workload_kinds()) {
    CAPTURE(row.kind);
    CHECK(find_workload_kind(row.group, row.kind) == &row);
    CHECK_FALSE(row.resources.empty());
    found.insert(&row);
  }
  CHECK(found.size() == workload_kinds().size());
  CHECK(find_workload_kind("example.com", "Pod") == nullptr);
  CHECK(find_workload_kind("", "ConfigMap") == nullptr);
}
