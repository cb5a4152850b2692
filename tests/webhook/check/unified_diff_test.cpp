// Diffs of texts whose lines changed in place.
#include "webhook/check/unified_diff.h"

#include <doctest/doctest.h>

#include <string>

namespace belay::webhook::check {
namespace {

/// "1\n2\n…", with some lines marked.
std::string lines(int count, std::initializer_list<int> marked) {
  std::string out;
  for (int i = 1; i <= count; ++i) {
    out += std::to_string(i);
    for (const int mark : marked) out += mark == i ? "!" : "";
    out += '\n';
  }
  return out;
}

TEST_CASE("texts that are the same have no diff") {
  CHECK(unified_diff("a.yaml", "x\n", "x\n") == "");
  CHECK(unified_diff("a.yaml", "", "") == "");
}

TEST_CASE("a change stands with three lines around it, and far changes in hunks of their own") {
  CHECK(unified_diff("m/a.yaml", lines(20, {}), lines(20, {5, 16})) ==
        "--- a/m/a.yaml\n+++ b/m/a.yaml\n"
        "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+5!\n 6\n 7\n 8\n"
        "@@ -13,7 +13,7 @@\n 13\n 14\n 15\n-16\n+16!\n 17\n 18\n 19\n");
}

TEST_CASE("changes whose surroundings meet are one hunk, changes side by side one block") {
  CHECK(unified_diff("a", lines(9, {}), lines(9, {1, 2, 9})) ==
        "--- a/a\n+++ b/a\n"
        "@@ -1,9 +1,9 @@\n-1\n-2\n+1!\n+2!\n 3\n 4\n 5\n 6\n 7\n 8\n-9\n+9!\n");
}

TEST_CASE("a last line without its end and carriage returns are shown as diff -u does") {
  CHECK(unified_diff("/tmp/a", "x\r", "y\r") ==
        "--- /tmp/a\n+++ /tmp/a\n@@ -1 +1 @@\n-x\r\n\\ No newline at end of file\n"
        "+y\r\n\\ No newline at end of file\n");
}

}  // namespace
}  // namespace belay::webhook::check
