#include "test/support/write_request.h"

#include <snappy.h>

#include <set>

#include "remote.pb.h"
#include "remote_v2.pb.h"

namespace tributary {

namespace {

namespace v1 = test::remote;
namespace v2 = test::remote::v2;

template <typename Spans>
std::vector<BucketSpan> SpansOf(const Spans& spans) {
  std::vector<BucketSpan> result;
  for (const auto& span : spans) result.push_back({span.offset(), span.length()});
  return result;
}

// Both versions have the same fields.
template <typename Message>
NativeHistogram HistogramOf(const Message& message) {
  NativeHistogram histogram;
  histogram.is_float = message.count_case() == Message::kCountFloat;
  histogram.count = message.count_int();
  histogram.count_float = message.count_float();
  histogram.sum = message.sum();
  histogram.schema = message.schema();
  histogram.zero_threshold = message.zero_threshold();
  histogram.zero_count = message.zero_count_int();
  histogram.zero_count_float = message.zero_count_float();
  histogram.negative_spans = SpansOf(message.negative_spans());
  histogram.negative_deltas.assign(message.negative_deltas().begin(),
                                   message.negative_deltas().end());
  histogram.negative_counts.assign(message.negative_counts().begin(),
                                   message.negative_counts().end());
  histogram.positive_spans = SpansOf(message.positive_spans());
  histogram.positive_deltas.assign(message.positive_deltas().begin(),
                                   message.positive_deltas().end());
  histogram.positive_counts.assign(message.positive_counts().begin(),
                                   message.positive_counts().end());
  histogram.reset_hint = static_cast<NativeHistogram::ResetHint>(message.reset_hint());
  histogram.custom_values.assign(message.custom_values().begin(), message.custom_values().end());
  return histogram;
}

class Decoder {
 public:
  explicit Decoder(DecodedRequest& out) : out_(out) {}

  void Read(const v1::WriteRequest& request) {
    for (const auto& series : request.timeseries()) {
      const Labels labels = LabelsOf(series.labels());
      if (labels.empty()) Bad("a series without labels");
      CheckContent(series);
      for (const auto& sample : series.samples()) {
        out_.samples.push_back({labels, sample.value(), sample.timestamp()});
      }
      for (const auto& sample : series.histograms()) {
        out_.histograms.push_back({labels, HistogramOf(sample), sample.timestamp()});
      }
      for (const auto& exemplar : series.exemplars()) {
        out_.exemplars.push_back(
            {labels, LabelsOf(exemplar.labels()), exemplar.value(), exemplar.timestamp()});
      }
    }
    for (const auto& entry : request.metadata()) {
      out_.metadata.push_back(
          {entry.metric_family_name(), static_cast<int>(entry.type()), entry.help(), entry.unit()});
    }
  }

  void Read(const v2::Request& request) {
    out_.is_v2 = true;
    symbols_ = &request.symbols();
    if (symbols_->empty() || !symbols_->Get(0).empty()) Bad("the first symbol is not empty");
    const std::set<std::string> distinct(symbols_->begin(), symbols_->end());
    if (distinct.size() != static_cast<size_t>(symbols_->size())) Bad("a symbol is there twice");
    for (const auto& series : request.timeseries()) {
      const Labels labels = LabelsOfRefs(series.labels_refs());
      if (labels.empty()) Bad("a series without labels");
      CheckContent(series);
      const DecodedMetadata metadata{"", static_cast<int>(series.metadata().type()),
                                     Symbol(series.metadata().help_ref()),
                                     Symbol(series.metadata().unit_ref())};
      for (const auto& sample : series.samples()) {
        out_.samples.push_back(
            {labels, sample.value(), sample.timestamp(), sample.start_timestamp(), metadata});
      }
      for (const auto& sample : series.histograms()) {
        out_.histograms.push_back(
            {labels, HistogramOf(sample), sample.timestamp(), sample.start_timestamp(), metadata});
      }
      for (const auto& exemplar : series.exemplars()) {
        out_.exemplars.push_back({labels, LabelsOfRefs(exemplar.labels_refs()), exemplar.value(),
                                  exemplar.timestamp(), metadata});
      }
    }
  }

 private:
  void Bad(const std::string& error) { out_.error = error; }

  template <typename Series>
  void CheckContent(const Series& series) {
    if (series.samples_size() > 0 && series.histograms_size() > 0) {
      Bad("samples beside histograms");
    }
    if (series.samples_size() + series.histograms_size() + series.exemplars_size() == 0) {
      Bad("a series without anything");
    }
  }

  Labels MakeLabels(std::vector<Label> labels) {
    for (size_t i = 0; i < labels.size(); i++) {
      if (labels[i].name.empty() || labels[i].value.empty()) Bad("an empty label");
      if (i > 0 && labels[i - 1].name >= labels[i].name) Bad("labels out of order");
    }
    return Labels(std::move(labels));
  }

  template <typename Messages>
  Labels LabelsOf(const Messages& messages) {
    std::vector<Label> labels;
    for (const auto& label : messages) labels.push_back({label.name(), label.value()});
    return MakeLabels(std::move(labels));
  }

  template <typename Refs>
  Labels LabelsOfRefs(const Refs& refs) {
    std::vector<Label> labels;
    if (refs.size() % 2 != 0) Bad("a label without a value");
    for (int i = 0; i + 1 < refs.size(); i += 2) {
      labels.push_back({Symbol(refs[i]), Symbol(refs[i + 1])});
    }
    return MakeLabels(std::move(labels));
  }

  std::string Symbol(uint32_t number) {
    if (number >= static_cast<uint32_t>(symbols_->size())) {
      Bad("a symbol that is not there");
      return "";
    }
    return symbols_->Get(static_cast<int>(number));
  }

  DecodedRequest& out_;
  const google::protobuf::RepeatedPtrField<std::string>* symbols_ = nullptr;
};

template <typename Message>
void Decode(const std::string& raw, DecodedRequest& decoded) {
  Message request;
  if (!request.ParseFromString(raw)) {
    decoded.error = "no message of the version that Content-Type says";
    return;
  }
  Decoder(decoded).Read(request);
}

}  // namespace

DecodedRequest DecodeWriteRequest(std::string_view body, std::string_view content_type) {
  DecodedRequest decoded;
  std::string raw;
  if (!snappy::Uncompress(body.data(), body.size(), &raw)) {
    decoded.error = "no snappy block";
    return decoded;
  }
  decoded.raw_bytes = raw.size();
  if (content_type.find("io.prometheus.write.v2.Request") != std::string_view::npos) {
    Decode<v2::Request>(raw, decoded);
  } else {
    Decode<v1::WriteRequest>(raw, decoded);
  }
  return decoded;
}

}  // namespace tributary
