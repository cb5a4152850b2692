// The steps of one request, in order: read, sort out what is not evaluated, learn the namespace,
// evaluate, write. No step can turn "could not" into "allowed".
#include "webhook/admission/admit.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "policy/image_reference.h"
#include "policy/pinning.h"
#include "webhook/admission/review_writer.h"

namespace belay::webhook::admission {

std::string_view name_of(Outcome outcome) {
  constexpr std::array<std::string_view, 4> kNames{"allowed", "denied", "undecided", "bad-request"};
  return kNames.at(static_cast<std::size_t>(outcome));
}

std::string_view path_of(Endpoint endpoint) {
  constexpr std::array<std::string_view, 3> kPaths{"/validate", "/mutate", "/validate-policy"};
  return kPaths.at(static_cast<std::size_t>(endpoint));
}

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

}  // namespace

class Admission::Impl {
 public:
  Impl(const NamespaceSource& namespaces, Today today, std::vector<ExtraTemplate> extra_templates,
       ImageAccess images, std::optional<EvaluationBudget::Limits> limits,
       ConfigMapReviewer config_maps)
      : namespaces_(namespaces.reader()),
        today_(std::move(today)),
        images_(std::move(images)),
        config_maps_(std::move(config_maps)),
        reader_(std::move(extra_templates)) {
    if (!limits) return;
    time_.emplace(*limits);
    reading_time_.emplace(*limits);
  }

  Answer admit(Endpoint endpoint, const policy::PolicySet& policies, std::span<char> body,
               std::string& out, const Learned& learned) {
    auto read = reader_.read(body);
    if (!read) return bad_request(std::move(read.error()), out);
    const Review& review = **read;
    // Belay's rules name CREATE, UPDATE and, for completeness, DELETE. Anything else comes from a
    // webhook configuration that is not ours: an error, so that failurePolicy decides.
    if (review.operation == Operation::kConnect) {
      return bad_request({ReadErrorCode::kOperation,
                          "request.operation CONNECT is not evaluated: send CREATE and UPDATE only",
                          "request.operation"},
                         out);
    }
    if (endpoint == Endpoint::kValidatePolicy && !review.is_config_map) {
      return bad_request({ReadErrorCode::kKind,
                          "/validate-policy evaluates ConfigMaps only: send this kind to "
                          "/validate",
                          "request.kind"},
                         out);
    }
    Answer answer;
    answer.review = &review;
    if (review.is_config_map && endpoint != Endpoint::kMutate) {
      if (!config_maps_) {
        return bad_request(
            {ReadErrorCode::kKind, "policy ConfigMaps are not evaluated here", "request.kind"},
            out);
      }
      answer_policies(review);
      answer.refusal = config_map_.refusal;
      answer.outcome = config_map_.refusal.empty() ? Outcome::kAllowed : Outcome::kDenied;
      write_config_map(review, config_map_, out);
      return answer;
    }
    if (!review.evaluated) {
      write_allowed(review.uid, out);
      return answer;
    }
    if (endpoint == Endpoint::kMutate) {
      mutate(policies, learned, answer, out);
    } else {
      validate(policies, learned, answer, out);
    }
    return answer;
  }

 private:
  void answer_policies(const Review& review) {
    if (!reading_time_) {
      config_map_ = config_maps_(review, today_(), nullptr);
      return;
    }
    reading_time_->start(review.workload.namespace_name);
    config_map_ = config_maps_(review, today_(), &*reading_time_);
    reading_time_->exhausted();  // behind one that took long its namespace rests
  }

  Answer bad_request(ReadError error, std::string& out) {
    error_ = std::move(error);
    write_error(name_of(error_.code), error_.message, out);
    Answer answer;
    answer.http_status = 400;
    answer.outcome = Outcome::kBadRequest;
    answer.error_code = error_.code;
    answer.error_message = error_.message;
    answer.error_field = error_.field;
    return answer;
  }

  /// What the labels of the namespace say, where they are of use. \return false where they are and
  /// are not known
  bool learn_namespace(bool needed, const policy::Workload& workload, policy::NamespaceFacts& ns,
                       policy::Facts& facts) {
    if (!needed) return true;
    labels_.clear();
    if (!namespaces_->find(workload.namespace_name, labels_)) return false;
    ns.labels = labels_;
    facts.ns = &ns;
    return true;
  }

  policy::Facts facts_for(const policy::Workload& workload, const Learned& learned) {
    policy::Facts facts;
    if (time_) {
      time_->start(workload.namespace_name);
      facts.budget = &*time_;
    }
    facts.today = today_();
    facts.ns_problem = learned.ns_problem;
    return facts;
  }

  /// Learns what is needed of the images. \return false where registries must be asked first
  bool learn_images(const policy::Workload& workload, const Learned& learned, Answer& answer,
                    std::string& out) {
    identify(workload, identity_);
    gather(images_.source, identity_, workload, needs_, learned.images, image_facts_, wanted_);
    if (wanted_.items.empty()) return true;
    answer.wanted = &wanted_;
    out.clear();
    return false;
  }

  void validate(const policy::PolicySet& policies, const Learned& learned, Answer& answer,
                std::string& out) {
    const Review& review = *answer.review;
    const policy::Workload& workload = review.workload;
    policy::Facts facts = facts_for(workload, learned);
    policy::NamespaceFacts ns;
    const bool informed =
        learn_namespace(policy::needs(policies, workload).namespace_labels, workload, ns, facts);
    facts.offline = images_.offline;
    image_facts_.clear();
    policy::registry_needs(policies, workload, facts, needs_);
    if (!needs_.empty()) {
      facts.now = images_.now();
      // Of two things that are wanting, the namespace comes first: what registries are asked for
      // depends on it.
      const bool ask_first = !informed && learned.ns_problem.empty();
      if (ask_first) answer.unknown_namespace = workload.namespace_name;
      if (!ask_first && !images_.offline && !learn_images(workload, learned, answer, out)) return;
      facts.images = image_facts_;
    }
    const bool can_know = images_.source != nullptr && !images_.offline;
    std::optional<CachedDigests> cached;
    if (can_know) facts.known_digests = &cached.emplace(*images_.source, workload);
    policy::evaluate(policies, workload, facts, verdict_);
    answer.verdict = &verdict_;
    answer.outcome = outcome_of(verdict_.decision());
    if (!informed && answer.outcome == Outcome::kUndecided) {
      answer.unknown_namespace = workload.namespace_name;
    }
    write_review(review, verdict_, out);
    if (can_know && answer.outcome == Outcome::kAllowed && !review.dry_run) remember(workload);
  }

  /// What admitted tags point to: of those that a rule compares with the first sighting.
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

  void mutate(const policy::PolicySet& policies, const Learned& learned, Answer& answer,
              std::string& out) {
    const Review& review = *answer.review;
    const policy::Workload& workload = review.workload;
    if (!policy::may_pin(policies, workload)) return write_allowed(review.uid, out);
    policy::Facts facts = facts_for(workload, learned);
    policy::NamespaceFacts ns;
    if (!learn_namespace(policy::pinning_needs_namespace(policies, workload), workload, ns,
                         facts)) {
      return mutate_without_namespace(policies, facts, learned, answer, out);
    }
    if (!policy::plan_pins(policies, workload, facts, pins_)) return give_up(answer, out);
    if (pins_.empty()) return write_allowed(review.uid, out);
    needs_.clear();
    for (const policy::Pin& pin : pins_) {
      if (!pin.reused_digest.empty()) continue;
      policy::ImageNeed& need = needs_.emplace_back();
      need.image = pin.image;
      need.digest = true;
    }
    if (!learn_images(workload, learned, answer, out)) return;
    settle(workload, pins_, image_facts_, outcomes_);
    mutation_ = write_mutation(review, outcomes_, out);
    answer.pins = mutation_.counts;
    answer.pin_problem = mutation_.fault.empty() ? mutation_.problem : mutation_.fault;
    if (!mutation_.fault.empty()) {
      answer.http_status = 500;
      answer.outcome = Outcome::kUndecided;
    } else if (!mutation_.refusal.empty()) {
      answer.outcome = Outcome::kDenied;
    }
  }

  /// What is to be pinned depends on labels that are not known. Where a policy may refuse what it
  /// can't pin, nothing is decided; else the object goes on as it is, with a warning.
  void mutate_without_namespace(const policy::PolicySet& policies, const policy::Facts& facts,
                                const Learned& learned, Answer& answer, std::string& out) {
    const Review& review = *answer.review;
    if (!policy::plan_possible_pins(policies, review.workload, facts, pins_)) {
      return give_up(answer, out);
    }
    if (pins_.empty()) return write_allowed(review.uid, out);
    answer.unknown_namespace = review.workload.namespace_name;
    const bool strict = std::ranges::any_of(pins_, [](const policy::Pin& pin) {
      return pin.on_error == policy::OnRegistryError::kDeny;
    });
    mutation_ = {};
    mutation_.problem = "the labels of namespace \"" + std::string(review.workload.namespace_name) +
                        "\" are not known";
    if (!learned.ns_problem.empty()) {
      mutation_.problem.append(": ").append(learned.ns_problem);
    }
    answer.pin_problem = mutation_.problem;
    if (!strict) return write_unpinned(review, mutation_.problem, out);
    undecided(mutation_.problem, answer, out);
  }

  /// Which images to pin would take too long to find out.
  void give_up(Answer& answer, std::string& out) {
    undecided("it would take too long: too many patterns of policies that pin for so many images",
              answer, out);
  }

  void undecided(std::string why, Answer& answer, std::string& out) {
    verdict_.clear();
    verdict_.undecided = std::move(why);
    answer.verdict = &verdict_;
    answer.outcome = Outcome::kUndecided;
    write_review(*answer.review, verdict_, out);
  }

  const std::unique_ptr<NamespaceReader> namespaces_;
  const Today today_;
  const ImageAccess images_;
  const ConfigMapReviewer config_maps_;
  ReviewReader reader_;
  policy::Verdict verdict_;
  std::vector<policy::Label> labels_;
  ReadError error_{};
  ConfigMapAnswer config_map_;

  PullIdentity identity_;
  std::vector<policy::ImageNeed> needs_;
  std::vector<policy::ImageFacts> image_facts_;
  ImageInquiry wanted_;
  std::vector<policy::Pin> pins_;
  std::vector<PinOutcome> outcomes_;
  Mutation mutation_;
  std::optional<EvaluationBudget> time_;          ///< for objects
  std::optional<EvaluationBudget> reading_time_;  ///< for policies
};

Admission::Admission(const NamespaceSource& namespaces, Today today,
                     std::vector<ExtraTemplate> extra_templates, ImageAccess images,
                     std::optional<EvaluationBudget::Limits> limits, ConfigMapReviewer config_maps)
    : impl_(std::make_unique<Impl>(namespaces, std::move(today), std::move(extra_templates),
                                   std::move(images), limits, std::move(config_maps))) {}
Admission::~Admission() = default;

Answer Admission::admit(Endpoint endpoint, const policy::PolicySet& policies, std::span<char> body,
                        std::string& out, const Learned& learned) {
  return impl_->admit(endpoint, policies, body, out, learned);
}

}  // namespace belay::webhook::admission
