// Compares labels and age of an image with a policy's settings, once the facts are known. Pure.
#include "policy/rules/image_metadata.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "policy/rules/value_constraint.h"
#include "policy/rules/words.h"
#include "policy/text/ascii.h"
#include "policy/text/quote.h"
#include "policy/text/time_text.h"

namespace belay::policy {

namespace {

constexpr std::string_view kCreatedLabel = "org.opencontainers.image.created";
/// How far the clock of a build may run ahead of belay's.
constexpr std::chrono::hours kClockSkew{24};
constexpr std::size_t kMaxPlatforms = 4;  ///< that a finding names
constexpr std::size_t kMaxPlatformBytes = 40;
constexpr std::size_t kMaxProblems = 2;  ///< of one label, where platforms differ
constexpr std::size_t kMaxPatternBytes = 200;

/// One platform of an image, as a policy's sources show it.
struct View {
  const ImageMetadata& image;
  const PlatformMetadata& platform;
  const ImageLabelsSettings& settings;
  std::chrono::sys_seconds now;

  bool counts(LabelSource source) const {
    const auto& sources = settings.sources;
    return sources.empty() || std::find(sources.begin(), sources.end(), source) != sources.end();
  }

  /// Every value of the label, from the sources that count.
  std::vector<std::string_view> values(std::string_view key) const {
    const std::array<std::pair<LabelSource, const Annotations*>, 3> all = {
        {{LabelSource::kConfig, &platform.labels},
         {LabelSource::kAnnotations, &platform.annotations},
         {LabelSource::kAttached, &image.attached}}};
    std::vector<std::string_view> found;
    for (const auto& [source, from] : all) {
      if (!counts(source)) continue;
      for (const auto& [name, value] : *from) {
        if (name == key) found.emplace_back(value);
      }
    }
    return found;
  }

  /// When the image was made, by its own metadata. What is attached to it has a date of its own: a
  /// scanner's mark of today does not make the image young.
  std::string_view created() const {
    for (const auto* from : {&platform.labels, &platform.annotations}) {
      if (!counts(from == &platform.labels ? LabelSource::kConfig : LabelSource::kAnnotations)) {
        continue;
      }
      for (const auto& [name, value] : *from) {
        if (name == kCreatedLabel) return value;
      }
    }
    return platform.created;
  }
};

/// What is wrong with a label on one platform, or "".
std::string label_problem(const View& view, const std::string& key,
                          const ValueConstraint& constraint) {
  const auto values = view.values(key);
  if (values.empty()) return "has no label " + quote(key);
  std::string first;
  for (const std::string_view value : values) {
    const std::string problem = problem_with(constraint, value);
    if (problem.empty()) return {};
    if (!first.empty()) continue;
    first = "has the label " + quote(key) + " with the value " + quote_line(value) + ", which " +
            problem.substr(0, kMaxPatternBytes);
  }
  return first;
}

/// What is wrong with the age on one platform, or "".
std::string age_problem(const View& view) {
  const std::string_view text = view.created();
  if (text.empty()) return "has no creation date";
  const auto created = parse_time(text);
  if (!created)
    return "has the creation date " + quote_line(text) + ", which is not an RFC 3339 time";
  const auto age = view.now - *created;
  // Otherwise a date in the future would keep an image young for ever.
  if (age < -kClockSkew)
    return "has the creation date " + day_text(*created) + ", which is in the future";
  if (age <= view.settings.max_age) return {};
  return "was created on " + day_text(*created) + ", " + duration_text(age) + " ago";
}

std::string fix_for_label(const ImageLabelsSettings& settings, const std::string& key,
                          const ValueConstraint& constraint) {
  const auto& sources = settings.sources;
  const bool is_only = sources.size() == 1;
  const std::string label = key + "=" + wanted_value(constraint);
  if (is_only && sources.front() == LabelSource::kAttached) {
    return "Attach an artifact with the annotation " + label;
  }
  if (is_only && sources.front() == LabelSource::kAnnotations) {
    return "Push the image with the annotation " + label;
  }
  return "Build the image with the label " + label;
}

/// One thing that is asked of every platform.
struct Demand {
  std::string fix;
  std::vector<std::string> problems;  ///< by platform; "" where it is met
};

std::vector<Demand> demands_on(const ImageLabelsSettings& settings, const ImageMetadata& metadata,
                               std::chrono::sys_seconds now) {
  std::vector<Demand> demands;
  const auto add = [&](std::string fix, const auto& problem_on) {
    Demand& demand = demands.emplace_back();
    demand.fix = std::move(fix);
    for (const PlatformMetadata& platform : metadata.platforms) {
      demand.problems.push_back(problem_on(
          View{.image = metadata, .platform = platform, .settings = settings, .now = now}));
    }
  };
  for (const auto& label : settings.labels) {
    const std::string& key = label.first;
    const ValueConstraint& constraint = label.second;
    add(fix_for_label(settings, key, constraint),
        [&](const View& view) { return label_problem(view, key, constraint); });
  }
  if (settings.max_age.count() > 0) {
    add("Rebuild the image: it may be at most " + duration_text(settings.max_age) + " old",
        age_problem);
  }
  return demands;
}

/// The platform that lacks least, the first of them.
std::size_t closest(const std::vector<Demand>& demands, std::size_t platforms) {
  std::size_t best = 0;
  std::size_t fewest = demands.size() + 1;
  for (std::size_t i = 0; i < platforms; ++i) {
    const auto lacking = static_cast<std::size_t>(
        std::count_if(demands.begin(), demands.end(),
                      [i](const Demand& demand) { return !demand.problems[i].empty(); }));
    if (lacking >= fewest) continue;
    best = i;
    fewest = lacking;
  }
  return best;
}

/// "linux/arm64/v8" as it is, anything that is not a platform in quotes.
std::string platform_name(std::string_view platform) {
  const bool plain = !platform.empty() && std::all_of(platform.begin(), platform.end(), [](char c) {
    return is_alphanumeric(c) || c == '/' || c == '.' || c == '-' || c == '_';
  });
  if (plain && platform.size() <= kMaxPlatformBytes) return std::string(platform);
  return quote_line(platform.substr(0, kMaxPlatformBytes));
}

/// The platforms that have a problem in common.
struct Group {
  std::string_view problem;
  std::vector<std::string_view> platforms;
};

/// " on linux/arm64, linux/s390x", at last " and 2 more".
std::string on_platforms(const Group& group) {
  std::string text = " on ";
  const std::size_t shown = std::min(group.platforms.size(), kMaxPlatforms);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) text += ", ";
    text += platform_name(group.platforms[i]);
  }
  if (shown == group.platforms.size()) return text;
  return text + " and " + std::to_string(group.platforms.size() - shown) + " more";
}

/// What is wrong with one demand, with the platforms where it is; "" where nothing is.
std::string described(const ImageMetadata& metadata, const Demand& demand) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < demand.problems.size(); ++i) {
    const std::string& problem = demand.problems[i];
    if (problem.empty()) continue;
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& known) { return known.problem == problem; });
    if (group == groups.end()) group = groups.insert(groups.end(), {problem, {}});
    group->platforms.emplace_back(metadata.platforms[i].platform);
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(groups.size(), kMaxProblems); ++i) {
    if (i > 0) text += "; ";
    text += groups[i].problem;
    if (metadata.platforms.size() > 1) text += on_platforms(groups[i]);
  }
  if (groups.size() > kMaxProblems) text += "; it differs on other platforms, too";
  return text;
}

}  // namespace

std::vector<Shortcoming> shortcomings(const ImageLabelsSettings& settings,
                                      const ImageMetadata& metadata, std::chrono::sys_seconds now) {
  std::vector<Demand> demands = demands_on(settings, metadata, now);
  const bool any = settings.platforms == Platforms::kAny && metadata.platforms.size() > 1;
  const std::size_t chosen = any ? closest(demands, metadata.platforms.size()) : 0;
  std::vector<Shortcoming> found;
  for (Demand& demand : demands) {
    std::string problem;
    if (!any) {
      problem = described(metadata, demand);
    } else if (!demand.problems[chosen].empty()) {
      problem = demand.problems[chosen] + " on " +
                platform_name(metadata.platforms[chosen].platform) +
                ", the platform with the fewest problems";
    }
    if (!problem.empty()) found.push_back({std::move(problem), std::move(demand.fix)});
  }
  return found;
}

}  // namespace belay::policy
