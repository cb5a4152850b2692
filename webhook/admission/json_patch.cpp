// Writing a patch with our writer, reading it again with another's.
#include "webhook/admission/json_patch.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "webhook/admission/json_out.h"
#include "webhook/admission/rapidjson_reader.h"

namespace belay::webhook::admission {
namespace {

void write_step(std::string& text, std::string_view op, std::string_view pointer,
                std::string_view value) {
  using std::string_view_literals::operator""sv;
  if (text.size() > 1) text += ',';
  text.append(R"({"op":")"sv).append(op).append(R"(","path":)"sv);
  JsonOut(text).text(pointer);
  text.append(R"(,"value":)"sv);
  JsonOut(text).text(value);
  text += '}';
}

/// A step as it was read; views into the text, which is unescaped in place.
struct Step {
  std::string_view op, path, value;
  friend bool operator==(const Step&, const Step&) = default;
};

/// Takes a list of objects with the texts op, path and value, each once, and nothing else. The
/// events of RapidJSON's reader; its Document does not compile with clang in Debian's version.
class StepReader {
 public:
  explicit StepReader(std::vector<Step>& steps) : steps_(steps) {}

  // Anything but what follows ends the reading.
  bool Null() { return false; }
  bool Bool(bool /*value*/) { return false; }
  bool Int(int /*value*/) { return false; }
  bool Uint(unsigned /*value*/) { return false; }
  bool Int64(std::int64_t /*value*/) { return false; }
  bool Uint64(std::uint64_t /*value*/) { return false; }
  bool Double(double /*value*/) { return false; }
  bool RawNumber(const char* /*digits*/, unsigned /*size*/, bool /*copy*/) { return false; }

  bool StartArray() { return std::exchange(depth_, depth_ + 1) == 0; }
  bool EndArray(unsigned /*elements*/) {
    --depth_;
    return true;
  }
  bool StartObject() {
    steps_.emplace_back();
    seen_ = 0;
    return std::exchange(depth_, depth_ + 1) == 1;
  }
  bool EndObject(unsigned members) {
    --depth_;
    return members == kNames.size() && seen_ == (1U << kNames.size()) - 1;
  }
  bool Key(const char* data, unsigned size, bool /*copy*/) {
    const auto* const found = std::ranges::find(kNames, std::string_view(data, size));
    if (found == kNames.end()) return false;
    key_ = static_cast<std::size_t>(found - kNames.begin());
    seen_ |= 1U << key_;
    return true;
  }
  bool String(const char* data, unsigned size, bool /*copy*/) {
    if (depth_ != 2) return false;
    Step& step = steps_.back();
    std::string_view* const texts[] = {&step.op, &step.path, &step.value};
    *texts[key_] = {data, size};
    return true;
  }

 private:
  static constexpr std::array<std::string_view, 3> kNames{"op", "path", "value"};

  std::vector<Step>& steps_;
  int depth_ = 0;
  std::size_t key_ = 0;
  unsigned seen_ = 0;  ///< keys of the object being read, a bit each
};

/// \param patch  read in place. Nothing in it can make the parser recurse: the reader stops at
///     the third level.
bool read_steps(std::string& patch, std::vector<Step>& steps) {
  StepReader reader(steps);
  try {
    rapidjson::InsituStringStream stream(patch.data());
    rapidjson::Reader parser;
    return !parser.Parse<rapidjson::kParseInsituFlag>(stream, reader).IsError() &&
           stream.Tell() == patch.size();
  } catch (const JsonLibraryError&) {
    return false;
  }
}

/// Whether `after` is `before` with that digest: all three as texts, so repository and tag are what
/// they were, "@" being no part of them.
bool is_pinned(std::string_view before, std::string_view after, std::string_view digest) {
  return !digest.empty() && before.find('@') == std::string_view::npos &&
         after.size() == before.size() + 1 + digest.size() && after.starts_with(before) &&
         after[before.size()] == '@' && after.ends_with(digest);
}

}  // namespace

std::string json_patch(const policy::Workload& workload, std::span<const ImageChange> changes) {
  constexpr std::size_t kStepBytes = 400;  // two steps of an image, mostly
  std::string text;
  text.reserve(kStepBytes * changes.size() + 2);
  text += '[';
  for (const ImageChange& change : changes) {
    write_step(text, "test", change.pointer, workload.pod.images.at(change.image).image);
    write_step(text, "replace", change.pointer, change.after);
  }
  text += ']';
  return text;
}

std::string check_patch(std::string patch, const policy::Workload& workload,
                        std::span<const ImageChange> changes) {
  std::vector<Step> steps;
  steps.reserve(2 * changes.size());
  if (!read_steps(patch, steps)) return "the patch cannot be parsed";
  if (steps.size() != 2 * changes.size()) return "the patch has unexpected steps";
  auto step = steps.begin();
  for (const ImageChange& change : changes) {
    const policy::ImageField& field = workload.pod.images.at(change.image);
    if (*step++ != Step{"test", change.pointer, field.image}) {
      return "the patch does not test the current value";
    }
    if (step->op != "replace" || step->path != change.pointer) {
      return "the patch changes another field than the image";
    }
    if ((step++)->value != change.after || !is_pinned(field.image, change.after, change.digest)) {
      return "the patch would change more of the image than its digest";
    }
  }
  return "";
}

}  // namespace belay::webhook::admission
