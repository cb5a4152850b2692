// The visitor that fills settings from one mapping of a document and collects every error with its
// position and path. For policies and for files of their form (registries); one read, one thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/document.h"
#include "policy/policy_keys.h"
#include "policy/policy_reader.h"

namespace belay::policy {

/// A tag template that waits for the policy's environments to be known.
struct WaitingTemplate {
  const Node* node;
  std::string path;
};

/// What the readers of one document share.
struct ReadState {
  std::vector<PolicyError> errors;
  std::vector<WaitingTemplate> templates;
  std::size_t expressions = kMaxExpressions;  ///< that may be compiled yet
  bool reported_expressions = false;          ///< an error says that there are too many

  /// Takes one off `expressions`. \return false where there is none: then an error has said so
  bool take_expression(const Node& node, const std::string& path);
};

/// The position of a byte of a scalar's value in the text, if the scalar is on one line
/// without escapes; else the start of the scalar.
Position position_in(const Node& scalar, std::size_t offset);

class SettingsReader final : public PolicyVisitor {
 public:
  /// \param node  must be a mapping and outlive the reader
  /// \param path  of the mapping, "" for the document
  SettingsReader(const Node& node, std::string path, ReadState& state)
      : node_(node), path_(std::move(path)), state_(state) {}

  /// Reports the keys that no call asked for. Call it after the last visit.
  void finish();

  const Node& node() const { return node_; }
  const std::string& path() const { return path_; }
  ReadState& state() { return state_; }
  std::string path_to(std::string_view key) const;
  /// The mapping of a key; nullptr where it is absent, or reported as something else.
  const Node* mapping(const Key& key);
  /// Reports a text that does not have the form. \return whether it has
  bool check(const Node& node, const std::string& path, TextForm form);
  void fail(const Node& node, std::string path, std::string message);

  void flag(const Key& key, bool& value) override;
  void text(const Key& key, TextForm form, std::string& value) override;
  void choice(const Key& key, Choice choice, int& value) override;
  void texts(const Key& key, TextForm form, std::vector<std::string>& value) override;
  void repository_globs(const Key& key, std::vector<RepositoryGlob>& value) override;
  void name_globs(const Key& key, NameGlobs& value) override;
  void tag_globs(const Key& key, std::vector<std::string>& texts, TagGlobs& value) override;
  void tag_templates(const Key& key, std::vector<std::string>& texts) override;
  void text_lists(const Key& key, TextForm form,
                  std::vector<std::pair<std::string, std::vector<std::string>>>& value) override;
  void name_globs_by(const Key& key,
                     std::vector<std::pair<std::string, NameGlobs>>& value) override;
  void constraints(const Key& key, TextForm form,
                   std::vector<std::pair<std::string, ValueConstraint>>& value) override;

  void constant(const Key& key, std::string_view word) override;
  void section(const Key& key, const Keys& keys) override;
  void sections(const Key& key, const ElementKeys& keys) override;
  void selector(const Key& key, LabelSelector& value) override;
  void date(const Key& key, std::optional<std::chrono::year_month_day>& value) override;
  void rule_ids(const Key& key, std::vector<RuleId>& value) override;

 private:
  /// A text of a list that is what it must be.
  struct Entry {
    const Node* node;
    std::string path;
  };

  /// The value of a key; reports it where it is required and absent.
  const Node* want(const Key& key);
  const Node* want_mapping(const Key& key);
  bool is_mapping(const Node& node, const std::string& path, std::string_view name);
  /// The good texts of a list; reports the bad ones, and a list that is empty or none.
  std::vector<Entry> entries(const Node& list, const std::string& path, TextForm form);

  const Node& node_;
  std::string path_;
  ReadState& state_;
  std::vector<std::string_view> known_;  ///< keys that were asked for
};

}  // namespace belay::policy
