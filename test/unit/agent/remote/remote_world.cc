#include "test/unit/agent/remote/remote_world.h"

#include <utility>

#include "common/wire/histogram.h"
#include "test/support/catch.h"
#include "test/support/say_written.h"

namespace tributary {

GroupRef MakeGroupOf(uint64_t target_key, uint32_t generation, const std::vector<Labels>& series) {
  std::vector<std::string> packed(series.size());
  for (size_t i = 0; i < series.size(); i++) PackLabels(series[i], packed[i]);
  return std::make_shared<const GroupDefinition>(
      target_key, generation, std::vector<std::string_view>(packed.begin(), packed.end()));
}

GroupRef MakeGroup(uint64_t target_key, uint32_t generation, size_t series, Labels beside) {
  std::vector<Labels> all;
  for (size_t i = 0; i < series; i++) {
    Labels labels = beside;
    if (!labels.Has(kMetricName)) labels.Set(kMetricName, "m");
    labels.Set("i", std::to_string(i));
    all.push_back(std::move(labels));
  }
  return MakeGroupOf(target_key, generation, all);
}

RemoteWorld::RemoteWorld(SampleLogOptions log_options, bool has_frames)
    : log(loop, log_options), frames(loop, has_frames) {
  Answer(204);
  server = &network.Listen(kRemoteHostPort, [this](const ServedRequest& served) {
    Received request{DecodeWriteRequest(served.body, served.Header("Content-Type")), served,
                     loop.Now(), 0};
    ScriptedReply reply = answer(request);
    if (says_written) SayWritten(request.decoded, reply);
    request.status =
        reply.end == ScriptedReply::End::kComplete || reply.head_sent ? reply.status : 0;
    CHECK(request.decoded.error == "");
    received.push_back(std::move(request));
    return reply;
  });
}

RemoteEnvironment RemoteWorld::environment() {
  return {loop,    transport,    files, log,     metadata, logger, [] { return uint64_t{50}; },
          nullptr, dead_letters, 1,     &frames, &limits};
}

RemoteWriteConfig RemoteWorld::RemoteConfig() {
  RemoteWriteConfig config;
  config.url = kRemoteUrl;
  config.name = "central";
  config.metadata.send = false;
  config.queue.max_samples_per_send = 10;
  config.queue.capacity = 1000;
  config.queue.batch_send_deadline = seconds(1);
  config.queue.max_shards = 1;
  config.remote_timeout = seconds(5);
  config.errors = RemoteErrorsConfig::Off();
  return config;
}

RemoteSpec RemoteWorld::Spec(const RemoteWriteConfig& config, Labels external) {
  Config whole;
  whole.global.external_labels = std::move(external);
  return MakeRemoteSpec(whole, config);
}

std::unique_ptr<RemoteQueue> RemoteWorld::MakeQueue(const RemoteWriteConfig& config,
                                                    Labels external) {
  return std::make_unique<RemoteQueue>(environment(), Spec(config, std::move(external)));
}

GroupSamples RemoteWorld::SamplesOf(const GroupRef& group, TimestampMs timestamp) {
  GroupSamples samples;
  samples.group = group;
  samples.timestamp = timestamp;
  samples.present.resize((group->series() + 63) / 64);
  for (uint32_t i = 0; i < group->series(); i++) {
    samples.present[i / 64] |= uint64_t{1} << (i % 64);
    samples.values.push_back(next_value++);
  }
  return samples;
}

void RemoteWorld::Append(std::vector<GroupSamples> groups) {
  Commit commit;
  commit.groups = std::move(groups);
  log.Append(std::move(commit));
}

void RemoteWorld::Answer(int status, std::vector<HttpHeader> headers, std::string body) {
  answer = [=](const Received&) { return ScriptedReply::Text(status, body, headers); };
}

namespace {

template <typename Entry>
std::vector<Entry> Accepted(const RemoteWorld& world, std::vector<Entry> DecodedRequest::*entries) {
  std::vector<Entry> accepted;
  for (const RemoteWorld::Received& request : world.received) {
    if (request.status / 100 != 2) continue;
    const std::vector<Entry>& some = request.decoded.*entries;
    accepted.insert(accepted.end(), some.begin(), some.end());
  }
  return accepted;
}

}  // namespace

std::vector<DecodedSample> RemoteWorld::accepted() const {
  return Accepted(*this, &DecodedRequest::samples);
}

std::vector<DecodedHistogram> RemoteWorld::accepted_histograms() const {
  return Accepted(*this, &DecodedRequest::histograms);
}

std::vector<DecodedExemplar> RemoteWorld::accepted_exemplars() const {
  return Accepted(*this, &DecodedRequest::exemplars);
}

HistogramSample RemoteWorld::HistogramOf(uint32_t index, TimestampMs timestamp, uint64_t count) {
  NativeHistogram histogram;
  histogram.count = count;
  histogram.sum = static_cast<double>(count);
  histogram.positive_spans = {{0, 1}};
  histogram.positive_deltas = {static_cast<int64_t>(count)};
  HistogramSample sample{index, timestamp, 0, false, ""};
  EncodeHistogram(histogram, sample.encoded);
  return sample;
}

ExemplarSample RemoteWorld::ExemplarOf(uint32_t index, TimestampMs timestamp, double value) {
  ExemplarSample sample{index, timestamp, value, ""};
  PackLabels(Labels{{"trace_id", std::to_string(value)}}, sample.labels);
  return sample;
}

bool Balances(const RemoteQueue& queue) {
  return queue.stats().read == queue.stats().finished() + queue.pending() &&
         queue.ledger().balances();
}

}  // namespace tributary
