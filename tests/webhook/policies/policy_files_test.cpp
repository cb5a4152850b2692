// Policies from the file system: what is found, where errors are said to be, and what stays in
// force while files change, break and go.
#include "webhook/policies/policy_files.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "tests/support/folder.h"
#include "tests/support/sources.h"
#include "webhook/policies/policy_watch.h"

namespace belay::webhook::policies {
namespace {

namespace fs = std::filesystem;
using tests::Folder;

std::string policy_text(const std::string& name, const std::string& mode = "enforce") {
  return "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: " + name +
         "}\nspec:\n  mode: " + mode + "\n";
}

std::vector<std::string> names_of(const LoadedPolicies& loaded) {
  std::vector<std::string> names;
  const auto set = make_policy_set(loaded);
  for (const auto& policy : set->policies) names.push_back(policy->name);
  return names;
}

std::string problems_of(const std::vector<PolicyProblem>& problems) {
  std::string out;
  for (const auto& problem : problems) out += problem.format() + "\n";
  return out;
}

using Names = std::vector<std::string>;

TEST_CASE("a directory gives its policy files in order, and nothing else") {
  const Folder folder;
  folder.write("b.yml", policy_text("b"));
  folder.write("a.yaml", policy_text("a"));
  folder.write("c.json", R"({"apiVersion":"belay.dev/v1alpha1","kind":"ImagePolicy",)"
                         R"("metadata":{"name":"c"},"spec":{}})");
  folder.write("notes.txt", "no policy");
  folder.write(".hidden.yaml", "no policy");
  fs::create_directory(folder.path("sub.yaml"));
  const auto loaded = load_policies({folder.path() + "/"});
  CHECK(problems_of(loaded.problems) == "");
  CHECK(names_of(loaded) == Names{"a", "b", "c"});
  const auto& a = *loaded.by_file.at(folder.path("a.yaml"));
  CHECK(a.source.kind == policy::PolicySource::Kind::kFile);
  CHECK(a.source.name == folder.path("a.yaml"));
}

TEST_CASE("a policy's revision is the beginning of the SHA-256 of its text") {
  const auto loaded = load_policy_text("-", policy_text("a"));
  // printf '…' | sha256sum
  CHECK(loaded.by_file.at("-")->revision == "0753608009a2");
  CHECK(load_policy_text("-", policy_text("a", "warn")).by_file.at("-")->revision !=
        "0753608009a2");
}

TEST_CASE("a stream of documents contains a policy each") {
  const auto loaded =
      load_policy_text("p", policy_text("a") + "---\n" + policy_text("b") + "---\n---\n");
  CHECK(names_of(loaded) == Names{"a", "b"});
  CHECK(loaded.by_file.contains("p (2)"));
}

TEST_CASE("what cannot be read is a problem of its file") {
  const Folder folder;
  folder.write("empty.yaml", "# nothing\n");
  folder.write("broken.yaml", "a: [\n");
  folder.write("other.yaml", "apiVersion: v1\nkind: Pod\n");
  const auto loaded = load_policies({folder.path(), folder.path("gone.yaml")});
  CHECK(loaded.by_file.empty());
  REQUIRE(loaded.problems.size() == 4);
  CHECK(loaded.problems[0].format().starts_with(folder.path("broken.yaml:2:1: ")));
  CHECK(loaded.problems[1].format() == folder.path("empty.yaml:1:1: contains no policy"));
  CHECK(loaded.problems[2].errors.size() == 4);
  CHECK(loaded.problems[3].format() == folder.path("gone.yaml: No such file or directory"));

  const Folder nothing;
  CHECK(problems_of(load_policies({nothing.path()}).problems) ==
        nothing.path() + ": contains no policy: no *.yaml, *.yml or *.json in it\n");
  nothing.write("big.yaml", std::string((4U << 20U) + 1, '#'));
  CHECK(problems_of(load_policies({nothing.path("big.yaml")}).problems) ==
        nothing.path("big.yaml") + ": is larger than 4 MiB\n");
}

TEST_CASE("a policy with a duplicate key is not taken, and neither is its file") {
  const std::string twice =
      "apiVersion: belay.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: b}\n"
      "spec:\n  mode: warn\n  mode: warn\n  rules: {tagRequired: {}}\n";
  const auto alone = load_policy_text("p", twice);
  CHECK(alone.by_file.empty());
  CHECK(problems_of(alone.problems) ==
        "p:6:3: spec.mode: duplicate key \"mode\", first 1 line above\n");
  CHECK(load_policy_text("p", policy_text("a") + "---\n" + twice).by_file.empty());

  // In a ConfigMap each key is a text of its own; places are those of the manifest.
  std::string indented;
  std::istringstream lines(twice);
  for (std::string line; std::getline(lines, line);) indented += "    " + line + "\n";
  const auto map = load_policy_text(
      "p", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  bad.yaml: |\n" +
               indented +
               "  good.json: '{\"apiVersion\":\"belay.dev/v1alpha1\",\"kind\":"
               "\"ImagePolicy\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"rules\":{}}}'\n");
  CHECK(names_of(map) == Names{"a"});
  CHECK(problems_of(map.problems) ==
        "p:11:7: spec.mode: duplicate key \"mode\", first 1 line above\n");
}

TEST_CASE("two policies of one name are a problem of the second") {
  const Folder folder;
  folder.write("1.yaml", policy_text("a"));
  folder.write("2.yaml", policy_text("a"));
  const auto loaded = load_policies({folder.path(), folder.path()});
  CHECK(loaded.by_file.size() == 1);
  CHECK(loaded.by_file.contains(folder.path("1.yaml")));
  CHECK(problems_of(loaded.problems) ==
        folder.path("2.yaml:3:18: metadata.name: \"a\" is the name of a policy in ") +
            folder.path("1.yaml") + " already\n");
  CHECK(problems_of(load_policy_text("p", policy_text("a") + "---\n" + policy_text("a")).problems)
            .find("in this file already") != std::string::npos);
}

TEST_CASE("errors of policies in a ConfigMap point into the manifest") {
  const std::string file = tests::source("tests/data/policies/configmap.yaml");
  const auto loaded = load_policies({file});
  CHECK(names_of(loaded) == Names{"good"});
  CHECK(loaded.by_file.contains(file + " data[good.yaml]"));
  CHECK(problems_of(loaded.problems) ==
        file +
            ":22:13: spec.mode: must be one of enforce, warn, audit, not the string \"enforced\"; "
            "did you mean \"enforce\"?\n" +
            file +
            ":25:21: spec.rules.tagFormat.anyOf[0]: has unknown placeholder \"{verison}\"; did "
            "you mean \"{version}\"?\n" +
            file +
            ":27:1: spec.mode: must be one of enforce, warn, audit, not the string \"x\" (at line "
            "1, column 110 of data[folded.json])\n" +
            file + ":30:7: lacks the key \"apiVersion\": Version of the format\n" + file +
            ":30:7: lacks the key \"kind\": Kind of the document\n" + file +
            ":30:7: lacks the key \"metadata\": The name of the policy\n" + file +
            ":30:7: lacks the key \"spec\": The policy itself\n" + file +
            ":30:7: a: unknown key; known keys: apiVersion, kind, metadata, spec\n");
}

TEST_CASE("ConfigMaps in a List, with several policies or with none") {
  const auto map = [](const std::string& name, const std::string& data) {
    return "{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + "}, data: " + data + "}";
  };
  const std::string one =
      R"("{apiVersion: belay.dev/v1alpha1, kind: ImagePolicy, metadata: {name: NAME}, spec: {}}")";
  const auto named = [&](const std::string& name) {
    auto text = one;
    return text.replace(text.find("NAME"), 4, name);
  };
  const auto loaded = load_policy_text(
      "l", "apiVersion: v1\nkind: List\nitems:\n- " + map("first", "{p.yaml: " + named("a") + "}") +
               "\n- " + map("second", "{p.yaml: " + named("b") + "}") + "\n");
  CHECK(problems_of(loaded.problems) == "");
  CHECK(names_of(loaded) == Names{"a", "b"});
  CHECK(loaded.by_file.contains("l data[p.yaml]"));
  CHECK(loaded.by_file.contains("l data[p.yaml] of second"));

  CHECK(problems_of(load_policy_text("m", map("x", "{p.txt: a}")).problems) ==
        "m:1:1: data: the ConfigMap contains no policy: no key ends in .yaml, .yml or .json\n");
  CHECK(problems_of(load_policy_text("m", map("x", "{p.yaml: {a: b}}")).problems)
            .find("data[p.yaml]: must be a string") != std::string::npos);
  CHECK(problems_of(load_policy_text("m", map("x", "{p.yaml: ''}")).problems)
            .find("data[p.yaml]: must hold one policy") != std::string::npos);
  CHECK(problems_of(load_policy_text("m", map("x", "{p.yaml: 'a: [b'}")).problems)
            .find("of data[p.yaml])") != std::string::npos);
}

/// Kubernetes' way of changing a mounted ConfigMap: a new directory, and the link ..data swapped.
class Mount {
 public:
  explicit Mount(const Folder& folder) : folder_(folder) {}
  void publish(const std::vector<std::pair<std::string, std::string>>& files) {
    const std::string version = "..v" + std::to_string(++version_);
    fs::create_directory(folder_.path(version));
    for (const auto& [name, text] : files) {
      folder_.write(version + "/" + name, text);
      if (!fs::is_symlink(folder_.path(name))) {
        fs::create_symlink("..data/" + name, folder_.path(name));
      }
    }
    fs::create_symlink(version, folder_.path("..data_tmp"));
    fs::rename(folder_.path("..data_tmp"), folder_.path("..data"));
    if (version_ > 1) fs::remove_all(folder_.path("..v" + std::to_string(version_ - 1)));
  }

 private:
  const Folder& folder_;
  int version_ = 0;
};

TEST_CASE("a mounted ConfigMap is read from one side of the swap") {
  const Folder folder;
  Mount mount(folder);
  mount.publish({{"a.yaml", policy_text("a1")}, {"b.yaml", policy_text("b1")}});
  CHECK(names_of(load_policies({folder.path()})) == Names{"a1", "b1"});
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    for (int i = 2; i < 200 && !stop; ++i) {
      const auto version = std::to_string(i);
      mount.publish(
          {{"a.yaml", policy_text("a" + version)}, {"b.yaml", policy_text("b" + version)}});
    }
    stop = true;
  });
  int torn = 0;
  while (!stop) {
    const auto loaded = load_policies({folder.path()});
    const auto names = names_of(loaded);
    const bool whole = names.size() == 2 && names[0].substr(1) == names[1].substr(1);
    const bool refused = names.empty() && loaded.problems.size() == 1;  // on a busy machine
    torn += whole || refused ? 0 : 1;
  }
  swapper.join();
  CHECK(torn == 0);
  CHECK(names_of(load_policies({folder.path()})) == Names{"a199", "b199"});
}

/// A watch whose reports can be waited for.
class Watching {
 public:
  explicit Watching(std::vector<std::string> paths,
                    std::chrono::milliseconds poll = std::chrono::seconds(10))
      : watch_(
            std::move(paths), snapshot, [this](const ReloadReport& report) { take(report); },
            poll) {
    watch_.start();
    first = next();
  }
  ReloadReport next() {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !reports_.empty(); }));
    auto report = std::move(reports_.front());
    reports_.pop_front();
    return report;
  }
  /// Reports until one has this many policies in force and problems.
  ReloadReport until(std::size_t in_force, std::size_t problems) {
    while (true) {
      auto report = next();
      if (report.in_force == in_force && report.problems.size() == problems) return report;
    }
  }
  Names names() const {
    Names out;
    const auto set = snapshot.load();
    if (set == nullptr) return {"nothing published"};
    for (const auto& policy : set->policies) out.push_back(policy->name);
    return out;
  }
  void stop() { watch_.stop(); }

  Snapshot<policy::PolicySet> snapshot;
  ReloadReport first;

 private:
  void take(const ReloadReport& report) {
    const std::lock_guard lock(mutex_);
    reports_.push_back(report);
    changed_.notify_one();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ReloadReport> reports_;
  PolicyWatch watch_;
};

TEST_CASE("nothing is published while no policy was ever read") {
  const Folder folder;
  folder.replace("a.yaml", "a: [\n");
  Watching watching({folder.path()});
  CHECK(watching.first.in_force == 0);
  CHECK(watching.first.problems.size() == 1);
  CHECK(watching.snapshot.version() == 0);
  folder.replace("a.yaml", policy_text("a"));
  watching.until(1, 0);
  CHECK(watching.names() == Names{"a"});
}

TEST_CASE("files that come, change, break, mend and go") {
  const Folder folder;
  folder.replace("a.yaml", policy_text("a"));
  Watching watching({folder.path()});
  CHECK(watching.names() == Names{"a"});
  folder.replace("b.yaml", policy_text("b"));
  watching.until(2, 0);
  CHECK(watching.names() == Names{"a", "b"});

  folder.replace("a.yaml", "kind: nonsense\n");
  CHECK(watching.until(2, 1).kept == 1);
  CHECK(watching.names() == Names{"a", "b"});  // the last good one

  folder.replace("a.yaml", policy_text("a", "warn"));
  CHECK(watching.until(2, 0).kept == 0);
  CHECK(watching.snapshot.load()->policies[0]->mode == policy::Mode::kWarn);

  fs::remove(folder.path("b.yaml"));
  watching.until(1, 0);
  CHECK(watching.names() == Names{"a"});

  const auto version = watching.snapshot.version();
  fs::remove(folder.path("a.yaml"));
  CHECK(watching.until(1, 1).kept == 1);  // the last policy never goes
  CHECK(watching.snapshot.version() == version);
  watching.stop();
}

TEST_CASE("a name that another file takes does not replace what was there") {
  const Folder folder;
  folder.replace("a.yaml", policy_text("a"));
  folder.replace("b.yaml", policy_text("b"));
  Watching watching({folder.path()});
  folder.replace("b.yaml", policy_text("a", "audit"));
  CHECK(watching.until(2, 1).kept == 1);
  CHECK(watching.names() == Names{"a", "b"});
  CHECK(watching.snapshot.load()->policies[0]->mode == policy::Mode::kEnforce);
}

TEST_CASE("a policy that breaks stays in force where another one has taken its place in the file") {
  const Folder folder;
  folder.replace("a.yaml", policy_text("a"));
  Watching watching({folder.path()});
  folder.replace("a.yaml", policy_text("b") + "---\n" + policy_text("a", "nonsense"));
  CHECK(watching.until(2, 1).kept == 1);
  CHECK(watching.names() == Names{"a", "b"});
  // As long as the file does not read, whatever else becomes of it.
  folder.replace("a.yaml", policy_text("c") + "---\n" + policy_text("a", "nonsense"));
  CHECK(watching.until(3, 1).kept == 2);
  CHECK(watching.names() == Names{"a", "b", "c"});
  folder.replace("a.yaml", policy_text("b") + "---\n" + policy_text("a", "warn"));
  CHECK(watching.until(2, 0).kept == 0);
  CHECK(watching.names() == Names{"a", "b"});
  watching.stop();
}

TEST_CASE("a file given by name, and a directory given by name, may be away for a while") {
  const Folder folder;
  fs::create_directory(folder.path("d"));
  folder.replace("f.yaml", policy_text("f"));
  folder.replace("d/d.yaml", policy_text("d"));
  Watching watching({folder.path("f.yaml"), folder.path("d")}, std::chrono::milliseconds(20));
  CHECK(watching.names() == Names{"d", "f"});
  fs::remove(folder.path("f.yaml"));
  watching.until(2, 1);
  fs::remove_all(folder.path("d"));
  watching.until(2, 2);
  CHECK(watching.names() == Names{"d", "f"});
  fs::create_directory(folder.path("d"));
  folder.replace("d/d.yaml", policy_text("new"));
  folder.replace("f.yaml", policy_text("f"));
  watching.until(2, 0);
  CHECK(watching.names() == Names{"f", "new"});
}

TEST_CASE("a policy whose text did not change stays the same value") {
  const Folder folder;
  folder.replace("a.yaml", policy_text("a"));
  folder.replace("b.yaml", policy_text("b"));
  Watching watching({folder.path()});
  const auto before = watching.snapshot.load()->policies[0];
  folder.replace("b.yaml", policy_text("b", "audit"));
  watching.next();
  CHECK(watching.snapshot.load()->policies[0] == before);
}

TEST_CASE("changes are found by looking where nothing tells of them") {
  const Folder elsewhere;
  const Folder folder;
  elsewhere.replace("real.yaml", policy_text("a"));
  fs::create_symlink(elsewhere.path("real.yaml"), folder.path("a.yaml"));
  Watching watching({folder.path()}, std::chrono::milliseconds(20));
  elsewhere.replace("real.yaml", policy_text("b"));  // inotify of the folder is silent
  watching.next();
  CHECK(watching.names() == Names{"b"});
}

TEST_CASE("1,000 reloads, one in ten broken: no broken policy is ever in force") {
  const Folder folder;
  Mount mount(folder);
  mount.publish({{"a.yaml", policy_text("p0")}, {"b.yaml", policy_text("q0")}});
  Watching watching({folder.path()});
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::thread reader([&] {
    SnapshotReader<policy::PolicySet> view(watching.snapshot);
    while (!stop) {
      const auto* set = view.get();
      const bool whole = set->policies.size() == 2 &&
                         set->policies[0]->name.substr(1) == set->policies[1]->name.substr(1);
      if (!whole) ++torn;
      std::this_thread::yield();
    }
  });
  int broken = 0;
  for (int i = 1; i <= 1'000; ++i) {
    const auto n = std::to_string(i);
    if (i % 10 == 0) {
      mount.publish({{"a.yaml", policy_text("p" + n, "nonsense" + n)},
                     {"b.yaml", policy_text("q" + n, "nonsense" + n)}});
      CHECK(watching.until(2, 2).kept == 2);
      ++broken;
    } else {
      mount.publish({{"a.yaml", policy_text("p" + n)}, {"b.yaml", policy_text("q" + n)}});
      watching.until(2, 0);
      const Names expected = {"p" + n, "q" + n};
      REQUIRE(watching.names() == expected);
    }
  }
  stop = true;
  reader.join();
  CHECK(broken == 100);
  CHECK(torn == 0);
}

}  // namespace
}  // namespace belay::webhook::policies
