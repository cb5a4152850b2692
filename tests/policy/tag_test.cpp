// SemVer 2.0 and calendar dates, by table.
#include "policy/tag.h"

#include <doctest/doctest.h>

#include <string>

namespace belay::policy {
namespace {

TEST_CASE("a version is taken apart") {
  const auto version = parse_semver("1.20.300-rc.1.x-y+build.007");
  REQUIRE(version.has_value());
  CHECK(version->major == "1");
  CHECK(version->minor == "20");
  CHECK(version->patch == "300");
  CHECK(version->prerelease == "rc.1.x-y");
  CHECK(version->build == "build.007");
  CHECK(parse_semver("1.0.0")->prerelease.empty());
  CHECK(parse_semver("1.0.0+a")->build == "a");
}

TEST_CASE("versions of SemVer 2.0 are versions") {
  for (const char* text :
       {"0.0.0", "0.0.4", "1.2.3", "10.20.30", "1.1.2-prerelease+meta", "1.0.0-alpha",
        "1.0.0-alpha.0valid", "1.0.0-0A.is.legal", "1.0.0-a-b-c", "1.0.0-rc.0+b-1", "1.0.0--",
        "1.2.3----RC-SNAPSHOT.12.9.1--.12", "2.0.0+build.01", "1.0.0-0",
        "99999999999999999999999.999999999999999999.99999999999999999"}) {
    CAPTURE(text);
    CHECK(parse_semver(text).has_value());
  }
}

TEST_CASE("what SemVer 2.0 does not allow is not a version") {
  for (const char* text :
       {"",         "1",         "1.2",    "1.2.",      "1..3",       ".1.2",     "1.2.3.4",
        "v1.2.3",   "01.2.3",    "1.02.3", "1.2.03",    "1.2.3-",     "1.2.3-01", "1.2.3-a..b",
        "1.2.3-a.", "1.2.3-a_b", "1.2.3+", "1.2.3+a+b", "1.2.3+a..b", "1.2.3-+a", "1.2.3 ",
        " 1.2.3",   "a.b.c",     "1.2.a",  "-1.2.3",    "1.2.3\n",    "1.2.3x"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_semver(text).has_value());
  }
}

TEST_CASE("dates exist in the calendar") {
  using std::chrono::day;
  using std::chrono::month;
  using std::chrono::year;
  CHECK(parse_date("20250405") == year(2025) / month(4) / day(5));
  CHECK(parse_date("2025-04-05") == year(2025) / month(4) / day(5));
  CHECK(parse_date("20240229").has_value());
  CHECK(parse_date("00000101").has_value());
  for (const char* text : {"", "2025040", "202504055", "20250431", "20250229", "20251301",
                           "20250001", "20250400", "2025-4-05", "2025/04/05", "2025-04/05",
                           "2025040a", "a0250405", "2025a405", "2025-04-0x", "+2025040"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text).has_value());
  }
}

}  // namespace
}  // namespace belay::policy
