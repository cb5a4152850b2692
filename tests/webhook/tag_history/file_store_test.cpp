// The tag history in a file: kept over a restart, whole after a crash, and shared with whoever
// else writes it.
#include "webhook/tag_history/file_store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/folder.h"
#include "tests/support/soon.h"

namespace belay::webhook::tag_history {
namespace {

using namespace std::chrono_literals;
using tests::soon;

const std::string kRepository = "docker.io/library/nginx";
const std::string kOld = "sha256:" + std::string(64, 'a');
const std::string kNew = "sha256:" + std::string(64, 'b');

policy::TagRecord at(int second, const std::string& digest = kOld) {
  return {digest,
          std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::seconds(second)};
}

/// A directory with the file's path in it, and what was reported.
struct Fixture {
  Fixture() {
    store.look = 5ms;
    options.batch = 1ms;
    options.backoff_min = 1ms;
    options.backoff_max = 20ms;
  }

  std::unique_ptr<TagHistory> open() {
    auto opened = TagHistory::open(std::make_shared<FileStore>(path, store), options,
                                   [this](const TagHistoryNews& told) {
                                     const std::lock_guard lock(mutex);
                                     news.emplace_back(told.what);
                                   });
    REQUIRE_MESSAGE(opened.has_value(), opened.error());
    return *std::move(opened);
  }
  std::string text() const { return folder.text("tags"); }
  RecordMap on_disk() const { return read_records(text()).entries; }
  bool heard(std::string_view part) {
    const std::lock_guard lock(mutex);
    return std::ranges::any_of(
        news, [part](const std::string& one) { return one.find(part) != std::string::npos; });
  }

  tests::Folder folder;
  std::string path = folder.path("tags");
  FileStoreOptions store;
  TagHistoryOptions options = options_for_file();
  std::mutex mutex;
  std::vector<std::string> news;
};

TEST_CASE("a tag is known as soon as it was seen, and after a restart") {
  Fixture f;
  {
    const auto memory = f.open();
    CHECK(memory->first(kRepository, "1.27") == std::nullopt);
    memory->saw(kRepository, "1.27", at(1));
    CHECK(memory->first(kRepository, "1.27") == at(1));
    memory->saw(kRepository, "1.27", at(2, kNew));
    CHECK(memory->first(kRepository, "1.27") == at(1));
    CHECK(memory->first(kRepository, "1.28") == std::nullopt);
  }
  struct stat info{};
  REQUIRE(::stat(f.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0600);
  CHECK(f.open()->first(kRepository, "1.27") == at(1));
  CHECK(f.folder.files() == 1);
}

TEST_CASE("it is written while the process runs, not only at its end") {
  Fixture f;
  const auto memory = f.open();
  memory->saw(kRepository, "1.27", at(1));
  CHECK(soon([&] { return f.on_disk().size() == 1; }));
}

TEST_CASE("what a crash left before the rename is not a tag history, and is in nobody's way") {
  Fixture f;
  f.open()->saw(kRepository, "1.27", at(1));
  const std::string whole = f.text();
  std::ofstream(f.path + ".new") << whole.substr(0, whole.size() / 2);
  {
    const auto memory = f.open();
    CHECK(memory->first(kRepository, "1.27") == at(1));
    memory->saw(kRepository, "1.28", at(2));
  }
  CHECK(f.on_disk().size() == 2);
  CHECK_FALSE(std::filesystem::exists(f.path + ".new"));

  // a link in its place is not followed
  std::ofstream(f.folder.path("other")) << "untouched";
  std::filesystem::create_symlink(f.folder.path("other"), f.path + ".new");
  f.open()->saw(kRepository, "1.29", at(3));
  CHECK(f.on_disk().size() == 3);
  CHECK(std::filesystem::file_size(f.folder.path("other")) == 9);
}

TEST_CASE("a tag that another program removes is forgotten and not written back") {
  Fixture f;
  const auto memory = f.open();
  memory->saw(kRepository, "1.27", at(1));
  memory->saw(kRepository, "1.28", at(1));
  REQUIRE(soon([&] { return f.on_disk().size() == 2; }));
  const auto cleared = change_history_file(
      f.path, [](RecordMap& entries) { return entries.erase(kRepository + ":1.27") > 0; });
  REQUIRE(cleared.has_value());
  CHECK(soon([&] { return memory->first(kRepository, "1.27") == std::nullopt; }));
  memory->saw(kRepository, "1.29", at(5));
  REQUIRE(soon([&] { return f.on_disk().contains(kRepository + ":1.29"); }));
  CHECK_FALSE(f.on_disk().contains(kRepository + ":1.27"));

  // seen again, it is remembered anew
  memory->saw(kRepository, "1.27", at(9, kNew));
  CHECK(memory->first(kRepository, "1.27") == at(9, kNew));
  CHECK(soon([&] { return f.on_disk().contains(kRepository + ":1.27"); }));

  // and with the file goes everything
  std::filesystem::remove(f.path);
  CHECK(soon([&] { return memory->first(kRepository, "1.28") == std::nullopt; }));
}

TEST_CASE("whoever changes the file, it stays its owner's, for its owner alone") {
  if (::geteuid() != 0) return;  // only root may give files away
  Fixture f;
  f.open()->saw(kRepository, "1.27", at(1));
  REQUIRE(::chown(f.path.c_str(), 65532, 65532) == 0);
  REQUIRE(change_history_file(f.path, [](RecordMap& entries) {
            entries.clear();
            return true;
          }).has_value());
  struct stat info{};
  REQUIRE(::stat(f.path.c_str(), &info) == 0);
  CHECK(info.st_uid == 65532);
  CHECK(info.st_gid == 65532);
  CHECK((info.st_mode & 07777U) == 0600);
}

TEST_CASE("two processes that write at once lose none of each other's tags; the older one wins") {
  Fixture f;
  constexpr int kEach = 200;
  {
    const auto one = f.open();
    const auto two = f.open();
    const auto fill = [](TagHistory& memory, const std::string& prefix, int time) {
      for (int i = 0; i < kEach; ++i) {
        memory.saw(kRepository, prefix + std::to_string(i), at(i));
        memory.saw(kRepository, "both" + std::to_string(i), at(time, time == 1 ? kOld : kNew));
      }
    };
    const std::jthread left([&] { fill(*one, "left", 2); });
    const std::jthread right([&] { fill(*two, "right", 1); });
  }
  const RecordMap entries = f.on_disk();
  CHECK(entries.size() == 3 * kEach);
  for (int i = 0; i < kEach; ++i) {
    CHECK(entries.at(kRepository + ":both" + std::to_string(i)) == at(1));
  }
}

TEST_CASE("whoever reads the file while it is written finds it whole") {
  Fixture f;
  std::atomic<bool> done = false;
  std::atomic<int> broken = 0;
  const auto memory = f.open();
  std::jthread reader([&] {
    while (!done) {
      const std::string text = f.text();
      if (!read_records(text).problems.empty() || (!text.empty() && !text.ends_with('\n'))) {
        ++broken;
      }
    }
  });
  for (int i = 0; i < 200; ++i) {
    memory->saw(kRepository, std::to_string(i), at(i));
    if (i % 20 == 0) {
      CHECK(soon([&] { return f.on_disk().contains(kRepository + ":" + std::to_string(i)); }));
    }
  }
  done = true;
  reader.join();
  CHECK(broken == 0);
}

TEST_CASE("a file that is full removes its oldest tags, and says so") {
  Fixture f;
  f.store.max_entries = 40;
  {
    const auto memory = f.open();
    for (int i = 0; i < 41; ++i) memory->saw(kRepository, std::to_string(i), at(i));
  }
  const RecordMap entries = f.on_disk();
  CHECK(entries.size() == 38);
  CHECK_FALSE(entries.contains(kRepository + ":0"));
  CHECK(entries.contains(kRepository + ":40"));
  CHECK(f.heard("the 3 oldest tags were removed"));
}

TEST_CASE("while it can't be written nothing is lost within bounds, and it is reported once") {
  Fixture f;
  f.options.max_waiting = 3;
  const auto memory = f.open();
  std::filesystem::create_directory(f.path);  // in the place of the file
  for (int i = 0; i < 4; ++i) memory->saw(kRepository, std::to_string(i), at(i));
  CHECK(memory->first(kRepository, "2") == at(2));
  CHECK(memory->first(kRepository, "3") == std::nullopt);
  CHECK(soon([&] { return f.heard("cannot be read: Is a directory"); }));
  CHECK(soon([&] { return f.heard("1 tags were not recorded"); }));
  std::filesystem::remove(f.path);
  CHECK(soon([&] { return f.on_disk().size() == 3; }));
  CHECK(soon([&] { return f.heard("written again"); }));
  const std::lock_guard lock(f.mutex);
  CHECK(f.news.size() == 3);
}

TEST_CASE("broken lines are reported and the rest is known") {
  Fixture f;
  f.open()->saw(kRepository, "1.27", at(1));
  std::ofstream(f.path, std::ios::app) << "nonsense\n";
  const auto memory = f.open();
  CHECK(memory->first(kRepository, "1.27") == at(1));
  CHECK(f.heard("line 3 is not a tag"));
}

TEST_CASE("a place where nothing can be kept is an error at the start") {
  for (const char* path : {"/", "/nonexistent/tags", "/dev/null/tags"}) {
    CAPTURE(path);
    const auto opened = TagHistory::open(std::make_shared<FileStore>(path), options_for_file(), {});
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().starts_with("/"));
  }
}

}  // namespace
}  // namespace belay::webhook::tag_history
