// How many CPUs this process may use: the scheduler's affinity and the cgroup's quota. And how much
// memory requests may take, of what the cgroup allows.
#pragma once

#include <cstddef>
#include <filesystem>

namespace belay::webhook {

/// CPUs a process may use by the cgroup files under `root` (version 2: cpu.max, version 1:
/// cpu.cfs_quota_us), part of one rounded up, but no more than `affinity`. At least 1.
unsigned cpus_within_quota(unsigned affinity, const std::filesystem::path& root = "/");

/// The same for this process: sched_getaffinity() and the real files.
unsigned usable_cpus();

/// `wanted`, but no more than a quarter of the memory that the cgroup files under `root` allow
/// (version 2: memory.max, version 1: memory.limit_in_bytes). Who goes beyond that is killed, and
/// buffers that grow, TLS and what is read from a request need their share too.
std::size_t bytes_within_memory(std::size_t wanted, const std::filesystem::path& root = "/");

}  // namespace belay::webhook
