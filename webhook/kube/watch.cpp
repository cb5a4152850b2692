// What the loop knows is one resource version: that of the list, then of the latest event or
// bookmark. Without one it lists; with one it watches from there. Each way a stream can end decides
// whether the version stays good.
#include "webhook/kube/watch.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "webhook/system/background_loop.h"

namespace belay::webhook::kube {
namespace {

using Clock = BackgroundLoop::Clock;
using Report = WatchEventReport::Kind;
using std::chrono::milliseconds;

/// In the order of WatchName.
constexpr std::string_view kNames[kWatchNames] = {"namespaces", "policies", "tag_history",
                                                  "certificate"};

constexpr int kGone = 410;
/// Streams in a row that an API server refused from one version without a single event, after which
/// the version is given up: the past may have been replaced (a restored backup), or an event may be
/// unreadable.
constexpr int kTriesFromVersion = 3;

std::string escaped(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char letter : text) {
    if (kPlain.contains(letter)) {
      out += letter;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(letter));
    }
  }
  return out;
}

/// How a list or a stream ended.
struct Outcome {
  enum class What : std::uint8_t { kDone, kFailed, kExpired, kStopped };
  What what = What::kDone;
  std::string problem = {};
  milliseconds wait{0};  // asked for by the API server
  bool answered = true;  // by the API server, so that the version may be at fault
};
using What = Outcome::What;

Outcome outcome_of(ApiError error) {
  switch (error.kind) {
    case ApiError::Kind::kGone:
      return {.what = What::kExpired, .problem = std::move(error.message)};
    case ApiError::Kind::kStopped:
      return {.what = What::kStopped};
    default:
      return {.what = What::kFailed,
              .problem = std::move(error.message),
              .wait = error.retry_after,
              .answered = error.kind != ApiError::Kind::kUnreachable &&
                          error.kind != ApiError::Kind::kTimeout};
  }
}

}  // namespace

class Watch::Loop {
 public:
  Loop(Api& api, WatchOptions options, WatchSink& sink,
       std::function<void(const WatchEventReport&)> report)
      : api_(api),
        options_(std::move(options)),
        sink_(sink),
        report_(std::move(report)),
        page_(std::max<std::size_t>(options_.page, 1)),
        heard_at_(Clock::now()),
        loop_(fmt::format("watch {}", name_of(options_.name)),
              [this](const std::stop_token& stop) { return step(stop); }) {}

  void start() {
    heard();
    loop_.start();
  }
  void stop() { loop_.stop(); }
  bool synced() const { return synced_; }
  milliseconds quiet_for() const {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - heard_at_.load());
  }

 private:
  /// One list, or one stream: it blocks in reading for as long as the stream lasts, or until the
  /// token says stop. \return when the next one may begin
  Clock::time_point step(const std::stop_token& stop);
  Outcome list(const std::stop_token& stop);
  Outcome watch(const std::stop_token& stop);
  /// \return whether the stream is to go on; otherwise `outcome` says why not.
  bool take(std::string_view line, Outcome& outcome);
  std::string query(std::string_view rest) const;
  Object wanted(Object object) const;
  void heard() { heard_at_ = Clock::now(); }
  void report(Report kind, std::string_view problem = {}, milliseconds retry_in = {}) const {
    if (report_) report_({kind, options_.name, problem, retry_in});
  }
  /// How long to wait after so many failures in a row: doubled each time, of which a random half.
  milliseconds backoff(milliseconds asked_for);

  Api& api_;
  const WatchOptions options_;
  WatchSink& sink_;
  const std::function<void(const WatchEventReport&)> report_;

  // The thread's own.
  std::string version_;    // "": list first
  std::size_t page_;       // objects of a page that can be read
  int failures_ = 0;       // in a row, for the backoff
  int tries_ = 0;          // streams from version_ that failed without an event
  bool eventful_ = false;  // the stream told something
  std::minstd_rand random_{std::random_device{}()};

  std::atomic<bool> synced_ = false;
  std::atomic<Clock::time_point> heard_at_;
  BackgroundLoop loop_;
};

std::string Watch::Loop::query(std::string_view rest) const {
  std::string path = fmt::format("{}?{}", options_.path, rest);
  if (!options_.label_selector.empty()) {
    path += fmt::format("&labelSelector={}", escaped(options_.label_selector));
  }
  if (!options_.field_selector.empty()) {
    path += fmt::format("&fieldSelector={}", escaped(options_.field_selector));
  }
  return path;
}

Object Watch::Loop::wanted(Object object) const {
  if (options_.labels_only) {
    object.annotations.clear();
    object.data.clear();
  }
  return object;
}

Clock::time_point Watch::Loop::step(const std::stop_token& stop) {
  const bool listing = version_.empty();
  const auto began = Clock::now();
  eventful_ = false;
  Outcome outcome = listing ? list(stop) : watch(stop);
  if (outcome.what == What::kStopped || stop.stop_requested()) {
    return BackgroundLoop::kAtOnce;  // for nothing: the loop ends
  }
  const auto lasted = Clock::now() - began;

  // A list alone proves nothing: with a version that is refused at once it would go in circles.
  if (!listing && (eventful_ || lasted > options_.backoff_max)) failures_ = tries_ = 0;
  if (outcome.what == What::kDone && !listing && !eventful_ && lasted < options_.backoff_min) {
    outcome = {.what = What::kFailed, .problem = "the watch ended at once, without an event"};
  }

  if (outcome.what == What::kDone) {
    report(listing ? Report::kListed : Report::kEnded);
    return BackgroundLoop::kAtOnce;
  }
  if (!listing && outcome.what == What::kFailed && outcome.answered &&
      ++tries_ >= kTriesFromVersion) {
    version_.clear();
    tries_ = 0;
  }
  milliseconds wait{0};
  if (outcome.what == What::kExpired) {
    version_.clear();  // never tried again
    tries_ = 0;
    wait = failures_++ == 0 ? milliseconds(0) : backoff(outcome.wait);
  } else {
    ++failures_;
    wait = backoff(outcome.wait);
  }
  report(outcome.what == What::kExpired ? Report::kExpired : Report::kFailed, outcome.problem,
         wait);
  return Clock::now() + wait;
}

Outcome Watch::Loop::list(const std::stop_token& stop) {
  std::vector<Object> objects;
  std::string next;
  while (true) {
    std::string path = query(fmt::format("limit={}", page_));
    if (!next.empty()) path += fmt::format("&continue={}", escaped(next));
    const auto answer = api_.get_unless_stopped(path, options_.deadline, stop);
    if (!answer) {
      if (answer.error().kind == ApiError::Kind::kTooLarge && page_ > 1) {
        page_ /= 2;
        continue;
      }
      return outcome_of(answer.error());
    }
    heard();
    auto page = read_list(*answer);
    if (!page) return {.what = What::kFailed, .problem = page.error()};
    for (Object& object : page->items) {
      objects.push_back(wanted(std::move(object)));
      sink_.listed(objects.back());
    }
    if (page->continue_token.empty()) {
      version_ = std::move(page->resource_version);
      break;
    }
    if (page->continue_token == next) {
      return {.what = What::kFailed, .problem = "the list has too many pages"};
    }
    next = std::move(page->continue_token);
  }
  page_ = std::max<std::size_t>(options_.page, 1);
  sink_.replaced(std::move(objects));
  malloc_trim(0);  // the pages of a large cluster are a multiple of what is kept of them
  synced_ = true;
  return {};
}

Outcome Watch::Loop::watch(const std::stop_token& stop) {
  const std::string path =
      query(fmt::format("watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
                        escaped(version_), options_.server_timeout.count()));
  Outcome outcome;
  const auto ended = api_.stream(path, options_.silence, stop,
                                 [&](std::string_view line) { return take(line, outcome); });
  if (outcome.what != What::kDone) return outcome;
  return ended ? Outcome{} : outcome_of(ended.error());
}

bool Watch::Loop::take(std::string_view line, Outcome& outcome) {
  auto event = read_watch_event(line);
  if (!event) {
    outcome = {.what = What::kFailed, .problem = std::move(event.error())};
    return false;
  }
  using Type = WatchEvent::Type;
  if (event->type == Type::kError) {
    outcome = {.what = event->code == kGone ? What::kExpired : What::kFailed,
               .problem = fmt::format("the API server ended the watch with {}: {}", event->code,
                                      event->message)};
    return false;
  }
  heard();
  eventful_ = true;
  const std::string& version = event->object.resource_version;
  if (older(version, version_)) return true;  // told before; what we have is newer
  if (!version.empty()) version_ = version;
  if (event->type == Type::kDeleted) {
    sink_.deleted(event->object);
  } else if (event->type != Type::kBookmark) {
    sink_.changed(wanted(std::move(event->object)));
  }
  return true;
}

milliseconds Watch::Loop::backoff(milliseconds asked_for) {
  milliseconds time = options_.backoff_min;
  for (int i = 1; i < failures_ && time < options_.backoff_max; ++i) time *= 2;
  time = std::min(time, options_.backoff_max);
  std::uniform_int_distribution<milliseconds::rep> half(0, time.count() / 2);
  return std::clamp(time - milliseconds(half(random_)), std::min(asked_for, options_.backoff_max),
                    options_.backoff_max);
}

std::string_view name_of(WatchName name) { return kNames[static_cast<std::size_t>(name)]; }

Watch::Watch(Api& api, WatchOptions options, WatchSink& sink,
             std::function<void(const WatchEventReport&)> report)
    : loop_(std::make_unique<Loop>(api, std::move(options), sink, std::move(report))) {}
Watch::~Watch() { stop(); }

void Watch::start() { loop_->start(); }
void Watch::stop() { loop_->stop(); }
bool Watch::synced() const { return loop_->synced(); }
milliseconds Watch::quiet_for() const { return loop_->quiet_for(); }

}  // namespace belay::webhook::kube
