// The images that stand in a file of manifests, and the file with digests behind some of them:
// every byte outside an image's text stays as it was (`belay pin`). The result is read again and
// compared before it is given out.
//
// Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/workload.h"
#include "webhook/admission/review_reader.h"
#include "webhook/check/manifest.h"
#include "webhook/report/report.h"

namespace belay::webhook::check {

/// How a scalar is written.
enum class Quoting : std::uint8_t { kPlain, kSingle, kDouble, kBlock };

/// A field that holds an image. Several may hold the same scalar, through an anchor.
struct ImageUse {
  std::string kind, ns, name;  ///< of the object; "" where absent
  std::string field;           ///< "spec.template.spec.containers[0].image"
  std::string container;       ///< name of the container or volume
  bool chosen = false;         ///< by ChooseImages
};

/// One text of a file that some object takes an image from.
struct ImageScalar {
  report::Place place;
  std::string image;  ///< the text, unquoted
  Quoting quoting = Quoting::kPlain;
  std::size_t begin = 0, end = 0;  ///< its bytes in the file, quotes included
  std::size_t text_end = 0;        ///< behind the last byte of the text itself: where more can go
  /// Why nothing can be put behind it, as a clause about it: "is also the value of
  /// metadata.labels.image, through an anchor"; "" where it can.
  std::string obstacle;
  std::vector<ImageUse> uses;  ///< at least one
};

struct ManifestImages {
  std::vector<ImageScalar> scalars;  ///< in the order of the file
  std::vector<report::InputError> errors;
  std::size_t objects = 0;  ///< of any kind
};

/// Marks the images of a workload that are meant, by their index in Workload::pod.images; `chosen`
/// comes in with as many entries, all false.
using ChooseImages = std::function<void(const policy::Workload&, std::vector<bool>& chosen)>;

/// Finds every image that belay evaluates in a file: of the kinds it knows and of
/// `extra_templates`.
/// \param default_namespace  of objects that name none
ManifestImages find_images(const ManifestFile& file, std::string_view text,
                           std::string_view default_namespace,
                           const std::vector<admission::ExtraTemplate>& extra_templates,
                           const ChooseImages& choose);

/// A digest to put behind an image.
struct DigestEdit {
  const ImageScalar* scalar = nullptr;  ///< without obstacle, of the text that is edited
  std::string digest;                   ///< "sha256:…"
};

/// The text with each "repo:tag" as "repo:tag@digest".
/// \param edits  in the order of the file, no scalar twice
/// \return why there is none: the result would not be the same documents with these images, which
///     no caller can do anything about
std::expected<std::string, std::string> put_digests(std::string_view text,
                                                    std::span<const DigestEdit> edits);

}  // namespace belay::webhook::check
