#include "webhook/serve/log.h"

#include <fmt/format.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <mutex>

#include "policy/text/time_text.h"
#include "policy/text/utf8.h"

namespace belay::webhook::serve {
namespace {

struct LevelName {
  LogLevel level;
  std::string_view name;
};
constexpr LevelName kLevels[] = {{LogLevel::kDebug, "debug"},
                                 {LogLevel::kInfo, "info"},
                                 {LogLevel::kWarning, "warning"},
                                 {LogLevel::kError, "error"}};

// ---- text

void append_unit(std::string& out, std::uint32_t unit) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  out += "\\u";
  for (const unsigned shift : {12U, 8U, 4U, 0U}) out += kHexDigits[unit >> shift & 0xfU];
}

/// JSON string content in ASCII, at most kMaxFieldBytes, cut between characters.
void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kCut = "...";
  constexpr std::uint32_t kNoCharacter = 0xfffd;  // for a byte that is not UTF-8
  constexpr std::size_t kLongestEscape = 12;      // two units of a surrogate pair
  const std::size_t limit = out.size() + kMaxFieldBytes - kCut.size() - kLongestEscape;
  while (!text.empty()) {
    if (out.size() > limit) {
      out += kCut;
      return;
    }
    const auto c = static_cast<unsigned char>(text.front());
    if (c >= 0x20 && c < 0x7f) {
      if (c == '"' || c == '\\') out += '\\';
      out += static_cast<char>(c);
      text.remove_prefix(1);
      continue;
    }
    const policy::Utf8Character character = policy::first_character(text);
    text.remove_prefix(std::max<std::size_t>(character.length, 1));
    const std::uint32_t code = character.length > 0 ? character.code : kNoCharacter;
    if (code >= 0x10000) {
      append_unit(out, 0xd7c0 + (code >> 10U));
      append_unit(out, 0xdc00 + (code & 0x3ffU));
    } else {
      append_unit(out, code);
    }
  }
}

void append_number(std::string& out, std::int64_t number) {
  const fmt::format_int text(number);
  out.append(text.data(), text.size());
}

// ---- the two formats

struct JsonValue {
  std::string& out;
  void operator()(std::string_view text) const {
    out += '"';
    append_escaped(out, text);
    out += '"';
  }
  void operator()(std::int64_t number) const { append_number(out, number); }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(std::span<const std::string_view> list) const {
    out += '[';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out += ',';
      (*this)(list[i]);
    }
    out += ']';
  }
};

/// The same, but texts without blanks and quotes stand as they are.
struct TextValue {
  std::string& out;
  void operator()(std::string_view text) const {
    if (!text.empty() && text.find_first_of(" =\"") == std::string_view::npos) {
      append_escaped(out, text);
    } else {
      JsonValue{out}(text);
    }
  }
  void operator()(std::int64_t number) const { append_number(out, number); }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(std::span<const std::string_view> list) const {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out += ',';
      append_escaped(out, list[i]);
    }
  }
};

// ---- spdlog

/// Writes what it is given, unformatted. A descriptor that takes no more loses the line: a log must
/// not end the server.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const char* data = message.payload.data();
    std::size_t left = message.payload.size();
    while (left > 0) {
      const ssize_t written = ::write(descriptor_, data, left);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      data += written;
      left -= static_cast<std::size_t>(written);
    }
  }
  void flush_() override {}

  int descriptor_;
};

}  // namespace

std::string_view name_of(LogLevel level) { return kLevels[static_cast<std::size_t>(level)].name; }

std::optional<LogLevel> log_level(std::string_view name) {
  for (const LevelName& row : kLevels) {
    if (row.name == name) return row.level;
  }
  if (name == "warn") return LogLevel::kWarning;  // as klog, zap and slog call it
  return std::nullopt;
}

void append_line(std::string& out, LogFormat format, LogLevel level,
                 std::chrono::system_clock::time_point time, std::string_view message,
                 LogFields fields) {
  if (format == LogFormat::kText) {
    policy::append_micro_time(out, time);
    fmt::format_to(std::back_inserter(out), " {:<7} ", name_of(level));
    append_escaped(out, message);
    for (const LogField& field : fields) {
      out += ' ';
      out += field.key;
      out += '=';
      std::visit(TextValue{out}, field.value);
    }
    out += '\n';
    return;
  }
  out += "{\"time\":\"";
  policy::append_micro_time(out, time);
  out += "\",\"level\":\"";
  out += name_of(level);
  out += "\",\"msg\":";
  JsonValue{out}(message);
  for (const LogField& field : fields) {
    out += ",\"";
    out += field.key;
    out += "\":";
    std::visit(JsonValue{out}, field.value);
  }
  out += "}\n";
}

struct Log::Writer {
  explicit Writer(const LogOptions& options)
      : pool(std::make_shared<spdlog::details::thread_pool>(options.queue, 1)),
        logger(std::make_shared<spdlog::async_logger>(
            "belay", std::make_shared<DescriptorSink>(options.descriptor), pool,
            spdlog::async_overflow_policy::overrun_oldest)) {
    logger->set_level(spdlog::level::trace);  // Log decides what is written
  }
  // The pool first: its thread writes what is queued, ends, and no longer holds the logger.
  ~Writer() { pool.reset(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

Log::Log(const LogOptions& options)
    : level_(options.level), format_(options.format), writer_(std::make_unique<Writer>(options)) {}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!enabled(level)) return;
  std::string line;
  append_line(line, format_, level, std::chrono::system_clock::now(), message,
              LogFields(fields.begin(), fields.size()));
  write_lines(line);
}

void Log::write_lines(std::string_view lines) {
  if (lines.empty()) return;
  writer_->logger->log(spdlog::level::info, spdlog::string_view_t(lines.data(), lines.size()));
}

std::size_t Log::dropped() const { return writer_->pool->overrun_counter(); }

}  // namespace belay::webhook::serve
