// Fuzzes the way from a body to its answer. Whatever comes in is refused with an error, or answered
// with JSON that carries the uid; nothing that another parser cannot read is ever answered.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/webhook/admission/policies.h"
#include "webhook/admission/admission.h"
#include "webhook/policies/config_map_review.h"

namespace {

using namespace belay;
using nlohmann::json;
using webhook::admission::Admission;
using webhook::admission::Endpoint;
using webhook::admission::Outcome;

/// Knows "shop" only, so that bodies can be undecided too.
class OneNamespace final : public webhook::admission::NamespaceSource {
 public:
  std::unique_ptr<webhook::admission::NamespaceReader> reader() const override {
    class Reader final : public webhook::admission::NamespaceReader {
      bool find(std::string_view name, std::vector<policy::Label>& labels) override {
        labels.push_back({"environment", "prod"});
        return name == "shop";
      }
    };
    return std::make_unique<Reader>();
  }
};

void require(bool condition) {
  if (!condition) std::abort();
}

/// The uid as another parser reads it; a text that it refuses has none.
json uid_of(const std::string& body) {
  const json parsed = json::parse(body, nullptr, false);
  const json::json_pointer uid("/request/uid");
  return parsed.is_object() && parsed.contains(uid) ? parsed[uid] : json(nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const OneNamespace kNamespaces;
  static const policy::PolicySet kPolicies =
      test::set_of(test::environment_policy("environments"), test::tag_policy("tags"));
  static Admission admission(kNamespaces,
                             {.today = test::fixed_day(),
                              .extra_templates = {{"argoproj.io", "Rollout", "spec.template"},
                                                  {"example.com", "Fleet", "spec.a.b.pod"}},
                              .config_maps = belay::webhook::policies::review_config_map});

  const std::string original(reinterpret_cast<const char*>(data), size);
  // A buffer of exactly the size that a connection has: the body and the byte behind it.
  const auto body = std::make_unique<char[]>(size + 1);
  original.copy(body.get(), size);
  std::string out;
  const auto answer = admission.admit(Endpoint::kValidate, kPolicies, {body.get(), size}, out);

  const json written = json::parse(out, nullptr, false);
  require(!written.is_discarded());
  if (answer.outcome == Outcome::kBadRequest) {
    require(answer.http_status == 400 && answer.review == nullptr);
    require(written.size() == 1 && written["error"]["message"].is_string());
    require(!answer.error_message.empty());
    return 0;
  }
  require(answer.http_status == 200);
  const json& response = written["response"];
  require(response["allowed"] == (answer.outcome == Outcome::kAllowed));
  require(!response.contains("patch"));
  require(response["uid"].is_string() && response["uid"] == answer.review->uid);
  if (const json uid = uid_of(original); !uid.is_null()) require(response["uid"] == uid);
  return 0;
}
