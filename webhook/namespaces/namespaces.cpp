// What the watch tells and what is asked for, put into shards that reactors read.
//
// The watch's word counts: an answer that was under way while the watch told of the same name is
// dropped, for it may be older.
#include "webhook/namespaces/namespaces.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "webhook/namespaces/namespace_shards.h"

namespace belay::webhook::namespaces {
namespace {

using Clock = std::chrono::steady_clock;
using Known = std::expected<void, std::string>;

/// How long "this namespace does not exist" is believed: long enough for a flood of requests for
/// one name, short enough for a namespace that is made next.
constexpr std::chrono::milliseconds kMissingLife{250};
constexpr std::size_t kMostMissing = 1'000;
/// A list may have been read before a namespace was made that has been asked for since: for so long
/// an answer counts more than a list without it. The stream after the list tells of it.
constexpr std::chrono::seconds kListAge{10};

constexpr std::string_view kNoSuch = "this namespace does not exist";
constexpr std::string_view kLate = "the API server did not respond in time";

/// Why the API server did not tell, without its own words: they may hold addresses.
std::string clause_of(const kube::ApiError& error) {
  using Kind = kube::ApiError::Kind;
  const auto with_status = [&](std::string_view text) {
    return std::string(text).append(", HTTP status ").append(std::to_string(error.status));
  };
  switch (error.kind) {
    case Kind::kUnreachable:
      return "the API server cannot be reached";
    case Kind::kTimeout:
      return std::string(kLate);
    case Kind::kUnauthorized:
      return "the API server does not accept belay's credentials";
    case Kind::kForbidden:
      return "belay has no right to read namespaces";
    case Kind::kNotFound:
      return std::string(kNoSuch);
    case Kind::kServer:
      return with_status("the API server is unavailable");
    case Kind::kStopped:
      return "belay is stopping";
    case Kind::kConflict:
    case Kind::kGone:
    case Kind::kRejected:
    case Kind::kTooLarge:
      break;
  }
  return with_status("the API server rejected the request");
}

/// A DNS label (RFC 1123), as every namespace's name is: nothing else may become part of a path.
bool is_namespace_name(std::string_view name) {
  constexpr std::size_t kLongest = 63;
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kLongest && is_word(name.front()) &&
         is_word(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return is_word(c) || c == '-'; });
}

}  // namespace

class Namespaces::Store {
 public:
  explicit Store(SteadyClock clock) : clock_(std::move(clock)) {}

  void replaced(const std::vector<kube::Object>& objects) {
    std::vector<NamespaceEntry> entries;
    entries.reserve(objects.size());
    for (const kube::Object& object : objects) entries.emplace_back(object);
    std::set<std::string_view> names;
    for (const NamespaceEntry& entry : entries) names.insert(entry.name());

    const std::lock_guard lock(mutex_);
    for (const NamespaceEntry& entry : shards_.asked()) {
      if (!names.contains(entry.name()) && clock_() - entry.asked() < kListAge) {
        entries.push_back(entry);
      }
    }
    shards_.replace(std::move(entries));
    std::erase_if(missing_, [&](const auto& row) { return names.contains(row.first); });
  }

  void changed(const kube::Object& object) {
    const std::lock_guard lock(mutex_);
    shards_.put(NamespaceEntry(object));
    missing_.erase(object.name);
    overtake(object.name);
  }

  void deleted(const kube::Object& object) {
    const std::lock_guard lock(mutex_);
    shards_.remove(object.name);
    overtake(object.name);
  }

  Known ask(kube::Api& api, const std::string& name, std::chrono::milliseconds deadline) {
    const auto until = Clock::now() + deadline;
    std::unique_lock lock(mutex_);
    if (shards_.find(name) != nullptr) return {};
    if (const auto known = missing_.find(name); known != missing_.end()) {
      if (clock_() < known->second) return std::unexpected(std::string(kNoSuch));
      missing_.erase(known);
    }
    if (const auto under_way = questions_.find(name); under_way != questions_.end()) {
      const std::shared_ptr<Question> question = under_way->second;
      const auto answered = [&] { return question->answered; };
      if (!settled_.wait_until(lock, until, answered)) return std::unexpected(std::string(kLate));
      return question->known;
    }
    const auto question = std::make_shared<Question>();
    questions_.emplace(name, question);
    lock.unlock();
    const Heard heard = fetch(api, name, deadline);
    lock.lock();
    question->known = settle(name, heard, question->overtaken);
    question->answered = true;
    questions_.erase(name);
    settled_.notify_all();
    return question->known;
  }

  std::unique_ptr<admission::NamespaceReader> reader() const { return shards_.reader(); }
  std::size_t size() const { return shards_.size(); }
  std::size_t missing() const {
    const std::lock_guard lock(mutex_);
    return missing_.size();
  }

 private:
  /// One request under way. Guarded by mutex_.
  struct Question {
    bool answered = false;
    bool overtaken = false;  ///< the watch told of the name meanwhile
    Known known;
  };

  /// What the API server said: an object, that there is none, or why it is not known.
  struct Heard {
    std::expected<kube::Object, std::string> object;
    bool missing = false;  ///< it said that there is none
  };
  static Heard fetch(kube::Api& api, const std::string& name, std::chrono::milliseconds deadline) {
    try {
      const auto answer = api.get("/api/v1/namespaces/" + name, deadline);
      if (!answer) {
        return {.object = std::unexpected(clause_of(answer.error())),
                .missing = answer.error().kind == kube::ApiError::Kind::kNotFound};
      }
      if (auto object = kube::read_object(*answer); object && object->name == name) {
        return {.object = *std::move(object)};
      }
      return {.object = std::unexpected("the API server's response is invalid")};
    } catch (const std::exception&) {  // who waits must be told all the same
      return {.object = std::unexpected("belay is out of memory")};
    }
  }

  Known settle(const std::string& name, const Heard& heard, bool overtaken) {
    if (overtaken) {
      if (shards_.find(name) != nullptr) return {};
      return std::unexpected(std::string(kNoSuch));
    }
    if (heard.missing) believe_missing(name);
    if (!heard.object) return std::unexpected(heard.object.error());
    shards_.put(NamespaceEntry(*heard.object, clock_()));
    return {};
  }

  void believe_missing(const std::string& name) {
    const auto now = clock_();
    if (missing_.size() >= kMostMissing) {
      std::erase_if(missing_, [&](const auto& row) { return row.second <= now; });
    }
    if (missing_.size() < kMostMissing) missing_[name] = now + kMissingLife;
  }

  void overtake(const std::string& name) {
    const auto question = questions_.find(name);
    if (question != questions_.end()) question->second->overtaken = true;
  }

  const SteadyClock clock_;
  mutable std::mutex mutex_;  ///< readers never take it
  NamespaceShards shards_;
  std::map<std::string, Clock::time_point> missing_;
  std::map<std::string, std::shared_ptr<Question>> questions_;
  std::condition_variable settled_;
};

Namespaces::Namespaces(SteadyClock clock) : store_(std::make_unique<Store>(std::move(clock))) {}
Namespaces::~Namespaces() = default;

void Namespaces::replaced(std::vector<kube::Object> objects) {
  store_->replaced(objects);
  objects = {};
#ifdef __GLIBC__
  malloc_trim(0);  // a list is many times what is kept of it, and would stay ours
#endif
}
void Namespaces::changed(kube::Object object) { store_->changed(object); }
void Namespaces::deleted(const kube::Object& object) { store_->deleted(object); }

std::unique_ptr<admission::NamespaceReader> Namespaces::reader() const { return store_->reader(); }
std::size_t Namespaces::size() const { return store_->size(); }
std::size_t Namespaces::missing() const { return store_->missing(); }

std::expected<void, std::string> Namespaces::ask(kube::Api& api, std::string_view name,
                                                 std::chrono::milliseconds deadline) {
  if (!is_namespace_name(name)) return std::unexpected("this is not a valid name of a namespace");
  return store_->ask(api, std::string(name), deadline);
}

}  // namespace belay::webhook::namespaces
