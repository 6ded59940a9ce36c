#include "test/support/protobuf_page_text.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/exposition/protobuf_page.h"
#include "common/histogram/validate.h"

namespace tributary {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string Hex(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string Bits(double value) { return fmt::format("{:x}", std::bit_cast<uint64_t>(value)); }

std::string Time(const std::optional<int64_t>& time) { return time ? std::to_string(*time) : "-"; }

std::string SeriesLabels(Pairs labels) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string out;
  for (size_t i = 0; i < labels.size();) {
    size_t end = i;
    bool empty = false;
    for (; end < labels.size() && labels[end].first == labels[i].first; ++end) {
      empty = empty || labels[end].second.empty();
    }
    if (!empty && end - i > 1) return "not unique";
    if (!empty) out += fmt::format("{}={} ", Hex(labels[i].first), Hex(labels[i].second));
    i = end;
  }
  return out;
}

std::string Exemplars(const ProtobufSeriesText& series) {
  std::string out;
  for (const auto& exemplar : series.exemplars) {
    Pairs labels = exemplar.labels;
    std::sort(labels.begin(), labels.end());
    out += fmt::format(" ex({} {}", Bits(exemplar.value), Time(exemplar.timestamp));
    for (const auto& [name, value] : labels) out += fmt::format(" {}={}", Hex(name), Hex(value));
    out += ")";
  }
  return out;
}

std::string Common(const ProtobufSeriesText& series) {
  return fmt::format("{{{}}} t={} st={}{}", SeriesLabels(series.labels), Time(series.timestamp),
                     Time(series.start), Exemplars(series));
}

std::string Spans(const std::vector<BucketSpan>& spans) {
  std::string out;
  for (const BucketSpan& span : spans) out += fmt::format("{}:{} ", span.offset, span.length);
  return out;
}

std::string Doubles(const std::vector<double>& values) {
  std::string out;
  for (const double value : values) out += Bits(value) + " ";
  return out;
}

std::string Body(const NativeHistogram& h) {
  if (!ValidateHistogram(h)) return "invalid";
  std::string out =
      fmt::format("schema={} hint={} zt={} sum={} ", h.schema, static_cast<int>(h.reset_hint),
                  Bits(h.zero_threshold), Bits(h.sum));
  if (h.is_float) {
    out += fmt::format("float count={} zero={} +[{}] -[{}] ", Bits(h.count_float),
                       Bits(h.zero_count_float), Doubles(h.positive_counts),
                       Doubles(h.negative_counts));
  } else {
    out += fmt::format("int count={} zero={} +[{}] -[{}] ", h.count, h.zero_count,
                       fmt::join(h.positive_deltas, " "), fmt::join(h.negative_deltas, " "));
  }
  return out + fmt::format("+({}) -({}) custom[{}]", Spans(h.positive_spans),
                           Spans(h.negative_spans), Doubles(h.custom_values));
}

// Reads a page, and keeps what it yields.
class Reading {
 public:
  explicit Reading(const ProtobufHistogramRules& rules) : series_(rules) {}

  // False after an error.
  bool Push(std::string_view bytes) {
    reader_.Push(bytes);
    for (;;) {
      switch (reader_.Next()) {
        case ProtobufPageReader::Event::kNeedsBytes:
          return true;
        case ProtobufPageReader::Event::kFamily:
          family_line_ = out_.lines.size();
          out_.lines.emplace_back();
          series_.BeginFamily(reader_.family());
          break;
        case ProtobufPageReader::Event::kMetric:
          // After an error of its own the family's rest is only looked at for its form.
          if (out_.ok) ReadMetric();
          break;
        case ProtobufPageReader::Event::kFamilyEnd: {
          if (!out_.ok) {
            stopped_ = true;
            return false;
          }
          const ProtobufFamily& family = reader_.family();
          out_.lines[family_line_] =
              FamilyLine(family.name, static_cast<int>(family.type), family.help, family.unit);
          break;
        }
        case ProtobufPageReader::Event::kError:
          return StopForPage();
      }
    }
  }

  ProtobufPageText Finish() {
    if (!stopped_ && !reader_.Finish()) StopForPage();
    if (!out_.ok) {
      std::erase_if(out_.lines, [](const std::string& line) { return !IsSeriesLine(line); });
    }
    return std::move(out_);
  }

 private:
  static bool IsSeriesLine(std::string_view line) {
    return line.starts_with("S ") || line.starts_with("H ");
  }

  void Stop(std::string error) {
    out_.ok = false;
    out_.error = std::move(error);
  }

  bool StopForPage() {
    if (reader_.family_never_began()) out_.lines.resize(family_line_);
    Stop(reader_.error());
    stopped_ = true;
    return false;
  }

  void ReadMetric() {
    series_.BeginMetric(reader_.metric());
    for (;;) {
      const auto step = series_.Next();
      if (step == ProtobufSeriesReader::Step::kEnd) return;
      if (step == ProtobufSeriesReader::Step::kError) return Stop(series_.error());
      if (Status labels = series_.CheckLabels(); !labels) return Stop(labels.error().message);
      ReadSample();
    }
  }

  void ReadSample() {
    ProtobufSeriesText text;
    Result<Labels> labels = series_.MakeLabels();
    if (labels) {
      for (const Label& label : *labels) text.labels.emplace_back(label.name, label.value);
    } else {
      text.labels = {{"twice", "1"}, {"twice", "2"}};
    }
    text.timestamp = series_.timestamp();
    text.start = series_.start_timestamp();
    ProtobufExemplarView exemplar;
    if (TakesExemplars(series_number_++)) {
      while (series_.NextExemplar(exemplar)) {
        auto& out = text.exemplars.emplace_back();
        for (const auto& [name, value] : exemplar.labels) out.labels.emplace_back(name, value);
        out.value = exemplar.value;
        out.timestamp = exemplar.timestamp;
      }
    }
    const ProtobufSample& sample = series_.sample();
    out_.lines.push_back(sample.histogram != nullptr ? HistogramLine(text, *sample.histogram)
                                                     : FloatLine(text, sample.value));
  }

  ProtobufPageReader reader_;
  ProtobufSeriesReader series_;
  ProtobufPageText out_;
  bool stopped_ = false;
  size_t family_line_ = 0;
  size_t series_number_ = 0;
};

}  // namespace

std::string FamilyLine(std::string_view name, int type, std::string_view help,
                       std::string_view unit) {
  return fmt::format("F {} {} {} {}", Hex(name), type, Hex(help), Hex(unit));
}

std::string FloatLine(const ProtobufSeriesText& series, double value) {
  return fmt::format("S {} v={}", Common(series), Bits(value));
}

std::string HistogramLine(const ProtobufSeriesText& series, const NativeHistogram& histogram) {
  return fmt::format("H {} {}", Common(series), Body(histogram));
}

ProtobufPageText FastProtobufPage(std::string_view page, const ProtobufHistogramRules& rules,
                                  const std::function<size_t()>& next_size) {
  Reading reading(rules);
  while (!page.empty()) {
    // A copy of its own: what a view into an earlier piece shows is then an error for sanitizers.
    const std::string piece(page.substr(0, next_size()));
    page.remove_prefix(piece.size());
    if (!reading.Push(piece)) break;
  }
  return reading.Finish();
}

ProtobufPageText FastProtobufPage(std::string_view page, const ProtobufHistogramRules& rules) {
  return FastProtobufPage(page, rules, [&] { return page.size(); });
}

std::string ToString(const ProtobufPageText& page) {
  std::string out = page.ok ? "ok\n" : "error: " + page.error + "\n";
  for (const std::string& line : page.lines) out += line + "\n";
  return out;
}

}  // namespace tributary
