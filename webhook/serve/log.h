// The server's log: one JSON object (or one line of text) a record, never an object of a request.
//
// Lines are put together here, escaped, and handed to spdlog as they are: its patterns escape
// nothing. A thread of spdlog's writes them; where the reader of the log is slow, the oldest lines
// go, never the requests. Log is thread-safe; append_line() is pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace belay::webhook::serve {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
std::string_view name_of(LogLevel level);
/// "debug", "info", "warning" or "error".
std::optional<LogLevel> log_level(std::string_view name);

enum class LogFormat : std::uint8_t { kJson, kText };

/// Longest text of a field as it stands in the line, escapes included.
inline constexpr std::size_t kMaxFieldBytes = 512;

/// A field of a line: text is escaped and cut, lists are of texts.
struct LogField {
  using Value =
      std::variant<std::string_view, std::int64_t, bool, std::span<const std::string_view>>;
  std::string_view key;
  Value value;
};
using LogFields = std::span<const LogField>;

/// Appends one line with its end. All of it is printable ASCII: controls, everything beyond ASCII
/// and bytes that are no UTF-8 are escaped.
/// JSON: {"time":"2026-11-22T17:00:00.000001Z","level":"info","msg":"…", fields…}
/// Text: 2026-11-22T17:00:00.000001Z info    msg key=value …
void append_line(std::string& out, LogFormat format, LogLevel level,
                 std::chrono::system_clock::time_point time, std::string_view message,
                 LogFields fields);

struct LogOptions {
  LogLevel level = LogLevel::kInfo;  ///< lines below it are left out
  LogFormat format = LogFormat::kJson;
  int descriptor = 2;  ///< where lines go; standard error, so that output stays output
  /// Batches that wait for the writing thread; the oldest go first where it falls behind.
  std::size_t queue = 1024;
};

class Log {
 public:
  explicit Log(const LogOptions& options = {});
  ~Log();  ///< writes what still waits
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool enabled(LogLevel level) const { return level >= level_; }
  LogFormat format() const { return format_; }

  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
  /// Passes on whole lines that append_line() made; one write for all of them.
  void write_lines(std::string_view lines);
  /// Batches that were dropped because the writing thread fell behind.
  std::size_t dropped() const;

 private:
  struct Writer;
  LogLevel level_;
  LogFormat format_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace belay::webhook::serve
