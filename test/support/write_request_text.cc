#include "test/support/write_request_text.h"

#include <bit>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/stubs/logging.h>

#include "common/exposition/protobuf_metric.h"
#include "common/histogram/native_histogram.h"
#include "remote.pb.h"
#include "remote_v2.pb.h"

namespace tributary {

namespace {

// Of numbers the bits, as NaNs differ.
uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

std::string TextOf(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += fmt::format(" {:x}", Bits(value));
  return text;
}

std::string TextOf(const std::vector<BucketSpan>& spans) {
  std::string text;
  for (const BucketSpan& span : spans) text += fmt::format(" {}+{}", span.offset, span.length);
  return text;
}

std::string TextOf(const NativeHistogram& h) {
  return fmt::format(
      "{} {} {:x} {} {:x} sum {:x} schema {} threshold {:x} hint {}; {}; {}; {}; {}; {}; {}; {}",
      h.is_float, h.count, Bits(h.count_float), h.zero_count, Bits(h.zero_count_float), Bits(h.sum),
      h.schema, Bits(h.zero_threshold), static_cast<int>(h.reset_hint), TextOf(h.positive_spans),
      TextOf(h.negative_spans), fmt::join(h.positive_deltas, " "),
      fmt::join(h.negative_deltas, " "), TextOf(h.positive_counts), TextOf(h.negative_counts),
      TextOf(h.custom_values));
}

// Of labels without a name that alone. Nullopt: they cannot be read.
std::optional<std::string> TextOfLabels(std::string_view bytes) {
  std::vector<ProtobufLabel> labels;
  if (!DecodeProtobufLabels(bytes, labels)) return std::nullopt;
  std::string text;
  for (const ProtobufLabel& label : labels) {
    if (label.name.empty()) return "refused";
    text += fmt::format("{}={},", label.name, label.value);
  }
  return text;
}

template <typename Pairs>
std::string SlowTextOfLabels(const Pairs& labels) {
  std::string text;
  for (const auto& label : labels) {
    if (label.name().empty()) return "refused";
    text += fmt::format("{}={},", label.name(), label.value());
  }
  return text;
}

int KnownType(int type) { return type >= 0 && type <= 7 ? type : 0; }

template <typename Message>
NativeHistogram HistogramOf(const Message& message) {
  NativeHistogram h;
  h.is_float = message.count_case() == Message::kCountFloat;
  h.count = message.count_int();
  h.count_float = message.count_float();
  h.zero_count = message.zero_count_int();
  h.zero_count_float = message.zero_count_float();
  h.sum = message.sum();
  h.schema = message.schema();
  h.zero_threshold = message.zero_threshold();
  for (const auto& span : message.positive_spans()) {
    h.positive_spans.push_back({span.offset(), span.length()});
  }
  for (const auto& span : message.negative_spans()) {
    h.negative_spans.push_back({span.offset(), span.length()});
  }
  h.custom_values.assign(message.custom_values().begin(), message.custom_values().end());
  if (h.is_float) {
    h.count = h.zero_count = 0;
    h.positive_counts.assign(message.positive_counts().begin(), message.positive_counts().end());
    h.negative_counts.assign(message.negative_counts().begin(), message.negative_counts().end());
  } else {
    h.count_float = h.zero_count_float = 0;
    h.positive_deltas.assign(message.positive_deltas().begin(), message.positive_deltas().end());
    h.negative_deltas.assign(message.negative_deltas().begin(), message.negative_deltas().end());
  }
  const int hint = message.reset_hint();
  if (hint >= 0 && hint <= 3) h.reset_hint = static_cast<NativeHistogram::ResetHint>(hint);
  return h;
}

std::string SlowV1(const test::remote::WriteRequest& request) {
  std::string text;
  for (const auto& series : request.timeseries()) {
    text += "series " + SlowTextOfLabels(series.labels()) + "\n";
    for (const auto& sample : series.samples()) {
      text += fmt::format("  {:x} {} 0\n", Bits(sample.value()), sample.timestamp());
    }
    for (const auto& histogram : series.histograms()) {
      text += fmt::format("  {} {}\n", TextOf(HistogramOf(histogram)), histogram.timestamp());
    }
    for (const auto& exemplar : series.exemplars()) {
      text += fmt::format("  exemplar {} {:x} {}\n", SlowTextOfLabels(exemplar.labels()),
                          Bits(exemplar.value()), exemplar.timestamp());
    }
  }
  for (const auto& family : request.metadata()) {
    text += fmt::format("family {} {} {} {}\n", family.metric_family_name(),
                        KnownType(family.type()), family.help(), family.unit());
  }
  return text;
}

std::string SlowV2(const test::remote::v2::Request& request) {
  std::string text;
  for (const auto& series : request.timeseries()) {
    text += fmt::format("series {} family {} {} {}\n", fmt::join(series.labels_refs(), " "),
                        KnownType(series.metadata().type()), series.metadata().help_ref(),
                        series.metadata().unit_ref());
    for (const auto& sample : series.samples()) {
      text += fmt::format("  {:x} {} {}\n", Bits(sample.value()), sample.timestamp(),
                          sample.start_timestamp());
    }
    for (const auto& histogram : series.histograms()) {
      text += fmt::format("  {} {}\n", TextOf(HistogramOf(histogram)), histogram.timestamp());
    }
    for (const auto& exemplar : series.exemplars()) {
      text += fmt::format("  exemplar {} {:x} {}\n", fmt::join(exemplar.labels_refs(), " "),
                          Bits(exemplar.value()), exemplar.timestamp());
    }
  }
  for (const auto& symbol : request.symbols()) text += "symbol " + symbol + "\n";
  return text;
}

}  // namespace

std::optional<std::string> FastWriteRequestText(WriteVersion version, std::string_view bytes) {
  const bool is_v1 = version == WriteVersion::kV1;
  WriteRequestReader reader;
  if (reader.Open(version, bytes, 1 << 20) != WriteRequestReader::Opened::kGood) {
    return std::nullopt;
  }
  std::string text;
  WriteSeries series;
  WriteHistogram histogram;
  WriteExemplar exemplar;
  for (size_t i = 0; i < reader.series(); i++) {
    if (!reader.ReadSeries(i, series)) return std::nullopt;
    const auto series_labels = TextOfLabels(series.label_bytes);
    if (!series_labels) return std::nullopt;
    text += is_v1 ? "series " + *series_labels + "\n"
                  : fmt::format("series {} family {} {} {}\n", fmt::join(series.label_refs, " "),
                                static_cast<int>(series.type), series.help_ref, series.unit_ref);
    for (const WriteSample& sample : series.samples) {
      text += fmt::format("  {:x} {} {}\n", Bits(sample.value), sample.timestamp,
                          is_v1 ? 0 : sample.start);
    }
    for (const std::string_view part : series.histograms) {
      if (!reader.ReadHistogram(part, histogram)) return std::nullopt;
      text += fmt::format("  {} {}\n", TextOf(histogram.histogram), histogram.times.timestamp);
    }
    for (const std::string_view part : series.exemplars) {
      if (!reader.ReadExemplar(part, exemplar)) return std::nullopt;
      const auto labels = is_v1 ? TextOfLabels(exemplar.label_bytes)
                                : fmt::format("{}", fmt::join(exemplar.label_refs, " "));
      if (!labels) return std::nullopt;
      text +=
          fmt::format("  exemplar {} {:x} {}\n", *labels, Bits(exemplar.value), exemplar.timestamp);
    }
  }
  WriteMetadata family;
  for (size_t i = 0; i < reader.metadata(); i++) {
    if (!reader.ReadMetadata(i, family)) return std::nullopt;
    text += fmt::format("family {} {} {} {}\n", family.family, static_cast<int>(family.type),
                        family.help, family.unit);
  }
  for (const std::string_view symbol : reader.symbols()) {
    text += "symbol " + std::string(symbol) + "\n";
  }
  return text;
}

std::optional<std::string> SlowWriteRequestText(WriteVersion version, std::string_view bytes) {
  const google::protobuf::LogSilencer quiet;  // it tells of each text that is not UTF-8
  if (version == WriteVersion::kV1) {
    test::remote::WriteRequest request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
    return SlowV1(request);
  }
  test::remote::v2::Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return SlowV2(request);
}

}  // namespace tributary
