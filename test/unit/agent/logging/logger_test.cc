#include "agent/logging/logger.h"

#include <sys/mman.h>
#include <unistd.h>

#include <random>
#include <regex>

#include <nlohmann/json.hpp>

#include "common/base/utf8.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

// What is written to stderr meanwhile.
std::string StderrOf(const std::function<void()>& what) {
  const int file = memfd_create("stderr", 0);
  const int saved = dup(2);
  REQUIRE(file >= 0);
  REQUIRE(dup2(file, 2) == 2);
  what();
  REQUIRE(dup2(saved, 2) == 2);
  close(saved);
  std::string text(static_cast<size_t>(lseek(file, 0, SEEK_END)), '\0');
  REQUIRE(pread(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  close(file);
  return text;
}

std::string Line(Logger::Format format, std::string_view message,
                 std::initializer_list<LogField> fields) {
  return StderrOf([&] { Logger(LogLevel::kDebug, format).Log(LogLevel::kInfo, message, fields); });
}

// Without the time, which is checked by itself.
std::string Logfmt(std::string_view message, std::initializer_list<LogField> fields = {}) {
  const std::string line = Line(Logger::Format::kLogfmt, message, fields);
  static const std::regex kTime(R"(ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info )");
  std::smatch match;
  REQUIRE(std::regex_search(line, match, kTime, std::regex_constants::match_continuous));
  REQUIRE(line.back() == '\n');
  return line.substr(static_cast<size_t>(match.length()),
                     line.size() - static_cast<size_t>(match.length()) - 1);
}

TEST_CASE("logger: logfmt values are bare where they can be and quoted where they must") {
  CHECK(Logfmt("hello") == "msg=hello");
  CHECK(Logfmt("two words") == R"(msg="two words")");
  CHECK(Logfmt("") == R"(msg="")");
  CHECK(Logfmt("m", {{"a", "x=y"}, {"b", "\"q\""}, {"c", "back\\slash"}, {"d", "plain/1.2:3"}}) ==
        R"(msg=m a="x=y" b="\"q\"" c="back\\slash" d=plain/1.2:3)");
  CHECK(Logfmt("m", {{"n", "line\nline\ttab\r"}}) == R"(msg=m n="line\nline\ttab\r")");
  CHECK(Logfmt("m", {{"n", std::string("\0\x1b[31m\x7f", 7)}}).find_first_of("\x1b") ==
        std::string::npos);
}

TEST_CASE("logger: what looks like a format is text") {
  CHECK(Logfmt("{} {0} %v %d", {{"x", "{:d}%n"}}) == R"(msg="{} {0} %v %d" x={:d}%n)");
}

TEST_CASE("logger: any bytes make one line of valid UTF-8, in both formats") {
  const auto seed = GENERATE(range(1u, 21u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 50; i++) {
    std::string message(random() % 20, ' '), value(random() % 20, ' ');
    for (char& c : message) c = static_cast<char>(random() % 256);
    for (char& c : value) c = static_cast<char>(random() % 256);
    for (auto format : {Logger::Format::kLogfmt, Logger::Format::kJson}) {
      const std::string line = Line(format, message, {{"key", value}});
      REQUIRE(std::count(line.begin(), line.end(), '\n') == 1);
      REQUIRE(line.find('\x1b') == std::string::npos);
      REQUIRE(IsValidUtf8(line));
      if (format == Logger::Format::kJson) {
        REQUIRE(nlohmann::json::parse(line).at("level") == "info");
      }
    }
  }
}

TEST_CASE("logger: a JSON line has all of its fields") {
  const auto line = nlohmann::json::parse(
      Line(Logger::Format::kJson, "a \"b\"", {{"err", "1\n2"}, {"url", "http://h/?a=\\"}}));
  CHECK(line.at("msg") == "a \"b\"");
  CHECK(line.at("err") == "1\n2");
  CHECK(line.at("url") == "http://h/?a=\\");
  CHECK(line.at("level") == "info");
  CHECK(std::regex_match(line.at("ts").get<std::string>(),
                         std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")));
}

TEST_CASE("logger: levels below its own are not written") {
  const std::string text = StderrOf([] {
    Logger logger(LogLevel::kWarn, Logger::Format::kLogfmt);
    CHECK_FALSE(logger.enabled(LogLevel::kInfo));
    CHECK(logger.enabled(LogLevel::kError));
    logger.Debug("one");
    logger.Info("two");
    logger.Warn("three");
    logger.Error("four");
  });
  CHECK(text.find("one") == std::string::npos);
  CHECK(text.find("two") == std::string::npos);
  CHECK(text.find("level=warn msg=three") != std::string::npos);
  CHECK(text.find("level=error msg=four") != std::string::npos);
}

TEST_CASE("logger: the silent one says nothing") {
  CHECK(StderrOf([] { Logger::Silent().Error("x"); }).empty());
}

TEST_CASE("logger: the names of levels are read, and no others") {
  CHECK(ParseLogLevel("debug") == LogLevel::kDebug);
  CHECK(ParseLogLevel("info") == LogLevel::kInfo);
  CHECK(ParseLogLevel("warn") == LogLevel::kWarn);
  CHECK(ParseLogLevel("error") == LogLevel::kError);
  for (const char* other : {"", "Info", "warning", "trace"}) CHECK_FALSE(ParseLogLevel(other));
}

TEST_CASE("log limiter: one a period, and counts what it held back") {
  LogLimiter limiter{seconds(60)};
  MonotonicTime now{};
  uint64_t held_back = 99;
  CHECK(limiter.Allow(now, held_back));
  CHECK(held_back == 0);
  for (int i = 0; i < 7; i++) CHECK_FALSE(limiter.Allow(now += seconds(5), held_back));
  CHECK_FALSE(limiter.Allow(MonotonicTime{} + seconds(60) - nanoseconds(1), held_back));
  CHECK(limiter.Allow(MonotonicTime{} + seconds(60), held_back));
  CHECK(held_back == 8);
  CHECK(limiter.Allow(MonotonicTime{} + seconds(200), held_back));
  CHECK(held_back == 0);
}

}  // namespace
}  // namespace tributary
