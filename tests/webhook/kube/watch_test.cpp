#include "webhook/kube/watch.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "webhook/kube/api.h"

using namespace std::chrono_literals;
using namespace belay::webhook::kube;
using Kind = ApiError::Kind;

namespace {

std::string item(const std::string& name, int version) {
  return R"({"metadata":{"name":")" + name + R"(","resourceVersion":")" + std::to_string(version) +
         R"("}})";
}
std::string event(const std::string& type, const std::string& name, int version) {
  return R"({"type":")" + type + R"(","object":)" + item(name, version) + "}";
}
std::string bookmark(int version) {
  return R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":")" +
         std::to_string(version) + R"("}}})";
}
std::string list(const std::string& items, int version, const std::string& next = "") {
  return R"({"kind":"NamespaceList","metadata":{"resourceVersion":")" + std::to_string(version) +
         R"(","continue":")" + next + R"("},"items":[)" + items + "]}";
}
const std::string kGone =
    R"({"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}})";

ApiError failure(Kind kind, int status = 0) {
  return {.kind = kind, .status = status, .message = "as scripted"};
}

/// What the API server says next: to a list its page, to a stream its lines and how it ends.
struct Step {
  Api::Answer page = {};
  bool streams = false;
  std::vector<std::string> lines = {};
  std::expected<void, ApiError> end = {};
};
Step page(Api::Answer answer) { return {.page = std::move(answer)}; }
Step lines(std::vector<std::string> all, std::expected<void, ApiError> end = {}) {
  return {.streams = true, .lines = std::move(all), .end = std::move(end)};
}

/// Says its steps one after another, then is silent until it is stopped.
class ScriptedApi final : public Api {
 public:
  explicit ScriptedApi(std::vector<Step> steps)
      : steps_(std::make_move_iterator(steps.begin()), std::make_move_iterator(steps.end())) {}

  Answer get(std::string_view path, std::chrono::milliseconds deadline) override {
    return get_unless_stopped(path, deadline, {});
  }
  Answer get_unless_stopped(std::string_view path, std::chrono::milliseconds /*deadline*/,
                            const std::stop_token& stop) override {
    auto step = next(path, false, stop);
    if (!step) return std::unexpected(failure(Kind::kStopped));
    return std::move(step->page);
  }
  std::expected<void, ApiError> stream(std::string_view path, std::chrono::milliseconds /*silence*/,
                                       std::stop_token stop, const OnLine& on_line) override {
    const auto step = next(path, true, stop);
    if (!step) return std::unexpected(failure(Kind::kStopped));
    for (const auto& line : step->lines) {
      if (!on_line(line)) return {};
    }
    return step->end;
  }
  Answer create(std::string_view, std::string_view, std::chrono::milliseconds) override {
    return std::unexpected(failure(Kind::kRejected));
  }
  Answer replace(std::string_view, std::string_view, std::chrono::milliseconds) override {
    return std::unexpected(failure(Kind::kRejected));
  }
  Answer patch(std::string_view, PatchType, std::string_view, std::chrono::milliseconds) override {
    return std::unexpected(failure(Kind::kRejected));
  }

  /// Waits until every step was taken and one more was asked for. \return the paths asked for
  std::vector<std::string> paths() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, 60s, [this] { return idle_; }));
    return paths_;
  }
  const std::string& problem() const { return problem_; }

 private:
  std::optional<Step> next(std::string_view path, bool streams, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    paths_.emplace_back(path);
    if (steps_.empty()) {
      idle_ = true;
      changed_.notify_all();
      changed_.wait(lock, std::move(stop), [] { return false; });
      return std::nullopt;
    }
    if (steps_.front().streams != streams)
      problem_ = "not what the script expects: " + paths_.back();
    Step step = std::move(steps_.front());
    steps_.pop_front();
    return step;
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Step> steps_;
  std::vector<std::string> paths_;
  std::string problem_;
  bool idle_ = false;
};

/// The state that the watch's words add up to.
class State final : public WatchSink {
 public:
  void replaced(std::vector<Object> objects) override {
    versions.clear();
    for (const Object& object : objects) versions[object.name] = object.resource_version;
    ++lists;
  }
  void changed(Object object) override { versions[object.name] = object.resource_version; }
  void deleted(const Object& object) override { versions.erase(object.name); }

  std::map<std::string, std::string> versions;
  int lists = 0;
};
using Versions = std::map<std::string, std::string>;

struct Run {
  State state;
  std::vector<std::string> paths;
  std::vector<WatchEventReport::Kind> reports;
  std::vector<std::string> problems;
  std::vector<std::chrono::milliseconds> waits;
};

/// Runs a watch through a script to its end.
Run run(std::vector<Step> steps, WatchOptions options = {}) {
  options.name = WatchName::kNamespaces;
  options.path = "/api/v1/namespaces";
  if (options.backoff_max == 30s) options.backoff_max = 4ms;
  options.backoff_min = 1ms;
  ScriptedApi api(std::move(steps));
  Run result;
  Watch watch(api, options, result.state, [&](const WatchEventReport& report) {
    result.reports.push_back(report.kind);
    result.problems.emplace_back(report.problem);
    result.waits.push_back(report.retry_in);
  });
  CHECK_FALSE(watch.synced());
  watch.start();
  result.paths = api.paths();
  CHECK(watch.synced() == (result.state.lists > 0));
  CHECK(watch.quiet_for() < 10s);
  watch.stop();
  CHECK(api.problem() == "");
  return result;
}

bool watches_from(const std::string& path, const std::string& version) {
  return path.contains("watch=true") && path.contains("allowWatchBookmarks=true") &&
         path.contains("&resourceVersion=" + version + "&");
}

}  // namespace

TEST_CASE("pages are gathered into one list, and the watch goes on from its version") {
  const Run seen = run(
      {page(list(item("a", 1) + "," + item("b", 2), 9, "t/k")), page(list(item("c", 3), 9)),
       lines({event("DELETED", "a", 10)})},
      {.label_selector = "belay.dev/policy=true", .field_selector = "metadata.name=x", .page = 2});
  CHECK(seen.state.versions == Versions{{"b", "2"}, {"c", "3"}});
  CHECK(seen.state.lists == 1);
  const std::string selectors =
      "&labelSelector=belay.dev%2Fpolicy%3Dtrue&fieldSelector=metadata.name%3Dx";
  CHECK(seen.paths[0] == "/api/v1/namespaces?limit=2" + selectors);
  CHECK(seen.paths[1] == "/api/v1/namespaces?limit=2" + selectors + "&continue=t%2Fk");
  CHECK(watches_from(seen.paths[2], "9"));
  CHECK(seen.paths[2].contains("&timeoutSeconds=300"));
  CHECK(watches_from(seen.paths[3], "10"));
}

TEST_CASE("A16: a version that is too old is never used again, said by status or in the stream") {
  for (const Step& gone : {lines({}, std::unexpected(failure(Kind::kGone, 410))), lines({kGone})}) {
    const Run seen = run({page(list(item("a", 1), 5)), gone, page(list(item("b", 7), 8))});
    CHECK(seen.state.versions == Versions{{"b", "7"}});
    CHECK(watches_from(seen.paths[1], "5"));
    CHECK(seen.paths[2].contains("limit="));
    CHECK(watches_from(seen.paths[3], "8"));
    CHECK(seen.reports[1] == WatchEventReport::Kind::kExpired);
  }
}

TEST_CASE("A16: 410 again and again lists again and again, ever more slowly") {
  std::vector<Step> steps;
  for (int i = 0; i < 6; ++i) {
    steps.push_back(page(list(item("a", i), 10 + i)));
    steps.push_back(lines({kGone}));
  }
  const Run seen = run(std::move(steps), {.backoff_max = 16ms});
  CHECK(seen.state.lists == 6);
  for (std::size_t i = 1; i < 12; i += 2) {
    CHECK(watches_from(seen.paths[i], std::to_string(10 + i / 2)));
  }
  CHECK(seen.waits[1] == 0ms);  // the first time at once
  CHECK(seen.waits[11] >= 8ms);
}

TEST_CASE("A16: 410 in the middle of a list starts the list over") {
  const Run seen =
      run({page(list(item("a", 1), 5, "next")), page(std::unexpected(failure(Kind::kGone, 410))),
           page(list(item("b", 7), 8))});
  CHECK(seen.state.versions == Versions{{"b", "7"}});
  CHECK_FALSE(seen.paths[2].contains("continue"));
}

TEST_CASE("A16: a bookmark moves the version, and says nothing to the sink") {
  const Run seen = run({page(list(item("a", 1), 5)), lines({bookmark(70)})});
  CHECK(seen.state.versions == Versions{{"a", "1"}});
  CHECK(watches_from(seen.paths[2], "70"));
}

TEST_CASE("A16: cut, half-open, truncated and failing streams go on from the last version") {
  const Step ends[] = {
      lines({event("ADDED", "b", 6)}, std::unexpected(failure(Kind::kUnreachable))),
      lines({event("ADDED", "b", 6)}, std::unexpected(failure(Kind::kTimeout))),
      lines({event("ADDED", "b", 6), R"({"type":"ADDED","object":{"metad)"}),
      lines({event("ADDED", "b", 6), R"({"type":"ERROR","object":{"code":500,"message":"x"}})"}),
      lines({event("ADDED", "b", 6), R"({"type":"NEWS","object":{}})"}),
  };
  for (const Step& end : ends) {
    const Run seen = run({page(list(item("a", 1), 5)), end, lines({event("MODIFIED", "b", 7)})});
    CHECK(seen.state.versions == Versions{{"a", "1"}, {"b", "7"}});
    CHECK(seen.state.lists == 1);
    CHECK(watches_from(seen.paths[2], "6"));
    REQUIRE(seen.reports.size() >= 2);
    CHECK(seen.reports[1] == WatchEventReport::Kind::kFailed);
    CHECK(seen.problems[1] != "");
    CHECK(seen.waits[1] <= 1ms);
  }
}

TEST_CASE("A16: an event that is older than what is known changes nothing") {
  const Run seen = run({page(list(item("a", 9), 10)),
                        lines({event("MODIFIED", "a", 20), event("DELETED", "a", 12)})});
  CHECK(seen.state.versions == Versions{{"a", "20"}});
  CHECK(watches_from(seen.paths[2], "20"));
}

TEST_CASE(
    "A15: an API server that is away leaves the state as it was, and is asked ever more slowly") {
  std::vector<Step> steps = {page(list(item("a", 1), 5))};
  for (int i = 0; i < 8; ++i)
    steps.push_back(lines({}, std::unexpected(failure(Kind::kUnreachable))));
  steps.push_back(lines({event("ADDED", "b", 6)}));
  const Run seen = run(std::move(steps));
  CHECK(seen.state.versions == Versions{{"a", "1"}, {"b", "6"}});
  CHECK(seen.state.lists == 1);
  for (std::size_t i = 1; i < 10; ++i) CHECK(watches_from(seen.paths[i], "5"));
  for (std::size_t i = 4; i <= 8; ++i) {
    CHECK(seen.waits[i] >= 2ms);  // a half of the longest
    CHECK(seen.waits[i] <= 4ms);
  }
}

TEST_CASE("a version from which no stream works is given up: a restored backup") {
  std::vector<Step> steps = {page(list(item("a", 1), 500))};
  for (int i = 0; i < 3; ++i)
    steps.push_back(lines({}, std::unexpected(failure(Kind::kServer, 504))));
  steps.push_back(page(list(item("b", 2), 50)));
  const Run seen = run(std::move(steps));
  CHECK(seen.state.versions == Versions{{"b", "2"}});
  CHECK(watches_from(seen.paths[5], "50"));
}

TEST_CASE("a page that is too large to read is asked for in halves") {
  const Run seen =
      run({page(std::unexpected(failure(Kind::kTooLarge))),
           page(std::unexpected(failure(Kind::kTooLarge))), page(list(item("a", 1), 5))});
  CHECK(seen.paths[0].contains("limit=500"));
  CHECK(seen.paths[1].contains("limit=250"));
  CHECK(seen.paths[2].contains("limit=125"));
  CHECK(seen.state.lists == 1);
}

TEST_CASE("an invalid list replaces nothing") {
  for (const char* broken : {"", "{", "[]", R"({"kind":"NamespaceList","items":[]})",
                             R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{}}]})"}) {
    const Run seen = run({page(std::string(broken)), page(list(item("a", 1), 5))});
    CHECK(seen.state.lists == 1);
    CHECK(seen.reports[0] == WatchEventReport::Kind::kFailed);
  }
}

TEST_CASE("Retry-After is kept to, up to the longest wait") {
  ApiError busy = failure(Kind::kServer, 429);
  busy.retry_after = 3600s;
  const Run seen = run({page(std::unexpected(busy)), page(list("", 5))});
  CHECK(seen.waits[0] == 4ms);
}

TEST_CASE("a sink sees the objects of a page before the next one is asked for") {
  class Sink final : public WatchSink {
   public:
    void listed(Object& object) override {
      seen += object.name + object.data["k"];
      object.data.clear();
    }
    void replaced(std::vector<Object> objects) override {
      for (const Object& object : objects) kept += object.name + std::to_string(object.data.size());
    }
    void changed(Object) override {}
    void deleted(const Object&) override {}
    std::string seen;
    std::string kept;
  };
  const auto page_of = [](const std::string& name, const std::string& next) {
    return page(R"({"kind":"ConfigMapList","metadata":{"resourceVersion":"9","continue":")" + next +
                R"("},"items":[{"metadata":{"name":")" + name +
                R"(","resourceVersion":"1"},"data":{"k":"v"}}]})");
  };
  ScriptedApi api({page_of("a", "more"), page_of("b", "")});
  Sink sink;
  Watch watch(api, {.name = WatchName::kPolicies, .path = "/api/v1/configmaps"}, sink);
  watch.start();
  (void)api.paths();
  watch.stop();
  CHECK(sink.seen == "avbv");
  CHECK(sink.kept == "a0b0");
}

TEST_CASE("labels_only leaves annotations and data out") {
  class Sink final : public WatchSink {
   public:
    void replaced(std::vector<Object> objects) override {
      for (const Object& object : objects) look(object);
    }
    void changed(Object object) override { look(object); }
    void deleted(const Object&) override {}
    void look(const Object& object) {
      labels += object.labels.size();
      rest += object.annotations.size() + object.data.size();
    }
    std::size_t labels = 0;
    std::size_t rest = 0;
  };
  const std::string full =
      R"({"metadata":{"name":"a","resourceVersion":"1","labels":{"l":"1"},"annotations":{"n":"1"}},)"
      R"("data":{"d":"1"}})";
  ScriptedApi api({page(list(full, 5)), lines({event("ADDED", "b", 6)})});
  Sink sink;
  Watch watch(api, {.name = WatchName::kNamespaces, .path = "/x", .labels_only = true}, sink);
  watch.start();
  api.paths();
  watch.stop();
  CHECK(sink.labels == 1);
  CHECK(sink.rest == 0);
}
