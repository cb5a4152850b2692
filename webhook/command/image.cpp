// `belay image`: how a reference is read, and where a runtime would pull from. Reads from the
// command line or, for "-", from standard input; knows no policy and asks no registry.
#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "policy/image_reference.h"
#include "policy/message.h"
#include "webhook/command/command.h"
#include "webhook/command/standard_input.h"

namespace belay::webhook::command {
namespace {

using policy::ImageReference;
using policy::ReferenceError;
using policy::ReferenceErrorCode;

struct ImageOptions {
  std::vector<std::string> references;
  std::string output = "text";
};

using Parsed = std::expected<ImageReference, ReferenceError>;

/// Whether the error is about one place in the text and not about the whole of it.
bool has_place(const ReferenceError& error) {
  return error.code != ReferenceErrorCode::kEmpty &&
         error.code != ReferenceErrorCode::kIdentifier && error.code != ReferenceErrorCode::kScheme;
}

// One line of JSON. ----------------------------------------------------------------------------

nlohmann::ordered_json text_or_null(std::string_view text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

void print_parsed(std::string_view input, const Parsed& parsed, Streams& streams) {
  nlohmann::ordered_json line;
  line["input"] = input;
  line["valid"] = parsed.has_value();
  line["registry"] = text_or_null(parsed ? parsed->registry : "");
  line["repository"] = text_or_null(parsed ? parsed->repository() : "");
  line["tag"] = text_or_null(parsed ? parsed->tag : "");
  line["digest"] = text_or_null(parsed ? parsed->digest : "");
  line["canonical"] = text_or_null(parsed ? parsed->canonical() : "");
  std::string error;
  if (!parsed) {
    error = describe(parsed.error().code);
    if (has_place(parsed.error()))
      error += fmt::format(", at column {}", parsed.error().offset + 1);
  }
  line["error"] = text_or_null(error);
  // Bytes that are no UTF-8 can't stand in JSON.
  streams.out << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << '\n';
}

// Text for people. -----------------------------------------------------------------------------

struct Style {
  std::string_view strong, faint, bad, off;
};
constexpr Style kPlain{};
constexpr Style kColored{"\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[0m"};

std::string note_on_registry(const ImageReference& reference) {
  if (reference.registry.empty()) {
    return fmt::format("\"{}\" is not a valid host name, but runtimes will try it",
                       reference.host());
  }
  const std::string_view written = reference.written_name();
  if (reference.registry != "docker.io" || written.starts_with("docker.io/")) return {};
  if (written.starts_with("index.docker.io/")) return "index.docker.io is another name for it";
  return "the default registry, as none is written";
}

std::string_view note_on_tag(const ImageReference& reference) {
  if (reference.has_digest()) return reference.has_tag() ? "not used: the digest decides" : "";
  return reference.has_tag() ? "" : "the runtime takes latest";
}

std::string_view note_on_digest(const ImageReference& reference) {
  if (reference.has_digest()) return "";
  return "the tag decides, and tags can move";
}

void explain(const ImageReference& reference, const Style& style, std::ostream& out) {
  struct Row {
    std::string_view name;
    std::string value;
    std::string note;
  };
  const Row rows[] = {
      {"registry", std::string(reference.registry), note_on_registry(reference)},
      {"repository", reference.repository(),
       reference.official ? "docker.io keeps names of one word in library/" : ""},
      {"tag", std::string(reference.tag), std::string(note_on_tag(reference))},
      {"digest", std::string(reference.digest), std::string(note_on_digest(reference))},
      {"canonical", reference.canonical(), ""},
  };
  constexpr std::size_t kMaxColumn = 40;  // longer values push their note out, and no other's
  std::size_t width = 0;
  for (const Row& row : rows) {
    const std::size_t size = std::max<std::size_t>(row.value.size(), 1);
    if (!row.note.empty() && size <= kMaxColumn) width = std::max(width, size);
  }
  out << style.strong << reference.text << style.off << '\n';
  for (const Row& row : rows) {
    const std::string_view value = row.value.empty() ? std::string_view("-") : row.value;
    if (row.note.empty()) {
      out << fmt::format("  {:<12}{}\n", row.name, value);
    } else {
      out << fmt::format("  {:<12}{:<{}}  {}({}){}\n", row.name, value, width, style.faint,
                         row.note, style.off);
    }
  }
}

/// What the user may have meant, where that is a reference.
std::optional<std::string> nearest_reference(std::string_view input, const ReferenceError& error) {
  std::string candidate(input);
  if (error.code == ReferenceErrorCode::kScheme) {
    candidate.erase(0, candidate.find("://") + 3);
  } else if (error.code == ReferenceErrorCode::kUppercaseName) {
    const std::size_t end = std::min(candidate.find_first_of(":@", error.offset), candidate.size());
    std::transform(candidate.begin() + static_cast<std::ptrdiff_t>(error.offset),
                   candidate.begin() + static_cast<std::ptrdiff_t>(end),
                   candidate.begin() + static_cast<std::ptrdiff_t>(error.offset), [](char c) {
                     return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
                   });
  } else if (error.code == ReferenceErrorCode::kWhitespace) {
    std::erase_if(candidate, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
  } else if (error.code == ReferenceErrorCode::kInvalidTag && error.offset == input.size()) {
    candidate.pop_back();  // the ":" of an empty tag
  } else {
    return std::nullopt;
  }
  if (!policy::parse_image_reference(candidate)) return std::nullopt;
  return candidate;
}

void explain(std::string_view input, const ReferenceError& error, const Style& style,
             std::ostream& out) {
  out << style.strong << (input.empty() ? "\"\"" : policy::escape(input)) << style.off << '\n';
  if (has_place(error)) {
    out << std::string(policy::escape(input.substr(0, error.offset)).size(), ' ') << style.bad
        << '^' << style.off << '\n';
  }
  out << fmt::format("  {}not an image reference:{} it {}\n", style.bad, style.off,
                     describe(error.code));
  if (const auto nearest = nearest_reference(input, error)) {
    out << "  did you mean " << *nearest << "?\n";
  }
}

int run_image(const ImageOptions& options, Streams& streams) {
  const bool json = options.output == "json";
  const Style& style = streams.color ? kColored : kPlain;
  int status = kExitClean;
  bool first = true;
  const auto one = [&](std::string_view input) {
    const Parsed parsed = policy::parse_image_reference(input);
    if (!parsed) status = kExitFindings;
    if (json) return print_parsed(input, parsed, streams);
    if (!first) streams.out << '\n';
    first = false;
    if (parsed) return explain(*parsed, style, streams.out);
    explain(input, parsed.error(), style, streams.out);
  };
  for (const std::string& reference : options.references) {
    if (reference != "-") {
      one(reference);
      continue;
    }
    for (std::string line; std::getline(streams.in, line);) one(line);
    if (streams.in.bad()) {
      streams.err << "belay image: " << unreadable_input() << '\n';
      return kExitError;
    }
  }
  return status;
}

}  // namespace

Run define_image(const CommandLine& line) {
  auto options = std::make_shared<ImageOptions>();
  line.option("REF", options->references,
              "Image references, or - for standard input with one reference per line")
      .required();
  line.option("-o,--output", options->output, "Format of the output")
      .type_name("FORMAT")
      .choices({"text", "json"})
      .show_default();
  return [options](Streams& streams) { return run_image(*options, streams); };
}

}  // namespace belay::webhook::command
