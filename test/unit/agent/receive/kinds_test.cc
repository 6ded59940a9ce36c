// What is no float: native histograms, exemplars, metadata, start times.
#include <random>

#include "common/histogram/validate.h"
#include "common/wire/histogram.h"
#include "test/support/catch.h"
#include "test/unit/agent/receive/receive_rig.h"

namespace tributary {
namespace {

constexpr char kV2Type[] = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const Labels kSeries{{"__name__", "m"}, {"job", "j"}};

NativeHistogram Small() {
  NativeHistogram h;
  h.schema = 2;
  h.count = 3;
  h.zero_count = 1;
  h.sum = 7;
  h.positive_spans = {{1, 2}};
  h.positive_deltas = {1, 0};
  return h;
}

IncomingWrite HistogramRequest(bool is_v2, const NativeHistogram& histogram,
                               TimestampMs timestamp) {
  std::string encoded;
  EncodeHistogram(histogram, encoded);
  const std::string labels = EncodeLabels(kSeries);
  if (is_v2) {
    WriteRequestV2Builder builder;
    builder.AddHistogram({labels}, encoded, timestamp, timestamp - 1000);
    return {kV2Type, "snappy", builder.Finish()};
  }
  WriteRequestBuilder builder;
  builder.AddHistogram(labels, encoded, timestamp);
  return {"", "snappy", builder.Finish()};
}

IncomingWrite ExemplarRequest(bool is_v2, const Labels& own, double value, TimestampMs timestamp) {
  const std::string labels = EncodeLabels(kSeries), own_labels = EncodeLabels(own);
  if (is_v2) {
    WriteRequestV2Builder builder;
    builder.AddExemplar({labels}, own_labels, value, timestamp);
    return {kV2Type, "snappy", builder.Finish()};
  }
  WriteRequestBuilder builder;
  builder.AddExemplar(labels, own_labels, value, timestamp);
  return {"", "snappy", builder.Finish()};
}

TEST_CASE("receiver: native histograms are taken as they are, in both versions") {
  const bool is_v2 = GENERATE(false, true);
  SimLoop loop;
  ReceiveRig rig(loop);
  const TimestampMs t = rig.now();
  CHECK(rig.Send(HistogramRequest(is_v2, Small(), t)).status == 204);
  // The same again, and another at the same time.
  CHECK(rig.Send(HistogramRequest(is_v2, Small(), t)).written.histograms == 1);
  NativeHistogram other = Small();
  other.sum = 8;
  CHECK(rig.Send(HistogramRequest(is_v2, other, t)).status == 400);
  const auto records = rig.TakeRecords();
  REQUIRE(records.size() == 1);
  REQUIRE(records[0]->irregular->histograms.size() == 1);
  const HistogramSample& sample = records[0]->irregular->histograms[0];
  std::string expected;
  EncodeHistogram(Small(), expected);
  CHECK(sample.encoded == expected);
  CHECK(sample.timestamp == t);
  CHECK(sample.start == (is_v2 ? t - 1000 : 0));
  CHECK(!sample.custom_buckets);
}

TEST_CASE(
    "receiver: histograms that are none are refused, those of too high a resolution reduced") {
  SimLoop loop;
  ReceiveRig rig(loop);
  NativeHistogram broken = Small();
  broken.positive_deltas.push_back(4);
  const WriteAnswer answer = rig.Send(HistogramRequest(true, broken, rig.now()));
  CHECK(answer.status == 400);
  CHECK(answer.text.find("invalid histogram") != std::string::npos);
  CHECK(rig.TakeRecords().empty());
  NativeHistogram fine = Small();
  fine.schema = 10;
  CHECK(rig.Send(HistogramRequest(false, fine, rig.now())).status == 204);
  WriteRequestReader reader;
  WriteHistogram read;
  REQUIRE(reader.Open(WriteVersion::kV1, "", 1) == WriteRequestReader::Opened::kGood);
  const auto records = rig.TakeRecords();
  REQUIRE(records.size() == 1);
  REQUIRE(reader.ReadHistogram(records[0]->irregular->histograms[0].encoded, read));
  CHECK(read.histogram.schema == 8);
  CHECK(ValidateHistogram(read.histogram));
}

TEST_CASE("receiver: a later exemplar than the last is taken, an error in one fails nothing") {
  const bool is_v2 = GENERATE(false, true);
  SimLoop loop;
  ReceiveRig rig(loop);
  const TimestampMs t = rig.now();
  const Labels trace{{"trace_id", "a"}};
  CHECK(rig.Send(ExemplarRequest(is_v2, trace, 1, t)).written.exemplars == 1);
  CHECK(rig.Send(ExemplarRequest(is_v2, trace, 1, t)).written.exemplars == 1);
  const WriteAnswer late = rig.Send(ExemplarRequest(is_v2, trace, 2, t - 1));
  CHECK(late.status == 204);
  CHECK(late.written.exemplars == 0);
  CHECK(rig.Send(ExemplarRequest(is_v2, {{"x", std::string(200, 'y')}}, 2, t + 1))
            .written.exemplars == 0);
  CHECK(rig.Send(ExemplarRequest(is_v2, trace, 2, t + 3'600'000)).written.exemplars == 0);
  CHECK(rig.Send(ExemplarRequest(is_v2, trace, 2, t + 1)).written.exemplars == 1);
  const auto records = rig.TakeRecords();
  REQUIRE(records.size() == 2);
  const ExemplarSample& sample = records[0]->irregular->exemplars[0];
  CHECK(UnpackLabels(sample.labels) == trace);
  CHECK(sample.value == 1);
  CHECK(sample.timestamp == t);
  CHECK(rig.receiver.stats().exemplars_out_of_order == 1);
  CHECK(rig.receiver.stats().exemplars_invalid == 2);
}

TEST_CASE("receiver: what 2.0 says of a series' family goes with its samples") {
  SimLoop loop;
  ReceiveRig rig(loop);
  std::vector<SentSample> samples;
  for (int i = 0; i < 700; i++) {
    samples.push_back({{{"__name__", "m" + std::to_string(i)}, {"job", "j"}}, 1, rig.now()});
  }
  REQUIRE(rig.Send(V2Request(samples)).status == 204);
  for (SentSample& sample : samples) sample.timestamp++;
  REQUIRE(rig.Send(V2Request(samples)).status == 204);
  const auto records = rig.TakeRecords();
  REQUIRE(records.size() == 4);
  for (const auto& record : records) {
    REQUIRE(record->metadata != nullptr);
    for (uint32_t i = 0; i < record->group->series(); i++) {
      REQUIRE(record->metadata->Of(i) != nullptr);
      CHECK(record->metadata->Of(i)->help == "Help.");
      CHECK(record->metadata->Of(i)->unit == "units");
      CHECK(record->metadata->Of(i)->type == MetricType::kCounter);
    }
  }
  CHECK(records[0]->metadata == records[2]->metadata);
  CHECK(rig.receiver.stats().without_metadata == 0);
}

TEST_CASE("receiver: metadata of 1.0 is told on, and forgotten when it comes no more") {
  SimLoop loop;
  ReceiveRig rig(loop);
  WriteRequestBuilder builder;
  builder.AddMetadata("m_total", MetricType::kCounter, "Help.", "units");
  const IncomingWrite request{"", "snappy", builder.Finish()};
  REQUIRE(rig.Send(request).status == 204);
  auto families = rig.metadata.InUse();
  REQUIRE(families.size() == 1);
  CHECK(families[0]->family == "m_total");
  CHECK(families[0]->help == "Help.");
  for (int i = 0; i < 5; i++) {
    loop.RunFor(std::chrono::minutes(4));
    REQUIRE(rig.Send(request).status == 204);
    CHECK(rig.metadata.InUse().size() == 1);
  }
  families.clear();
  for (int i = 0; i < 3; i++) {
    loop.RunFor(std::chrono::minutes(5));
    rig.Send(V1Request({{{{"__name__", "m"}}, 1, rig.now()}}));
  }
  CHECK(rig.metadata.InUse().empty());
}

TEST_CASE("receiver: start times of 2.0 go with the samples") {
  SimLoop loop;
  ReceiveRig rig(loop);
  const TimestampMs t = rig.now();
  const auto send = [&](TimestampMs timestamp, TimestampMs start) {
    WriteRequestV2Builder builder;
    builder.AddSample({EncodeLabels(kSeries)}, 1, timestamp, start);
    return rig.Send({kV2Type, "snappy", builder.Finish()}).status;
  };
  REQUIRE(send(t, t - 5000) == 204);
  REQUIRE(send(t + 1, t - 5000) == 204);
  REQUIRE(send(t + 2, 0) == 204);
  const auto records = rig.TakeRecords();
  REQUIRE(records.size() == 3);
  CHECK((*records[0]->starts)[0] == t - 5000);
  CHECK(records[0]->starts == records[1]->starts);
  CHECK((*records[2]->starts)[0] == 0);
}

}  // namespace
}  // namespace tributary
