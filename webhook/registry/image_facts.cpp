#include "webhook/registry/image_facts.h"

#include <exception>
#include <utility>

namespace belay::webhook::registry {
namespace {

constexpr std::size_t kCheckers = 1;
constexpr std::size_t kWaitingChecks = 256;
constexpr std::chrono::seconds kCheckTime{5};

ImageName image_name_of(const policy::ImageReference& reference) {
  return {.registry = std::string(reference.registry),
          .repository = reference.repository(),
          .tag = std::string(reference.tag),
          .digest = std::string(reference.digest)};
}

/// To what was told already, if anything was.
void add_problem(std::string_view problem, policy::ImageFacts& facts) {
  if (!facts.problem.empty()) facts.problem += "; ";
  facts.problem += problem;
}

}  // namespace

/// A PullIdentity that outlives the request.
struct ImageFactSource::Asker {
  std::string namespace_name, service_account;
  std::vector<std::string> pull_secrets;

  explicit Asker(const admission::PullIdentity& identity)
      : namespace_name(identity.namespace_name),
        service_account(identity.service_account),
        pull_secrets(identity.pull_secrets.begin(), identity.pull_secrets.end()) {}
  admission::PullIdentity identity() const {
    return {namespace_name, service_account, {pull_secrets.begin(), pull_secrets.end()}};
  }
};

ImageFactSource::ImageFactSource(Resolver& resolver, Keyring keyring, PullSecrets* pull_secrets,
                                 TagRecords* tag_history, const Registries* registries)
    : resolver_(resolver),
      registries_(registries),
      keyring_(std::move(keyring)),
      pull_secrets_(pull_secrets),
      tag_history_(tag_history),
      checkers_("tag-check", kCheckers, kWaitingChecks) {}

/// Whether a registry has to be asked, and may be; where it may not, that is a problem.
bool ImageFactSource::asks_registry(const admission::ImageFactRequest& request,
                                    policy::ImageFacts& facts) const {
  const policy::ImageReference& reference = request.reference;
  if (!request.need.metadata && (!request.need.digest || reference.has_digest())) return false;
  if (registries_ == nullptr || registries_->find(reference.host()) != nullptr) return true;
  facts.problem = error_of(reference.host(), Failure::kNotListed).message;
  return false;
}

/// The pod's own first, then belay's.
std::vector<Credential> ImageFactSource::credentials(const Keyring* of_pod,
                                                     const ImageName& image) const {
  std::vector<Credential> all;
  if (of_pod != nullptr) all = of_pod->find(image.registry, image.repository);
  for (Credential& own : keyring_.find(image.registry, image.repository)) {
    all.push_back(std::move(own));
  }
  return all;
}

ImageFactSource::Credentials ImageFactSource::read_credentials(
    const admission::PullIdentity& identity, const ImageName& image,
    std::chrono::steady_clock::time_point deadline) const {
  if (pull_secrets_ == nullptr) return {credentials(nullptr, image), {}};
  const auto of_pod = pull_secrets_->read(identity, deadline);
  if (!of_pod) return {credentials(nullptr, image), of_pod.error()};
  return {credentials(of_pod->get(), image), {}};
}

void ImageFactSource::take_tag_record(const admission::ImageFactRequest& request,
                                      policy::ImageFacts& facts) const {
  if (!request.need.record) return;
  if (tag_history_ == nullptr) {
    return add_problem("belay has no tag history here; start it with --cluster or --tag-history",
                       facts);
  }
  auto first = tag_history_->first(request.reference.repository_key(), request.reference.tag);
  if (!first) return add_problem(first.error(), facts);
  facts.first_seen = std::move(*first);
  facts.record_known = true;
}

bool ImageFactSource::known(const admission::PullIdentity& identity,
                            const admission::ImageFactRequest& request, policy::ImageFacts& facts) {
  facts = {};
  ImageName image = image_name_of(request.reference);
  const policy::ImageNeed& need = request.need;
  if (asks_registry(request, facts)) {
    std::shared_ptr<const Keyring> of_pod;
    if (pull_secrets_ != nullptr) {
      of_pod = pull_secrets_->known(identity);
      if (of_pod == nullptr) return false;
    }
    const auto may = credentials(of_pod.get(), image);
    if (image.digest.empty()) {
      auto digest = resolver_.known(image, may, Renew::kYes);
      if (!digest) return false;
      if (!*digest) {
        facts.problem = std::move(digest->error().message);
        return true;
      }
      image.digest = std::move(**digest);
    }
    if (need.metadata) {
      facts.metadata = resolver_.known_metadata(image, may);
      if (facts.metadata == nullptr) return false;
    }
  }
  facts.digest = std::move(image.digest);
  take_tag_record(request, facts);
  return true;
}

std::string ImageFactSource::known_digest(const admission::PullIdentity& identity,
                                          const policy::ImageReference& reference) {
  ImageName image = image_name_of(reference);
  if (!image.digest.empty()) return {};
  if (image.tag.empty()) image.tag = "latest";  // what a runtime would pull
  std::shared_ptr<const Keyring> of_pod;
  if (pull_secrets_ != nullptr) of_pod = pull_secrets_->known(identity);
  return resolver_.known_digest(image, credentials(of_pod.get(), image)).value_or("");
}

void ImageFactSource::ask(const admission::PullIdentity& identity,
                          const admission::ImageFactRequest& request,
                          std::chrono::steady_clock::time_point deadline,
                          policy::ImageFacts& facts) {
  facts = {};
  ImageName image = image_name_of(request.reference);
  const policy::ImageNeed& need = request.need;
  if (asks_registry(request, facts)) {
    const Credentials may = read_credentials(identity, image, deadline);
    const auto fail = [&](const RegistryError& error) {
      add_problem(error.message, facts);
      if (!may.problem.empty()) add_problem(may.problem, facts);
    };
    if (image.digest.empty()) {
      auto digest = resolver_.digest(image, may.all, deadline);
      if (!digest) return fail(digest.error());
      image.digest = std::move(*digest);
    }
    if (need.metadata) {
      auto metadata = resolver_.metadata(image, may.all, deadline);
      if (metadata) {
        facts.metadata = std::move(*metadata);
      } else {
        fail(metadata.error());  // what the tag points to is known all the same
      }
    }
  }
  facts.digest = std::move(image.digest);
  take_tag_record(request, facts);
}

void ImageFactSource::admitted(const admission::PullIdentity& identity,
                               const policy::ImageReference& reference, std::string_view digest) {
  if (tag_history_ == nullptr || !reference.has_tag() || digest.empty()) return;
  const std::string repository = reference.repository_key();
  const policy::TagRecord record{
      .digest = std::string(digest),
      .time = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())};
  if (!reference.has_digest()) return tag_history_->saw(repository, reference.tag, record);
  ImageName image = image_name_of(reference);
  image.digest.clear();
  (void)checkers_.submit(
      [this, asker = Asker(identity), image = std::move(image), repository, record] {
        const auto deadline = std::chrono::steady_clock::now() + kCheckTime;
        const Credentials may = read_credentials(asker.identity(), image, deadline);
        const auto now = resolver_.digest(image, may.all, deadline);
        if (now && *now == record.digest) tag_history_->saw(repository, image.tag, record);
      });
}

}  // namespace belay::webhook::registry
