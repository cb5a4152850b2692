// Reads cgroup files. The limit of every ancestor holds, so the smallest wins.
#include "webhook/system/cgroup_limits.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

namespace belay::webhook {
namespace {

namespace fs = std::filesystem;

/// "max 100000" or "150000 100000" -> CPUs.
std::optional<double> read_v2(const fs::path& file) {
  std::ifstream in(file);
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0) return std::nullopt;
  std::istringstream number(quota);
  double value = 0;
  if (!(number >> value) || value <= 0) return std::nullopt;
  return value / period;
}

std::optional<double> read_v1(const fs::path& folder) {
  double quota = 0;
  double period = 0;
  if (!(std::ifstream(folder / "cpu.cfs_quota_us") >> quota) || quota <= 0 ||
      !(std::ifstream(folder / "cpu.cfs_period_us") >> period) || period <= 0) {
    return std::nullopt;
  }
  return quota / period;
}

/// Bytes; nothing for "max" or where there is no such file.
std::optional<double> read_bytes(const fs::path& file) {
  double bytes = 0;
  if (!(std::ifstream(file) >> bytes) || bytes <= 0) return std::nullopt;
  return bytes;
}

/// Paths of this process's cgroup: under the unified hierarchy, and under two controllers.
struct CgroupPaths {
  std::string unified;
  std::string cpu;
  std::string memory;
};

CgroupPaths read_paths(const fs::path& root) {
  CgroupPaths paths;
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {  // hierarchy:controllers:path
    const auto first = line.find(':');
    const auto second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    if (controllers == ",,") paths.unified = line.substr(second + 1);
    if (controllers.find(",cpu,") != controllers.npos) paths.cpu = line.substr(second + 1);
    if (controllers.find(",memory,") != controllers.npos) paths.memory = line.substr(second + 1);
  }
  return paths;
}

/// Smallest limit of `path` and its ancestors below `mount`.
template <class Read>
double smallest(const fs::path& mount, std::string path, Read read) {
  double result = std::numeric_limits<double>::infinity();
  for (;;) {
    const fs::path folder = mount / fs::path(path).relative_path();
    if (const auto limit = read(folder)) result = std::min(result, *limit);
    const auto slash = path.rfind('/');
    if (slash == path.npos || path.size() <= 1) return result;
    path.resize(std::max<std::size_t>(slash, 1));
    if (path == "/") path.clear();
    if (path.empty()) {
      if (const auto limit = read(mount)) result = std::min(result, *limit);
      return result;
    }
  }
}

}  // namespace

unsigned cpus_within_quota(unsigned affinity, const fs::path& root) {
  const CgroupPaths paths = read_paths(root);
  const fs::path mount = root / "sys/fs/cgroup";
  const double quota =
      std::min(smallest(mount, paths.unified,
                        [](const fs::path& folder) { return read_v2(folder / "cpu.max"); }),
               smallest(mount / "cpu", paths.cpu, read_v1));
  const double cpus = std::min<double>(std::max(affinity, 1U), std::ceil(quota));
  return static_cast<unsigned>(std::max(cpus, 1.0));
}

std::size_t bytes_within_memory(std::size_t wanted, const fs::path& root) {
  const CgroupPaths paths = read_paths(root);
  const fs::path mount = root / "sys/fs/cgroup";
  const double limit =
      std::min(smallest(mount, paths.unified,
                        [](const fs::path& folder) { return read_bytes(folder / "memory.max"); }),
               smallest(mount / "memory", paths.memory, [](const fs::path& folder) {
                 return read_bytes(folder / "memory.limit_in_bytes");
               }));
  return static_cast<std::size_t>(std::min<double>(static_cast<double>(wanted), limit / 4));
}

unsigned usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return cpus_within_quota(static_cast<unsigned>(std::max(count, 1)));
}

}  // namespace belay::webhook
