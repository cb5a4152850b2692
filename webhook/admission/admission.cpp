// The steps of one request, in order: read, sort out what is not evaluated, learn the namespace and
// the images, evaluate, write. No step can turn "could not" into "allowed".
#include "webhook/admission/admission.h"

#include <algorithm>
#include <utility>

#include "policy/evaluate.h"
#include "policy/image_reference.h"
#include "policy/pinning.h"
#include "policy/registry_needs.h"
#include "webhook/admission/image_inquiry.h"
#include "webhook/admission/review_writer.h"

namespace belay::webhook::admission {
namespace {

Outcome outcome_of(policy::Decision decision) {
  switch (decision) {
    case policy::Decision::kAllowed:
      return Outcome::kAllowed;
    case policy::Decision::kDenied:
      return Outcome::kDenied;
    case policy::Decision::kUndecided:
      break;
  }
  return Outcome::kUndecided;
}

/// Why a review is none for this endpoint, or nothing.
std::optional<ReadError> misdirected(const Review& review, Endpoint endpoint) {
  // Belay's rules name CREATE, UPDATE and, for completeness, DELETE. Anything else comes from a
  // webhook configuration that is not ours: an error, so that failurePolicy decides.
  if (review.operation == Operation::kConnect) {
    return ReadError{ReadErrorCode::kOperation,
                     "request.operation CONNECT is not evaluated: send CREATE and UPDATE only",
                     "request.operation"};
  }
  if (endpoint == Endpoint::kValidatePolicy && !review.is_config_map) {
    return ReadError{ReadErrorCode::kKind,
                     "/validate-policy evaluates ConfigMaps only: send this kind to /validate",
                     "request.kind"};
  }
  return std::nullopt;
}

/// Digests of refused tags, where a cache holds them.
class CachedDigests final : public policy::KnownDigests {
 public:
  CachedDigests(ImageSource& source, const policy::Workload& workload)
      : source_(source), workload_(workload) {}
  std::string digest_of(const policy::ImageReference& reference) const override {
    PullIdentity identity;
    identify(workload_, identity);
    return source_.known_digest(identity, reference);
  }

 private:
  ImageSource& source_;
  const policy::Workload& workload_;
};

/// For whom nobody can be asked.
class NobodyToAsk final : public Waiter {
 public:
  bool wait(const Missing& missing, const Review& /*review*/, Learned& learned) override {
    if (missing.images != nullptr) learned.give_up_images("no registries are configured");
    return true;
  }
};

}  // namespace

void Learned::give_up_images(std::string_view problem) {
  for (ImageInquiry::Item& item : images.items) item.facts.problem = problem;
}

class Admission::Impl {
 public:
  Impl(const NamespaceSource& namespaces, AdmissionOptions options)
      : namespaces_(namespaces.reader()),
        today_(std::move(options.today)),
        images_(std::move(options.images)),
        config_maps_(std::move(options.config_maps)),
        reader_(std::move(options.extra_templates)) {
    if (!options.limits) return;
    budget_.emplace(*options.limits);
    reading_budget_.emplace(*options.limits);
  }

  std::optional<Result> admit(Request& request, const policy::PolicySet& policies,
                              std::span<char> body, std::string& out, Waiter& waiter) {
    const auto review = reader_.read(body);
    if (!review) return write_bad_request(review.error(), out);
    if (auto error = misdirected(**review, request.endpoint)) {
      return write_bad_request(std::move(*error), out);
    }
    return go_on(request, policies, **review, out, waiter);
  }

  std::optional<Result> go_on(Request& request, const policy::PolicySet& policies,
                              const Review& review, std::string& out, Waiter& waiter) {
    const bool mutating = request.endpoint == Endpoint::kMutate;
    if (review.is_config_map && !mutating) return review_config_map(review, out);
    if (!review.evaluated) return write_allowed(review, out);
    for (;;) {
      const Missing missing = mutating ? plan_pins(policies, review, request.learned)
                                       : evaluate(policies, review, request.learned);
      if (missing.nothing()) break;
      out.clear();
      if (!ask(missing, review, request.learned, waiter)) return std::nullopt;
    }
    return mutating ? write_pins(review, request.learned, out) : write_verdict(review, out);
  }

 private:
  /// Takes down what is asked for, which is never asked for again, and has it asked for.
  static bool ask(const Missing& missing, const Review& review, Learned& learned, Waiter& waiter) {
    if (missing.images != nullptr) {
      learned.asked_images = true;
      learned.images = *missing.images;
    } else {
      learned.asked_namespace = true;
    }
    return waiter.wait(missing, review, learned);
  }

  // ---- /validate

  /// Evaluates with what is known at once, unless something must be asked for first.
  Missing evaluate(const policy::PolicySet& policies, const Review& review,
                   const Learned& learned) {
    const policy::Workload& workload = review.workload;
    begin_facts(workload, learned);
    const bool informed = !policy::needs(policies, workload).namespace_labels ||
                          learn_namespace(workload.namespace_name);
    const Missing labels{.namespace_name =
                             informed || learned.asked_namespace ? "" : workload.namespace_name};
    facts_.offline = images_.offline;
    image_facts_.clear();
    policy::registry_needs(policies, workload, facts_, needs_);
    if (!needs_.empty()) {
      facts_.now = images_.now();
      // Of two things that are missing, the namespace comes first: what registries are asked for
      // depends on it.
      if (!informed && learned.namespace_problem.empty()) {
        if (!labels.nothing()) return labels;
      } else if (!images_.offline) {
        const Missing missing = learn_images(workload, learned);
        if (!missing.nothing()) return missing;
      }
      facts_.images = image_facts_;
    }
    std::optional<CachedDigests> cached;
    if (can_know()) facts_.known_digests = &cached.emplace(*images_.source, workload);
    policy::evaluate(policies, workload, facts_, verdict_);
    facts_.known_digests = nullptr;
    // What is decided without the labels waits for nobody.
    return verdict_.decision() == policy::Decision::kUndecided ? labels : Missing{};
  }

  Result write_verdict(const Review& review, std::string& out) {
    Result result{.review = &review, .verdict = &verdict_};
    result.outcome = outcome_of(verdict_.decision());
    write_review(review, verdict_, out);
    if (can_know() && result.outcome == Outcome::kAllowed && !review.dry_run) {
      remember(review.workload);
    }
    return result;
  }

  /// What admitted tags point to: of those that a rule compares with the first record.
  void remember(const policy::Workload& workload) {
    for (const policy::ImageNeed& need : needs_) {
      if (!need.record || need.image >= image_facts_.size()) continue;
      const std::string& digest = image_facts_[need.image].digest;
      if (digest.empty()) continue;
      if (const auto reference =
              policy::parse_image_reference(workload.pod.images.at(need.image).image)) {
        images_.source->admitted(identity_, *reference, digest);
      }
    }
  }

  // ---- /mutate

  /// Finds out which images are to be pinned to which digests; write_pins() says what came of it.
  Missing plan_pins(const policy::PolicySet& policies, const Review& review,
                    const Learned& learned) {
    const policy::Workload& workload = review.workload;
    pins_.clear();
    plan_ = Plan::kReady;
    if (!policy::may_pin(policies, workload)) return {};
    begin_facts(workload, learned);
    const bool informed = !policy::pinning_needs_namespace(policies, workload) ||
                          learn_namespace(workload.namespace_name);
    const bool planned = informed ? policy::plan_pins(policies, workload, facts_, pins_)
                                  : policy::plan_possible_pins(policies, workload, facts_, pins_);
    if (!planned) {
      plan_ = Plan::kTooLong;
      return {};
    }
    if (pins_.empty()) return {};
    if (!informed) {
      plan_ = Plan::kNoNamespace;
      return {.namespace_name = learned.asked_namespace ? "" : workload.namespace_name};
    }
    needs_.clear();
    for (const policy::Pin& pin : pins_) {
      if (!pin.reused_digest.empty()) continue;
      policy::ImageNeed& need = needs_.emplace_back();
      need.image = pin.image;
      need.digest = true;
    }
    return learn_images(workload, learned);
  }

  Result write_pins(const Review& review, const Learned& learned, std::string& out) {
    if (plan_ == Plan::kTooLong) {
      return write_undecided(
          review,
          "it would take too long: too many patterns of policies that pin for so many images", out);
    }
    if (pins_.empty()) return write_allowed(review, out);
    if (plan_ == Plan::kNoNamespace) return write_without_namespace(review, learned, out);
    settle(review.workload, pins_, image_facts_, outcomes_);
    mutation_ = write_mutation(review, outcomes_, out);
    Result result{.review = &review};
    result.pins = mutation_.counts;
    result.pin_problem = mutation_.fault.empty() ? mutation_.problem : mutation_.fault;
    if (!mutation_.fault.empty()) {
      result.http_status = 500;
      result.outcome = Outcome::kUndecided;
    } else if (!mutation_.refusal.empty()) {
      result.outcome = Outcome::kDenied;
    }
    return result;
  }

  /// What is to be pinned depends on labels that are not known. Where a policy may refuse what it
  /// can't pin, nothing is decided; else the object goes on as it is, with a warning.
  Result write_without_namespace(const Review& review, const Learned& learned, std::string& out) {
    mutation_ = {};
    mutation_.problem = "the labels of namespace \"" + std::string(review.workload.namespace_name) +
                        "\" are not known";
    if (!learned.namespace_problem.empty()) {
      mutation_.problem.append(": ").append(learned.namespace_problem);
    }
    const bool strict = std::ranges::any_of(pins_, [](const policy::Pin& pin) {
      return pin.on_error == policy::OnRegistryError::kDeny;
    });
    Result result{.review = &review};
    if (strict) {
      result = write_undecided(review, mutation_.problem, out);
    } else {
      write_unpinned(review, mutation_.problem, out);
    }
    result.pin_problem = mutation_.problem;
    return result;
  }

  // ---- facts

  void begin_facts(const policy::Workload& workload, const Learned& learned) {
    facts_ = {};
    if (budget_) {
      budget_->start(workload.namespace_name);
      facts_.budget = &*budget_;
    }
    facts_.today = today_();
    facts_.ns_problem = learned.namespace_problem;
  }

  /// \return whether the labels of the namespace are known
  bool learn_namespace(std::string_view name) {
    labels_.clear();
    if (!namespaces_->find(name, labels_)) return false;
    namespace_.labels = labels_;
    facts_.ns = &namespace_;
    return true;
  }

  /// Learns what is needed of the images.
  Missing learn_images(const policy::Workload& workload, const Learned& learned) {
    identify(workload, identity_);
    gather(images_.source, identity_, workload, needs_,
           learned.asked_images ? &learned.images : nullptr, image_facts_, unknown_);
    return {.images = unknown_.items.empty() ? nullptr : &unknown_};
  }

  bool can_know() const { return images_.source != nullptr && !images_.offline; }

  // ---- responses without a rule

  Result write_bad_request(ReadError error, std::string& out) {
    error_ = std::move(error);
    write_error(name_of(error_.code), error_.message, out);
    return {.http_status = 400,
            .outcome = Outcome::kBadRequest,
            .error_code = error_.code,
            .error_message = error_.message,
            .error_field = error_.field};
  }

  static Result write_allowed(const Review& review, std::string& out) {
    admission::write_allowed(review.uid, out);
    return {.review = &review};
  }

  Result write_undecided(const Review& review, std::string why, std::string& out) {
    verdict_.clear();
    verdict_.undecided = std::move(why);
    write_review(review, verdict_, out);
    return {.outcome = Outcome::kUndecided, .review = &review, .verdict = &verdict_};
  }

  Result review_config_map(const Review& review, std::string& out) {
    if (!config_maps_) {
      return write_bad_request(
          {ReadErrorCode::kKind, "policy ConfigMaps are not evaluated here", "request.kind"}, out);
    }
    if (reading_budget_) reading_budget_->start(review.workload.namespace_name);
    config_map_ = config_maps_(review, today_(), reading_budget_ ? &*reading_budget_ : nullptr);
    if (reading_budget_)
      reading_budget_->exhausted();  // behind one that took long its namespace rests
    write_config_map(review, config_map_, out);
    Result result{.review = &review, .refusal = config_map_.refusal};
    result.outcome = config_map_.refusal.empty() ? Outcome::kAllowed : Outcome::kDenied;
    return result;
  }

  /// How far planning came.
  enum class Plan : std::uint8_t {
    kReady,        ///< pins_ is what is to be pinned
    kNoNamespace,  ///< pins_ is what may have to be
    kTooLong,
  };

  const std::unique_ptr<NamespaceReader> namespaces_;
  const Today today_;
  const ImageAccess images_;
  const ConfigMapReviewer config_maps_;
  std::optional<EvaluationBudget> budget_;          ///< for objects
  std::optional<EvaluationBudget> reading_budget_;  ///< for policies

  // What is reused from one request to the next. A look at a request fills all that it uses, so
  // nothing here belongs to a request that waits.
  ReviewReader reader_;
  ReadError error_{};
  policy::Facts facts_;
  policy::NamespaceFacts namespace_;
  std::vector<policy::Label> labels_;
  PullIdentity identity_;
  std::vector<policy::ImageNeed> needs_;
  std::vector<policy::ImageFacts> image_facts_;
  ImageInquiry unknown_;
  policy::Verdict verdict_;
  Plan plan_ = Plan::kReady;
  std::vector<policy::Pin> pins_;
  std::vector<PinOutcome> outcomes_;
  Mutation mutation_;
  ConfigMapResponse config_map_;
};

Admission::Admission(const NamespaceSource& namespaces, AdmissionOptions options)
    : impl_(std::make_unique<Impl>(namespaces, std::move(options))) {}
Admission::~Admission() = default;

std::optional<Result> Admission::admit(Request& request, const policy::PolicySet& policies,
                                       std::span<char> body, std::string& out, Waiter& waiter) {
  return impl_->admit(request, policies, body, out, waiter);
}

Result Admission::admit(Endpoint endpoint, const policy::PolicySet& policies, std::span<char> body,
                        std::string& out) {
  NobodyToAsk nobody;
  Request request{.endpoint = endpoint, .learned = {.asked_namespace = true}};
  return *impl_->admit(request, policies, body, out, nobody);
}

std::optional<Result> Admission::go_on(Request& request, const policy::PolicySet& policies,
                                       const Review& review, std::string& out, Waiter& waiter) {
  return impl_->go_on(request, policies, review, out, waiter);
}

}  // namespace belay::webhook::admission
