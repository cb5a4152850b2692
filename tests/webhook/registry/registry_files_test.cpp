// The files of --registries and --docker-config: how much of them is read, and what is said.
#include "webhook/registry/registry_files.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/folder.h"

namespace belay::webhook::registry {
namespace {

using Problems = std::vector<std::string>;

/// A text made as long as that with blank lines, which say nothing in YAML, JSON and PEM.
std::string padded(std::string text, std::size_t bytes) {
  text.resize(bytes, '\n');
  return text;
}

TEST_CASE("files of registries and credentials of 1 MiB are read, of a byte more refused by name") {
  const tests::Folder folder;
  const std::string registries = folder.path("registries.yaml");
  const std::string docker = folder.path("docker.json");
  const std::string ca = folder.path("ca.pem");
  const auto write = [&](std::size_t of_registries, std::size_t of_docker, std::size_t of_ca) {
    folder.write("registries.yaml", padded("apiVersion: belay.dev/v1alpha1\nkind: Registries\n"
                                           "registries:\n  - host: registry.corp\n    ca: " +
                                               ca + "\n",
                                           of_registries));
    folder.write("docker.json",
                 padded(R"({"auths":{"registry.corp":{"auth":"bWU6cHc="}}})", of_docker));
    folder.write("ca.pem", padded("-----BEGIN CERTIFICATE-----\n", of_ca));
  };
  write(kMaxRegistryFile, kMaxRegistryFile, kMaxRegistryFile);
  const RegistryFiles read = read_registry_files(registries, {docker});
  CHECK(read.problems == Problems{});
  CHECK(read.registries.list.size() == 1);

  write(kMaxRegistryFile + 1, kMaxRegistryFile + 1, 100);
  CHECK(read_registry_files(registries, {docker}).problems ==
        Problems{registries + ": is larger than 1 MiB", docker + ": is larger than 1 MiB"});

  write(200, 100, kMaxRegistryFile + 1);
  const Problems problems = read_registry_files(registries, {}).problems;
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].starts_with(registries + ":5:"));
  CHECK(problems[0].ends_with(ca + ": is larger than 1 MiB"));
}

TEST_CASE("a file that never ends is given up, and one that is not there or a folder is named") {
  const tests::Folder folder;
  const std::string none = folder.path("none");
  CHECK(read_registry_files("/dev/zero", {none, folder.path()}).problems ==
        Problems{"/dev/zero: is larger than 1 MiB", none + ": No such file or directory",
                 folder.path() + ": Is a directory"});
}

}  // namespace
}  // namespace belay::webhook::registry
