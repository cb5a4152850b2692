#include "policy/policy_reader.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "policy/settings_reader.h"

namespace belay::policy {
namespace {

/// A policy is a page; a ConfigMap holds 1 MiB at most.
constexpr DocumentLimits kLimits = {
    .max_bytes = 4U << 20U, .max_depth = 64, .max_nodes = kMaxPolicyNodes};

std::size_t count_nodes(const Node& node) {
  std::size_t count = 1 + node.keys.size();
  for (const Node& item : node.items) count += count_nodes(item);
  return count;
}

/// What {environment} of a template takes: the environments, and the words of their suffixes
/// without the separator before them ("staging" of "-staging").
std::vector<std::string> template_words(const Policy& policy) {
  std::vector<std::string> words = policy.environments();
  if (!policy.rules.environment_tag) return words;
  std::unordered_set<std::string> known(words.begin(), words.end());
  for (const auto& [environment, suffixes] : policy.rules.environment_tag->suffixes) {
    for (const auto& suffix : suffixes) {
      auto word = suffix.substr(std::min(suffix.find_first_not_of("-_."), suffix.size()));
      if (!word.empty() && known.insert(word).second) words.push_back(std::move(word));
    }
  }
  return words;
}

void compile_templates(Policy& policy, ReadState& state) {
  if (!policy.rules.tag_format) return;
  if (state.templates.size() > kMaxTemplates) {
    const auto& first = state.templates[kMaxTemplates];
    state.errors.push_back(
        {first.node->position, first.path,
         "is over the limit of templates: a policy has at most " + std::to_string(kMaxTemplates)});
    return;
  }
  const auto words = template_words(policy);
  for (const auto& waiting : state.templates) {
    const bool is_expression = TagTemplate::is_expression(waiting.node->text);
    if (is_expression && !state.take_expression(*waiting.node, waiting.path)) continue;
    auto compiled = TagTemplate::compile(waiting.node->text, words);
    if (compiled) {
      policy.rules.tag_format->templates.push_back(std::move(*compiled));
    } else {
      state.errors.push_back({position_in(*waiting.node, compiled.error().offset), waiting.path,
                              compiled.error().message});
    }
  }
}

/// Settings whose default is a setting of another rule (policy.h).
void fill_defaults(Policy& policy) {
  Rules& rules = policy.rules;
  if (auto globs = NameGlobs::compile(policy.match.namespaces)) {
    policy.match.namespace_globs = std::move(*globs);
  }
  if (rules.environment_namespace) {
    auto& settings = *rules.environment_namespace;
    if (settings.label.empty()) settings.label = policy.environment_label();
    if (settings.namespace_label.empty()) settings.namespace_label = settings.label;
  }
  if (rules.namespace_environment && rules.namespace_environment->namespace_label.empty()) {
    rules.namespace_environment->namespace_label =
        rules.environment_namespace ? rules.environment_namespace->namespace_label
                                    : policy.environment_label();
  }
  if (rules.environment_tag && rules.environment_tag->label.empty()) {
    rules.environment_tag->label = policy.environment_label();
  }
}

void sort_by_place(std::vector<PolicyError>& errors) {
  std::stable_sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) {
    return a.position.offset < b.position.offset;
  });
}

std::unexpected<std::vector<PolicyError>> one_error(Position position, std::string message) {
  std::vector<PolicyError> errors;
  errors.push_back({position, {}, std::move(message)});
  return std::unexpected(std::move(errors));
}

/// Reads within the nodes that are left, and takes those of the text off them.
std::expected<std::vector<Document>, DocumentError> read_within(
    PolicyBudget& budget, std::string_view text, std::vector<DocumentError>& duplicates) {
  DocumentLimits limits = kLimits;
  limits.max_nodes = std::min(limits.max_nodes, budget.nodes);
  auto documents = read_documents(text, limits, &duplicates);
  budget.exceeded = !documents && documents.error().too_large;
  if (budget.exceeded) budget.nodes = 0;
  if (!documents) return documents;
  for (const Document& document : *documents) {
    budget.nodes -= std::min(budget.nodes, count_nodes(document.root));
  }
  return documents;
}

}  // namespace

std::string PolicyError::format(std::string_view file) const {
  std::string out(file);
  out.append(":").append(std::to_string(position.line));
  out.append(":").append(std::to_string(position.column)).append(": ");
  if (!path.empty()) out.append(path).append(": ");
  return out.append(message);
}

std::expected<Policy, std::vector<PolicyError>> read_policy(const Node& root, PolicySource source,
                                                            PolicyBudget* budget) {
  if (root.kind != Node::Kind::kMapping) {
    return one_error(root.position, "a policy is a mapping with apiVersion, kind, metadata, spec");
  }
  Policy policy;
  policy.source = std::move(source);
  policy.size = count_nodes(root);
  ReadState state;
  if (budget != nullptr) state.expressions = budget->expressions;
  SettingsReader reader(root, {}, state);
  visit_policy(reader, policy);
  reader.finish();
  compile_templates(policy, state);
  if (budget != nullptr) budget->expressions = state.expressions;
  if (!state.errors.empty()) {
    sort_by_place(state.errors);
    return std::unexpected(std::move(state.errors));
  }
  fill_defaults(policy);
  return policy;
}

std::expected<Policy, std::vector<PolicyError>> read_policy(std::string_view text,
                                                            PolicySource source,
                                                            PolicyBudget* budget) {
  std::vector<DocumentError> duplicates;
  auto documents = budget == nullptr ? read_documents(text, kLimits, &duplicates)
                                     : read_within(*budget, text, duplicates);
  auto read = [&]() -> std::expected<Policy, std::vector<PolicyError>> {
    if (!documents) return one_error(documents.error().position, documents.error().message);
    if (documents->empty()) return one_error({}, "contains no policy");
    if (documents->size() > 1) {
      return one_error((*documents)[1].root.position,
                       "a second document; write each policy in its own file or key");
    }
    return read_policy(documents->front().root, std::move(source), budget);
  }();
  if (duplicates.empty()) return read;
  std::vector<PolicyError> errors;
  if (!read) errors = std::move(read.error());
  for (DocumentError& duplicate : duplicates) {
    errors.push_back({duplicate.position, std::move(duplicate.path), std::move(duplicate.message)});
  }
  sort_by_place(errors);
  return std::unexpected(std::move(errors));
}

Policy builtin_policy() {
  Policy policy;
  policy.name = "builtin";
  policy.description = "Every image has a tag or digest, and no tag that moves by convention";
  policy.rules.tag_required.emplace();
  use_builtin_tags(policy.rules.mutable_tag.emplace());
  fill_defaults(policy);
  return policy;
}

}  // namespace belay::policy
