// Namespaces in memory: what a watch tells, what is asked for, and what reactors see of it.
#include "webhook/namespaces/namespaces.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace belay::webhook::namespaces {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPath = "/api/v1/namespaces/";

kube::Object object_of(const std::string& name, const std::string& environment) {
  kube::Object made;
  made.name = name;
  made.labels = {{"environment", environment}, {"kubernetes.io/metadata.name", name}};
  return made;
}

std::vector<kube::Object> objects_of(std::size_t count, const std::string& environment) {
  std::vector<kube::Object> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(object_of("ns-" + std::to_string(i), environment));
  }
  return made;
}

/// An API server that has namespaces, and may be slow or away.
class MemoryApi final : public kube::Api {
 public:
  void make(const std::string& name, const std::string& environment) {
    const std::lock_guard lock(mutex_);
    there_[name] = environment;
  }
  void fail(kube::ApiError::Kind kind, int status = 0) {
    const std::lock_guard lock(mutex_);
    error_.kind = kind;
    error_.status = status;
    error_.message = "https://10.0.0.1:6443 says no";
    failing_ = true;
  }
  /// Called within get(), before it answers.
  std::function<void()> meanwhile = [] {};
  std::string answer;  ///< said instead of an object, if set
  int asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  Answer get(std::string_view path, std::chrono::milliseconds /*deadline*/) override {
    std::string environment;
    std::string name;
    {
      const std::lock_guard lock(mutex_);
      ++asked_;
      REQUIRE(path.starts_with(kPath));
      name = path.substr(kPath.size());
      if (failing_) return std::unexpected(error_);
      const auto found = there_.find(name);
      if (found == there_.end()) {
        kube::ApiError missing;
        missing.kind = kube::ApiError::Kind::kNotFound;
        missing.status = 404;
        return std::unexpected(missing);
      }
      environment = found->second;
    }
    meanwhile();
    if (!answer.empty()) return answer;
    return nlohmann::json{
        {"apiVersion", "v1"},
        {"kind", "Namespace"},
        {"metadata",
         {{"name", name}, {"resourceVersion", "7"}, {"labels", {{"environment", environment}}}}}}
        .dump();
  }
  Answer create(std::string_view, std::string_view, std::chrono::milliseconds) override {
    return std::string();
  }
  Answer replace(std::string_view, std::string_view, std::chrono::milliseconds) override {
    return std::string();
  }
  Answer patch(std::string_view, kube::PatchType, std::string_view,
               std::chrono::milliseconds) override {
    return std::string();
  }
  std::expected<void, kube::ApiError> stream(std::string_view, std::chrono::milliseconds,
                                             std::stop_token, const OnLine&) override {
    return {};
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> there_;
  kube::ApiError error_;
  bool failing_ = false;
  int asked_ = 0;
};

/// The environment of a namespace as a new reader sees it, "-" where it is not known.
std::string environment_of(admission::NamespaceReader& reader, std::string_view name) {
  std::vector<policy::Label> labels;
  if (!reader.find(name, labels)) return "-";
  const auto* const value = policy::find_label(labels, "environment");
  return value == nullptr ? "" : std::string(*value);
}

std::string problem_of(const std::expected<void, std::string>& known) {
  return known ? "" : known.error();
}

TEST_CASE("what the watch tells is what readers find") {
  Namespaces namespaces;
  const auto reader = namespaces.reader();
  CHECK(environment_of(*reader, "ns-1") == "-");
  namespaces.replaced(objects_of(1'000, "dev"));
  CHECK(namespaces.size() == 1'000);
  CHECK(environment_of(*reader, "ns-1") == "dev");
  CHECK(environment_of(*reader, "ns-999") == "dev");
  CHECK(environment_of(*reader, "ns-1000") == "-");
  namespaces.changed(object_of("ns-1", "prod"));
  namespaces.changed(object_of("shop", "prod"));
  CHECK(environment_of(*reader, "ns-1") == "prod");
  CHECK(environment_of(*reader, "shop") == "prod");
  CHECK(namespaces.size() == 1'001);
  namespaces.deleted(object_of("shop", "prod"));
  namespaces.deleted(object_of("never-heard-of", "prod"));
  CHECK(environment_of(*reader, "shop") == "-");
  CHECK(namespaces.size() == 1'000);
  namespaces.replaced(objects_of(2, "test"));
  CHECK(namespaces.size() == 2);
  CHECK(environment_of(*reader, "ns-1") == "test");
  CHECK(environment_of(*reader, "ns-2") == "-");
  namespaces.replaced({});
  CHECK(namespaces.size() == 0);
  CHECK(environment_of(*reader, "ns-1") == "-");
}

TEST_CASE("labels come as they are: none, empty values, long ones") {
  Namespaces namespaces;
  kube::Object bare;
  bare.name = "bare";
  kube::Object full = object_of("full", "");
  full.labels[std::string(253, 'p') + "/" + std::string(63, 'n')] = std::string(63, 'v');
  namespaces.replaced({bare, full});
  const auto reader = namespaces.reader();
  std::vector<policy::Label> labels;
  CHECK(reader->find("bare", labels));
  CHECK(labels.empty());
  CHECK(reader->find("full", labels));
  REQUIRE(labels.size() == full.labels.size());
  std::size_t i = 0;
  for (const auto& [key, value] : full.labels) {
    CHECK(labels[i].key == key);
    CHECK(labels[i++].value == value);
  }
}

TEST_CASE("any sequence of events leaves what a plain map would hold") {
  CHECK(rc::check([] {
    Namespaces namespaces;
    const auto reader = namespaces.reader();
    std::map<std::string, std::string> model;
    const auto events = *rc::gen::container<std::vector<std::pair<int, int>>>(
        rc::gen::pair(rc::gen::inRange(0, 20), rc::gen::inRange(0, 9)));
    for (const auto& [number, what] : events) {
      const std::string name = "n" + std::to_string(number);
      const std::string value = std::to_string(what);
      if (what == 0) {
        std::vector<kube::Object> all;
        model.clear();
        for (int i = 0; i < number; ++i) {
          model["n" + std::to_string(i)] = "list";
          all.push_back(object_of("n" + std::to_string(i), "list"));
        }
        namespaces.replaced(std::move(all));
      } else if (what < 4) {
        namespaces.deleted(object_of(name, ""));
        model.erase(name);
      } else {
        namespaces.changed(object_of(name, value));
        model[name] = value;
      }
      RC_ASSERT(namespaces.size() == model.size());
      for (int i = 0; i < 20; ++i) {
        const auto found = model.find("n" + std::to_string(i));
        RC_ASSERT(environment_of(*reader, "n" + std::to_string(i)) ==
                  (found == model.end() ? "-" : found->second));
      }
    }
  }));
}

TEST_CASE("labels that a reader was given live on while the writer goes on") {
  Namespaces namespaces;
  namespaces.replaced(objects_of(1'000, "dev"));
  const auto reader = namespaces.reader();
  std::vector<policy::Label> labels;
  REQUIRE(reader->find("ns-7", labels));
  namespaces.changed(object_of("ns-7", "prod"));
  namespaces.deleted(object_of("ns-7", "prod"));
  namespaces.replaced({});
  for (int i = 0; i < 100; ++i) namespaces.replaced(objects_of(100, "x" + std::to_string(i)));
  CHECK(*policy::find_label(labels, "environment") == "dev");
  CHECK(environment_of(*reader, "ns-7") == "x99");
}

TEST_CASE("readers see whole namespaces while the writer replaces, changes and deletes") {
  Namespaces namespaces;
  constexpr std::size_t kCount = 300;
  const auto list = [](const std::string& value) {
    std::vector<kube::Object> objects;
    for (std::size_t i = 0; i < kCount; ++i) {
      kube::Object made = object_of("ns-" + std::to_string(i), value);
      made.labels["twin"] = value;
      objects.push_back(std::move(made));
    }
    return objects;
  };
  namespaces.replaced(list("0"));
  std::atomic<bool> stopping{false};
  std::atomic<int> torn{0};
  std::atomic<int> looks{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      const auto reader = namespaces.reader();
      std::vector<policy::Label> labels;
      for (std::size_t i = 0; !stopping; i = (i + 1) % kCount) {
        labels.clear();
        if (!reader->find("ns-" + std::to_string(i), labels)) continue;
        const auto* const one = policy::find_label(labels, "environment");
        const auto* const other = policy::find_label(labels, "twin");
        if (one == nullptr || other == nullptr || *one != *other) ++torn;
        ++looks;
      }
    });
  }
  for (int round = 1; round <= 30; ++round) {
    const std::vector<kube::Object> objects = list(std::to_string(round));
    for (std::size_t i = 0; i < kCount; i += 3) namespaces.changed(objects[i]);
    for (std::size_t i = 1; i < kCount; i += 7) namespaces.deleted(objects[i]);
    namespaces.replaced(objects);
    const int before = looks;
    while (looks < before + 100) std::this_thread::yield();
  }
  stopping = true;
  for (std::thread& thread : readers) thread.join();
  CHECK(torn == 0);
}

TEST_CASE("A17: a namespace that is not in the watch cache yet is asked for and found") {
  Namespaces namespaces;
  MemoryApi api;
  api.make("shop", "prod");
  const auto reader = namespaces.reader();
  CHECK(problem_of(namespaces.ask(api, "shop", 500ms)).empty());
  CHECK(environment_of(*reader, "shop") == "prod");
  CHECK(problem_of(namespaces.ask(api, "shop", 500ms)).empty());
  CHECK(api.asked() == 1);
  namespaces.changed(object_of("shop", "dev"));  // the watch's word counts
  CHECK(environment_of(*reader, "shop") == "dev");
  namespaces.deleted(object_of("shop", "dev"));
  CHECK(environment_of(*reader, "shop") == "-");
}

TEST_CASE("A17: 1,000 namespaces made and asked for at once, by four threads: each is found") {
  std::atomic<int> seconds{0};  // pass with each look, so that nobody waits for "missing" to end
  Namespaces namespaces(
      [&] { return std::chrono::steady_clock::time_point(1h) + std::chrono::seconds(++seconds); });
  MemoryApi api;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto reader = namespaces.reader();
      for (int i = t; i < 1'000; i += 4) {
        const std::string name = "ns-" + std::to_string(i);
        if (problem_of(namespaces.ask(api, name, 500ms)) != "this namespace does not exist")
          ++wrong;
        const std::string environment = i % 3 == 0 ? "prod" : "dev";
        api.make(name, environment);
        if (i % 2 == 0) namespaces.changed(object_of(name, environment));
        while (!namespaces.ask(api, name, 500ms)) std::this_thread::yield();
        if (environment_of(*reader, name) != environment) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("that a namespace does not exist is believed for a moment, and of few names") {
  auto now = std::chrono::steady_clock::time_point(1h);
  Namespaces namespaces([&] { return now; });
  MemoryApi api;
  CHECK(problem_of(namespaces.ask(api, "ghost", 500ms)) == "this namespace does not exist");
  CHECK(problem_of(namespaces.ask(api, "ghost", 500ms)) == "this namespace does not exist");
  CHECK(api.asked() == 1);
  api.make("ghost", "prod");
  now += 1s;
  CHECK(problem_of(namespaces.ask(api, "ghost", 500ms)).empty());
  for (int i = 0; i < 5'000; ++i) {
    CHECK_FALSE(namespaces.ask(api, "unheard-" + std::to_string(i), 500ms).has_value());
  }
  CHECK(namespaces.missing() <= 1'000);
  now += 1s;
  CHECK_FALSE(namespaces.ask(api, "one-more", 500ms).has_value());
  CHECK(namespaces.missing() == 1);
  api.make("one-more", "dev");
  namespaces.changed(object_of("one-more", "dev"));  // what the watch tells of is there
  CHECK(problem_of(namespaces.ask(api, "one-more", 500ms)).empty());
  CHECK(namespaces.missing() == 0);
}

TEST_CASE("what is asked for at once by many is asked once") {
  Namespaces namespaces;
  MemoryApi api;
  api.make("shop", "prod");
  std::atomic<int> joined{0};
  api.meanwhile = [&] {
    while (joined < 8) std::this_thread::yield();
  };
  std::atomic<int> known{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      ++joined;
      if (namespaces.ask(api, "shop", 10s)) ++known;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(known == 8);
  CHECK(api.asked() == 1);
}

TEST_CASE("who joins a question waits no longer than its own deadline") {
  Namespaces namespaces;
  MemoryApi api;
  api.make("shop", "prod");
  std::mutex mutex;
  std::condition_variable changed;
  bool asked = false;
  bool go_on = false;
  api.meanwhile = [&] {
    std::unique_lock lock(mutex);
    asked = true;
    changed.notify_all();
    changed.wait(lock, [&] { return go_on; });
  };
  std::thread first([&] { CHECK(namespaces.ask(api, "shop", 10s).has_value()); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asked; });
  }
  CHECK(problem_of(namespaces.ask(api, "shop", 20ms)) == "the API server did not respond in time");
  {
    const std::lock_guard lock(mutex);
    go_on = true;
  }
  changed.notify_all();
  first.join();
  CHECK(api.asked() == 1);
}

TEST_CASE("an answer that the watch has overtaken is dropped") {
  Namespaces namespaces;
  MemoryApi api;
  api.make("shop", "old");
  const auto reader = namespaces.reader();
  api.meanwhile = [&] { namespaces.changed(object_of("shop", "new")); };
  CHECK(problem_of(namespaces.ask(api, "shop", 500ms)).empty());
  CHECK(environment_of(*reader, "shop") == "new");
  namespaces.deleted(object_of("shop", "new"));
  api.meanwhile = [&] { namespaces.deleted(object_of("shop", "new")); };
  CHECK(problem_of(namespaces.ask(api, "shop", 500ms)) == "this namespace does not exist");
  CHECK(environment_of(*reader, "shop") == "-");
}

TEST_CASE("A16: a list that is older than an answer does not undo it, a later one does") {
  auto now = std::chrono::steady_clock::time_point(1h);
  Namespaces namespaces([&] { return now; });
  MemoryApi api;
  api.make("shop", "prod");
  const auto reader = namespaces.reader();
  REQUIRE(namespaces.ask(api, "shop", 500ms).has_value());
  now += 5s;
  namespaces.replaced(objects_of(3, "dev"));
  CHECK(environment_of(*reader, "shop") == "prod");
  now += 6s;
  namespaces.replaced(objects_of(3, "dev"));
  CHECK(environment_of(*reader, "shop") == "-");
  REQUIRE(namespaces.ask(api, "shop", 500ms).has_value());
  namespaces.replaced({object_of("shop", "test")});
  CHECK(environment_of(*reader, "shop") == "test");
  now += 1s;
  namespaces.replaced({});  // the watch has told of it since: it is gone
  CHECK(environment_of(*reader, "shop") == "-");
}

TEST_CASE("A15: without an API server what is known stays so, and what is not says why") {
  using Kind = kube::ApiError::Kind;
  struct Row {
    Kind kind;
    int status;
    const char* problem;
  };
  Namespaces namespaces;
  namespaces.replaced({object_of("shop", "prod")});
  const auto reader = namespaces.reader();
  for (const Row& row :
       {Row{Kind::kUnreachable, 0, "the API server cannot be reached"},
        {Kind::kTimeout, 0, "the API server did not respond in time"},
        {Kind::kUnauthorized, 401, "the API server does not accept belay's credentials"},
        {Kind::kForbidden, 403, "belay has no right to read namespaces"},
        {Kind::kServer, 503, "the API server is unavailable, HTTP status 503"},
        {Kind::kRejected, 422, "the API server rejected the request, HTTP status 422"},
        {Kind::kStopped, 0, "belay is stopping"}}) {
    MemoryApi api;
    api.fail(row.kind, row.status);
    CHECK(problem_of(namespaces.ask(api, "unheard", 500ms)) == row.problem);
    CHECK(environment_of(*reader, "shop") == "prod");
    CHECK(problem_of(namespaces.ask(api, "shop", 500ms)).empty());
  }
  CHECK(namespaces.missing() == 0);
}

TEST_CASE("only what can be a namespace's name becomes part of a path") {
  Namespaces namespaces;
  MemoryApi api;
  for (const std::string& name :
       {std::string(), std::string("../secrets"), std::string("a/b"), std::string("a?limit=1"),
        std::string("A"), std::string("-a"), std::string("a-"), std::string("a%2fb"),
        std::string("a\nb"), std::string("a.b"), std::string(64, 'a')}) {
    CHECK(problem_of(namespaces.ask(api, name, 500ms)) ==
          "this is not a valid name of a namespace");
  }
  CHECK(api.asked() == 0);
  CHECK(problem_of(namespaces.ask(api, std::string(63, 'a'), 500ms)) ==
        "this namespace does not exist");
}

TEST_CASE("an answer that is not a namespace, or another one, is not believed") {
  for (const char* answer : {"{", "[]", R"({"metadata":{"name":"other","labels":{}}})"}) {
    Namespaces namespaces;
    MemoryApi api;
    api.make("shop", "prod");
    api.answer = answer;
    CHECK(problem_of(namespaces.ask(api, "shop", 500ms)) == "the API server's response is invalid");
    CHECK(environment_of(*namespaces.reader(), "shop") == "-");
  }
}

}  // namespace
}  // namespace belay::webhook::namespaces
