// The memory of requests that are not whole: a connection's buffer, and the count of bytes that all
// connections hold. A buffer belongs to one reactor's thread; the count is shared.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>
#include <tuple>

namespace belay::webhook::http {

/// Bytes that connections hold for requests and responses that are not whole. Thread-safe.
class BytesInFlight {
 public:
  explicit BytesInFlight(std::size_t limit) : limit_(limit) {}
  /// \return false, with nothing taken, if the limit would be passed
  bool take(std::size_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_) return true;
    give(bytes);
    return false;
  }
  void give(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

/// Bytes of a request that is not whole; one byte more than its capacity may be written. Grows by
/// realloc, so large bodies move by page tables rather than by copying.
class InputBuffer {
 public:
  char* data() { return bytes_.get(); }
  std::size_t capacity() const { return capacity_; }
  std::size_t size = 0;

  /// \pre capacity >= size
  void grow(std::size_t capacity) {
    char* const bytes = static_cast<char*>(std::realloc(bytes_.get(), capacity + 1));
    if (bytes == nullptr) throw std::bad_alloc();
    std::ignore = bytes_.release();
    bytes_.reset(bytes);
    capacity_ = capacity;
  }
  void release() {
    bytes_.reset();
    capacity_ = size = 0;
  }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char, Free> bytes_;
  std::size_t capacity_ = 0;
};

/// The bytes at hand during one event: in the reactor's scratch memory, or, for a large body, in
/// the connection's own buffer. The byte behind `capacity` may be written.
struct Window {
  char* base;
  std::size_t start, end, capacity;
  std::string_view rest() const { return {base + start, end - start}; }
};

}  // namespace belay::webhook::http
