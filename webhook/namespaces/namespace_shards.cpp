// Blocks, shards, and a thread's view of them.
#include "webhook/namespaces/namespace_shards.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>
#include <utility>

namespace belay::webhook::namespaces {
namespace {

// A block: Head, the name, then for each label two lengths, the key and the value.
struct Head {
  std::int64_t asked;  ///< ticks of Clock, 0 where a watch told of it
  std::uint32_t name;  ///< bytes
  std::uint32_t labels;
  std::uint64_t bytes;  ///< of the block
};
struct Lengths {
  std::uint32_t key, value;
};

template <class T>
T read(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
char* write(char* at, const T& value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

char* write(char* at, const std::string& text) { return std::copy(text.begin(), text.end(), at); }

std::size_t shard_of(std::string_view name) {
  return std::hash<std::string_view>{}(name) % NamespaceShards::kCount;
}

/// Where a name stands in a shard, or would.
template <class Shard>
auto place_of(Shard& shard, std::string_view name) {
  return std::ranges::lower_bound(shard, name, {}, &NamespaceEntry::name);
}

const NamespaceEntry* find_in(const NamespaceShards::Shard* shard, std::string_view name) {
  if (shard == nullptr) return nullptr;
  const auto at = place_of(*shard, name);
  return at != shard->end() && at->name() == name ? &*at : nullptr;
}

}  // namespace

NamespaceEntry::NamespaceEntry(const kube::Object& object, Clock::time_point asked) {
  std::size_t bytes = sizeof(Head) + object.name.size();
  for (const auto& [key, value] : object.labels) {
    bytes += sizeof(Lengths) + key.size() + value.size();
  }
  auto block = std::make_shared_for_overwrite<char[]>(bytes);
  char* at = write(block.get(), Head{.asked = asked.time_since_epoch().count(),
                                     .name = static_cast<std::uint32_t>(object.name.size()),
                                     .labels = static_cast<std::uint32_t>(object.labels.size()),
                                     .bytes = bytes});
  at = write(at, object.name);
  for (const auto& [key, value] : object.labels) {
    at = write(at, Lengths{static_cast<std::uint32_t>(key.size()),
                           static_cast<std::uint32_t>(value.size())});
    at = write(write(at, key), value);
  }
  block_ = std::move(block);
}

std::string_view NamespaceEntry::name() const {
  return {block_.get() + sizeof(Head), read<Head>(block_.get()).name};
}

void NamespaceEntry::append_labels(std::vector<policy::Label>& labels) const {
  const Head head = read<Head>(block_.get());
  const char* at = block_.get() + sizeof(Head) + head.name;
  for (std::uint32_t i = 0; i < head.labels; ++i) {
    const auto lengths = read<Lengths>(at);
    at += sizeof(Lengths);
    labels.push_back({{at, lengths.key}, {at + lengths.key, lengths.value}});
    at += lengths.key + lengths.value;
  }
}

NamespaceEntry::Clock::time_point NamespaceEntry::asked() const {
  return Clock::time_point(Clock::duration(read<Head>(block_.get()).asked));
}

bool NamespaceEntry::same(const NamespaceEntry& other) const {
  return size() == other.size() && std::memcmp(block_.get(), other.block_.get(), size()) == 0;
}

std::size_t NamespaceEntry::size() const { return read<Head>(block_.get()).bytes; }

/// Keeps the shards it has looked at, so that its views live on.
class NamespaceShards::Reader final : public admission::NamespaceReader {
 public:
  explicit Reader(const NamespaceShards& source) {
    shards_.reserve(kCount);
    for (const Snapshot<Shard>& shard : source.published_) shards_.emplace_back(shard);
  }

  bool find(std::string_view name, std::vector<policy::Label>& labels) override {
    const NamespaceEntry* const entry = find_in(shards_[shard_of(name)].get(), name);
    if (entry == nullptr) return false;
    entry->append_labels(labels);
    return true;
  }

 private:
  std::vector<SnapshotReader<Shard>> shards_;
};

NamespaceShards::NamespaceShards() = default;

const NamespaceEntry* NamespaceShards::find(std::string_view name) const {
  return find_in(current_[shard_of(name)].get(), name);
}

void NamespaceShards::put(NamespaceEntry entry) {
  const std::size_t index = shard_of(entry.name());
  static const Shard kEmpty;
  const Shard& before = current_[index] ? *current_[index] : kEmpty;
  const auto at = place_of(before, entry.name());
  const bool known = at != before.end() && at->name() == entry.name();
  if (known && at->same(entry)) return;
  auto shard = std::make_shared<Shard>();
  shard->reserve(before.size() + 1);
  shard->insert(shard->end(), before.begin(), at);
  shard->push_back(std::move(entry));
  shard->insert(shard->end(), known ? at + 1 : at, before.end());
  publish(index, std::move(shard));
}

bool NamespaceShards::remove(std::string_view name) {
  const std::size_t index = shard_of(name);
  if (find(name) == nullptr) return false;
  const Shard& before = *current_[index];
  auto shard = std::make_shared<Shard>();
  shard->reserve(before.size() - 1);
  std::ranges::copy_if(before, std::back_inserter(*shard),
                       [&](const NamespaceEntry& entry) { return entry.name() != name; });
  publish(index, std::move(shard));
  return true;
}

void NamespaceShards::replace(std::vector<NamespaceEntry> entries) {
  std::ranges::sort(entries, {}, &NamespaceEntry::name);
  std::vector<Shard> shards(kCount);
  for (const NamespaceEntry& entry : entries) {
    const std::size_t index = shard_of(entry.name());
    const NamespaceEntry* const before = find_in(current_[index].get(), entry.name());
    Shard& shard = shards[index];
    if (!shard.empty() && shard.back().name() == entry.name()) continue;  // of two, the first
    shard.push_back(before != nullptr && before->same(entry) ? *before : entry);
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    const Shard* const before = current_[i].get();
    const bool unchanged = before == nullptr
                               ? shards[i].empty()
                               : std::ranges::equal(shards[i], *before, &NamespaceEntry::same);
    if (unchanged) continue;
    publish(i, std::make_shared<const Shard>(shards[i].begin(), shards[i].end()));
  }
}

std::vector<NamespaceEntry> NamespaceShards::asked() const {
  std::vector<NamespaceEntry> found;
  for (const auto& shard : current_) {
    if (shard == nullptr) continue;
    std::ranges::copy_if(*shard, std::back_inserter(found), [](const NamespaceEntry& entry) {
      return entry.asked() != NamespaceEntry::Clock::time_point{};
    });
  }
  return found;
}

std::unique_ptr<admission::NamespaceReader> NamespaceShards::reader() const {
  return std::make_unique<Reader>(*this);
}

void NamespaceShards::publish(std::size_t index, std::shared_ptr<const Shard> shard) {
  const std::size_t before = current_[index] ? current_[index]->size() : 0;
  size_.fetch_add(shard->size() - before, std::memory_order_relaxed);
  current_[index] = shard;
  published_[index].publish(std::move(shard));
}

}  // namespace belay::webhook::namespaces
