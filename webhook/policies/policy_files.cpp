#include "webhook/policies/policy_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "policy/document.h"
#include "policy/policy_set.h"
#include "webhook/policies/policy_config_map.h"
#include "webhook/system/file.h"

namespace belay::webhook::policies {
namespace {

using policy::Node;
using policy::PolicyError;
using policy::Position;

constexpr std::size_t kMaxFileBytes = std::size_t{4} << 20U;
constexpr policy::DocumentLimits kLimits = {
    .max_bytes = kMaxFileBytes, .max_depth = 64, .max_nodes = 400'000};

std::string error_text(int error) { return std::generic_category().message(error); }

/// A file's text, or why there is none.
std::expected<std::string, std::string> read_policy_file(int directory, const std::string& path) {
  auto text = read_file(directory, path, kMaxFileBytes);
  if (text) return std::move(*text);
  return std::unexpected(text.error() == EFBIG ? "is larger than 4 MiB" : error_text(text.error()));
}

/// Names of the policy files in an open directory, sorted.
std::expected<std::vector<std::string>, std::string> list(int directory) {
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy < 0 ? nullptr : fdopendir(copy);
  if (stream == nullptr) {
    auto message = error_text(errno);
    if (copy >= 0) close(copy);
    return std::unexpected(std::move(message));
  }
  std::vector<std::string> names;
  while (const dirent* entry = readdir(stream)) {  // NOLINT(concurrency-mt-unsafe): own stream
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') || !has_policy_suffix(name)) continue;
    struct stat status{};
    const bool is_directory =
        fstatat(directory, entry->d_name, &status, 0) == 0 && S_ISDIR(status.st_mode);
    if (!is_directory) names.emplace_back(name);
  }
  closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

/// What stands in a directory: names and texts, or why there are none.
using PolicyFiles =
    std::expected<std::vector<std::pair<std::string, std::expected<std::string, std::string>>>,
                  std::string>;

PolicyFiles read_policy_files(int directory) {
  const auto names = list(directory);
  if (!names) return std::unexpected(names.error());
  PolicyFiles files;
  for (const auto& name : *names) files->emplace_back(name, read_policy_file(directory, name));
  return files;
}

bool same_file(int a, int b_directory, const char* b) {
  struct stat first{};
  struct stat second{};
  return fstat(a, &first) == 0 && fstatat(b_directory, b, &second, 0) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/// Reads paths and texts into a LoadedPolicies, watching for names that stand twice.
class Loader {
 public:
  explicit Loader(LoadedPolicies& out) : out_(out) {}

  void path(const std::string& path);
  void text(const std::string& file, std::string_view text);

 private:
  void directory(const std::string& path, const Descriptor& outer);
  void take(const std::string& path, const PolicyFiles& files);
  /// Errors of one text, at their places in the file.
  using Place = std::function<PolicyError(PolicyError)>;
  /// \param readable  false where a key of the text stands twice: its errors are told, and no more
  void policy_text(const std::string& file, std::string key, const Node& root,
                   std::string_view text, const Place& place, bool readable);
  void document(const std::string& file, const std::string& key, const Node& root,
                std::string_view text);
  void config_map(const std::string& file, const Node& root, std::string_view text);
  void problem(const std::string& file, std::string message) {
    out_.problems.push_back({file, {}, std::move(message)});
  }

  void no_policy(const std::string& folder) {
    problem(folder, std::string(kNoPolicy) + ": no *.yaml, *.yml or *.json in it");
  }

  LoadedPolicies& out_;
  std::map<std::string, std::string> file_of_;  ///< policy name -> file
  std::vector<PolicyError> errors_;             ///< of the file that is being read
  bool readable_ = true;  ///< of that file: no key of its own documents stands twice
};

std::string_view text_at(const Node* node, std::string_view key) {
  const Node* value = node == nullptr ? nullptr : node->find(key);
  return value != nullptr && value->is_text() ? std::string_view(value->text) : std::string_view();
}

void Loader::policy_text(const std::string& file, std::string key, const Node& root,
                         std::string_view text, const Place& place, bool readable) {
  auto read = policy::read_policy(root, {policy::PolicySource::Kind::kFile, file});
  if (!read) {
    for (auto& error : read.error()) errors_.push_back(place(std::move(error)));
    return;
  }
  if (!readable || !readable_) return;
  const auto [taken, fresh] = file_of_.emplace(read->name, file);
  if (!fresh) {
    const Node* name = root.find("metadata")->find("name");
    errors_.push_back(
        place({name->position, "metadata.name",
               "\"" + read->name + "\" is the name of a policy in " +
                   (taken->second == file ? "this file" : taken->second) + " already"}));
    return;
  }
  read->revision = policy_revision(text);
  out_.by_file.emplace(std::move(key), std::make_shared<const policy::Policy>(std::move(*read)));
}

/// Where something of a scalar's text stands in the file that holds the scalar. Lines of a literal
/// block scalar are lines of the file; of anything else only the beginning is known.
Position outer_position(const Node& scalar, std::string_view file_text, const Position& inner) {
  if (!scalar.literal) return scalar.position;
  std::size_t line_start = scalar.position.offset;
  std::size_t indent = 0;
  bool indent_known = false;
  std::string_view rest = scalar.text;
  for (std::uint32_t line = 1; line <= inner.line; ++line) {
    const auto inner_line = rest.substr(0, rest.find('\n'));
    if (!inner_line.empty() && !indent_known) {
      // The block's indentation is what its first line with text has more than the text.
      const auto raw = file_text.substr(std::min(line_start, file_text.size()));
      indent = std::min(raw.find_first_not_of(' '), raw.size()) -
               std::min(inner_line.find_first_not_of(' '), inner_line.size());
      indent_known = true;
    }
    if (line == inner.line) break;
    rest.remove_prefix(std::min(inner_line.size() + 1, rest.size()));
    const auto line_break = file_text.find('\n', line_start);
    if (line_break == std::string_view::npos) break;
    line_start = line_break + 1;
  }
  const auto column = inner.column + static_cast<std::uint32_t>(indent);
  return {line_start + column - 1, scalar.position.line + inner.line - 1, column};
}

void Loader::config_map(const std::string& file, const Node& root, std::string_view text) {
  const Node* data = root.find("data");
  bool any = false;
  for (std::size_t i = 0; data != nullptr && i < data->keys.size(); ++i) {
    const std::string& key = data->keys[i].text;
    const Node& value = data->items[i];
    if (!has_policy_suffix(key)) continue;
    any = true;
    const std::string path = "data[" + key + "]";
    if (!value.is_text()) {
      errors_.push_back({value.position, path, "must be a string; write | behind the key"});
      continue;
    }
    const auto place = [&](PolicyError error) {
      const Position outer = outer_position(value, text, error.position);
      if (!value.literal) {
        error.message += " (at line " + std::to_string(error.position.line) + ", column " +
                         std::to_string(error.position.column) + " of " + path + ")";
      }
      error.position = outer;
      return error;
    };
    std::vector<policy::DocumentError> duplicates;
    const auto documents = policy::read_documents(value.text, kLimits, &duplicates);
    for (auto& duplicate : duplicates) {
      errors_.push_back(
          place({duplicate.position, std::move(duplicate.path), std::move(duplicate.message)}));
    }
    if (!documents) {
      errors_.push_back(place({documents.error().position, {}, documents.error().message}));
    } else if (documents->size() != 1) {
      errors_.push_back(place({{}, path, "must hold one policy"}));
    } else {
      std::string name = file;
      name.append(" ").append(path);
      if (out_.by_file.contains(name))
        name.append(" of ").append(text_at(root.find("metadata"), "name"));
      policy_text(file, std::move(name), documents->front().root, value.text, place,
                  duplicates.empty());
    }
  }
  if (!any) {
    errors_.push_back({root.position, "data",
                       "the ConfigMap contains no policy: no key ends in .yaml, .yml or .json"});
  }
}

void Loader::document(const std::string& file, const std::string& key, const Node& root,
                      std::string_view text) {
  const auto kind = text_at(&root, "kind");
  const auto version = text_at(&root, "apiVersion");
  if (kind == "ConfigMap" && version == "v1") {
    config_map(file, root, text);
    return;
  }
  const Node* items = root.find("items");
  if ((kind == "List" || kind == "ConfigMapList") && version == "v1" && items != nullptr) {
    for (std::size_t i = 0; i < items->items.size(); ++i) {
      document(file, key + " items[" + std::to_string(i) + "]", items->items[i], text);
    }
    return;
  }
  policy_text(file, key, root, text, [](PolicyError error) { return error; }, true);
}

void Loader::text(const std::string& file, std::string_view text) {
  errors_.clear();
  std::vector<policy::DocumentError> duplicates;
  const auto documents = policy::read_documents(text, kLimits, &duplicates);
  for (auto& duplicate : duplicates) {
    errors_.push_back(
        {duplicate.position, std::move(duplicate.path), std::move(duplicate.message)});
  }
  readable_ = duplicates.empty();
  if (!documents) {
    errors_.push_back({documents.error().position, {}, documents.error().message});
  } else if (documents->empty()) {
    errors_.push_back({{}, {}, std::string(kNoPolicy)});
  } else {
    for (std::size_t i = 0; i < documents->size(); ++i) {
      const std::string key = i == 0 ? file : file + " (" + std::to_string(i + 1) + ")";
      document(file, key, (*documents)[i].root, text);
    }
  }
  if (errors_.empty()) return;
  std::stable_sort(errors_.begin(), errors_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.position.line, a.position.column) <
           std::pair(b.position.line, b.position.column);
  });
  out_.problems.push_back({file, std::exchange(errors_, {}), {}});
}

/// A mounted ConfigMap is a directory whose link ..data Kubernetes swaps: it is read through the
/// link, and once more where the link leads elsewhere by then. A swap takes microseconds and comes
/// once a minute at most, so fifty in a row are a fault; half of one and half of another are worse.
void Loader::directory(const std::string& path, const Descriptor& outer) {
  constexpr int kAttempts = 50;
  for (int i = 0; i < kAttempts; ++i) {
    const Descriptor inner(openat(outer.get(), "..data", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const PolicyFiles files = read_policy_files(inner.valid() ? inner.get() : outer.get());
    if (!inner.valid() || same_file(inner.get(), outer.get(), "..data")) {
      return take(path, files);
    }
  }
  problem(path, "..data is swapped faster than it can be read");
}

void Loader::take(const std::string& path, const PolicyFiles& files) {
  if (!files) return problem(path, files.error());
  if (files->empty()) return no_policy(path);
  const std::string prefix = path + "/";
  for (const auto& [name, content] : *files) {
    if (content) {
      text(prefix + name, *content);
    } else {
      problem(prefix + name, content.error());
    }
  }
}

void Loader::path(const std::string& path) {
  const Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.valid()) {
    const auto end = path.find_last_not_of('/');
    directory(end == std::string::npos ? path : path.substr(0, end + 1), folder);
  } else if (const auto content = read_policy_file(AT_FDCWD, path)) {
    text(path, *content);
  } else {
    problem(path, content.error());
  }
}

}  // namespace

std::string PolicyProblem::format() const {
  if (errors.empty()) return file + ": " + message;
  std::string out;
  for (const auto& error : errors) {
    if (!out.empty()) out += '\n';
    out += error.format(file);
  }
  return out;
}

LoadedPolicies load_policies(const std::vector<std::string>& paths) {
  LoadedPolicies loaded;
  Loader loader(loaded);
  std::set<std::string_view> seen;
  for (const auto& path : paths) {
    if (seen.insert(path).second) loader.path(path);
  }
  return loaded;
}

LoadedPolicies load_policy_text(const std::string& name, std::string_view text) {
  LoadedPolicies loaded;
  Loader(loaded).text(name, text);
  return loaded;
}

std::shared_ptr<const policy::PolicySet> make_policy_set(const LoadedPolicies& loaded) {
  std::vector<std::shared_ptr<const policy::Policy>> policies;
  policies.reserve(loaded.by_file.size());
  for (const auto& [file, policy] : loaded.by_file) policies.push_back(policy);
  return std::make_shared<policy::PolicySet>(policy::make_policy_set(std::move(policies)));
}

}  // namespace belay::webhook::policies
