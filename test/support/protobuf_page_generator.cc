#include "test/support/protobuf_page_generator.h"

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/varint.h"
#include "metrics.pb.h"

namespace tributary {
namespace {

namespace pb = test::metrics;

class Generator {
 public:
  Generator(std::mt19937_64& random, const ProtobufPageShape& shape)
      : random_(random), shape_(shape) {}

  std::string Page() {
    std::string page;
    for (uint64_t i = Below(shape_.families_max + 1); i > 0; --i) {
      const std::string family = Family();
      PutVarint(page, family.size());
      page += family;
    }
    return page;
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  bool Oddly() { return Below(1000) < shape_.oddities; }

  double Number() {
    static constexpr std::array<double, 9> kSpecial = {0,
                                                       -0.0,
                                                       1,
                                                       std::numeric_limits<double>::infinity(),
                                                       -std::numeric_limits<double>::infinity(),
                                                       std::numeric_limits<double>::quiet_NaN(),
                                                       1e300,
                                                       -2.5,
                                                       0x1p63};
    if (OneIn(8)) return kSpecial[Below(kSpecial.size())];
    return static_cast<double>(Below(1000)) / (OneIn(2) ? 8 : 1);
  }
  double Count() {
    return Oddly() ? Number() : static_cast<double>(Below(50)) / (OneIn(2) ? 4 : 1);
  }
  uint64_t Integer() { return Oddly() ? random_() : Below(100); }

  std::string Text(std::string_view stem) {
    std::string text(stem);
    text += std::to_string(Below(4));
    if (OneIn(6)) text += "é";
    if (Oddly()) text += '\xff';
    if (Oddly()) text.clear();
    return text;
  }

  template <typename Message>
  void AddUnknown(Message& message) {
    if (!Oddly()) return;
    auto* unknown = message.GetReflection()->MutableUnknownFields(&message);
    const int number = static_cast<int>(OneIn(3) ? 1 + Below(16) : 17 + Below(1000));
    switch (Below(5)) {
      case 0:
        unknown->AddVarint(number, random_());
        break;
      case 1:
        unknown->AddFixed32(number, 1);
        break;
      case 2:
        unknown->AddFixed64(number, 1);
        break;
      case 3:
        unknown->AddLengthDelimited(number, "unknown");
        break;
      default: {
        auto* group = unknown->AddGroup(17 + static_cast<int>(Below(9)));
        group->AddVarint(1, 300);
        group->AddGroup(2)->AddLengthDelimited(3, std::string(20, 'x'));
      }
    }
  }

  void Time(pb::Timestamp& time) {
    if (!OneIn(8)) time.set_seconds(static_cast<int64_t>(1'700'000'000 + Below(1000)));
    if (OneIn(2)) time.set_nanos(static_cast<int32_t>(Below(1'000'000'000)));
    if (Oddly()) time.set_seconds(static_cast<int64_t>(random_()));
    if (Oddly()) time.set_nanos(static_cast<int32_t>(random_()));
    AddUnknown(time);
  }

  void Exemplar(pb::Exemplar& exemplar) {
    for (uint64_t i = Below(3); i > 0; --i) Label(*exemplar.add_label(), "trace");
    if (!OneIn(8)) exemplar.set_value(Number());
    if (!OneIn(3)) Time(*exemplar.mutable_timestamp());
    AddUnknown(exemplar);
  }

  void Label(pb::LabelPair& pair, std::string_view stem) {
    if (!Oddly()) pair.set_name(Text(stem));
    if (!Oddly()) pair.set_value(OneIn(12) ? "" : Text("v"));
    AddUnknown(pair);
  }

  void Labels(pb::Metric& metric) {
    for (uint64_t i = Below(4); i > 0; --i) {
      Label(*metric.add_label(), std::array{"a", "b", "zone"}[Below(3)]);
    }
    if (Oddly()) metric.add_label()->set_name(OneIn(2) ? "le" : "__name__");
    // Mostly one metric has each name once.
    std::vector<std::string> names;
    for (auto& pair : *metric.mutable_label()) {
      if (std::count(names.begin(), names.end(), pair.name()) > 0 && !Oddly()) {
        pair.set_name(pair.name() + std::to_string(names.size()));
      }
      names.push_back(pair.name());
    }
  }

  void Summary(pb::Summary& summary) {
    if (!OneIn(8)) summary.set_sample_count(Integer());
    if (!OneIn(8)) summary.set_sample_sum(Number());
    for (uint64_t i = Below(4); i > 0; --i) {
      pb::Quantile& quantile = *summary.add_quantile();
      if (!OneIn(8)) quantile.set_quantile(static_cast<double>(Below(101)) / 100);
      if (!OneIn(8)) quantile.set_value(Number());
      AddUnknown(quantile);
    }
    if (OneIn(3)) Time(*summary.mutable_start_timestamp());
    AddUnknown(summary);
  }

  void Classic(pb::Histogram& h) {
    const bool floats = OneIn(4);
    double bound = -static_cast<double>(Below(3));
    uint64_t count = 0;
    for (uint64_t i = Below(8); i > 0; --i) {
      pb::Bucket& bucket = *h.add_bucket();
      bound += static_cast<double>(Below(4) + (Oddly() ? 0 : 1)) / 4;
      count += OneIn(2) ? 0 : Below(20);
      if (i == 1 && OneIn(2)) bound = std::numeric_limits<double>::infinity();
      bucket.set_upper_bound(Oddly() ? Number() : bound);
      if (floats) {
        bucket.set_cumulative_count_float(Oddly() ? Number() : static_cast<double>(count) / 2);
      } else if (!Oddly()) {
        bucket.set_cumulative_count(Oddly() ? random_() : count);
      }
      if (OneIn(4)) Exemplar(*bucket.mutable_exemplar());
      AddUnknown(bucket);
    }
    if (h.bucket_size() > 1 && Oddly()) {
      h.mutable_bucket()->SwapElements(0, h.bucket_size() - 1);
    }
    if (floats) {
      h.set_sample_count_float(Oddly() ? Number() : static_cast<double>(count) / 2);
    } else {
      h.set_sample_count(Oddly() ? random_() : count);
    }
  }

  uint64_t Spans(google::protobuf::RepeatedPtrField<pb::BucketSpan>& spans) {
    uint64_t buckets = 0;
    for (uint64_t i = Below(4); i > 0; --i) {
      pb::BucketSpan& span = *spans.Add();
      const int32_t offset = static_cast<int32_t>(Below(5)) - (spans.size() == 1 ? 2 : 0);
      if (!OneIn(8)) span.set_offset(Oddly() ? static_cast<int32_t>(random_()) : offset);
      const auto length = static_cast<uint32_t>(Below(5));
      if (!OneIn(8)) span.set_length(Oddly() ? static_cast<uint32_t>(random_()) : length);
      buckets += span.length();
      AddUnknown(span);
    }
    if (Oddly()) return Below(6);
    return std::min<uint64_t>(buckets, 20);
  }

  // Returns the sum of the counts.
  uint64_t Deltas(google::protobuf::RepeatedField<int64_t>& deltas, uint64_t buckets) {
    int64_t last = 0;
    uint64_t sum = 0;
    for (; buckets > 0; --buckets) {
      const auto count = static_cast<int64_t>(OneIn(3) ? 0 : Below(30));
      deltas.Add(Oddly() ? static_cast<int64_t>(random_()) : count - last);
      last = count;
      sum += static_cast<uint64_t>(count);
    }
    return sum;
  }

  void Counts(google::protobuf::RepeatedField<double>& counts, uint64_t buckets) {
    for (; buckets > 0; --buckets) counts.Add(OneIn(3) ? 0 : Count());
  }

  // The packed numbers of a field one by one, as producers in proto2 write them.
  static void Unpack(pb::Histogram& h) {
    auto* unknown = h.GetReflection()->MutableUnknownFields(&h);
    for (const int64_t delta : h.positive_delta()) {
      unknown->AddVarint(13,
                         (static_cast<uint64_t>(delta) << 1) ^ static_cast<uint64_t>(delta >> 63));
    }
    for (const double count : h.positive_count()) {
      unknown->AddFixed64(14, std::bit_cast<uint64_t>(count));
    }
    h.clear_positive_delta();
    h.clear_positive_count();
  }

  void Native(pb::Histogram& h) {
    if (!OneIn(8)) h.set_schema(static_cast<int32_t>(Below(13)) - 4);
    if (Oddly()) h.set_schema(OneIn(2) ? -53 : static_cast<int32_t>(Below(120)) - 60);
    if (!OneIn(4)) h.set_zero_threshold(Oddly() ? Number() : 0x1p-128);
    const uint64_t positive = Spans(*h.mutable_positive_span());
    if (h.positive_span_size() == 0 && !Oddly()) h.add_positive_span();
    const uint64_t negative = OneIn(2) ? Spans(*h.mutable_negative_span()) : 0;
    if (OneIn(3)) {
      Counts(*h.mutable_positive_count(), positive);
      Counts(*h.mutable_negative_count(), negative);
      if (OneIn(2)) h.set_zero_count_float(Count());
      h.set_sample_count_float(Count() * 10);
    } else {
      uint64_t sum = Deltas(*h.mutable_positive_delta(), positive);
      sum += Deltas(*h.mutable_negative_delta(), negative);
      if (OneIn(2)) h.set_zero_count(Integer());
      if (!Oddly()) h.clear_sample_count_float();
      h.set_sample_count(sum + h.zero_count() + (Oddly() ? 1 : 0));
    }
    if (OneIn(4)) Unpack(h);
    for (uint64_t i = OneIn(2) ? Below(4) : 0; i > 0; --i) Exemplar(*h.add_exemplars());
  }

  void Histogram(pb::Histogram& h) {
    const uint64_t kind = Below(8);
    if (kind < 5) Classic(h);
    if (kind >= 3 && kind < 7) Native(h);
    if (!OneIn(8)) h.set_sample_sum(Number());
    if (OneIn(3)) Time(*h.mutable_start_timestamp());
    AddUnknown(h);
  }

  void Metric(pb::Metric& metric, int type) {
    Labels(metric);
    if (Oddly()) type = static_cast<int>(Below(6));
    if (OneIn(20)) return;
    switch (type) {
      case 0:
        if (!OneIn(20)) metric.mutable_counter()->set_value(Number());
        if (OneIn(3)) Exemplar(*metric.mutable_counter()->mutable_exemplar());
        if (OneIn(3)) Time(*metric.mutable_counter()->mutable_start_timestamp());
        AddUnknown(*metric.mutable_counter());
        break;
      case 1:
        metric.mutable_gauge();
        if (!OneIn(20)) metric.mutable_gauge()->set_value(Number());
        AddUnknown(*metric.mutable_gauge());
        break;
      case 2:
        Summary(*metric.mutable_summary());
        break;
      case 3:
        metric.mutable_untyped();
        if (!OneIn(8)) metric.mutable_untyped()->set_value(Number());
        AddUnknown(*metric.mutable_untyped());
        break;
      default:
        Histogram(*metric.mutable_histogram());
    }
    if (OneIn(6)) metric.set_timestamp_ms(static_cast<int64_t>(OneIn(6) ? 0 : Below(1u << 30)));
    AddUnknown(metric);
  }

  std::string Family() {
    pb::MetricFamily family;
    if (!Oddly()) family.set_name(Text("family_"));
    if (!OneIn(8)) family.set_help(Text("help "));
    const int type = static_cast<int>(OneIn(3) ? 4 + Below(2) : Below(6));
    // Producers in proto3 do not write 0.
    if (type != 0 || OneIn(2)) family.set_type(Oddly() ? static_cast<int>(Below(9)) - 1 : type);
    for (uint64_t i = Below(shape_.metrics_max + 1); i > 0; --i) Metric(*family.add_metric(), type);
    if (OneIn(3)) family.set_unit(Text("seconds"));
    AddUnknown(family);
    std::string bytes = family.SerializeAsString();
    if (Oddly()) {
      // Name and type come again, or only now: behind the metrics.
      pb::MetricFamily tail;
      tail.set_name(family.name());
      if (OneIn(2)) tail.set_type(family.type());
      tail.SerializePartialToString(&tail_);
      bytes += tail_;
    }
    return bytes;
  }

  std::mt19937_64& random_;
  const ProtobufPageShape& shape_;
  std::string tail_;
};

}  // namespace

std::string RandomProtobufPage(std::mt19937_64& random, const ProtobufPageShape& shape) {
  return Generator(random, shape).Page();
}

std::string SpoilProtobufPage(std::mt19937_64& random, std::string page) {
  for (uint64_t i = 1 + random() % 3; i > 0 && !page.empty(); --i) {
    const size_t at = random() % page.size();
    switch (random() % 4) {
      case 0:
        page[at] = static_cast<char>(random());
        break;
      case 1:
        page[at] = static_cast<char>(page[at] ^ (1 << random() % 8));
        break;
      case 2:
        page.insert(at, 1, static_cast<char>(random()));
        break;
      default:
        page.erase(at, 1 + random() % 4);
    }
  }
  return page;
}

}  // namespace tributary
