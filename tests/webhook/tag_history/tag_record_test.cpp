// The written tag history: what is written reads back, and what is not exactly that is kept out.
#include "webhook/tag_history/tag_record.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace belay::webhook::tag_history {
namespace {

using namespace std::chrono_literals;

const std::string kDigest = "sha256:" + std::string(64, 'a');

policy::TagRecord at(int second, const std::string& digest = kDigest) {
  return {digest,
          std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::seconds(second)};
}

TEST_CASE("a tag history is written as one line a tag, in the order of the tags") {
  const RecordMap entries{{"registry.corp:5000/shop/web:v1", at(61)},
                          {"docker.io/library/nginx:1.27", at(0)}};
  CHECK(write_records(entries) ==
        "# tag, the digest it pointed to when it was first admitted, and when that was\n"
        "docker.io/library/nginx:1.27 " +
            kDigest +
            " 2026-11-22T00:00:00Z\n"
            "registry.corp:5000/shop/web:v1 " +
            kDigest + " 2026-11-22T00:01:01Z\n");
  CHECK(read_records(write_records(entries)).entries == entries);
  CHECK(write_records({}).empty());
  CHECK(repository_of("registry.corp:5000/shop/web:v1") == "registry.corp:5000/shop/web");
  CHECK(tag_of("registry.corp:5000/shop/web:v1") == "v1");
}

TEST_CASE("a tag is recorded under one name, however the host was written") {
  const std::string line = "Registry.Corp:443/shop/web:v1 " + kDigest + " 2026-11-22T00:00:00Z\n";
  const ReadRecords read = read_records(line);
  CHECK(read.problems.empty());
  CHECK(read.entries == RecordMap{{"registry.corp/shop/web:v1", at(0)}});
  CHECK_FALSE(can_be_written("Registry.corp/shop/web:v1", at(0)));
}

TEST_CASE("any tag history reads back as it was written") {
  CHECK(rc::check([] {
    RecordMap entries;
    const auto word = rc::gen::container<std::string>(rc::gen::elementOf(std::string("abz019")));
    const auto words = *rc::gen::container<std::vector<std::pair<std::string, std::string>>>(
        rc::gen::pair(rc::gen::nonEmpty(word), rc::gen::nonEmpty(word)));
    for (const auto& [path, tag] : words) {
      const std::string digest =
          "sha512:" + *rc::gen::container<std::string>(
                          128, rc::gen::elementOf(std::string("0123456789abcdef")));
      const auto time = std::chrono::sys_seconds(
          std::chrono::seconds(*rc::gen::inRange<std::int64_t>(-62'167'219'200, 253'402'300'800)));
      entries[record_key("reg.corp:5000/" + path, tag)] = {digest, time};
    }
    const ReadRecords read = read_records(write_records(entries));
    RC_ASSERT(read.entries == entries);
    RC_ASSERT(read.problems.empty());
  }));
}

TEST_CASE("any text reads, into nothing but what can be written") {
  const std::string good = "docker.io/library/nginx:1.27 " + kDigest + " 2026-11-22T20:59:46Z\n";
  CHECK(rc::check([&good] {
    std::string text = good;
    const auto cuts = *rc::gen::inRange(0, 4);
    for (int i = 0; i < cuts; ++i) {
      const auto place = *rc::gen::inRange<std::size_t>(0, text.size());
      text.replace(place, *rc::gen::inRange<std::size_t>(0, 9), *rc::gen::string<std::string>());
    }
    const ReadRecords read = read_records(text + "\n" + good);
    RC_ASSERT(read.entries.contains("docker.io/library/nginx:1.27"));
    for (const auto& [key, record] : read.entries) RC_ASSERT(can_be_written(key, record));
    RC_ASSERT(read_records(write_records(read.entries)).entries == read.entries);
  }));
}

TEST_CASE("a line that is not exactly a tag record is reported by its number and kept out") {
  const std::string good = "docker.io/library/nginx:1.27 " + kDigest + " 2026-11-22T20:59:46Z";
  const std::string bad[] = {
      "nginx:1.27 " + kDigest + " 2026-11-22T20:59:46Z",
      "docker.io/library/nginx " + kDigest + " 2026-11-22T20:59:46Z",
      "docker.io/library/nginx:1.27@" + kDigest + " " + kDigest + " 2026-11-22T20:59:46Z",
      "docker.io/library/nginx:1.27 sha256:abc 2026-11-22T20:59:46Z",
      "docker.io/library/nginx:1.27 " + kDigest,
      "docker.io/library/nginx:1.27 " + kDigest + " 2026-11-22",
      "docker.io/library/nginx:1.27 " + kDigest + " 2026-02-30T20:59:46Z",
      "docker.io/library/nginx:1.27 " + kDigest + " 2026-11-22T24:00:00Z",
      "docker.io/library/nginx:1.27 " + kDigest + " 2026-11-22T20:59:46+01:00",
      "docker.io/library/nginx:1.27 " + kDigest + " 2026-11-22T20:59:46Z more",
      "docker.io/library/nginx:1.27 " + kDigest + " 2026-11-22T20:59:46Z\r",
      "docker.io/library/\u00e9:1.27 " + kDigest + " 2026-11-22T20:59:46Z",
      std::string("docker.io/library/nginx:1\0.27 ", 30) + kDigest + " 2026-11-22T20:59:46Z",
      std::string(1 << 20, 'x'),
  };
  for (const std::string& line : bad) {
    CAPTURE(line.substr(0, 120));
    const ReadRecords read = read_records("# heading\n\n" + line + "\n" + good + "\n");
    CHECK(read.entries.size() == 1);
    REQUIRE(read.problems.size() == 1);
    CHECK(read.problems[0].starts_with("line 3 "));
    CHECK(read.problems[0].find("aaaa") == std::string::npos);  // nothing of the line
  }
  std::string many;
  for (int i = 0; i < 25; ++i) many += "?\n";
  const ReadRecords read = read_records(many);
  CHECK(read.problems.size() == 11);
  CHECK(read.problems.back() == "and 15 more lines");
}

TEST_CASE("of two lines for one tag the older counts, and the second is reported") {
  const std::string later = "sha256:" + std::string(64, 'b');
  const std::string tag = "docker.io/library/nginx:1.27 ";
  const ReadRecords read = read_records(tag + later + " 2026-11-22T00:00:09Z\n" + tag + kDigest +
                                        " 2026-11-22T00:00:05Z\n");
  CHECK(read.entries == RecordMap{{"docker.io/library/nginx:1.27", at(5)}});
  CHECK(read.problems.size() == 1);
}

TEST_CASE("a tag history that is full forgets the oldest, and some more so that there is room") {
  RecordMap entries;
  for (int i = 0; i < 100; ++i) entries["reg.corp/app:" + std::to_string(i)] = at(1'000 - i);
  RecordMap by_bytes = entries;
  CHECK(forget_oldest(entries, 100, 1'000'000) == 0);
  CHECK(entries.size() == 100);
  CHECK(forget_oldest(entries, 99, 1'000'000) == 5);  // 95 of 99 are a twentieth less
  CHECK(entries.contains("reg.corp/app:94"));
  CHECK_FALSE(entries.contains("reg.corp/app:95"));

  const std::size_t bytes = write_records(by_bytes).size();
  CHECK(forget_oldest(by_bytes, 1'000, bytes) == 0);
  CHECK(forget_oldest(by_bytes, 1'000, bytes - 1) > 0);
  CHECK(write_records(by_bytes).size() <= bytes - bytes / 20);
  CHECK(by_bytes.contains("reg.corp/app:0"));
  CHECK_FALSE(by_bytes.contains("reg.corp/app:99"));
  CHECK(forget_oldest(by_bytes, 1'000, 1) > 0);
  CHECK(by_bytes.empty());
}

}  // namespace
}  // namespace belay::webhook::tag_history
