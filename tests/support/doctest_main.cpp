// main() of every unit test executable.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "tests/support/sources.h"

std::string belay::tests::source(std::string_view path) {
  return std::string(BELAY_SOURCE_DIR "/").append(path);
}
