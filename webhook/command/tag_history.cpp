// `belay tag-history`: what belay remembers of tags (rule tag-moved), to look at and to forget. A
// tag that was moved on purpose is cleared here, and its next admission counts as its first.
#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>
#include <vector>

#include "policy/image_reference.h"
#include "policy/message.h"
#include "policy/text/time_text.h"
#include "policy/text_form.h"
#include "webhook/command/command.h"
#include "webhook/command/tag_history_place.h"

namespace belay::webhook::command {
namespace {

using tag_history::RecordMap;

constexpr std::size_t kShortDigits = 12;

struct TagHistoryOptions {
  TagHistoryPlace place;
  std::vector<std::string> references;  ///< what is asked for, as it was typed
  std::vector<std::string> all_of;      ///< clear: whole repositories
  std::string output = "text";
  bool short_digests = false;
};

/// What a word of the command line picks: one tag, or a whole repository.
struct Pick {
  std::string repository;  ///< canonical
  std::string tag;         ///< "" for all of them

  bool takes(std::string_view key) const {
    return tag_history::repository_of(key) == repository &&
           (tag.empty() || tag_history::tag_of(key) == tag);
  }
  std::string text() const {
    return tag.empty() ? repository : tag_history::record_key(repository, tag);
  }
};

bool taken(const std::vector<Pick>& picks, std::string_view key) {
  return std::ranges::any_of(picks, [key](const Pick& pick) { return pick.takes(key); });
}

/// \return why the word picks nothing, as a sentence
std::expected<Pick, std::string> read_pick(const std::string& word) {
  const auto reference = policy::parse_image_reference(word);
  if (!reference) {
    return std::unexpected(fmt::format("\"{}\" is not an image reference: it {}",
                                       policy::escape(word),
                                       policy::describe(reference.error().code)));
  }
  if (reference->has_digest()) {
    return std::unexpected(fmt::format("\"{}\" has a digest; name the tag without it", word));
  }
  return Pick{reference->repository_key(), std::string(reference->tag)};
}

int problem(Streams& streams, std::string_view command, std::string_view text) {
  streams.err << fmt::format("belay tag-history {}: {}\n", command, text);
  return kExitError;
}

int usage_problem(Streams& streams, std::string_view command, std::string_view text) {
  streams.err << fmt::format("belay tag-history {0}: {1}\nTry: belay tag-history {0} --help\n",
                             command, text);
  return kExitError;
}

/// \return what is wrong with options that are each right
std::string conflict(const TagHistoryPlace& place) {
  if (place.file.empty()) return {};
  if (!place.kubeconfig.empty()) return "give --tag-history or --kubeconfig, not both";
  if (!place.namespace_name.empty()) return "give --tag-history or --namespace, not both";
  return {};
}

// The list. -------------------------------------------------------------------------------------

void print_text(const RecordMap& entries, bool short_digests, std::ostream& out) {
  constexpr std::string_view kTag = "TAG";
  constexpr std::string_view kDigest = "DIGEST";
  const auto shown = [short_digests](const std::string& digest) {
    return short_digests ? digest.substr(0, digest.find(':') + 1 + kShortDigits) : digest;
  };
  std::size_t tag_width = kTag.size();
  std::size_t digest_width = kDigest.size();
  for (const auto& [key, record] : entries) {
    tag_width = std::max(tag_width, key.size());
    digest_width = std::max(digest_width, shown(record.digest).size());
  }
  const auto row = [&](std::string_view tag, std::string_view digest, std::string_view time) {
    out << fmt::format("{:<{}}  {:<{}}  {}\n", tag, tag_width, digest, digest_width, time);
  };
  row(kTag, kDigest, "FIRST SEEN");
  for (const auto& [key, record] : entries) {
    row(key, shown(record.digest), policy::time_text(record.time));
  }
}

/// An array with one object a line.
void print_json(const RecordMap& entries, std::ostream& out) {
  std::string_view before = "[\n  ";
  for (const auto& [key, record] : entries) {
    nlohmann::ordered_json one;
    one["repository"] = tag_history::repository_of(key);
    one["tag"] = tag_history::tag_of(key);
    one["digest"] = record.digest;
    one["firstSeen"] = policy::time_text(record.time);
    out << before << one.dump();
    before = ",\n  ";
  }
  out << (entries.empty() ? "[]\n" : "\n]\n");
}

int run_list(const TagHistoryOptions& options, Streams& streams) {
  if (const std::string wrong = conflict(options.place); !wrong.empty()) {
    return usage_problem(streams, "list", wrong);
  }
  std::vector<Pick> picks;
  for (const std::string& word : options.references) {
    auto pick = read_pick(word);
    if (!pick) return usage_problem(streams, "list", pick.error());
    picks.push_back(*std::move(pick));
  }
  auto history = read_tag_history(options.place);
  if (!history) return problem(streams, "list", history.error());
  RecordMap& entries = history->entries;
  if (!picks.empty()) {
    std::erase_if(entries, [&picks](const auto& entry) { return !taken(picks, entry.first); });
  }
  for (const Pick& pick : picks) {
    if (std::ranges::none_of(entries, [&](const auto& entry) { return pick.takes(entry.first); })) {
      streams.err << fmt::format("no record of {}\n", pick.text());
    }
  }
  if (options.output == "json") {
    print_json(entries, streams.out);
  } else if (!entries.empty()) {
    print_text(entries, options.short_digests, streams.out);
  } else if (picks.empty()) {
    streams.err << "no tag is recorded\n";
  }
  for (const std::string& line : history->problems) problem(streams, "list", line);
  return history->problems.empty() ? kExitClean : kExitError;
}

// Forgetting. -----------------------------------------------------------------------------------

int run_clear(const TagHistoryOptions& options, Streams& streams) {
  if (const std::string wrong = conflict(options.place); !wrong.empty()) {
    return usage_problem(streams, "clear", wrong);
  }
  std::vector<Pick> picks;
  const auto read = [&](const std::string& word, bool all) {
    auto pick = read_pick(word);
    if (pick && all && !pick->tag.empty()) {
      pick = std::unexpected(
          fmt::format("--all-of takes a repository; \"{}\" is one tag of it", word));
    }
    if (pick && !all && pick->tag.empty()) {
      pick = std::unexpected(fmt::format(
          "\"{0}\" names no tag; for every tag of the repository give --all-of {0}", word));
    }
    if (!pick) {
      usage_problem(streams, "clear", pick.error());
      return false;
    }
    picks.push_back(*std::move(pick));
    return true;
  };
  for (const std::string& word : options.references) {
    if (!read(word, false)) return kExitError;
  }
  for (const std::string& word : options.all_of) {
    if (!read(word, true)) return kExitError;
  }
  if (picks.empty()) {
    return usage_problem(streams, "clear",
                         "give a tag (REPOSITORY:TAG), or a repository with --all-of");
  }
  const ForgottenTags done =
      forget_tags(options.place, [&picks](std::string_view key) { return taken(picks, key); });
  for (const auto& [key, record] : done.forgotten) {
    streams.out << fmt::format("removed {} {} (first seen {})\n", key, record.digest,
                               policy::time_text(record.time));
  }
  if (!done.failure.empty()) return problem(streams, "clear", done.failure);
  for (const Pick& pick : picks) {
    if (std::ranges::none_of(done.forgotten,
                             [&](const auto& entry) { return pick.takes(entry.first); })) {
      streams.err << fmt::format("no record of {}\n", pick.text());
    }
  }
  return done.forgotten.empty() ? kExitFindings : kExitClean;
}

/// Where the tag history is.
void declare_place(const CommandLine& line, TagHistoryPlace& place) {
  line.option("--tag-history", place.file,
              "The file of belay serve --tag-history; default: the history in a cluster")
      .type_name("FILE");
  line.option(
          "--kubeconfig", place.kubeconfig,
          "Kubeconfig of the cluster (its current context); default: $KUBECONFIG, else this pod's "
          "ServiceAccount, else ~/.kube/config")
      .type_name("FILE");
  line.option("-n,--namespace", place.namespace_name,
              "belay's namespace; default: in a pod its own, else belay-system")
      .type_name("NAME")
      .check([](const std::string& name) {
        const std::string wrong = policy::check_text(policy::TextForm::kObjectName, name);
        return wrong.empty() ? wrong : fmt::format("\"{}\" {}", name, wrong);
      });
}

}  // namespace

Run define_tag_history(const CommandLine& line) {
  auto options = std::make_shared<TagHistoryOptions>();
  const CommandLine list =
      line.subcommand("list", "shows tags, their digests when first admitted, and the time");
  list.option("REFERENCE", options->references,
              "Repositories, or single tags, as REPOSITORY[:TAG]; default: all");
  list.option("-o,--output", options->output, "Format of the output")
      .type_name("FORMAT")
      .choices({"text", "json"})
      .show_default();
  list.flag("--short", options->short_digests, "Show only twelve digits of each digest");
  declare_place(list, options->place);
  const CommandLine clear =
      line.subcommand("clear", "removes tags; their next admission counts as the first");
  clear.option("TAG", options->references, "Tags as REPOSITORY:TAG");
  clear.option("--all-of", options->all_of, "Remove every tag of this repository; repeatable")
      .type_name("REPOSITORY")
      .repeatable();
  declare_place(clear, options->place);
  line.require_subcommand();
  return [options, list](Streams& streams) {
    return list.given() ? run_list(*options, streams) : run_clear(*options, streams);
  };
}

}  // namespace belay::webhook::command
