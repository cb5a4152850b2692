// The words and the JSON of `belay pin`.
#include "webhook/command/pin_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "policy/message.h"

namespace belay::webhook::command {
namespace {

using check::PinFile;
using check::PinnedImage;
using check::PinStatus;
using Json = nlohmann::ordered_json;

constexpr std::string_view kReset = "\033[0m";
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kRed = "\033[1;31m";
constexpr std::string_view kYellow = "\033[33m";

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

/// What is wrong with the image and what to do, behind its text.
std::string sentence(const PinnedImage& image, bool check) {
  const std::string_view stays = check ? "" : ", so it stays as it is";
  switch (image.status) {
    case PinStatus::kPinned:
      return fmt::format("has no digest. Use {}@{}", policy::escape(image.scalar->image),
                         image.digest);
    case PinStatus::kUnpinned:
    case PinStatus::kUnresolved:
      return "has no digest";
    case PinStatus::kUntagged:
      return fmt::format("has neither tag nor digest{}. Give it a tag first", stays);
    case PinStatus::kInvalid:
      return fmt::format("is not an image reference: it {}", image.problem);
    case PinStatus::kShared:
      return fmt::format("{}{}. Write the image out in each place, or pin it by hand",
                         policy::escape(image.problem), stays);
    case PinStatus::kMoved:
      return fmt::format("keeps its digest; its tag now points to {}", image.digest);
    case PinStatus::kDigest:
    case PinStatus::kLeft:
      break;
  }
  return "";
}

void print_image(const PinnedImage& image, bool check, bool color, std::ostream& out) {
  const auto paint = [color](std::string_view code, std::string_view text) {
    return color ? fmt::format("{}{}{}", code, text, kReset) : std::string(text);
  };
  const check::ImageScalar& scalar = *image.scalar;
  const bool finding = check && is_unpinned(image);
  const std::string_view level = image.status == PinStatus::kMoved ? "note" : "warning";
  out << paint(kBold, report::to_string(scalar.place)) << ": "
      << (finding ? paint(kRed, "not pinned") : paint(kYellow, level)) << ' '
      << policy::escape(scalar.uses.front().field);
  if (const std::string& container = scalar.uses.front().container; !container.empty()) {
    out << " (" << policy::escape(container) << ')';
  }
  out << ": \"" << policy::escape(scalar.image) << "\" " << sentence(image, check) << '\n';
}

/// Whether a person has to know of the image.
bool is_told(const PinnedImage& image, bool check) {
  switch (image.status) {
    case PinStatus::kPinned:
    case PinStatus::kUnpinned:
      return check;
    case PinStatus::kUntagged:
    case PinStatus::kInvalid:
    case PinStatus::kShared:
    case PinStatus::kMoved:
      return true;
    case PinStatus::kUnresolved:  // among the errors
    case PinStatus::kDigest:
    case PinStatus::kLeft:
      break;
  }
  return false;
}

Json json_or_null(std::string_view text) { return text.empty() ? Json(nullptr) : Json(text); }

Json image_json(const PinnedImage& image, bool check) {
  const check::ImageScalar& scalar = *image.scalar;
  // What would be pinned is not, where nothing is given out.
  const PinStatus status =
      check && image.status == PinStatus::kPinned ? PinStatus::kUnpinned : image.status;
  Json out = {{"file", scalar.place.file},
              {"line", scalar.place.line},
              {"column", scalar.place.column},
              {"image", scalar.image},
              {"status", name_of(status)},
              {"digest", json_or_null(image.digest)},
              {"problem", json_or_null(image.problem)},
              {"uses", Json::array()}};
  for (const check::ImageUse& use : scalar.uses) {
    out["uses"].push_back({{"kind", use.kind},
                           {"namespace", use.ns},
                           {"name", use.name},
                           {"field", use.field},
                           {"container", json_or_null(use.container)}});
  }
  return out;
}

std::size_t count_images(const PinRun& run, const auto& matches) {
  std::size_t count = 0;
  for (const PinFile& file : run.files) {
    count += static_cast<std::size_t>(std::ranges::count_if(
        file.results, [&](const PinnedImage& i) { return matches(file, i); }));
  }
  return count;
}

}  // namespace

std::size_t PinRun::count(PinStatus status) const {
  return count_images(
      *this, [&](const PinFile&, const PinnedImage& image) { return image.status == status; });
}

std::size_t PinRun::unpinned() const {
  return count_images(*this,
                      [](const PinFile&, const PinnedImage& image) { return is_unpinned(image); });
}

std::size_t PinRun::pinned() const {
  return count_images(*this, [](const PinFile& file, const PinnedImage& image) {
    return file.changes() && image.status == PinStatus::kPinned;
  });
}

std::size_t PinRun::changed_files() const {
  return static_cast<std::size_t>(std::ranges::count_if(files, &PinFile::changes));
}

void print_images(const PinRun& run, bool color, std::ostream& out) {
  for (const PinFile& file : run.files) {
    for (const PinnedImage& image : file.results) {
      if (is_told(image, run.check)) print_image(image, run.check, color, out);
    }
  }
}

void print_errors(const PinRun& run, std::ostream& err) {
  for (const report::InputError& error : run.errors) {
    err << report::to_string(error.place) << ": " << policy::escape(error.message) << '\n';
  }
}

void print_summary(const PinRun& run, std::ostream& out) {
  const std::size_t all = count_images(run, [](const auto&, const auto&) { return true; });
  std::string figures;
  const auto add = [&figures](std::size_t count, std::string_view what) {
    if (count == 0) return;
    figures += fmt::format("{}{} {}", figures.empty() ? "" : ", ", count, what);
  };
  if (run.check) {
    add(run.unpinned(), "not pinned");
  } else {
    add(run.pinned(), "pinned");
  }
  const std::size_t moved = run.count(PinStatus::kMoved);
  add(run.count(PinStatus::kDigest) + moved, "with a digest");
  add(moved, moved == 1 ? "of them with a tag that moved" : "of them with tags that moved");
  add(run.count(PinStatus::kUnresolved), "not resolved");
  if (!run.check) {
    add(run.count(PinStatus::kUntagged) + run.count(PinStatus::kInvalid) +
            run.count(PinStatus::kShared),
        "left alone");
  }
  add(run.count(PinStatus::kLeft), "that no policy pins");
  const auto left = std::ranges::count_if(
      run.files, [](const PinFile& file) { return !file.complete && !file.results.empty(); });
  out << fmt::format("{} in {}", counted(all, "image"), counted(run.files.size(), "file"));
  if (!figures.empty()) out << ": " << figures;
  if (!run.check && left != 0) {
    out << "; " << counted(static_cast<std::size_t>(left), "file") << " left as "
        << (left == 1 ? "it was" : "they were");
  }
  out << '\n';
}

void print_pin_json(const PinRun& run, std::ostream& out) {
  Json root = {{"images", Json::array()},
               {"errors", Json::array()},
               {"summary",
                {{"files", run.files.size()},
                 {"changedFiles", run.check ? 0 : run.changed_files()},
                 {"unpinned", run.unpinned()},
                 {"errors", run.errors.size()}}}};
  for (const PinFile& file : run.files) {
    for (const PinnedImage& image : file.results)
      root["images"].push_back(image_json(image, run.check));
  }
  for (const report::InputError& error : run.errors) {
    root["errors"].push_back({{"file", error.place.file},
                              {"line", error.place.line},
                              {"column", error.place.column},
                              {"message", error.message}});
  }
  // A file's name may be anything; what is not UTF-8 in it is replaced.
  out << root.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace belay::webhook::command
