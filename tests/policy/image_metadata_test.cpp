// What an image lacks of the labels and the age that a policy asks for: sources, platforms, times,
// and texts that somebody hostile pushed.
#include <doctest/doctest.h>
#include <re2/re2.h>

#include <memory>

#include "policy/message.h"
#include "policy/rules/image_metadata.h"
#include "policy/text/time_text.h"

namespace belay::policy::testing {
namespace {

using namespace std::chrono_literals;

using Texts = std::vector<std::string>;

constexpr std::chrono::sys_seconds kNow =
    std::chrono::sys_days(std::chrono::year{2026} / std::chrono::June / std::chrono::day{15});
constexpr const char* kCreated = "org.opencontainers.image.created";

ImageLabelsSettings asking_for(const std::string& key, ValueConstraint constraint = {}) {
  ImageLabelsSettings settings;
  settings.labels = {{key, std::move(constraint)}};
  return settings;
}

ImageLabelsSettings no_older_than(std::chrono::seconds age) {
  ImageLabelsSettings settings;
  settings.max_age = age;
  return settings;
}

ImageMetadata image(PlatformMetadata platform, Annotations attached = {}) {
  return {{std::move(platform)}, std::move(attached)};
}

/// "problem. Fix" of each.
Texts lacks(const ImageLabelsSettings& settings, const ImageMetadata& metadata,
            std::chrono::sys_seconds now = kNow) {
  Texts texts;
  for (const Shortcoming& found : shortcomings(settings, metadata, now)) {
    texts.push_back(found.problem + ". " + found.fix);
  }
  return texts;
}

TEST_CASE("a label counts from the sources that the policy names, and one good value is enough") {
  const Annotations good = {{"security", "verified"}};
  const Annotations bad = {{"other", "verified"}, {"security", "pending"}};
  struct Row {
    LabelSource source;
    ImageMetadata there;
    ImageMetadata elsewhere;
    std::string fix;
  };
  const std::vector<Row> rows = {{LabelSource::kConfig,
                                  {{{"", good, bad, ""}}, bad},
                                  {{{"", {}, good, ""}}, good},
                                  "Build the image with the label security=verified"},
                                 {LabelSource::kAnnotations,
                                  {{{"", bad, good, ""}}, bad},
                                  {{{"", good, {}, ""}}, good},
                                  "Push the image with the annotation security=verified"},
                                 {LabelSource::kAttached,
                                  {{{"", bad, bad, ""}}, good},
                                  {{{"", good, good, ""}}, {}},
                                  "Attach an artifact with the annotation security=verified"}};
  for (const Row& row : rows) {
    auto settings = asking_for("security", {{"verified"}, "", nullptr});
    settings.sources = {row.source};
    CHECK(lacks(settings, row.there).empty());
    CHECK(lacks(settings, row.elsewhere) == Texts{"has no label \"security\". " + row.fix});
    settings.sources.push_back(row.source == LabelSource::kConfig ? LabelSource::kAttached
                                                                  : LabelSource::kConfig);
    CHECK(lacks(settings, row.there).empty());
  }
  auto all = asking_for("security", {{"verified"}, "", nullptr});
  CHECK(lacks(all, image({"", bad, bad, ""}, good)).empty());
  CHECK(lacks(all, image({"", bad, {{"security", "none"}}, ""})) ==
        Texts{"has the label \"security\" with the value \"pending\", which is not an allowed "
              "value of the label. Build the image with the label security=verified"});
}

TEST_CASE("a label may ask for any value, one of a list, or a pattern over the whole value") {
  const auto with = [](const std::string& value) { return image({"", {{"a", value}}, {}, ""}); };
  CHECK(lacks(asking_for("a"), with("")).empty());
  CHECK(lacks(asking_for("a"), image({})) ==
        Texts{"has no label \"a\". Build the image with the label a=<value>"});
  CHECK(lacks(asking_for("a", {{"x", "y"}, "", nullptr}), with("y")).empty());
  const ValueConstraint hex = {{}, "[0-9a-f]+", std::make_shared<const re2::RE2>("[0-9a-f]+")};
  CHECK(lacks(asking_for("a", hex), with("beef")).empty());
  CHECK(lacks(asking_for("a", hex), with("beefy")) ==
        Texts{"has the label \"a\" with the value \"beefy\", which does not match the pattern "
              "[0-9a-f]+. Build the image with the label a=<a value that matches [0-9a-f]+>"});
}

TEST_CASE("platforms that lack the same stand together, others apart, and many are cut") {
  const auto on = [](std::string name, Annotations labels) {
    return PlatformMetadata{std::move(name), std::move(labels), {}, ""};
  };
  const auto settings = asking_for("a", {{"x"}, "", nullptr});
  const std::string fix = ". Build the image with the label a=x";
  CHECK(lacks(settings, {{on("linux/amd64", {{"a", "x"}}), on("linux/arm64/v8", {}),
                          on("linux/s390x", {{"a", "z"}}), on("linux/riscv64", {})},
                         {}}) ==
        Texts{"has no label \"a\" on linux/arm64/v8, linux/riscv64; has the label \"a\" with the "
              "value \"z\", which is not an allowed value of the label on linux/s390x" +
              fix});
  ImageMetadata many;
  for (int i = 0; i < 9; ++i) many.platforms.push_back(on("os/" + std::to_string(i), {}));
  CHECK(lacks(settings, many) ==
        Texts{"has no label \"a\" on os/0, os/1, os/2, os/3 and 5 more" + fix});
  many.platforms[5].labels = {{"a", "1"}};
  many.platforms[6].labels = {{"a", "2"}};
  const Texts found = lacks(settings, many);
  REQUIRE(found.size() == 1);
  CHECK(found[0].ends_with(" on os/5; it differs on other platforms, too" + fix));
}

TEST_CASE("platforms any: one platform must have everything, age included") {
  ImageLabelsSettings settings = asking_for("a");
  settings.platforms = Platforms::kAny;
  settings.max_age = 48h;
  const std::string today = "2026-06-14T12:00:00Z";
  const PlatformMetadata nothing{"linux/amd64", {}, {}, ""};
  const PlatformMetadata labelled{"linux/arm64", {{"a", "x"}}, {}, "2020-01-01T00:00:00Z"};
  const PlatformMetadata young{"linux/s390x", {}, {}, today};
  const PlatformMetadata good{"linux/riscv64", {{"a", "x"}}, {}, today};
  CHECK(lacks(settings, {{nothing, labelled, young, good}, {}}).empty());
  CHECK(lacks(settings, {{nothing, labelled, young}, {}}) ==
        Texts{"was created on 2020-01-01, 2357 days ago on linux/arm64, the platform with the "
              "fewest problems. Rebuild the image: it may be at most 2 days old"});
  // An image without index has no platform to name.
  CHECK(lacks(settings, {{{"", {}, {}, today}}, {}}) ==
        Texts{"has no label \"a\". Build the image with the label a=<value>"});
}

TEST_CASE("the age counts from the label, then the annotation, then the config") {
  const auto settings = no_older_than(24h);
  const std::string old = "2026-06-01T00:00:00Z";
  const std::string young = "2026-06-14T20:00:00Z";
  CHECK(lacks(settings, image({"", {{kCreated, young}}, {{kCreated, old}}, old})).empty());
  CHECK(lacks(settings, image({"", {{"b", old}}, {{"b", old}, {kCreated, young}}, old})).empty());
  CHECK(lacks(settings, image({"", {}, {}, young})).empty());
  CHECK(lacks(settings, image({"", {{kCreated, old}}, {{kCreated, young}}, young})) ==
        Texts{"was created on 2026-06-01, 14 days ago. Rebuild the image: it may be at most 24 "
              "hours old"});
  // Sources that the policy leaves out say nothing; the config always does.
  ImageLabelsSettings by_annotation = settings;
  by_annotation.sources = {LabelSource::kAnnotations};
  CHECK(lacks(by_annotation, image({"", {{kCreated, old}}, {{kCreated, young}}, old})).empty());
  CHECK(lacks(by_annotation, image({"", {{kCreated, old}}, {}, young})).empty());
}

TEST_CASE("what is attached to an old image today does not make it young") {
  const Annotations today = {{kCreated, "2026-06-15T00:00:00Z"}};
  for (const auto& sources : {std::vector<LabelSource>{}, {LabelSource::kAttached}}) {
    auto settings = no_older_than(24h * 30);
    settings.sources = sources;
    CHECK(lacks(settings, image({"", {}, {}, "2020-01-01T00:00:00Z"}, today)).size() == 1);
    CHECK(lacks(settings, image({"", {}, {}, ""}, today)) ==
          Texts{"has no creation date. Rebuild the image: it may be at most 30 days "
                "old"});
  }
}

TEST_CASE("an image that says it comes from the future is not young for ever") {
  const auto settings = no_older_than(1h);
  CHECK(lacks(settings, image({"", {}, {}, "2026-06-15T23:59:59Z"})).empty());  // a clock ahead
  CHECK(lacks(settings, image({"", {}, {}, "2026-06-16T00:00:01Z"})) ==
        Texts{"has the creation date 2026-06-16, which is in the future. Rebuild the image: it may "
              "be at most 60 minutes old"});
  // Nor is one where nobody says what time it is now.
  CHECK(lacks(settings, image({"", {}, {}, "2026-06-15T00:00:00Z"}), {}).size() == 1);
}

TEST_CASE("the age holds to the second") {
  const auto settings = no_older_than(30min);
  CHECK(lacks(settings, image({"", {}, {}, "2026-06-14T23:30:00Z"})).empty());
  CHECK(lacks(settings, image({"", {}, {}, "2026-06-14T23:29:59Z"})) ==
        Texts{"was created on 2026-06-14, 30 minutes ago. Rebuild the image: it may be at most "
              "30 minutes old"});
}

TEST_CASE("hostile values and platforms are cut, quoted and escaped") {
  const std::string evil = "x\n  allowed\x1b[2J" + std::string(5000, 'A');
  const auto settings = asking_for("a", {{"x"}, "", nullptr});
  const ImageMetadata metadata{
      {{evil, {{"a", evil}}, {}, ""}, {std::string(60, 'p'), {}, {}, ""}, {"", {}, {}, ""}}, {}};
  const Texts found = lacks(settings, metadata);
  REQUIRE(found.size() == 1);
  CHECK(found[0].size() < 500);
  CHECK(found[0].find('\n') == std::string::npos);
  CHECK(found[0].find("on \"x   allowed\x1b[2J") != std::string::npos);
  CHECK(found[0].find("on \"" + std::string(40, 'p') + "\", \"\"") != std::string::npos);
  CHECK(escape(found[0]).find('\x1b') == std::string::npos);
  auto aged = no_older_than(1h);
  const Texts age = lacks(aged, image({"", {{kCreated, evil}}, {}, "2026-06-15T00:00:00Z"}));
  REQUIRE(age.size() == 1);
  CHECK(age[0].starts_with("has the creation date \"x   allowed"));
  CHECK(age[0].size() < 250);
}

TEST_CASE("durations are written in a unit that people count in") {
  const std::vector<std::pair<std::chrono::seconds, std::string>> rows = {
      {0s, "0 seconds"},   {1s, "1 second"},      {119s, "119 seconds"},
      {120s, "2 minutes"}, {59min, "59 minutes"}, {2h, "2 hours"},
      {47h, "47 hours"},   {48h, "2 days"},       {24h * 90, "90 days"}};
  for (const auto& [duration, text] : rows) CHECK(duration_text(duration) == text);
}

}  // namespace
}  // namespace belay::policy::testing
