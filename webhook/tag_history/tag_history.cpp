// The loop behind first() and saw(): waits for a batch, merges it into each shard, and tells.
#include "webhook/tag_history/tag_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "webhook/system/background_loop.h"
#include "webhook/tag_history/ledger.h"

namespace belay::webhook::tag_history {
namespace {

using Clock = BackgroundLoop::Clock;
using std::chrono::milliseconds;

}  // namespace

class TagHistory::Impl final : public StoreReader {
 public:
  Impl(std::shared_ptr<Store> store, const TagHistoryOptions& options, TagHistoryReport report)
      : store_(std::move(store)),
        shape_(store_->shape()),
        options_(options),
        report_(std::move(report)),
        ledger_(
            shape_.shards,
            [store = store_.get()](std::string_view name) { return store->shard_of(name); },
            options.max_waiting) {}

  std::expected<void, std::string> start() {
    if (auto opened = store_->open(*this); !opened) return opened;
    next_look_ = Clock::now() + shape_.look_every;
    loop_.start();
    return {};
  }
  void stop() { loop_.stop(); }

  const Ledger& ledger() const { return ledger_; }
  void saw(std::string_view repository, std::string_view tag, const policy::TagRecord& record) {
    if (ledger_.saw(repository, tag, record)) loop_.wake();
  }

  void read(std::size_t shard, Entries entries) override { ledger_.set(shard, std::move(entries)); }
  void read_whole() override {
    ledger_.set_read();
    loop_.wake();
  }
  void problem(std::string_view place, std::string_view problem) override { tell(place, problem); }

 private:
  Clock::time_point step() {
    if (!ledger_.is_read()) return BackgroundLoop::kNever;
    const auto now = Clock::now();
    if (ledger_.waiting() == 0) {
      due_.reset();
      return look_if_due(now);
    }
    if (!due_) due_ = now + std::max(options_.batch, backoff_);
    const bool full = backoff_.count() == 0 && ledger_.waiting() >= options_.batch_size;
    if (now < *due_ && !full) return *due_;
    due_.reset();
    if (const std::string lost = ledger_.not_remembered(); !lost.empty()) {
      tell(store_->place(), lost);
    }
    const auto failed = write_all(false);
    away_ = failed && failed->away;
    backoff_ = failed ? longer_backoff(*failed) : milliseconds(0);
    next_look_ = Clock::now() + shape_.look_every;
    return BackgroundLoop::kAtOnce;
  }

  Clock::time_point look_if_due(Clock::time_point now) {
    if (shape_.look_every.count() == 0) return BackgroundLoop::kNever;
    if (now < next_look_) return next_look_;
    if (const auto failed = store_->look()) {
      fail(*failed);
    } else {
      recover(store_->place());
    }
    return next_look_ = Clock::now() + shape_.look_every;
  }

  /// What waits when belay ends, unless it would only wait longer for who does not answer.
  void write_last() {
    if (ledger_.is_read() && ledger_.waiting() > 0 && !away_) write_all(true);
  }

  /// \return the failure, of several the last
  std::optional<StoreFailure> write_all(bool ending) {
    std::optional<StoreFailure> failed;
    for (std::size_t shard = 0; shard < shape_.shards; ++shard) {
      if (ledger_.waiting(shard).empty()) continue;
      auto failure = write(shard, ending);
      if (!failure) continue;
      failed = std::move(failure);
      if (failed->away) break;
    }
    return failed;
  }

  std::optional<StoreFailure> write(std::size_t shard, bool ending) {
    RecordMap waiting;
    std::size_t forgotten = 0;
    auto failed = store_->change(
        shard,
        [&](RecordMap& entries) {
          // Anew each time: what was read since may have confirmed a record, and been removed
          // since.
          waiting = ledger_.waiting(shard);
          bool news = false;
          for (const auto& [key, record] : waiting) {
            news = keep_older(entries, key, record) || news;
          }
          forgotten = forget_oldest(entries, shape_.max_entries, shape_.max_bytes);
          return news || forgotten > 0;
        },
        ending);
    if (failed) {
      fail(*failed);
      return failed;
    }
    recover(store_->place());
    recover(store_->place(shard));
    ledger_.written(shard, waiting);
    if (forgotten > 0) {
      tell(store_->place(shard),
           fmt::format("the {} oldest tags were removed: it is full", forgotten));
    }
    return std::nullopt;
  }

  milliseconds longer_backoff(const StoreFailure& failure) const {
    const milliseconds longer =
        std::clamp(backoff_ * 2, options_.backoff_min, options_.backoff_max);
    return std::max(longer, std::min(failure.retry_after, options_.backoff_max));
  }

  /// Tells of the first failure in a row, and when it is over.
  void fail(const StoreFailure& failure) {
    if (failing_.insert(failure.place).second) tell(failure.place, failure.problem);
  }
  void recover(const std::string& place) {
    if (failing_.erase(place) > 0) tell(place, "can be read and written again", true);
  }

  void tell(std::string_view place, std::string_view what, bool good = false) const {
    if (report_) report_({.good = good, .place = place, .what = what});
  }

  const std::shared_ptr<Store> store_;
  const StoreShape shape_;
  const TagHistoryOptions options_;
  const TagHistoryReport report_;
  Ledger ledger_;

  // The loop's own.
  std::optional<Clock::time_point> due_;  ///< of the batch that waits
  Clock::time_point next_look_;
  milliseconds backoff_{0};
  bool away_ = false;              ///< the last write found nobody there
  std::set<std::string> failing_;  ///< places whose failure was told

  BackgroundLoop loop_{"tag history", [this](const std::stop_token&) { return step(); },
                       [this] { write_last(); }};
};

std::expected<std::unique_ptr<TagHistory>, std::string> TagHistory::open(
    std::shared_ptr<Store> store, const TagHistoryOptions& options, TagHistoryReport report) {
  auto impl = std::make_unique<Impl>(std::move(store), options, std::move(report));
  if (auto started = impl->start(); !started) return std::unexpected(std::move(started.error()));
  return std::unique_ptr<TagHistory>(new TagHistory(std::move(impl)));
}

TagHistory::TagHistory(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TagHistory::~TagHistory() { stop(); }

std::expected<std::optional<policy::TagRecord>, std::string> TagHistory::first(
    std::string_view repository, std::string_view tag) const {
  return impl_->ledger().first(repository, tag);
}
void TagHistory::saw(std::string_view repository, std::string_view tag,
                     const policy::TagRecord& record) {
  impl_->saw(repository, tag, record);
}
void TagHistory::stop() { impl_->stop(); }

}  // namespace belay::webhook::tag_history
