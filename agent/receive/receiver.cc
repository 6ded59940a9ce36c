#include "agent/receive/receiver.h"

#include <snappy.h>

#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "common/base/trim.h"
#include "common/http/transport.h"

namespace tributary {

namespace {

constexpr std::string_view kMediaType = "application/x-protobuf";
constexpr std::string_view kV1 = "prometheus.WriteRequest";
constexpr std::string_view kV2 = "io.prometheus.write.v2.Request";
// Snappy's longest copy is 64 bytes for three (format_description.txt).
constexpr size_t kSnappyRatioMax = 22;
// Of a full log, and of a disk that fails: so that senders do not all try at once and often.
constexpr uint32_t kRetryAfterSeconds = 5;
// What is kept between requests.
constexpr size_t kScratchKept = 4 << 20;

// As client_golang's exp/api/remote, ParseProtoMsg: what says nothing is 1.0.
std::optional<WriteVersion> VersionOf(std::string_view content_type) {
  content_type = Trim(content_type);
  if (content_type.empty()) return WriteVersion::kV1;
  const size_t end = content_type.find(';');
  if (!SameHeaderName(Trim(content_type.substr(0, end)), kMediaType)) return std::nullopt;
  std::string_view rest = end == std::string_view::npos ? "" : content_type.substr(end + 1);
  while (!rest.empty()) {
    const size_t next = rest.find(';');
    const std::string_view parameter = Trim(rest.substr(0, next));
    rest = next == std::string_view::npos ? "" : rest.substr(next + 1);
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    if (!SameHeaderName(parameter.substr(0, equals), "proto")) continue;
    std::string_view message = parameter.substr(equals + 1);
    if (message.size() >= 2 && message.front() == '"' && message.back() == '"') {
      message = message.substr(1, message.size() - 2);
    }
    if (message == kV1) return WriteVersion::kV1;
    if (message == kV2) return WriteVersion::kV2;
    return std::nullopt;
  }
  return WriteVersion::kV1;
}

WriteAnswer Refusal(int status, std::string text) {
  WriteAnswer answer;
  answer.status = status;
  answer.text = std::move(text);
  return answer;
}

WriteAnswer TryAgain(std::string text) {
  WriteAnswer answer = Refusal(503, std::move(text));
  answer.retry_after_s = kRetryAfterSeconds;
  return answer;
}

}  // namespace

struct Receiver::Decoded {
  std::string bytes;
  WriteRequestReader reader;
};

struct Receiver::Split {
  std::string sender;
  std::shared_ptr<Decoded> decoded;
  std::vector<std::vector<uint32_t>> series;  // by worker
  // Of the worker that has the request.
  EventLoop* loop = nullptr;
  std::shared_ptr<Receiver*> owner;
  size_t left = 0;
  bool kept = true;  // all that was taken is in the logs
  WriteOutcome outcome;
  Done done;
};

Receiver::Receiver(EventLoop& loop, SampleLog& log, MetadataPool& metadata, const HashKey& hash,
                   ReplicaElection& election, const std::atomic<ShedStep>* shed,
                   SeriesLimits* limits)
    : env_{loop, log, metadata, hash, election, nullptr, shed, limits},
      intake_(env_, stats_),
      sweep_timer_(loop),
      scratch_(std::make_unique<Decoded>()) {}

Receiver::~Receiver() { *self_ = nullptr; }

void Receiver::ApplyConfig(const Config& config, bool keep_starts, MetadataPool* series_families) {
  config_ = config.receive;
  env_.series_families = series_families;
  intake_.SetConfig(config_, config.out_of_order_time_window, keep_starts);
}

WriteAnswer Receiver::Unavailable() const {
  if (stopped_) return TryAgain("the agent is stopping");
  if (env_.log.stats().disk_failing) return TryAgain("the disk of the sample log fails");
  if (env_.log.NearlyFull()) return TryAgain("the sample log is full");
  return {};
}

bool Receiver::Decode(const IncomingWrite& request, Decoded& decoded, WriteAnswer& answer) {
  const auto refuse = [&](int status, std::string text) {
    answer = Refusal(status, std::move(text));
    return false;
  };
  const std::optional<WriteVersion> version = VersionOf(request.content_type);
  if (!version) {
    return refuse(415, fmt::format("the content type has to be {} with proto={} or proto={}",
                                   kMediaType, kV1, kV2));
  }
  if (!request.content_encoding.empty() && !SameHeaderName(request.content_encoding, "snappy")) {
    return refuse(415, "the content encoding has to be snappy");
  }
  const std::string& body = request.body;
  size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) {
    return refuse(400, "the body is not compressed by snappy");
  }
  if (size > config_.body_size_limit) {
    return refuse(413, fmt::format("the request has {} bytes, the limit is {}", size,
                                   config_.body_size_limit));
  }
  if (size / kSnappyRatioMax > body.size()) {
    return refuse(400, fmt::format("{} bytes of snappy cannot be {}", body.size(), size));
  }
  decoded.bytes.resize(size);
  if (!snappy::RawUncompress(body.data(), body.size(), decoded.bytes.data())) {
    return refuse(400, "the body is not compressed by snappy");
  }
  stats_.decoded_bytes += size;
  switch (decoded.reader.Open(*version, decoded.bytes, config_.sample_limit)) {
    case WriteRequestReader::Opened::kGood:
      return true;
    case WriteRequestReader::Opened::kMalformed:
      return refuse(400, fmt::format("the request is malformed: {}", decoded.reader.problem()));
    case WriteRequestReader::Opened::kTooMuch:
      return refuse(413, fmt::format("the request has more than {} series, symbols or families",
                                     config_.sample_limit));
  }
  return false;
}

void Receiver::KeepSweeping() {
  if (sweep_timer_.active()) return;
  sweep_timer_.SetAfter(ReceivedSeries::kSweepInterval, [this] {
    intake_.Sweep();
    if (intake_.series().sources() > 0) KeepSweeping();
  });
}

void Receiver::Take(const IncomingWrite& request, Done done) {
  KeepSweeping();
  stats_.body_bytes += request.body.size();
  WriteAnswer answer = Unavailable();
  if (answer.status != 0) return Answer(std::move(answer), done);
  if (peers_.size() > 1) {
    auto decoded = std::make_shared<Decoded>();
    if (!Decode(request, *decoded, answer)) return Answer(std::move(answer), done);
    return TakeSplit(std::move(decoded), request.sender, std::move(done));
  }
  Decoded& decoded = *scratch_;
  const bool good = Decode(request, decoded, answer);
  WriteOutcome outcome;
  if (good) outcome = intake_.Take(decoded.reader, nullptr, request.sender);
  const bool is_v2 = decoded.reader.version() == WriteVersion::kV2;
  if (decoded.bytes.capacity() > kScratchKept) scratch_ = std::make_unique<Decoded>();
  if (!good) return Answer(std::move(answer), done);
  Finish(std::move(outcome), is_v2, std::move(done));
}

void Receiver::Finish(WriteOutcome outcome, bool is_v2, Done done) {
  // What only came again may still be on its way.
  if (outcome.written.total() == 0) return Answer(AnswerOf(outcome, is_v2), done);
  const LogPosition position = env_.log.end();
  env_.log.AfterAppends(
      [self = self_, position, outcome = std::move(outcome), is_v2, done = std::move(done)] {
        Receiver* receiver = *self;
        if (receiver == nullptr) return;
        if (!receiver->env_.log.IsKept(position)) {
          return receiver->Answer(TryAgain("the disk of the sample log fails"), done);
        }
        receiver->Answer(receiver->AnswerOf(outcome, is_v2), done);
      });
}

void Receiver::TakeSplit(std::shared_ptr<Decoded> decoded, const std::string& sender, Done done) {
  std::array<std::vector<uint32_t>, kLogPartitions> by_partition;
  intake_.Sort(decoded->reader, by_partition);
  auto split = std::make_shared<Split>();
  split->sender = sender;
  split->decoded = std::move(decoded);
  split->series.resize(peers_.size());
  for (uint32_t p = 0; p < kLogPartitions; p++) {
    auto& series = split->series[p % peers_.size()];
    series.insert(series.end(), by_partition[p].begin(), by_partition[p].end());
  }
  split->loop = &env_.loop;
  split->owner = self_;
  split->done = std::move(done);
  // Metadata is this worker's: all of them tell the remotes.
  intake_.TakeMetadata(split->decoded->reader, split->outcome);
  // Counted before any can be done.
  for (const auto& series : split->series) split->left += series.empty() ? 0 : 1;
  if (split->left == 0) {
    const bool is_v2 = split->decoded->reader.version() == WriteVersion::kV2;
    return Answer(AnswerOf(split->outcome, is_v2), split->done);
  }
  for (size_t worker = 0; worker < peers_.size(); worker++) {
    if (split->series[worker].empty()) continue;
    peers_[worker].loop->Post(
        [receiver = peers_[worker].receiver, split, worker] { receiver->TakePart(split, worker); });
  }
}

void Receiver::TakePart(const std::shared_ptr<Split>& split, size_t worker) {
  KeepSweeping();
  WriteOutcome outcome;
  WriteAnswer unavailable = Unavailable();
  if (unavailable.status == 0) {
    outcome = intake_.Take(split->decoded->reader, &split->series[worker], split->sender);
  } else {
    outcome.problem = std::move(unavailable.text);
    outcome.try_again = true;
  }
  const LogPosition position = env_.log.end();
  env_.log.AfterAppends([self = self_, position, split, outcome = std::move(outcome)] {
    Receiver* receiver = *self;
    const bool kept = receiver != nullptr && receiver->env_.log.IsKept(position);
    split->loop->Post([split, outcome, kept] {
      split->outcome.Add(outcome);
      split->kept &= kept;
      if (--split->left > 0) return;
      Receiver* owner = *split->owner;
      if (owner == nullptr) return;
      const bool is_v2 = split->decoded->reader.version() == WriteVersion::kV2;
      owner->Answer(split->kept ? owner->AnswerOf(split->outcome, is_v2)
                                : TryAgain("the disk of the sample log fails"),
                    split->done);
    });
  });
}

WriteAnswer Receiver::AnswerOf(const WriteOutcome& outcome, bool is_v2) const {
  WriteAnswer answer;
  answer.status = 204;
  if (outcome.try_again) {
    answer = TryAgain(outcome.problem);
  } else if (outcome.malformed) {
    answer.status = 400;
    answer.text = "the request is malformed";
  } else if (outcome.over_limit) {
    answer.status = 413;
    answer.text = fmt::format("the request has more than {} samples", config_.sample_limit);
  } else if (outcome.refused > 0) {
    answer.status = 400;
    answer.text = fmt::format("{} refused, the first for: {}", outcome.refused, outcome.problem);
  }
  answer.tells_written = is_v2;
  answer.written = outcome.written;
  if (answer.status != 204) {
    answer.text +=
        fmt::format(" ({} samples, {} histograms, {} exemplars written)", outcome.written.samples,
                    outcome.written.histograms, outcome.written.exemplars);
  }
  return answer;
}

void Receiver::Answer(WriteAnswer answer, const Done& done) {
  stats_.answers[answer.status]++;
  done(std::move(answer));
}

void Receiver::Collect(MetricSink& sink) const {
  if (!is_on_) return;
  const auto counter = [&](const char* name, const char* help, uint64_t value,
                           const MetricLabels& labels = {}) {
    sink.AddCounter(name, help, labels, static_cast<double>(value));
  };
  const auto kinds = [&](const char* name, const char* help, const SampleCounts& counts) {
    counter(name, help, counts.samples, {{"kind", "samples"}});
    counter(name, help, counts.histograms, {{"kind", "histograms"}});
    counter(name, help, counts.exemplars, {{"kind", "exemplars"}});
  };
  for (const auto& [status, count] : stats_.answers) {
    counter("tributary_receive_requests_total", "Requests of remote write received, by answer.",
            count, {{"code", std::to_string(status)}});
  }
  counter("tributary_receive_body_bytes_total", "Bytes of these requests, compressed.",
          stats_.body_bytes);
  counter("tributary_receive_decoded_bytes_total", "Bytes of these requests, decompressed.",
          stats_.decoded_bytes);
  kinds("tributary_receive_taken_total", "Received and put into the sample log.", stats_.taken);
  kinds("tributary_receive_repeated_total", "Received once more, as they had been taken before.",
        stats_.repeated);
  kinds("tributary_receive_deduplicated_total",
        "Received from replicas that are not elected, and dropped.", stats_.deduplicated);
  for (size_t i = 0; i < kReceiveRefusals; i++) {
    counter("tributary_receive_refused_total",
            "Samples and histograms received that could not be taken.", stats_.refused[i],
            {{"reason", ReceiveRefusalName(static_cast<ReceiveRefusal>(i))}});
  }
  counter("tributary_receive_families_dropped_total",
          "Families whose metadata in remote write 1.0 was not kept: without a name, or "
          "more than 16 MiB in 5 minutes.",
          stats_.families_dropped);
  counter("tributary_receive_replica_names_over_limit_total",
          "Series received first from a replica beyond the 65,535 names that are known; they keep "
          "its label.",
          stats_.replica_names_over_limit);
  const auto refused = [&](ReceiveRefusal refusal) {
    return stats_.refused[static_cast<size_t>(refusal)];
  };
  counter("tributary_receive_exemplars_refused_total", "Exemplars received that were not taken.",
          stats_.exemplars_invalid, {{"reason", "invalid"}});
  counter("tributary_receive_exemplars_refused_total", "Exemplars received that were not taken.",
          stats_.exemplars_out_of_order, {{"reason", "out_of_order"}});
  counter("prometheus_api_remote_write_invalid_labels_samples_total",
          "Received samples and histograms that were refused for their labels.",
          refused(ReceiveRefusal::kInvalidLabels));
  counter("prometheus_api_remote_write_without_metadata_appended_samples_total",
          "Received samples and histograms without metadata.", stats_.without_metadata);
  counter("prometheus_agent_out_of_order_samples_total",
          "Received samples and histograms that were not later than the last of their series.",
          refused(ReceiveRefusal::kOutOfOrder) + refused(ReceiveRefusal::kConflict));
  sink.AddGauge("tributary_receive_series", "Series that are received.", {},
                static_cast<double>(intake_.series().series()));
  sink.AddGauge("tributary_receive_sources", "Sources (job, instance, cluster) of these series.",
                {}, static_cast<double>(intake_.series().sources()));
  counter("tributary_receive_series_added_total", "Series that were received for the first time.",
          intake_.series().series_added());
  sink.AddGauge("tributary_memory_bytes", "Memory in use, by part.", {{"part", "received"}},
                static_cast<double>(intake_.memory_bytes()));
}

}  // namespace tributary
