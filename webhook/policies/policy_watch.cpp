// A loop whose step waits for the files' events itself, then compares what is there with what is in
// force.
#include "webhook/policies/policy_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "webhook/policies/policy_files.h"
#include "webhook/system/background_loop.h"

namespace belay::webhook::policies {
namespace {

/// Between "removed" and "written anew" of an editor that saves by renaming.
constexpr std::chrono::milliseconds kSettle{20};
constexpr std::uint32_t kFinished = IN_CLOSE_WRITE | IN_MOVED_TO;  ///< worth a look at once
constexpr std::uint32_t kPassing = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_ATTRIB;

bool within(const std::string& key, const std::string& file) {
  return key == file || key.starts_with(file + " ");
}

}  // namespace

class PolicyWatch::Impl {
 public:
  Impl(std::vector<std::string> paths, Snapshot<policy::PolicySet>& target,
       std::function<void(const ReloadReport&)> report, std::chrono::milliseconds poll)
      : paths_(std::move(paths)), target_(target), report_(std::move(report)), poll_(poll) {}
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  ReloadReport start() {
    events_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    look();
    const ReloadReport first = last_;
    report_(first);
    loop_.start();
    return first;
  }

  void stop() {
    loop_.stop();
    if (events_ >= 0) close(std::exchange(events_, -1));
    if (wake_ >= 0) close(std::exchange(wake_, -1));
  }

 private:
  /// Blocks in poll() until a directory has news, the time for another look has come, or the loop
  /// is to end: then the token writes to `wake_`.
  BackgroundLoop::Clock::time_point step(const std::stop_token& stop) {
    const std::stop_callback tell(stop, [this] { wake(); });
    std::array<pollfd, 2> waits = {{{wake_, POLLIN, 0}, {events_, POLLIN, 0}}};
    const int ready = ::poll(waits.data(), waits.size(), static_cast<int>(poll_.count()));
    const bool failed = ready < 0 && errno != EINTR;
    if (stop.stop_requested()) return BackgroundLoop::kAtOnce;
    if (!failed && waits[1].revents != 0) {
      const std::uint32_t mask = drain();
      if ((mask & kFinished) == 0) {
        // Something went or began: look once it has settled.
        if (::poll(waits.data(), 1, static_cast<int>(kSettle.count())) > 0) {
          return BackgroundLoop::kAtOnce;
        }
        drain();
      }
    }
    if (look()) report_(last_);
    return failed ? BackgroundLoop::Clock::now() + poll_ : BackgroundLoop::kAtOnce;
  }

  void wake() const {
    const std::uint64_t one = 1;
    while (write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
    }
  }

  /// Reads the pending events. \return everything they said.
  std::uint32_t drain() {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    std::uint32_t mask = 0;
    while (true) {
      const ssize_t count = read(events_, buffer.data(), buffer.size());
      if (count <= 0) return mask;
      for (ssize_t at = 0; at < count;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        mask |= event->mask;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
  }

  /// Watches are set anew at each look: a directory that came back is another one.
  void watch() const {
    for (const auto& path : paths_) {
      std::error_code ignored;
      std::filesystem::path folder(path);
      if (!std::filesystem::is_directory(folder, ignored)) folder = folder.parent_path();
      const std::string name = folder.empty() ? "." : folder.string();
      inotify_add_watch(events_, name.c_str(), kFinished | kPassing);
    }
  }

  /// One look at the paths. \return whether anything changed since the last one.
  bool look() {
    watch();  // before reading, so that no change falls between
    LoadedPolicies loaded = load_policies(paths_);
    ReloadReport report;
    keep_last_good(loaded, report);
    std::string seen;
    for (const auto& problem : loaded.problems) seen += problem.format() + "\n";
    report.problems = std::move(loaded.problems);

    bool changed = loaded.by_file.size() != in_force_.size();
    for (auto& [file, policy] : loaded.by_file) {
      const auto before = in_force_.find(file);
      if (before != in_force_.end() && before->second->revision == policy->revision) {
        policy = before->second;  // the same text: the same value
      } else {
        changed = true;
      }
    }
    if (changed) {
      in_force_ = loaded.by_file;
      if (!in_force_.empty()) target_.publish(make_policy_set(loaded));
    }
    report.in_force = in_force_.size();
    const bool news = changed || seen != seen_;
    seen_ = std::move(seen);
    last_ = std::move(report);
    return news;
  }

  /// Puts back what is in force from files that have a problem now.
  void keep_last_good(LoadedPolicies& loaded, ReloadReport& report) const {
    std::set<std::string> names;
    for (const auto& [file, policy] : loaded.by_file) names.insert(policy->name);
    const bool nothing_left = loaded.by_file.empty();
    for (const auto& [file, policy] : in_force_) {
      if (names.contains(policy->name)) continue;
      const auto is_of = [&](const PolicyProblem& problem) {
        // A directory that cannot be read keeps its policies; one that was emptied does not.
        const bool folder_away = is_given(problem.file) && !problem.message.starts_with(kNoPolicy);
        return within(file, problem.file) || (folder_away && file.starts_with(problem.file + "/"));
      };
      const bool broken = std::any_of(loaded.problems.begin(), loaded.problems.end(), is_of);
      if (!broken && !nothing_left) continue;
      // Another policy may stand in its place of the file now.
      const bool taken = loaded.by_file.contains(file);
      loaded.by_file.emplace(taken ? file + " (last good " + policy->name + ")" : file, policy);
      names.insert(policy->name);
      ++report.kept;
    }
  }

  bool is_given(const std::string& file) const {
    return std::any_of(paths_.begin(), paths_.end(), [&](const std::string& path) {
      return path.substr(0, path.find_last_not_of('/') + 1) == file || path == file;
    });
  }

  const std::vector<std::string> paths_;
  Snapshot<policy::PolicySet>& target_;
  const std::function<void(const ReloadReport&)> report_;
  const std::chrono::milliseconds poll_;
  std::map<std::string, std::shared_ptr<const policy::Policy>> in_force_;
  std::string seen_;  ///< problems of the last look
  ReloadReport last_;
  int events_ = -1;
  int wake_ = -1;  ///< an eventfd: readable where the loop is to end
  BackgroundLoop loop_{"policy files", [this](const std::stop_token& stop) { return step(stop); }};
};

PolicyWatch::PolicyWatch(std::vector<std::string> paths, Snapshot<policy::PolicySet>& target,
                         std::function<void(const ReloadReport&)> report,
                         std::chrono::milliseconds poll)
    : impl_(std::make_unique<Impl>(std::move(paths), target, std::move(report), poll)) {}
PolicyWatch::~PolicyWatch() = default;
ReloadReport PolicyWatch::start() { return impl_->start(); }
void PolicyWatch::stop() { impl_->stop(); }

}  // namespace belay::webhook::policies
