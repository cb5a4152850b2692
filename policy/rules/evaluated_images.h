// The images of an object as rules see them, within the budget of the evaluation. Belongs to one
// evaluation.
#pragma once

#include <cstddef>
#include <expected>
#include <span>

#include "policy/budget.h"
#include "policy/image_reference.h"
#include "policy/workload.h"

namespace belay::policy {

/// One image with its parsed reference; parsed once for all policies.
struct EvaluatedImage {
  const ImageField* field = nullptr;
  std::expected<ImageReference, ReferenceError> reference;
  bool changed = true;       ///< see Workload::image_changed
  bool placeholder = false;  ///< ignored by this policy (templates only)

  /// Whether rules that look at registry, repository, tag or digest have something to look at.
  bool readable() const { return !placeholder && reference.has_value(); }
};

/// The images of an object, one after the other until the budget runs out: what was found by then
/// does not count.
class EvaluatedImages {
 public:
  /// \param budget  nullptr: no limit
  /// \param many  whether lists and images make much work together (matching.h), so that the
  ///     budget is asked before every image
  EvaluatedImages(std::span<const EvaluatedImage> all, Budget* budget, bool many)
      : all_(all), budget_(budget), many_(many) {}

  struct End {};
  class Iterator {
   public:
    explicit Iterator(const EvaluatedImages& images) : images_(images) {}
    const EvaluatedImage& operator*() const { return images_.all_[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(End /*end*/) const { return at_ < images_.all_.size() && !images_.exhausted(); }

   private:
    const EvaluatedImages& images_;
    std::size_t at_ = 0;
  };
  Iterator begin() const { return Iterator(*this); }
  static End end() { return {}; }

  std::span<const EvaluatedImage> all() const { return all_; }
  bool is_much_work() const { return many_; }
  /// Other images of the same object, within the same budget.
  EvaluatedImages with(std::span<const EvaluatedImage> others) const {
    return {others, budget_, many_};
  }
  bool exhausted() const { return many_ ? ask() : exhausted_; }
  /// The same before a template is tried, which may take a thousand times as long as another: the
  /// budget is asked now and then, however little work there seems to be.
  bool templates_exhausted() const {
    constexpr unsigned kFew = 64;
    return ++templates_ % kFew == 0 ? ask() : exhausted_;
  }

 private:
  bool ask() const {
    exhausted_ = exhausted_ || (budget_ != nullptr && budget_->exhausted());
    return exhausted_;
  }

  std::span<const EvaluatedImage> all_;
  Budget* budget_;
  bool many_;
  mutable bool exhausted_ = false;
  mutable unsigned templates_ = 0;
};

}  // namespace belay::policy
