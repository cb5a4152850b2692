// What `belay pin` does with the images of files: which tags are asked about, and what becomes of
// each image and each file once the digests are there. The registry comes in as a function; files
// are read and written by the caller.
//
// Plain values; look_up_all() is the only one that starts threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "webhook/check/image_edits.h"
#include "webhook/check/side_by_side.h"
#include "webhook/registry/registry_client.h"
#include "webhook/registry/resolver.h"

namespace belay::webhook::check {

/// What is said of an image.
enum class PinStatus : std::uint8_t {
  kPinned,      ///< a tag; its digest is put behind it
  kUnpinned,    ///< a tag whose digest was not asked for (`--check` without registries)
  kUnresolved,  ///< its registry did not say what the tag points to
  kDigest,      ///< has a digest
  kMoved,       ///< has a digest, and its tag points to another one by now
  kUntagged,    ///< neither tag nor digest
  kInvalid,     ///< no image reference
  kShared,      ///< a tag, where no digest can be put (ImageScalar::obstacle)
  kLeft,        ///< no policy wants it pinned
};
std::string_view name_of(PinStatus status);  ///< "pinned"

struct PinnedImage {
  const ImageScalar* scalar = nullptr;  ///< into PinFile::images
  PinStatus status = PinStatus::kLeft;
  bool has_digest = false;  ///< as it stands in the file
  std::string digest;       ///< that the tag points to; "" where nobody asked
  std::string problem;      ///< of kUnresolved, kInvalid and kShared: why, as a clause
};

/// Whether it runs what its tag points to at the time: a finding of --check.
bool is_unpinned(const PinnedImage& image);

/// A file with its images.
struct PinFile {
  ManifestFile origin;
  std::string text;
  ManifestImages images;
  std::vector<PinnedImage> results;  ///< one an image
  std::string pinned;                ///< the text with digests; `text` itself where none goes in
  std::string problem;               ///< why `pinned` could not be made, ""; no user's fault
  /// Whether everything in it could be read and resolved: otherwise it is left as it is.
  bool complete = true;
  bool changes() const { return complete && pinned != text; }
};

/// "docker.io/library/nginx:1.27" -> what a registry is asked.
using DigestLookups = std::map<std::string, registry::ImageName, std::less<>>;
/// The same keys -> what it said.
using Digests =
    std::map<std::string, std::expected<std::string, registry::RegistryError>, std::less<>>;

/// What there is to ask about a file's images.
/// \param also_pinned  what tags beside a digest point to now, too
void add_lookups(const ManifestImages& images, bool also_pinned, DigestLookups& lookups);

using LookUpDigest =
    std::function<std::expected<std::string, registry::RegistryError>(const registry::ImageName&)>;
/// Asks everything, each question once.
/// \param at_once  how many wait for an answer at a time; `ask` is called by as many threads
Digests look_up_all(const DigestLookups& lookups, const LookUpDigest& ask, std::size_t at_once,
                    const Progress& progress);

/// Fills `results`, `pinned`, `problem` and `complete` of a file.
/// \param digests  may lack what was not asked
void decide(PinFile& file, const Digests& digests);

}  // namespace belay::webhook::check
