// Decides one review N times and nothing else: what instructions.py counts under callgrind.
//
// usage: decision_loop REVIEW N
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/fixture.h"
#include "webhook/admission/admission.h"
#include "webhook/namespaces/fixed_namespaces.h"

int main(int argc, char** argv) {
  namespace admission = belay::webhook::admission;
  if (argc != 3) {
    std::fprintf(stderr, "usage: decision_loop REVIEW N\n");
    return 2;
  }
  const std::string text = belay::bench::read_file(argv[1]);
  const auto policies = belay::bench::one_policy();
  const belay::webhook::namespaces::FixedNamespaces namespaces;
  admission::Admission decide(namespaces, {.today = belay::bench::today});
  std::vector<char> body(text.size() + 1);
  std::string out;
  for (long turns = std::atol(argv[2]); turns > 0; --turns) {
    std::copy(text.begin(), text.end(), body.begin());
    const auto answer =
        decide.admit(admission::Endpoint::kValidate, policies, {body.data(), text.size()}, out);
    if (answer.outcome != admission::Outcome::kAllowed) {
      std::fprintf(stderr, "not allowed: %s\n", out.c_str());
      return 1;
    }
  }
  return 0;
}
