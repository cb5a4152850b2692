// A digest is put behind an image's text and nothing is taken away, so how the text is quoted,
// escaped or folded does not matter. What is shared through an anchor is changed only where each
// place that shares it is an image.
#include "webhook/check/image_edits.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "policy/document.h"
#include "policy/field_path.h"
#include "policy/image_reference.h"
#include "webhook/check/object_review.h"

namespace belay::webhook::check {
namespace {

using policy::Node;

std::string helm_hint(std::string_view text, std::string message) {
  if (text.find("{{") != std::string_view::npos) {
    message += ". This looks like a Helm template: pin the image in the chart's values";
  }
  return message;
}

/// Sets quoting and text_end: behind the text, or before the closing quote, where whatever went
/// before (escapes, a line that goes on) has come to its end.
/// \return false where the end of the text can't be told
bool find_text_end(std::string_view text, ImageScalar& scalar) {
  const std::string_view source = text.substr(scalar.begin, scalar.end - scalar.begin);
  if (source.size() >= 2 && (source.front() == '"' || source.front() == '\'') &&
      source.back() == source.front()) {
    scalar.quoting = source.front() == '"' ? Quoting::kDouble : Quoting::kSingle;
    scalar.text_end = scalar.end - 1;
    return true;
  }
  const std::size_t at = source.rfind(scalar.image);
  scalar.quoting = source == scalar.image ? Quoting::kPlain : Quoting::kBlock;
  if (at == std::string_view::npos) return false;
  scalar.text_end = scalar.begin + at + scalar.image.size();
  return source.find_first_not_of(" \t\r\n", at + scalar.image.size()) == std::string_view::npos;
}

/// The images of one document, gathered over its objects.
class DocumentImages {
 public:
  /// \param start   of the document's chunk in the file
  /// \param origin  file, and the lines before the chunk
  DocumentImages(std::string_view text, std::size_t start, report::Place origin)
      : text_(text), start_(start), origin_(std::move(origin)) {}

  void add(const Node& node, ImageUse use) {
    auto [at, fresh] = scalars_.try_emplace(node.position.offset);
    ImageScalar& scalar = at->second;
    if (fresh) {
      scalar.place = {origin_.file, origin_.line + node.position.line, node.position.column};
      scalar.image = node.text;
      scalar.begin = start_ + node.position.offset;
      scalar.end = start_ + node.end_offset;
      if (!find_text_end(text_, scalar)) scalar.obstacle = "is written over several lines";
    }
    scalar.uses.push_back(std::move(use));
  }

  /// Looks for places that share an image and are none; then hands the images over.
  void finish(const Node& root, std::vector<ImageScalar>& out) {
    look_for_sharing(root, "");
    for (auto& [offset, scalar] : scalars_) {
      const Elsewhere& elsewhere = elsewhere_[offset];
      if (elsewhere.count > scalar.uses.size()) {
        const auto other = std::ranges::find_if(elsewhere.fields, [&](const std::string& field) {
          return std::ranges::none_of(scalar.uses, [&](const ImageUse& use) {
            return field == use.field || field.ends_with("]." + use.field);
          });
        });
        scalar.obstacle = "is also ";
        scalar.obstacle +=
            other == elsewhere.fields.end() ? "used elsewhere" : "the value of " + *other;
        scalar.obstacle += ", through an anchor";
      }
      out.push_back(std::move(scalar));
    }
  }

 private:
  struct Elsewhere {
    std::size_t count = 0;
    std::vector<std::string> fields;
  };

  void look_for_sharing(const Node& node, const std::string& path) {
    if (node.kind == Node::Kind::kScalar) {
      if (!scalars_.contains(node.position.offset)) return;
      Elsewhere& elsewhere = elsewhere_[node.position.offset];
      ++elsewhere.count;
      elsewhere.fields.push_back(path);
      return;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      if (node.kind == Node::Kind::kSequence) {
        look_for_sharing(node.items[i], policy::append_index(path, i));
        continue;
      }
      const std::string below = policy::append_key(path, node.keys[i].text);
      look_for_sharing(node.keys[i], below);
      look_for_sharing(node.items[i], below);
    }
  }

  std::string_view text_;
  std::size_t start_;
  report::Place origin_;
  std::map<std::size_t, ImageScalar> scalars_;  ///< by the offset in the chunk
  std::unordered_map<std::size_t, Elsewhere> elsewhere_;
};

/// Finds the images of objects, one after the other.
class ImageFinder {
 public:
  ImageFinder(const ManifestFile& file, std::string_view default_namespace,
              const std::vector<admission::ExtraTemplate>& extra_templates,
              const ChooseImages& choose)
      : file_(file),
        default_namespace_(default_namespace),
        extra_templates_(extra_templates),
        choose_(choose),
        reader_(extra_templates) {}

  void take(const ManifestObject& object, const report::Place& origin, DocumentImages& images,
            ManifestImages& found) {
    const Node& node = *object.node;
    if (!file_.named && (node.kind != Node::Kind::kMapping || object.kind.empty())) return;
    ++found.objects;
    const auto refuse = [&](policy::Position position, std::string message) {
      found.errors.push_back(
          {{origin.file, origin.line + position.line, position.column}, std::move(message)});
    };
    if (std::string problem = object_problem(object); !problem.empty()) {
      return refuse(node.position, std::move(problem));
    }
    if (!is_evaluated(object, extra_templates_)) return;
    const std::string_view ns = namespace_of(object, default_namespace_);
    write_review(object, ns, body_);
    const auto review = reader_.read({body_.data(), body_.size()});
    if (!review) {
      return refuse(locate(node, object_field(review.error().field)),
                    object_message(review.error().message));
    }
    const policy::Workload& workload = (*review)->workload;
    chosen_.assign(workload.pod.images.size(), false);
    choose_(workload, chosen_);
    for (std::size_t i = 0; i < workload.pod.images.size(); ++i) {
      const policy::ImageField& image = workload.pod.images[i];
      std::string field = workload.image_path(image);
      const Node* const scalar = find_field(node, field);
      if (scalar == nullptr || scalar->kind != Node::Kind::kScalar || image.image.empty()) continue;
      images.add(*scalar, {std::string(object.kind), std::string(ns), std::string(workload.name),
                           std::move(field), std::string(image.name), chosen_[i]});
    }
  }

 private:
  const ManifestFile& file_;
  std::string_view default_namespace_;
  const std::vector<admission::ExtraTemplate>& extra_templates_;
  const ChooseImages& choose_;
  admission::ReviewReader reader_;
  std::string body_;          ///< reused
  std::vector<bool> chosen_;  ///< reused
};

/// Whether two trees are the same but for the texts of edited scalars.
/// \param edited  offset of a scalar in the old text -> its text in the new one
bool same_but_for(const Node& before, const Node& after,
                  const std::unordered_map<std::size_t, std::string>& edited) {
  if (before.kind != after.kind || before.keys.size() != after.keys.size() ||
      before.items.size() != after.items.size()) {
    return false;
  }
  if (before.kind == Node::Kind::kScalar || before.kind == Node::Kind::kNull) {
    const auto edit =
        before.kind == Node::Kind::kScalar ? edited.find(before.position.offset) : edited.end();
    return before.plain == after.plain &&
           after.text == (edit == edited.end() ? before.text : edit->second);
  }
  for (std::size_t i = 0; i < before.items.size(); ++i) {
    if (i < before.keys.size() && !same_but_for(before.keys[i], after.keys[i], edited)) {
      return false;
    }
    if (!same_but_for(before.items[i], after.items[i], edited)) return false;
  }
  return true;
}

}  // namespace

ManifestImages find_images(const ManifestFile& file, std::string_view text,
                           std::string_view default_namespace,
                           const std::vector<admission::ExtraTemplate>& extra_templates,
                           const ChooseImages& choose) {
  ManifestImages found;
  ImageFinder finder(file, default_namespace, extra_templates, choose);
  for (const Chunk& chunk : split_stream(text)) {
    const report::Place origin{file.path, chunk.lines_before, 0};
    const auto documents = policy::read_documents(chunk.text);
    if (!documents) {
      const policy::Position position = documents.error().position;
      found.errors.push_back({{origin.file, origin.line + position.line, position.column},
                              helm_hint(chunk.text, documents.error().message)});
      continue;
    }
    const auto start = static_cast<std::size_t>(chunk.text.data() - text.data());
    for (const policy::Document& document : *documents) {
      DocumentImages images(text, start, origin);
      for_each_object(document.root, [&](const ManifestObject& object) {
        finder.take(object, origin, images, found);
      });
      images.finish(document.root, found.scalars);
    }
  }
  return found;
}

std::expected<std::string, std::string> put_digests(std::string_view text,
                                                    std::span<const DigestEdit> edits) {
  const auto fail = [](const ImageScalar& scalar, std::string_view why) {
    return std::unexpected("line " + std::to_string(scalar.place.line) + ": " + std::string(why));
  };
  std::string out;
  std::size_t copied = 0;
  for (const DigestEdit& edit : edits) {
    const ImageScalar& scalar = *edit.scalar;
    const std::string pinned = scalar.image + "@" + edit.digest;
    const auto before = policy::parse_image_reference(scalar.image);
    const auto after = policy::parse_image_reference(pinned);
    if (!before || before->has_digest() || !before->has_tag() || !after ||
        after->digest != edit.digest || !scalar.obstacle.empty() || scalar.text_end < copied) {
      return fail(scalar, "no digest can be written after this image");
    }
    out += text.substr(copied, scalar.text_end - copied);
    out += '@';
    out += edit.digest;
    copied = scalar.text_end;
  }
  out += text.substr(copied);

  const std::vector<Chunk> before = split_stream(text);
  const std::vector<Chunk> after = split_stream(out);
  bool same = before.size() == after.size();
  auto next = edits.begin();
  for (std::size_t i = 0; same && i < before.size(); ++i) {
    const auto start = static_cast<std::size_t>(before[i].text.data() - text.data());
    const std::size_t end = start + before[i].text.size();
    std::unordered_map<std::size_t, std::string> edited;
    for (; next != edits.end() && next->scalar->begin < end; ++next) {
      edited.emplace(next->scalar->begin - start, next->scalar->image + "@" + next->digest);
    }
    if (edited.empty()) {
      same = before[i].text == after[i].text;
      continue;
    }
    const auto old_documents = policy::read_documents(before[i].text);
    const auto new_documents = policy::read_documents(after[i].text);
    same = old_documents && new_documents && old_documents->size() == new_documents->size();
    for (std::size_t d = 0; same && d < old_documents->size(); ++d) {
      same = same_but_for((*old_documents)[d].root, (*new_documents)[d].root, edited);
    }
  }
  if (!same) return std::unexpected("the pinned file would have other changes than the digests");
  return out;
}

}  // namespace belay::webhook::check
