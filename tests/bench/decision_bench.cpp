// Microbenchmarks of a decision and its parts: reading a review, evaluating policies, writing the
// answer, and the whole. $BELAY_BENCH_REVIEWS names the folder with the reviews of reviews.py.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "policy/evaluate.h"
#include "tests/bench/fixture.h"
#include "webhook/admission/admission.h"
#include "webhook/admission/review_reader.h"
#include "webhook/admission/review_writer.h"
#include "webhook/namespaces/fixed_namespaces.h"

namespace {

using belay::bench::today;
using namespace belay::webhook::admission;
namespace policy = belay::policy;

constexpr const char* kSizes[] = {"4k", "20k", "1m"};

std::string review(std::int64_t size) {
  const char* folder = std::getenv("BELAY_BENCH_REVIEWS");
  return belay::bench::read_file(std::string(folder != nullptr ? folder : ".") + "/review-" +
                                 kSizes[size] + ".json");
}

// The reader writes into the body, so every turn starts from a fresh copy; the copy is part of the
// time, as receiving it is part of a request's.
class Body {
 public:
  explicit Body(std::int64_t size) : text_(review(size)), buffer_(text_.size() + 1) {}
  std::span<char> fresh() {
    std::copy(text_.begin(), text_.end(), buffer_.begin());
    return {buffer_.data(), text_.size()};
  }
  std::size_t size() const { return text_.size(); }

 private:
  std::string text_;
  std::vector<char> buffer_;
};

void name_size(benchmark::State& state, std::size_t bytes) {
  state.SetLabel(kSizes[state.range(0)]);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void read_review(benchmark::State& state) {
  Body body(state.range(0));
  ReviewReader reader;
  for (auto turn : state) {
    auto read = reader.read(body.fresh());
    if (!read) state.SkipWithError(read.error().message.c_str());
    benchmark::DoNotOptimize(read);
  }
  name_size(state, body.size());
}
BENCHMARK(read_review)->DenseRange(0, 2);

/// The smallest review, read once, to be evaluated in the benchmark's namespace.
class Case {
 public:
  explicit Case(benchmark::State& state) : body_(0) {
    const auto read = reader_.read(body_.fresh());
    if (read) {
      review_ = *read;
    } else {
      state.SkipWithError(read.error().message.c_str());
    }
  }
  bool readable() const { return review_ != nullptr; }
  const Review& review() const { return *review_; }
  void evaluate(const policy::PolicySet& policies, policy::Verdict& verdict) const {
    policy::evaluate(policies, review_->workload, {.today = today(), .ns = &ns_}, verdict);
  }

 private:
  Body body_;
  ReviewReader reader_;
  const Review* review_ = nullptr;
  policy::NamespaceFacts ns_{.labels = belay::bench::namespace_labels()};
};

/// What depends on the number of policies: learning whether labels are wanted, and evaluating.
void evaluate(benchmark::State& state, belay::bench::Narrowed narrowed) {
  const auto applying = static_cast<std::size_t>(state.range(0));
  const auto policies = belay::bench::many_policies(
      applying, static_cast<std::size_t>(state.range(1)) - applying, narrowed);
  const Case subject(state);
  if (!subject.readable()) return;
  policy::Verdict verdict;
  for (auto turn : state) {
    benchmark::DoNotOptimize(policy::needs(policies, subject.review().workload));
    subject.evaluate(policies, verdict);
    benchmark::DoNotOptimize(verdict);
  }
  if (verdict.policies.size() != applying) state.SkipWithError("other policies apply");
  state.SetLabel(std::to_string(state.range(1)) + " policies, of which " +
                 std::to_string(state.range(0)) + " apply");
}
BENCHMARK_CAPTURE(evaluate, by_name, belay::bench::Narrowed::kByName)
    ->Args({1, 1})
    ->Args({5, 5})
    ->Args({5, 200});
BENCHMARK_CAPTURE(evaluate, by_label, belay::bench::Narrowed::kByLabel)
    ->Args({1, 1})
    ->Args({5, 5})
    ->Args({5, 200});

void write_denial(benchmark::State& state) {
  const Case subject(state);
  if (!subject.readable()) return;
  policy::Verdict verdict;
  const auto policies = belay::bench::refusing_policy();
  subject.evaluate(policies, verdict);
  std::string out;
  for (auto turn : state) {
    write_review(subject.review(), verdict, out);
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(write_denial);

void decide(benchmark::State& state) {
  Body body(state.range(0));
  const belay::webhook::namespaces::FixedNamespaces namespaces;
  const auto policies = belay::bench::one_policy();
  Admission admission(namespaces, {.today = today});
  std::string out;
  for (auto turn : state) {
    const auto answer = admission.admit(Endpoint::kValidate, policies, body.fresh(), out);
    if (answer.outcome != Outcome::kAllowed) state.SkipWithError(out.c_str());
    benchmark::DoNotOptimize(out);
  }
  name_size(state, body.size());
}
BENCHMARK(decide)->DenseRange(0, 2);

/// A source that knows the digest of every tag, as a cache does.
class EveryDigest final : public ImageSource {
 public:
  bool known(const PullIdentity& /*identity*/, const ImageFactRequest& /*question*/,
             policy::ImageFacts& facts) override {
    facts.digest = digest_;
    return true;
  }
  std::string known_digest(const PullIdentity& /*identity*/,
                           const policy::ImageReference& /*reference*/) override {
    return digest_;
  }
  void ask(const PullIdentity& /*identity*/, const ImageFactRequest& /*question*/,
           std::chrono::steady_clock::time_point /*deadline*/,
           policy::ImageFacts& /*facts*/) override {}
  void admitted(const PullIdentity& /*identity*/, const policy::ImageReference& /*reference*/,
                std::string_view /*digest*/) override {}

 private:
  const std::string digest_ = "sha256:" + std::string(64, 'a');
};

/// The whole of /mutate where every digest is known, to be compared with decide().
void pin(benchmark::State& state) {
  Body body(state.range(0));
  const belay::webhook::namespaces::FixedNamespaces namespaces;
  const auto policies = belay::bench::pinning_policy();
  EveryDigest source;
  Admission admission(namespaces, {.today = today, .images = {.source = &source}});
  std::string out;
  for (auto turn : state) {
    const auto answer = admission.admit(Endpoint::kMutate, policies, body.fresh(), out);
    if (answer.pins.pinned == 0) state.SkipWithError(out.c_str());
    benchmark::DoNotOptimize(out);
  }
  name_size(state, body.size());
}
BENCHMARK(pin)->DenseRange(0, 2);

}  // namespace

BENCHMARK_MAIN();
