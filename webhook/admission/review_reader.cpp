// Parses the body and turns what the walk has kept into a Review: the envelope is checked, the kind
// picks the place of the pod, the strings that are used must be UTF-8.
#include "webhook/admission/review_reader.h"

#include "webhook/admission/rapidjson_reader.h"
// RapidJSON's other headers come behind its switches.
#include <rapidjson/error/en.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "policy/text/utf8.h"
#include "webhook/admission/field_tree.h"
#include "webhook/admission/review_sax.h"
#include "webhook/workload/workload_kinds.h"

namespace belay::webhook::admission {
namespace {

/// In place, so nothing is copied. Numbers stay texts: nothing looks at them, and converting them
/// overflows in some versions of the library (CVE-2024-38517).
constexpr unsigned kParseFlags =
    rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag;

constexpr std::size_t kMaxUidBytes = 128;  ///< the API server's are 36

using Failure = std::unexpected<ReadError>;

Failure fail(ReadErrorCode code, std::string message, std::string field = {}) {
  return Failure({code, std::move(message), std::move(field)});
}

Failure missing(std::string_view field) {
  return fail(ReadErrorCode::kMissingField,
              std::string(field) + " is missing: send the AdmissionReview as the API server does",
              std::string(field));
}

Failure syntax(std::string_view problem, std::size_t offset) {
  if (!problem.empty() && problem.back() == '.') problem.remove_suffix(1);
  return fail(ReadErrorCode::kSyntax, "the body is not JSON: " + std::string(problem) +
                                          " at byte " + std::to_string(offset));
}

/// Where the text holds a control character that JSON takes nowhere as it is (RFC 8259, section 7)
/// and that RapidJSON's SIMD scan lets pass: it compares with 0x19 instead of 0x1F. The other ones
/// it refuses itself.
/// \return its offset, or the size of the text.
std::size_t find_missed_control(std::string_view text) {
  constexpr unsigned char kFirst = 0x1A, kCount = 0x20 - kFirst;
  using Lanes [[gnu::vector_size(16)]] = unsigned char;
  Lanes lowest = Lanes{} + static_cast<unsigned char>(0xFF);  // distance from kFirst, modulo 256
  std::size_t at = 0;
  for (; text.size() - at >= sizeof(Lanes); at += sizeof(Lanes)) {
    Lanes lanes;
    std::memcpy(&lanes, text.data() + at, sizeof(lanes));
    lanes -= kFirst;
    lowest = lanes < lowest ? lanes : lowest;
  }
  for (std::size_t i = 0; i < sizeof(Lanes); ++i) {
    if (lowest[i] < kCount) at = 0;  // it is there: look where
  }
  const auto missed = [](char c) { return static_cast<unsigned char>(c - kFirst) < kCount; };
  while (at < text.size() && !missed(text[at])) ++at;
  return at;
}

struct OperationName {
  std::string_view name;
  Operation operation;
};
constexpr OperationName kOperations[] = {{"CREATE", Operation::kCreate},
                                         {"UPDATE", Operation::kUpdate},
                                         {"DELETE", Operation::kDelete},
                                         {"CONNECT", Operation::kConnect}};

bool are_utf8(const std::vector<policy::Label>& labels) {
  return std::ranges::all_of(labels, [](const policy::Label& label) {
    return policy::is_utf8(label.key) && policy::is_utf8(label.value);
  });
}

bool are_utf8(const policy::PodFields& pod) {
  return are_utf8(pod.labels) &&
         std::ranges::all_of(pod.images,
                             [](const auto& image) {
                               return policy::is_utf8(image.name) && policy::is_utf8(image.image);
                             }) &&
         policy::is_utf8(pod.service_account) &&
         std::ranges::all_of(pod.pull_secrets, policy::is_utf8);
}

}  // namespace

class ReviewReader::Impl {
 public:
  explicit Impl(std::vector<ExtraTemplate> extra_templates)
      : extra_templates_(std::move(extra_templates)), tree_(extra_templates_), sax_(tree_) {}

  std::expected<const Review*, ReadError> read(std::span<char> body) {
    if (auto parsed = parse(body); !parsed) return Failure(std::move(parsed.error()));
    review_.clear();
    if (auto envelope = read_envelope(); !envelope) return Failure(std::move(envelope.error()));
    if (auto object = read_object(); !object) return Failure(std::move(object.error()));
    return &review_;
  }

 private:
  std::expected<void, ReadError> parse(std::span<char> body) {
    if (body.empty()) return fail(ReadErrorCode::kSyntax, "the body is empty");
    if (const std::size_t at = find_missed_control({body.data(), body.size()}); at < body.size()) {
      return syntax("a control character that is not escaped", at);
    }
    body.data()[body.size()] = '\0';
    sax_.start({body.data(), body.size()});
    rapidjson::InsituStringStream stream(body.data());
    try {
      const rapidjson::ParseResult result = parser_.Parse<kParseFlags>(stream, sax_);
      if (sax_.error()) return Failure(std::move(*sax_.error()));
      if (result.IsError()) {
        return syntax(rapidjson::GetParseError_En(result.Code()), result.Offset());
      }
    } catch (const JsonLibraryError&) {
      return syntax("not understood", stream.Tell());
    }
    if (stream.Tell() != body.size()) return syntax("a NUL byte", stream.Tell());
    return {};
  }

  std::expected<void, ReadError> read_envelope() {
    if (sax_.text(Text::kKind) != "AdmissionReview") {
      return fail(ReadErrorCode::kKind, "kind must be AdmissionReview", "kind");
    }
    if (sax_.text(Text::kApiVersion) != "admission.k8s.io/v1") {
      return fail(ReadErrorCode::kVersion,
                  "apiVersion must be admission.k8s.io/v1: set admissionReviewVersions: [v1] in "
                  "the webhook configuration",
                  "apiVersion");
    }
    review_.uid = sax_.text(Text::kUid);
    if (review_.uid.empty()) return missing("request.uid");
    if (review_.uid.size() > kMaxUidBytes) {
      return fail(ReadErrorCode::kWrongType,
                  "request.uid is longer than " + std::to_string(kMaxUidBytes) + " bytes",
                  "request.uid");
    }
    review_.kind = {sax_.text(Text::kRequestGroup), sax_.text(Text::kRequestVersion),
                    sax_.text(Text::kRequestKind)};
    if (review_.kind.kind.empty()) return missing("request.kind.kind");
    review_.resource = sax_.text(Text::kResource);
    review_.subresource = sax_.text(Text::kSubresource);
    review_.dry_run = sax_.dry_run();
    review_.user = sax_.text(Text::kUser);

    const std::string_view operation = sax_.text(Text::kOperation);
    if (operation.empty()) return missing("request.operation");
    const auto* const row = std::ranges::find(kOperations, operation, &OperationName::name);
    if (row == std::end(kOperations)) {
      return fail(ReadErrorCode::kOperation,
                  "request.operation must be CREATE, UPDATE, DELETE or CONNECT",
                  "request.operation");
    }
    review_.operation = row->operation;

    for (const Text text :
         {Text::kUid, Text::kRequestGroup, Text::kRequestVersion, Text::kRequestKind,
          Text::kResource, Text::kSubresource, Text::kNamespace, Text::kName, Text::kUser}) {
      if (!policy::is_utf8(sax_.text(text))) {
        return fail(ReadErrorCode::kEncoding, "a string in the request is not UTF-8", "request");
      }
    }
    return {};
  }

  std::expected<void, ReadError> read_object() {
    if (review_.kind.group.empty() && review_.kind.kind == workload::kNamespaceKind)
      return read_namespace();
    if (review_.kind.group.empty() && review_.kind.kind == workload::kConfigMapKind) {
      return read_config_map();
    }
    std::string_view kind, pod_path;
    if (const workload::WorkloadKind* row =
            workload::find_workload_kind(review_.kind.group, review_.kind.kind)) {
      kind = row->kind;
      pod_path = row->pod_path;
    } else if (const ExtraTemplate* extra = find_extra()) {
      kind = extra->kind;
      pod_path = extra->path;
    } else {
      return {};
    }
    review_.metric_kind = kind;
    const bool update = review_.operation == Operation::kUpdate;
    if (!update && review_.operation != Operation::kCreate) return {};
    review_.evaluated = true;

    const std::size_t place = tree_.place_of(pod_path);
    policy::Workload& workload = review_.workload;
    workload.kind = kind;
    workload.pod_path = pod_path;
    workload.is_pod = pod_path.empty();
    workload.is_update = update;
    workload.namespace_name = sax_.text(Text::kNamespace);
    workload.name = sax_.text(Text::kName);
    workload.generate_name = sax_.new_object().generate_name;
    workload.is_controlled = sax_.new_object().controlled;
    workload.is_being_deleted = sax_.new_object().being_deleted;
    if (!policy::is_utf8(workload.generate_name)) {
      return fail(ReadErrorCode::kEncoding, "request.object.metadata.generateName is not UTF-8",
                  "request.object.metadata.generateName");
    }
    auto taken = take(sax_.new_object(), "request.object", place, workload.labels, workload.pod);
    if (!taken || !update) return taken;
    return take(sax_.old_object(), "request.oldObject", place, workload.old_labels,
                workload.old_pod);
  }

  /// A namespace is evaluated by what an UPDATE makes of its labels, whichever subresource it goes
  /// through; being made and being deleted change no label.
  std::expected<void, ReadError> read_namespace() {
    review_.metric_kind = workload::kNamespaceKind;
    if (review_.operation != Operation::kUpdate) return {};
    review_.evaluated = true;
    policy::Workload& workload = review_.workload;
    workload.kind = workload::kNamespaceKind;
    workload.is_namespace = true;
    workload.is_update = true;
    workload.namespace_name = workload.name = sax_.text(Text::kName);
    std::swap(workload.user_groups, sax_.user_groups());
    auto taken = take(sax_.new_object(), "request.object", 0, workload.labels, workload.pod);
    if (!taken) return taken;
    return take(sax_.old_object(), "request.oldObject", 0, workload.old_labels, workload.old_pod);
  }

  /// The texts of a ConfigMap before and after. DELETE has the old one only.
  std::expected<void, ReadError> read_config_map() {
    review_.metric_kind = workload::kConfigMapKind;
    if (review_.operation == Operation::kConnect) return {};
    review_.is_config_map = true;
    policy::Workload& workload = review_.workload;
    workload.kind = workload::kConfigMapKind;
    workload.namespace_name = sax_.text(Text::kNamespace);
    workload.name = sax_.text(Text::kName);
    workload.generate_name = sax_.new_object().generate_name;
    const bool has_new = review_.operation != Operation::kDelete;
    const bool has_old = review_.operation != Operation::kCreate;
    if (has_new) {
      auto taken = take_data(sax_.new_object(), "request.object", workload.labels, review_.data);
      if (!taken) return taken;
    }
    if (!has_old) return {};
    return take_data(sax_.old_object(), "request.oldObject", workload.old_labels, review_.old_data);
  }

  std::expected<void, ReadError> take_data(ObjectFields& object, std::string_view name,
                                           std::vector<policy::Label>& labels,
                                           std::vector<policy::Label>& data) {
    if (const ReadError* problem = object.problem_of(tree_.data_place())) return Failure(*problem);
    if (!object.present) return missing(name);
    std::swap(labels, object.labels);
    std::swap(data, object.data);
    if (!are_utf8(labels) || !are_utf8(data)) {
      return fail(ReadErrorCode::kEncoding,
                  "a label or a string in " + std::string(name) + " is not UTF-8",
                  std::string(name));
    }
    return {};
  }

  /// Moves the pod at `place` into the review. Vectors are swapped: both sides keep their capacity.
  static std::expected<void, ReadError> take(ObjectFields& object, std::string_view name,
                                             std::size_t place, std::vector<policy::Label>& labels,
                                             policy::PodFields& pod) {
    if (const ReadError* problem = object.problem_of(place)) return Failure(*problem);
    if (!object.present) return missing(name);
    std::swap(labels, object.labels);
    std::swap(pod, object.pods[place]);
    if (place == 0) pod.labels = labels;
    if (!are_utf8(labels) || !are_utf8(pod)) {
      return fail(
          ReadErrorCode::kEncoding,
          "a label, an image or the name of a container in " + std::string(name) + " is not UTF-8",
          std::string(name));
    }
    return {};
  }

  const ExtraTemplate* find_extra() const {
    const auto found = std::ranges::find_if(extra_templates_, [this](const ExtraTemplate& extra) {
      return extra.group == review_.kind.group && extra.kind == review_.kind.kind;
    });
    return found == extra_templates_.end() ? nullptr : &*found;
  }

  const std::vector<ExtraTemplate> extra_templates_;
  const FieldTree tree_;
  ReviewSax sax_;
  rapidjson::Reader parser_;
  Review review_;
};

ReviewReader::ReviewReader(std::vector<ExtraTemplate> extra_templates)
    : impl_(std::make_unique<Impl>(std::move(extra_templates))) {}
ReviewReader::~ReviewReader() = default;

std::expected<const Review*, ReadError> ReviewReader::read(std::span<char> body) {
  return impl_->read(body);
}

}  // namespace belay::webhook::admission
