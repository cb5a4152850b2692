// Characters beyond U+FFFF as JSON escapes them, in two halves ("\ud83d\ude00"; RFC 8259, section
// 7). YAML knows no halves and libyaml refuses them, so they are hidden from it and put back into
// what it reads. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace belay::policy {

class Utf16Escapes {
 public:
  /// \param text  UTF-8; outlives this object
  explicit Utf16Escapes(std::string_view text);

  /// The text with every pair of halves replaced, byte for byte, by escapes that YAML knows.
  std::string_view readable() const { return offsets_.empty() ? text_ : std::string_view(copy_); }

  /// Puts back what was replaced in a scalar: as the character where the pair was an escape, as it
  /// stood where it was text (in single quotes, say).
  /// \param begin,end  the scalar's bytes in the text
  /// \param value  what the scalar was read as
  /// \return false where a pair got lost: its first half is no escape, its second is
  bool restore(std::size_t begin, std::size_t end, std::string& value) const;

 private:
  std::string_view text_;
  std::string copy_;                  ///< empty where nothing is replaced
  std::string stand_in_;              ///< as it is written in the copy
  std::string stand_in_value_;        ///< as it is read
  std::vector<std::size_t> offsets_;  ///< of the pairs, ascending
};

}  // namespace belay::policy
