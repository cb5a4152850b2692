// Files -> everything in force, swapped as a whole; one thread that looks at the files.
#include "webhook/registry/registry_service.h"

#include <mutex>
#include <optional>
#include <utility>

#include "webhook/registry/image_facts.h"
#include "webhook/registry/pull_secrets.h"
#include "webhook/registry/registry_files.h"
#include "webhook/system/background_loop.h"

namespace belay::webhook::registry {
namespace {

/// One set of files at work. Ends its threads with it, and waits for what they ask: never where a
/// request waits.
class InForce {
 public:
  InForce(RegistryFiles files, const RegistryServiceOptions& options, RegistryObserver* observer,
          PullSecrets* pull_secrets)
      : registries_(std::move(files.registries)),
        hosts_(hosts_of(registries_)),
        client_(registries_, options.client, observer),
        resolver_(client_, options.resolver),
        facts_(resolver_, std::move(files.keyring), pull_secrets, options.tag_history,
               &registries_) {}

  const std::vector<std::string>& hosts() const { return hosts_; }
  const Resolver& resolver() const { return resolver_; }
  ImageFactSource& facts() { return facts_; }

 private:
  static std::vector<std::string> hosts_of(const Registries& registries) {
    std::vector<std::string> hosts;
    hosts.reserve(registries.list.size());
    for (const Registry& registry : registries.list) hosts.push_back(registry.host);
    return hosts;
  }

  const Registries registries_;
  const std::vector<std::string> hosts_;
  RegistryClient client_;
  Resolver resolver_;
  ImageFactSource facts_;
};

}  // namespace

class RegistryService::Impl final : public admission::ImageSource {
 public:
  Impl(RegistryServiceOptions options, RegistryObserver* observer,
       std::function<void(const RegistryReload&)> report)
      : options_(std::move(options)), observer_(observer), report_(std::move(report)) {
    if (options_.pull_secrets != nullptr) pull_secrets_.emplace(*options_.pull_secrets);
    in_force_ = make(RegistryFiles());
  }
  ~Impl() override { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<void, std::vector<std::string>> start() {
    std::vector<std::string> problems = look();
    const bool files = !options_.registries_file.empty() || !options_.docker_config_files.empty();
    if (files) loop_.start(next_look());
    if (problems.empty()) return {};
    return std::unexpected(std::move(problems));
  }

  void stop() { loop_.stop(); }

  /// \return what is wrong now
  std::vector<std::string> look() {
    const std::lock_guard lock(look_mutex_);
    end_retired();
    RegistryFiles files =
        read_registry_files(options_.registries_file, options_.docker_config_files);
    if (files.revision == revision_) return files.problems;
    revision_ = files.revision;
    RegistryReload reload{
        .good = files.problems.empty(), .registries = 0, .problems = files.problems};
    if (reload.good) {
      auto next = make(std::move(files));
      const std::lock_guard force_lock(force_mutex_);
      retired_.push_back(std::exchange(in_force_, std::move(next)));
      add(past_, retired_.back()->resolver().figures());
    }
    reload.registries = in_force()->hosts().size();
    if (report_) report_(reload);
    return reload.problems;
  }

  CacheFigures figures() const {
    const std::lock_guard lock(force_mutex_);
    CacheFigures sum = past_;
    const CacheFigures now = in_force_->resolver().figures();
    add(sum, now);
    sum.entries = now.entries;
    sum.bytes = now.bytes;
    return sum;
  }
  std::vector<std::string> hosts() const { return in_force()->hosts(); }

  bool known(const admission::PullIdentity& identity, const admission::ImageFactRequest& request,
             policy::ImageFacts& facts) override {
    return in_force()->facts().known(identity, request, facts);
  }
  std::string known_digest(const admission::PullIdentity& identity,
                           const policy::ImageReference& reference) override {
    return in_force()->facts().known_digest(identity, reference);
  }
  void ask(const admission::PullIdentity& identity, const admission::ImageFactRequest& request,
           std::chrono::steady_clock::time_point deadline, policy::ImageFacts& facts) override {
    try {
      in_force()->facts().ask(identity, request, deadline, facts);
    } catch (const std::exception&) {  // out of memory
      facts = {};
      facts.problem = "the registry could not be asked";
    }
  }
  void admitted(const admission::PullIdentity& identity, const policy::ImageReference& reference,
                std::string_view digest) override {
    in_force()->facts().admitted(identity, reference, digest);
  }

 private:
  std::shared_ptr<InForce> make(RegistryFiles files) {
    return std::make_shared<InForce>(std::move(files), options_, observer_,
                                     pull_secrets_ ? &*pull_secrets_ : nullptr);
  }
  std::shared_ptr<InForce> in_force() const {
    const std::lock_guard lock(force_mutex_);
    return in_force_;
  }
  /// What nobody asks any more ends here, and not on the reactor that asked it last.
  void end_retired() {
    std::vector<std::shared_ptr<InForce>> over;
    const std::lock_guard lock(force_mutex_);
    std::erase_if(retired_, [&over](std::shared_ptr<InForce>& one) {
      if (one.use_count() > 1) return false;
      over.push_back(std::move(one));
      return true;
    });
  }
  static void add(CacheFigures& sum, const CacheFigures& one) {
    sum.hits += one.hits;
    sum.stale_hits += one.stale_hits;
    sum.misses += one.misses;
    sum.joined += one.joined;
    sum.evicted += one.evicted;
  }

  BackgroundLoop::Clock::time_point next_look() const {
    return BackgroundLoop::Clock::now() + options_.poll;
  }

  const RegistryServiceOptions options_;
  RegistryObserver* const observer_;
  const std::function<void(const RegistryReload&)> report_;
  std::optional<PullSecrets> pull_secrets_;

  std::mutex look_mutex_;
  std::string revision_;  ///< guarded by look_mutex_

  mutable std::mutex force_mutex_;
  std::shared_ptr<InForce> in_force_;              ///< guarded by force_mutex_
  std::vector<std::shared_ptr<InForce>> retired_;  ///< the same; may be asked still
  CacheFigures past_;  ///< of what was in force before; guarded by force_mutex_

  BackgroundLoop loop_{"registry files", [this](const std::stop_token&) {
                         (void)look();
                         return next_look();
                       }};
};

RegistryService::RegistryService(RegistryServiceOptions options, RegistryObserver* observer,
                                 std::function<void(const RegistryReload&)> report)
    : impl_(std::make_unique<Impl>(std::move(options), observer, std::move(report))) {}
RegistryService::~RegistryService() = default;
std::expected<void, std::vector<std::string>> RegistryService::start() { return impl_->start(); }
void RegistryService::reload() { (void)impl_->look(); }
void RegistryService::stop() { impl_->stop(); }
admission::ImageSource& RegistryService::image_source() { return *impl_; }
CacheFigures RegistryService::figures() const { return impl_->figures(); }
std::vector<std::string> RegistryService::hosts() const { return impl_->hosts(); }

}  // namespace belay::webhook::registry
