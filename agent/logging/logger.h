// The agent's log: one line an event on stderr, logfmt or JSON, for people and for collectors.
//
// Thread-safe. Callers never pass secrets: URLs go through RedactUrl, receivers' words are clipped.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace tributary {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };
std::optional<LogLevel> ParseLogLevel(std::string_view text);  // debug, info, warn, error

struct LogField {
  std::string_view key;
  std::string value;
};

class Logger {
 public:
  enum class Format : uint8_t { kLogfmt, kJson };

  Logger(LogLevel level, Format format);
  ~Logger();
  // One that says nothing, for tests.
  static Logger Silent();

  void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kDebug, message, fields);
  }
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kInfo, message, fields);
  }
  void Warn(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kWarn, message, fields);
  }
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kError, message, fields);
  }
  bool enabled(LogLevel level) const { return impl_ != nullptr && level >= level_; }

 private:
  struct Impl;
  Logger() = default;

  LogLevel level_ = LogLevel::kError;
  Format format_ = Format::kLogfmt;
  std::unique_ptr<Impl> impl_;
};

// Lets an event of a kind through at most once a period, and tells how many it held back. One thread.
class LogLimiter {
 public:
  explicit LogLimiter(nanoseconds period) : period_(period) {}
  // Whether to log now; `held_back` are those since the last time.
  bool Allow(MonotonicTime now, uint64_t& held_back) {
    if (last_ && now - *last_ < period_) {
      held_back_++;
      return false;
    }
    last_ = now;
    held_back = held_back_;
    held_back_ = 0;
    return true;
  }

 private:
  nanoseconds period_;
  std::optional<MonotonicTime> last_;
  uint64_t held_back_ = 0;
};

}  // namespace tributary
