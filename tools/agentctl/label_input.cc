#include "tools/agentctl/label_input.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "common/base/trim.h"
#include "common/base/unicode.h"
#include "common/exposition/text_parser.h"
#include "common/relabel/relabel.h"

namespace tributary {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// {name="value", "quoted name"="value"}: like a series without a metric's name, which the format
// of pages does not have.
class LabelSetParser {
 public:
  explicit LabelSetParser(std::string_view text) : rest_(text) {}

  Result<LabelInput> Parse() {
    LabelInput input;
    std::vector<Label> labels;
    Take('{');
    while (!Take('}')) {
      Label label;
      if (Status read = ReadLabel(label); !read) return tl::unexpected(read.error());
      const bool again = std::any_of(labels.begin(), labels.end(),
                                     [&](const Label& other) { return other.name == label.name; });
      if (again) return Fail("the label " + Quoted(label.name) + " is given twice");
      if (label.value.empty()) input.emptied.push_back(label.name);
      labels.push_back(std::move(label));
      if (!Take(',') && !Peek('}')) return Expected("',' or '}'");
    }
    if (!Trim(rest_, kBlanks).empty()) return Expected("nothing after '}'");
    input.labels = Labels(std::move(labels));
    return input;
  }

 private:
  bool Peek(char c) {
    rest_ = Trim(rest_, kBlanks);
    return rest_.starts_with(c);
  }
  bool Take(char c) {
    if (!Peek(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  tl::unexpected<Error> Expected(const std::string& what) {
    rest_ = Trim(rest_, kBlanks);
    return Fail("expected " + what + (rest_.empty() ? " at the end" : " at " + Quoted(rest_, 40)));
  }

  Status ReadLabel(Label& label) {
    if (Peek('"')) {
      if (Status name = ReadQuoted(label.name); !name) return name;
    } else {
      const size_t end = std::min(rest_.find_first_of("=,}!~ \t\""), rest_.size());
      label.name = rest_.substr(0, end);
      rest_.remove_prefix(end);
    }
    if (!IsValidLabelName(label.name, NameValidation::kUtf8)) return Expected("a label's name");
    if (!Take('=')) return Expected("'='");
    if (!Peek('"')) return Expected("a value in double quotes");
    return ReadQuoted(label.value);
  }

  Status ReadQuoted(std::string& out) {
    Take('"');
    for (size_t i = 0; i < rest_.size(); i++) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return {};
      }
      if (rest_[i] != '\\' || i + 1 == rest_.size()) {
        out += rest_[i];
        continue;
      }
      const char escaped = rest_[++i];
      if (escaped != 'n' && escaped != '"' && escaped != '\\') out += '\\';
      out += escaped == 'n' ? '\n' : escaped;
    }
    rest_ = {};
    return Expected("a closing quote");
  }

  std::string_view rest_;
};

// Nothing if it is no JSON at all.
std::optional<Result<LabelInput>> ParseJson(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  LabelInput input;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) return Fail("the label " + Quoted(name) + " is not text");
    if (!IsValidLabelName(name, NameValidation::kUtf8)) return Fail("a label has no name");
    if (value.get_ref<const std::string&>().empty()) input.emptied.push_back(name);
    input.labels.Set(name, value.get_ref<const std::string&>());
  }
  return input;
}

Result<LabelInput> FromSeries(std::string_view series, std::string_view type) {
  LabelInput input;
  Result<Labels> labels = ParseSeries(series, type, &input.emptied);
  if (!labels) return tl::unexpected(labels.error());
  input.labels = std::move(*labels);
  return input;
}

Result<LabelInput> Parse(std::string_view text, std::string_view type) {
  if (text.empty()) return Fail("no labels: give {a=\"b\"} or a series such as up{a=\"b\"}");
  std::string buffer;
  // A sample's line; or a series, which with a value becomes one.
  for (const std::string& line : {std::string(text), std::string(text) + " 1"}) {
    Result<ParsedLine> parsed = ParseLine(line, buffer);
    if (parsed && parsed->kind == LineKind::kSample) return FromSeries(parsed->series, type);
  }
  if (text.front() == '{') {
    if (auto json = ParseJson(text)) return *json;
    return LabelSetParser(text).Parse();
  }
  Result<ParsedLine> parsed = ParseLine(text, buffer);
  if (parsed) return Fail("expected a series such as up{a=\"b\"}");
  return tl::unexpected(parsed.error());
}

// The word of a TYPE line; whether the line holds no sample.
bool IsComment(std::string_view line, std::string& type) {
  if (line.empty()) return true;
  if (line.front() != '#') return false;
  std::string buffer;
  Result<ParsedLine> parsed = ParseLine(line, buffer);
  if (parsed && parsed->kind == LineKind::kType) type = parsed->text;
  return true;
}

}  // namespace

Result<LabelInput> ParseLabelInput(std::string_view text, std::string_view type) {
  text = Trim(text, kBlanks);
  Result<LabelInput> input = Parse(text, type);
  if (input) input->text = text;
  return input;
}

void ReadInputs(std::FILE* file, const std::function<void(Result<LabelInput>)>& each) {
  std::array<char, 64 << 10> chunk;
  std::string line, type;
  size_t number = 1;
  bool too_long = false;
  const auto fail = [&](const std::string& message) {
    each(Fail("line " + std::to_string(number) + ": " + message));
  };
  const auto finish = [&] {
    const std::string_view text = Trim(line, kBlanks);
    if (too_long) {
      fail("longer than " + std::to_string(kInputLineBytesMax) + " bytes");
    } else if (!IsComment(text, type)) {
      Result<LabelInput> input = ParseLabelInput(text, type);
      input ? each(std::move(input)) : fail(input.error().message);
    }
    line.clear();
    too_long = false;
    number++;
  };
  for (size_t size; (size = std::fread(chunk.data(), 1, chunk.size(), file)) > 0;) {
    std::string_view rest(chunk.data(), size);
    while (!rest.empty()) {
      const size_t newline = rest.find('\n');
      const std::string_view part = rest.substr(0, newline);
      too_long = too_long || line.size() + part.size() > kInputLineBytesMax;
      if (!too_long) line += part;
      if (newline == std::string_view::npos) break;
      finish();
      rest.remove_prefix(newline + 1);
    }
  }
  if (!line.empty() || too_long) finish();
  if (std::ferror(file) != 0) fail("cannot be read");
}

std::string Quoted(std::string_view text, size_t shown) {
  std::string out;
  AppendQuoted(text.substr(0, shown), out);
  return text.size() > shown ? out + "..." : out;
}

std::string FormatLabel(std::string_view name, std::string_view value) {
  std::string out =
      IsValidLabelName(name, NameValidation::kLegacy) ? std::string(name) : Quoted(name);
  return out + "=" + Quoted(value);
}

std::string FormatSeries(const Labels& labels) {
  const std::string_view metric = labels.Get(kMetricName);
  const bool bare = IsValidMetricName(metric, NameValidation::kLegacy);
  std::string out(bare ? metric : "");
  std::string inside = bare || metric.empty() ? "" : Quoted(metric);
  for (const Label& label : labels) {
    if (label.name == kMetricName) continue;
    inside += (inside.empty() ? "" : ",") + FormatLabel(label.name, label.value);
  }
  return inside.empty() && bare ? out : out + "{" + inside + "}";
}

}  // namespace tributary
