#include "common/exposition/start_timestamps.h"

#include <array>
#include <cstring>
#include <string>

#include "common/exposition/float_text.h"
#include "common/exposition/line_scanner.h"

namespace tributary {
namespace {

constexpr std::string_view kCreated = "_created";

bool HasStart(std::string_view type) {
  return type == "counter" || type == "histogram" || type == "summary";
}

// Text that usually is short enough for the stack.
class KeyText {
 public:
  void Append(std::string_view text) {
    if (long_.empty() && size_ + text.size() <= short_.size()) {
      text.copy(short_.data() + size_, text.size());
      size_ += text.size();
      return;
    }
    if (long_.empty()) long_.assign(short_.data(), size_);
    long_ += text;
  }
  std::string_view view() const {
    return long_.empty() ? std::string_view(short_.data(), size_) : long_;
  }

 private:
  std::array<char, 1024> short_;
  size_t size_ = 0;
  std::string long_;
};

// Over the text of a series that the parser has accepted.
class SeriesWalker : public LineScanner {
 public:
  using LineScanner::LineScanner;

  // Calls f(name, value) for the labels; the metric's name, or nothing if the text is none.
  template <typename F>
  std::optional<std::string_view> Walk(F f) {
    std::optional<std::string_view> metric;
    if (AtClass(kMetricStart)) metric = TakeClass(kMetricByte);
    if (AtEnd()) return metric;
    if (!At('{')) return std::nullopt;
    ++p_;
    while (!At('}')) {
      std::string_view name;
      if (At('"')) {
        if (!Quoted(name)) return std::nullopt;
      } else {
        if (!AtClass(kLabelStart)) return std::nullopt;
        name = TakeClass(kLabelByte);
      }
      if (At('=')) {
        ++p_;
        std::string_view value;
        if (!At('"') || !QuotedValue<Newlines::kTake, Nuls::kSkip>(value)) return std::nullopt;
        f(name, value);
      } else {
        metric = name;
      }
      if (At(',')) ++p_;
    }
    return metric;
  }
};

std::optional<std::string_view> MetricName(std::string_view series) {
  // Most have it in front, and need no walk.
  const size_t brace = series.find('{');
  if (brace != 0) return series.substr(0, brace);
  return SeriesWalker(series).Walk([](std::string_view, std::string_view) {});
}

// The labels' text; the metric's name is returned, nothing if there is none.
std::optional<std::string_view> AppendLabels(std::string_view series, std::string_view type,
                                             KeyText& text) {
  return SeriesWalker(series).Walk([&](std::string_view name, std::string_view value) {
    if (type == "summary" && name == "quantile") return;
    if (type == "histogram" && name == "le") return;
    text.Append(name);
    text.Append(value);
  });
}

}  // namespace

bool IsCreatedSeries(std::string_view series, std::string_view type) {
  if (!HasStart(type)) return false;
  const std::optional<std::string_view> name = MetricName(series);
  return name && name->ends_with(kCreated);
}

std::optional<uint64_t> StartTimestampKey(std::string_view series, std::string_view type,
                                          size_t family_bytes, const HashKey& hash) {
  if (!HasStart(type)) return std::nullopt;
  KeyText text;
  const std::optional<std::string_view> name = AppendLabels(series, type, text);
  if (!name) return std::nullopt;
  // Prometheus counts from the start of the text, where the name usually is.
  const auto begin = static_cast<size_t>(name->data() - series.data());
  const size_t end = family_bytes + (series.starts_with("{\"") ? 2 : 0);
  if (end < begin || end > series.size()) return std::nullopt;
  text.Append(series.substr(begin, end - begin));
  return hash(text.view());
}

std::optional<uint64_t> CreatedKey(std::string_view series, std::string_view type,
                                   const HashKey& hash) {
  KeyText text;
  std::optional<std::string_view> name = AppendLabels(series, type, text);
  if (!name || !HasStart(type) || !name->ends_with(kCreated)) return std::nullopt;
  name->remove_suffix(kCreated.size());
  text.Append(*name);
  return hash(text.view());
}

bool StartTimestamps::IsRemembered(const std::optional<uint64_t>& key) const {
  return key && key == remembered_key_ && remembered_start_ > 0;
}

void StartTimestamps::TakeSample(uint32_t sample, std::optional<uint64_t> key) {
  if (waiting_.empty() && IsRemembered(key)) {
    found_.push_back({sample, remembered_start_});
  } else {
    waiting_.push_back({sample, key});
  }
}

void StartTimestamps::TakeCreated(std::optional<uint64_t> key, double value) {
  const TimestampMs start = MillisecondsOfSeconds(value);
  for (const Waiting& waiting : waiting_) {
    if (!IsRemembered(waiting.key)) {
      const bool matches = waiting.key && waiting.key == key;
      remembered_key_ = matches ? key : std::nullopt;
      remembered_start_ = matches ? start : 0;
    }
    if (remembered_key_ && remembered_start_ != 0) {
      found_.push_back({waiting.sample, remembered_start_});
    }
  }
  waiting_.clear();
}

void StartTimestamps::TakeMetadata() {
  for (const Waiting& waiting : waiting_) {
    if (IsRemembered(waiting.key)) {
      found_.push_back({waiting.sample, remembered_start_});
    } else {
      remembered_key_.reset();
    }
  }
  waiting_.clear();
}

void StartTimestamps::Reset() {
  waiting_.clear();
  found_.clear();
  remembered_key_.reset();
  remembered_start_ = 0;
}

}  // namespace tributary
