// CPUs and memory by cgroup files.
#include "webhook/system/cgroup_limits.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <fstream>
#include <string>

using belay::webhook::bytes_within_memory;
using belay::webhook::cpus_within_quota;
namespace fs = std::filesystem;

namespace {

class Root {
 public:
  Root() {
    std::string pattern = (fs::temp_directory_path() / "cgroup_limits_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Root() { fs::remove_all(path_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((path_ / file).parent_path());
    std::ofstream(path_ / file) << text;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("without a quota the affinity counts") {
  const Root root;
  CHECK(cpus_within_quota(4, root.path()) == 4);
  root.write("sys/fs/cgroup/cpu.max", "max 100000\n");
  CHECK(cpus_within_quota(4, root.path()) == 4);
  CHECK(cpus_within_quota(0, root.path()) == 1);
}

TEST_CASE("the quota of cgroup version 2 counts, rounded up") {
  const Root root;
  root.write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  CHECK(cpus_within_quota(8, root.path()) == 1);
  root.write("sys/fs/cgroup/cpu.max", "250000 100000\n");
  CHECK(cpus_within_quota(8, root.path()) == 3);
  CHECK(cpus_within_quota(2, root.path()) == 2);
  root.write("sys/fs/cgroup/cpu.max", "nonsense\n");
  CHECK(cpus_within_quota(8, root.path()) == 8);
}

TEST_CASE("the smallest quota on the way up to the root of the cgroups counts") {
  const Root root;
  root.write("proc/self/cgroup", "0::/kubepods/pod1/main\n");
  root.write("sys/fs/cgroup/kubepods/pod1/main/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/kubepods/pod1/cpu.max", "200000 100000\n");
  root.write("sys/fs/cgroup/kubepods/cpu.max", "400000 100000\n");
  CHECK(cpus_within_quota(8, root.path()) == 2);
}

TEST_CASE("the quota of cgroup version 1 counts") {
  const Root root;
  root.write("proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n");
  root.write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "150000\n");
  root.write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
  CHECK(cpus_within_quota(8, root.path()) == 2);
  root.write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "-1\n");
  CHECK(cpus_within_quota(8, root.path()) == 8);
}

TEST_CASE(
    "requests take no more than a quarter of the memory that any cgroup on the way up allows") {
  const Root root;
  CHECK(bytes_within_memory(256, root.path()) == 256);
  root.write("proc/self/cgroup", "0::/kubepods/pod1/main\n");
  root.write("sys/fs/cgroup/kubepods/pod1/main/memory.max", "max\n");
  CHECK(bytes_within_memory(256, root.path()) == 256);
  root.write("sys/fs/cgroup/kubepods/pod1/memory.max", "512\n");
  root.write("sys/fs/cgroup/kubepods/memory.max", "4096\n");
  CHECK(bytes_within_memory(256, root.path()) == 128);
  CHECK(bytes_within_memory(100, root.path()) == 100);
}

TEST_CASE("the memory limit of cgroup version 1 counts") {
  const Root root;
  root.write("proc/self/cgroup", "7:memory:/docker/abc\n");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(bytes_within_memory(256, root.path()) == 256);
  root.write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "512\n");
  CHECK(bytes_within_memory(256, root.path()) == 128);
}
