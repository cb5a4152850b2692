// A folder of one test's own under the system's temporary ones, gone with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace belay::tests {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "belay-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder: " + name);
    top_ = name;
  }
  ~Folder() { std::filesystem::remove_all(top_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  /// Of a file in it; of the folder without a name.
  std::string path(const std::string& name = "") const {
    return name.empty() ? top_.string() : (top_ / name).string();
  }
  /// Over what is there. Folders that are lacking are made. \return the file's path
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((top_ / name).parent_path());
    std::ofstream(top_ / name, std::ios::binary) << text;
    return path(name);
  }
  /// Beside it and renamed over it, as Kubernetes and careful people do: never there by half.
  std::string replace(const std::string& name, const std::string& text) const {
    std::filesystem::rename(write(name + ".new", text), path(name));
    return path(name);
  }
  /// Of a file; "" where there is none.
  std::string text(const std::string& name) const {
    std::ifstream file(top_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  /// How many it holds.
  std::size_t files() const {
    using Files = std::filesystem::directory_iterator;
    return static_cast<std::size_t>(std::distance(Files(top_), Files()));
  }

 private:
  std::filesystem::path top_;
};

}  // namespace belay::tests
