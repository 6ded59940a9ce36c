#include "test/unit/agent/receive/receive_rig.h"

#include <snappy.h>

#include "common/wire/protobuf_writer.h"
#include "test/support/catch.h"

namespace tributary {

namespace {

// As they stand, in any order.
std::string EncodedLabels(const std::vector<Label>& labels) {
  std::string encoded;
  for (const Label& label : labels) {
    std::string pair;
    protobuf::AppendBytesField(1, label.name, pair);
    protobuf::AppendBytesField(2, label.value, pair);
    protobuf::AppendBytesField(1, pair, encoded);
  }
  return encoded;
}

}  // namespace

std::string V1Body(const std::vector<SentSample>& samples) {
  WriteRequestBuilder builder;
  for (const SentSample& sample : samples) {
    builder.AddSample(EncodedLabels(sample.labels), sample.value, sample.timestamp);
  }
  return builder.Finish();
}

std::string V2Body(const std::vector<SentSample>& samples) {
  WriteRequestV2Builder builder;
  for (const SentSample& sample : samples) {
    const std::string labels = EncodedLabels(sample.labels);
    builder.AddSample({labels, MetricType::kCounter, "Help.", "units"}, sample.value,
                      sample.timestamp, 0);
  }
  return builder.Finish();
}

IncomingWrite V1Request(const std::vector<SentSample>& samples) {
  return {"application/x-protobuf", "snappy", V1Body(samples)};
}

IncomingWrite V2Request(const std::vector<SentSample>& samples) {
  return {"application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy", V2Body(samples)};
}

IncomingWrite RequestOf(std::string raw, std::string content_type) {
  IncomingWrite request{std::move(content_type), "snappy", {}};
  snappy::Compress(raw.data(), raw.size(), &request.body);
  return request;
}

std::vector<std::shared_ptr<const GroupSamples>> ReceiveRig::TakeRecords() {
  std::vector<std::shared_ptr<const GroupSamples>> records;
  while (true) {
    std::optional<SampleLog::Batch> batch;
    log.Read(reader, 1'000'000, [&](SampleLog::Batch read) { batch = std::move(read); });
    loop.RunFor(milliseconds(1));
    if (!batch) return records;
    for (const LogRecord& record : batch->records) {
      records.push_back(record.samples);
      log.Done(reader, record.ticket);
    }
    if (batch->at_end) return records;
  }
}

std::vector<LoggedSample> ReceiveRig::TakeLogged() {
  std::vector<LoggedSample> logged;
  for (const auto& record : TakeRecords()) {
    const std::vector<Labels> labels = record->group->Decode();
    const auto own = [&](bool earlier) {
      for (const OwnSample& sample : record->own) {
        if ((sample.timestamp < record->timestamp) == earlier) {
          logged.push_back({labels[sample.index], sample.timestamp, sample.value});
        }
      }
    };
    own(true);
    size_t value = 0;
    for (uint32_t i = 0; i < labels.size(); i++) {
      if (record->Has(i)) logged.push_back({labels[i], record->timestamp, record->values[value++]});
    }
    own(false);
  }
  return logged;
}

}  // namespace tributary
