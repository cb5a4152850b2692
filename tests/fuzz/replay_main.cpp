// Runs a fuzz target over files instead of generated inputs: main() of the fuzz targets wherever
// libFuzzer is not linked, so that a corpus is an ordinary test. Single-threaded.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

// The files named on the command line and those below the folders named there, in a stable order.
std::vector<fs::path> inputs(int argc, char** argv) {
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool replay(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    return false;
  }
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  // The name goes out first, so that it is the last line when the target crashes.
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);
  // An exact copy on the heap: reading one byte too far is seen.
  const std::vector<std::uint8_t> exact(text.begin(), text.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const auto files = inputs(argc, argv);
  if (files.empty()) {
    std::fprintf(stderr, "no inputs: the corpus is missing\n");
    return 1;
  }
  bool good = true;
  for (const auto& file : files) good = replay(file) && good;
  std::printf("%zu inputs replayed\n", files.size());
  return good ? 0 : 1;
}
