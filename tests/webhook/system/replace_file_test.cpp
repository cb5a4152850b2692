// Writing over a file: whole or not at all, with its mode.
#include "webhook/system/replace_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/folder.h"

namespace belay::webhook {
namespace {

namespace fs = std::filesystem;
using tests::Folder;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("a file gets its new text and keeps its mode") {
  const Folder folder;
  const std::string path = folder.write("a.yaml", "old");
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  CHECK(replace_file(path, "old", "new text").has_value());
  CHECK(text_of(path) == "new text");
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0640U);
  CHECK(folder.files() == 1);
}

TEST_CASE("a symbolic link stays one, and the file behind it changes") {
  const Folder folder;
  const std::string path = folder.write("a.yaml", "old");
  fs::create_symlink("a.yaml", folder.path("link.yaml"));
  CHECK(replace_file(folder.path("link.yaml"), "old", "new").has_value());
  CHECK(fs::is_symlink(folder.path("link.yaml")));
  CHECK(text_of(path) == "new");
}

TEST_CASE("a file that somebody changed meanwhile is left as it is") {
  const Folder folder;
  for (const char* const now : {"newer", "old and more", ""}) {
    const std::string path = folder.write("a.yaml", now);
    const auto done = replace_file(path, "old", "new");
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error() == "another program changed it; nothing was written");
    CHECK(text_of(path) == now);
  }
  CHECK(folder.files() == 1);
}

TEST_CASE("a file that has gone, or another's file of the temporary name, is said") {
  const Folder folder;
  CHECK(replace_file(folder.path("none"), "old", "new").error() == "No such file or directory");
  const std::string path = folder.write("a.yaml", "old");
  const std::string other = folder.write("a.yaml." + std::to_string(::getpid()) + ".tmp", "theirs");
  CHECK_FALSE(replace_file(path, "old", "new").has_value());
  CHECK(text_of(path) == "old");
  CHECK(text_of(other) == "theirs");
}

}  // namespace
}  // namespace belay::webhook
