#include "agent/logging/logger.h"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tributary {

namespace {

std::string_view LevelName(LogLevel level) {
  constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  return kNames[static_cast<size_t>(level)];
}

std::string QuoteJson(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// logfmt: bare where it can be, quoted where it must. Not in ASCII is quoted too, which makes any bytes
// valid UTF-8.
void AppendValue(std::string& out, std::string_view value) {
  const bool bare = !value.empty() && value.find_first_of(" =\"\\") == std::string_view::npos &&
                    std::all_of(value.begin(), value.end(),
                                [](char c) { return c > ' ' && c < 127; });
  if (bare) {
    out += value;
  } else {
    out += QuoteJson(value);
  }
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view text) {
  for (LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (text == LevelName(level)) return level;
  }
  return std::nullopt;
}

struct Logger::Impl {
  spdlog::logger logger;
  explicit Impl(Format format)
      : logger("tributary", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    const char* pattern =
        format == Format::kJson ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ",%v})" : "ts=%Y-%m-%dT%H:%M:%S.%eZ %v";
    logger.set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
    logger.set_level(spdlog::level::trace);
    logger.flush_on(spdlog::level::trace);
  }
};

Logger::Logger(LogLevel level, Format format)
    : level_(level), format_(format), impl_(std::make_unique<Impl>(format)) {}
Logger::~Logger() = default;
Logger Logger::Silent() { return Logger(); }

void Logger::Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!enabled(level)) return;
  std::string line;
  if (format_ == Format::kJson) {
    line = "\"level\":" + QuoteJson(LevelName(level)) + ",\"msg\":" + QuoteJson(message);
    for (const LogField& field : fields) line += "," + QuoteJson(field.key) + ":" + QuoteJson(field.value);
  } else {
    line = "level=";
    line += LevelName(level);
    line += " msg=";
    AppendValue(line, message);
    for (const LogField& field : fields) {
      line += ' ';
      line += field.key;
      line += '=';
      AppendValue(line, field.value);
    }
  }
  // As an argument: what looks like a format in it is none.
  impl_->logger.log(spdlog::level::info, "{}", line);
}

}  // namespace tributary
