// Native histograms as inputs and outputs of rules.
#include <cmath>

#include "common/wire/histogram.h"
#include "test/support/catch.h"
#include "test/unit/agent/aggregate/aggregate_rig.h"

namespace tributary {
namespace {

constexpr TimestampMs kMinute = 60'000;
constexpr TimestampMs kStart = 28'333'334 * kMinute;

HistogramSample Sample(uint32_t index, TimestampMs time, int32_t schema,
                       std::vector<int64_t> deltas, bool marker = false) {
  NativeHistogram h;
  h.schema = schema;
  h.positive_spans = {{1, static_cast<uint32_t>(deltas.size())}};
  int64_t bucket = 0;
  for (const int64_t delta : deltas) h.count += static_cast<uint64_t>(bucket += delta);
  h.positive_deltas = std::move(deltas);
  h.sum = marker ? StaleNan() : static_cast<double>(h.count);
  HistogramSample sample{index, time, 0, false, ""};
  EncodeHistogram(h, sample.encoded);
  return sample;
}

// What was appended of an output's histograms.
struct HistogramRig : AggregateRig {
  explicit HistogramRig(SimLoop& world_loop) : AggregateRig(world_loop) { Watch(); }
  void Watch() {
    workers[0]->log.set_on_append([this](const std::shared_ptr<const GroupSamples>& record) {
      const std::vector<Labels> labels = record->group->Decode();
      size_t value = 0;
      for (uint32_t i = 0; i < record->group->series(); i++) {
        if (!record->Has(i)) continue;
        outputs[std::string(labels[i].Get(kMetricName))].emplace_back(record->timestamp,
                                                                      record->values[value++]);
      }
      if (record->irregular == nullptr) return;
      for (const HistogramSample& sample : record->irregular->histograms) {
        NativeHistogram h;
        REQUIRE(DecodeHistogram(sample.encoded, h));
        REQUIRE(CountsOf(h).has_value());
        histograms[std::string(labels[sample.index].Get(kMetricName))].emplace_back(
            sample.timestamp, *CountsOf(h));
      }
    });
  }
  void AppendHistograms(const GroupRef& group, std::vector<HistogramSample> samples) {
    GroupSamples record;
    record.group = group;
    record.timestamp = samples.front().timestamp;
    record.present.resize(1);
    auto irregular = std::make_shared<IrregularSamples>();
    irregular->histograms = std::move(samples);
    record.irregular = std::move(irregular);
    Append(std::move(record));
  }
  std::map<std::string, std::vector<std::pair<TimestampMs, HistogramCounts>>> histograms;
};

std::vector<AggregateConfig> Rules() {
  AggregateConfig rises =
      RuleOf({"h"}, {}, {{AggregateOutput::kIncrease, "inc"}, {AggregateOutput::kRateSum, "rate"}});
  rises.window = milliseconds(120'000);
  AggregateConfig quantile = RuleOf({"h"}, {}, {{AggregateOutput::kHistogramQuantile, "p"}});
  quantile.quantile = 0.5;
  AggregateConfig values = RuleOf({"h"}, {},
                                  {{AggregateOutput::kSum, "sum"},
                                   {AggregateOutput::kAvg, "avg"},
                                   {AggregateOutput::kMax, "max"},
                                   {AggregateOutput::kCount, "count"}});
  values.drop_inputs = true;
  return {values, rises, quantile};
}

TEST_CASE("aggregates: native histograms are merged, over a restart too") {
  SimLoop loop(kStart);
  HistogramRig rig(loop);
  rig.Apply(Rules());
  const GroupRef group = MakeGroup(1, {"h{i=\"1\"}", "h{i=\"2\"}", "other"});
  const auto at = [](double minute) { return kStart + static_cast<TimestampMs>(minute * kMinute); };
  rig.AppendHistograms(group, {Sample(0, at(0.1), 1, {1, 1}), Sample(1, at(0.1), 0, {100}),
                               Sample(2, at(0.1), 0, {7})});
  CHECK(rig.histograms.size() == 1);  // the inputs are cut
  CHECK(rig.histograms.contains("other"));
  rig.AppendHistograms(group, {Sample(0, at(0.5), 1, {4, 1}), Sample(1, at(0.5), 0, {106})});
  loop.RunFor(seconds(75));
  REQUIRE(rig.histograms["sum"].size() == 1);
  CHECK(rig.histograms["sum"][0].first == at(1));
  // 4 and 5 of schema 1 are 9 in one bucket of schema 0.
  CHECK(rig.histograms["sum"][0].second.schema == 0);
  CHECK(rig.histograms["sum"][0].second.positive == HistogramCounts::Buckets{{1, 115}});
  CHECK(rig.histograms["sum"][0].second.sum == 115);
  CHECK(rig.histograms["avg"][0].second.count == 57.5);
  CHECK(rig.outputs["count"] == Logged::mapped_type{{at(1), 2}});
  CHECK(rig.outputs["max"].empty());
  CHECK(rig.histograms["inc"][0].second.positive == HistogramCounts::Buckets{{1, 6 + 3 + 3}});
  CHECK(rig.histograms["rate"][0].second.count == Approx(12.0 / 120));
  CHECK(rig.outputs["p"][0].second == Approx(std::sqrt(2)));

  rig.Stop();
  rig.Start();
  rig.Watch();
  // The first was reset, the second has another resolution.
  loop.RunFor(seconds(10));
  rig.AppendHistograms(group, {Sample(0, rig.now(), 1, {2}), Sample(1, rig.now(), -1, {110})});
  loop.RunFor(seconds(50));
  REQUIRE(rig.histograms["inc"].size() == 2);
  CHECK(rig.histograms["inc"][1].second.count == 12 + 2 + 4);
  CHECK(rig.histograms["inc"][1].second.schema == -1);
  rig.AppendHistograms(group,
                       {Sample(0, rig.now(), 0, {}, true), Sample(1, rig.now(), 0, {}, true)});
  loop.RunFor(seconds(240));
  CHECK(rig.histograms["sum"].size() == 2);
  for (const char* name : {"sum", "inc", "rate"}) {
    CAPTURE(name);
    REQUIRE(rig.outputs[name].size() == 1);
    CHECK(IsStaleNan(rig.outputs[name][0].second));
  }
}

TEST_CASE(
    "aggregates: of floats and native histograms together nothing is said, and that is counted") {
  SimLoop loop(kStart);
  HistogramRig rig(loop);
  rig.Apply(
      {RuleOf({"h"}, {}, {{AggregateOutput::kSum, "sum"}, {AggregateOutput::kCount, "count"}}),
       RuleOf({"h"}, {}, {{AggregateOutput::kIncrease, "inc"}})});
  const GroupRef group = MakeGroup(1, {"h{i=\"1\"}", "h{i=\"2\"}"});
  for (const int second : {1, 2}) {
    rig.AppendHistograms(group, {Sample(0, kStart + second * 1000, 1, {second})});
    rig.Append(group, kStart + second * 1000, {std::nan(""), 5.0 * second});
  }
  rig.outputs.clear();
  loop.RunFor(seconds(75));
  CHECK(rig.histograms.size() == 1);
  CHECK(rig.outputs == Logged{{"count", {{kStart + kMinute, 2}}}});
  CHECK(rig.Metric("tributary_aggregate_mixed_total{rule=\"r\"}") >= 1);
}

TEST_CASE("aggregates: native histograms are down-sampled") {
  SimLoop loop(kStart);
  HistogramRig rig(loop);
  rig.Apply({}, {{{"h"}, milliseconds(60'000)}});
  const GroupRef group = MakeGroup(1, {"h"});
  for (const int second : {1, 20, 59, 61}) {
    rig.AppendHistograms(group, {Sample(0, kStart + second * 1000, 1, {second})});
  }
  rig.AppendHistograms(group, {Sample(0, kStart + 70'000, 1, {}, true)});
  REQUIRE(rig.histograms["h"].size() == 3);
  CHECK(rig.histograms["h"][1].first == kStart + 61'000);
  CHECK(rig.Metric("tributary_aggregate_downsampled_samples_total") == 2);
}

}  // namespace
}  // namespace tributary
