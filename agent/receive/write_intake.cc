#include "agent/receive/write_intake.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <fmt/format.h>

#include "common/base/utf8.h"
#include "common/exposition/exemplar.h"
#include "common/histogram/limits.h"
#include "common/histogram/validate.h"
#include "common/wire/histogram.h"

namespace tributary {

namespace {

// Samples may be that far ahead of the clock (write_handler.go maxAheadTime).
constexpr TimestampMs kAheadMaxMs = 10 * 60 * 1000;
// Schemas that no store takes yet are brought down (histogram.IsExponentialSchemaReserved).
constexpr int32_t kReservedSchemaMax = 52;
// Of replicas that senders have named.
constexpr size_t kReplicasMax = 0xffff;
// Of series that other workers have; when it is full it is begun anew.
constexpr size_t kPartitionsKnownMax = size_t{4} << 20;
// Of a help or unit; and of all that requests of 1.0 say of families.
constexpr size_t kHelpBytesMax = 16 << 10;
constexpr size_t kFamilyBytesMax = 16 << 20;
// Of a text that says what is wrong.
constexpr size_t kProblemBytesMax = 1000;

std::string_view BytesOf(const std::vector<uint64_t>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(uint64_t)};
}

uint64_t BitsOf(double value) { return std::bit_cast<uint64_t>(value); }

}  // namespace

const char* ReceiveRefusalName(ReceiveRefusal refusal) {
  switch (refusal) {
    case ReceiveRefusal::kInvalidLabels:
      return "invalid_labels";
    case ReceiveRefusal::kLabelLimit:
      return "label_limit";
    case ReceiveRefusal::kOutOfOrder:
      return "out_of_order";
    case ReceiveRefusal::kConflict:
      return "duplicate_timestamp";
    case ReceiveRefusal::kTooFarAhead:
      return "too_far_ahead";
    case ReceiveRefusal::kInvalidHistogram:
      return "invalid_histogram";
    case ReceiveRefusal::kSeriesLimit:
      return "series_limit";
    case ReceiveRefusal::kMemory:
      return "memory";
  }
  return "";
}

void WriteOutcome::Add(const WriteOutcome& other) {
  written += other.written;
  refused += other.refused;
  if (problem.empty()) problem = other.problem;
  malformed |= other.malformed;
  over_limit |= other.over_limit;
  try_again |= other.try_again;
  appended |= other.appended;
}

WriteIntake::WriteIntake(ReceiveEnvironment& environment, ReceiveStats& stats)
    : env_(environment), stats_(stats), quotas_(environment.limits) {}

void WriteIntake::SetConfig(const ReceiveConfig& config, milliseconds out_of_order_window,
                            bool keep_starts) {
  if (config.cluster_label != config_.cluster_label ||
      config.replica_label != config_.replica_label) {
    series_.ForgetLines();
  }
  const bool was_limited = quotas_.is_limited();
  quotas_.SetLimit(config.series_limit_per_sender);
  if (quotas_.is_limited() != was_limited) {
    // Whose they are is found out when they come next.
    series_.ForgetOwners();
    if (!was_limited) series_.ForgetLines();
  }
  config_ = config;
  window_ms_ = out_of_order_window.count();
  keep_starts_ = keep_starts;
}

void WriteIntake::HashSymbols(const WriteRequestReader& request) {
  symbol_hashes_.clear();
  for (const std::string_view symbol : request.symbols()) {
    symbol_hashes_.push_back(env_.hash(symbol));
  }
}

bool WriteIntake::HashOf(const WriteSeries& series, uint64_t& hash) {
  if (request_->version() == WriteVersion::kV1) {
    hash = env_.hash(series.label_bytes);
    return true;
  }
  hashed_.clear();
  for (const uint32_t ref : series.label_refs) {
    if (ref >= symbol_hashes_.size()) return false;
    hashed_.push_back(symbol_hashes_[ref]);
  }
  hash = env_.hash(BytesOf(hashed_));
  return hashed_.size() % 2 == 0;
}

WriteOutcome WriteIntake::Take(const WriteRequestReader& request,
                               const std::vector<uint32_t>* which, const std::string& sender) {
  request_ = &request;
  sender_ = quotas_.is_limited() ? quotas_.NumberOf(sender) : SenderQuotas::kNobody;
  request_number_++;
  outcome_ = {};
  samples_ = 0;
  before_ = {};
  latest_allowed_ = env_.loop.WallMs() + kAheadMaxMs;
  HashSymbols(request);
  if (which == nullptr) TakeMetadata(request, outcome_);
  const size_t count = which == nullptr ? request.series() : which->size();
  for (size_t i = 0; i < count; i++) {
    const size_t number = which == nullptr ? i : (*which)[i];
    const ReceivedSeries::Ref expected = series_.After(before_);
    const bool is_expected = ReadExpected(number, expected);
    if (!is_expected && !request.ReadSeries(number, read_)) {
      outcome_.malformed = true;
      break;
    }
    samples_ += read_.samples.size() + read_.histograms.size() + read_.exemplars.size();
    if (samples_ > config_.sample_limit) {
      outcome_.over_limit = true;
      break;
    }
    const ReceivedSeries::Ref ref = is_expected ? expected : FindSeries(expected);
    if (ref.source != ReceivedSeries::kNone) TakeSeries(ref);
  }
  AppendBatches();
  request_ = nullptr;
  return std::move(outcome_);
}

bool WriteIntake::ReadExpected(size_t number, ReceivedSeries::Ref expected) {
  if (expected.source == ReceivedSeries::kNone) return false;
  const ReceivedSource& source = series_.source(expected.source);
  const size_t label_bytes = source.label_bytes(expected.line);
  return label_bytes != 0 && request_->version() == WriteVersion::kV1 &&
         request_->ReadPlainSeries(number, label_bytes, read_) &&
         env_.hash(read_.label_bytes) == source.hash(expected.line);
}

ReceivedSeries::Ref WriteIntake::FindSeries(ReceivedSeries::Ref expected) {
  const uint64_t count = read_.samples.size() + read_.histograms.size();
  uint64_t hash = 0;
  if (!HashOf(read_, hash)) {
    Refuse(ReceiveRefusal::kInvalidLabels, count, "its labels name symbols that are not there");
    return {};
  }
  // Exemplars alone are good: so they are sent by Prometheus itself, whose receiver refuses them.
  if (request_->version() == WriteVersion::kV2 && count == 0 && read_.exemplars.empty()) {
    outcome_.refused++;
    if (outcome_.problem.empty()) outcome_.problem = "a series has neither samples nor histograms";
    return {};
  }
  const ReceivedSeries::Ref ref = series_.Find(hash, expected);
  return ref.source == ReceivedSeries::kNone ? Learn(hash) : ref;
}

void WriteIntake::TakeSeries(ReceivedSeries::Ref ref) {
  before_ = ref;
  ReceivedSource& source = series_.source(ref.source);
  if (const uint16_t replica = source.replica(ref.line);
      replica != ReceivedSource::kNoReplica && !IsElected(replica)) {
    const SampleCounts counts{read_.samples.size(), read_.histograms.size(),
                              read_.exemplars.size()};
    outcome_.written += counts;
    stats_.deduplicated += counts;
    return;
  }
  const bool has_family = request_->version() == WriteVersion::kV2 && TakeFamily(source, ref.line);
  if (!has_family) {
    stats_.without_metadata += read_.samples.size() + read_.histograms.size();
  }
  ReceivedBatch& batch = BatchOf(ref.source);
  const uint32_t place = source.place(ref.line);
  TakeSamples(source, batch, place);
  if (!read_.histograms.empty()) TakeHistograms(source, batch, place);
  if (!read_.exemplars.empty()) TakeExemplars(source, batch, place);
}

// What a request of 2.0 says of the series' family. False: nothing.
bool WriteIntake::TakeFamily(ReceivedSource& source, uint32_t line) {
  const auto& symbols = request_->symbols();
  const auto known = [&](uint32_t ref) { return ref > 0 && ref < symbols.size(); };
  const bool has_help = known(read_.help_ref), has_unit = known(read_.unit_ref);
  if (read_.type == MetricType::kUnknown && !has_help && !has_unit) return false;
  if (env_.series_families == nullptr) return true;
  hashed_ = {static_cast<uint64_t>(read_.type), has_help ? symbol_hashes_[read_.help_ref] : 0,
             has_unit ? symbol_hashes_[read_.unit_ref] : 0};
  const uint64_t mark = env_.hash(BytesOf(hashed_));
  const uint32_t place = source.place(line);
  if (source.FamilyMark(place) == mark) return true;
  FamilyRef family = source.FamilyOfMark(mark);
  if (family == nullptr) {
    FamilyMetadata metadata;
    metadata.type = read_.type;
    if (has_help) metadata.help = ToValidUtf8(symbols[read_.help_ref].substr(0, kHelpBytesMax));
    if (has_unit) metadata.unit = ToValidUtf8(symbols[read_.unit_ref].substr(0, kHelpBytesMax));
    family = env_.series_families->Intern(std::move(metadata));
  }
  source.SetFamily(place, mark, std::move(family));
  return true;
}

void WriteIntake::TakeMetadata(const WriteRequestReader& request, WriteOutcome& outcome) {
  WriteMetadata read;
  for (size_t i = 0; i < request.metadata(); i++) {
    if (!request.ReadMetadata(i, read)) {
      outcome.malformed = true;
      return;
    }
    FamilyMetadata family;
    family.family = ToValidUtf8(read.family);
    family.type = read.type;
    family.help = ToValidUtf8(read.help.substr(0, kHelpBytesMax));
    family.unit = ToValidUtf8(read.unit.substr(0, kHelpBytesMax));
    const size_t bytes = family.family.size() + family.help.size() + family.unit.size();
    if (family.family.empty() || family_bytes_ + bytes > kFamilyBytesMax) {
      stats_.families_dropped++;
      continue;
    }
    const uint64_t name = env_.hash(family.family);
    FamilyRef& kept = families_[name];
    if (kept == nullptr) family_bytes_ += bytes;
    kept = env_.metadata.Intern(std::move(family));
    families_before_.erase(name);
  }
}

void WriteIntake::Sweep() {
  series_.Sweep(
      [this](uint16_t owner, bool lives) { lives ? quotas_.Own(owner) : quotas_.Release(owner); });
  quotas_.Sweep();
  families_before_ = std::exchange(families_, {});
  family_bytes_ = 0;
}

size_t WriteIntake::memory_bytes() const {
  return series_.memory_bytes() + partitions_.bucket_count() * 10 +
         (families_.bucket_count() + families_before_.bucket_count()) * 25;
}

ReceivedBatch& WriteIntake::BatchOf(uint32_t number) {
  ReceivedSource& source = series_.source(number);
  if (source.batch() == nullptr) {
    if (touched_.size() == batches_.size()) batches_.push_back(std::make_unique<ReceivedBatch>());
    source.SetBatch(batches_[touched_.size()].get());
    touched_.push_back(number);
  }
  return *source.batch();
}

bool WriteIntake::Accept(ReceivedSource::Verdict verdict, uint64_t SampleCounts::*kind) {
  switch (verdict) {
    case ReceivedSource::Verdict::kTaken:
      outcome_.written.*kind += 1;
      stats_.taken.*kind += 1;
      return true;
    case ReceivedSource::Verdict::kRepeated:
      outcome_.written.*kind += 1;
      stats_.repeated.*kind += 1;
      return false;
    case ReceivedSource::Verdict::kConflict:
      Refuse(ReceiveRefusal::kConflict, 1);
      return false;
    case ReceivedSource::Verdict::kOutOfOrder:
      Refuse(ReceiveRefusal::kOutOfOrder, 1);
      return false;
  }
  return false;
}

void WriteIntake::TakeSamples(ReceivedSource& source, ReceivedBatch& batch, uint32_t place) {
  for (const WriteSample& sample : read_.samples) {
    if (sample.timestamp > latest_allowed_) {
      Refuse(ReceiveRefusal::kTooFarAhead, 1);
      continue;
    }
    const auto verdict = source.Judge(place, sample.timestamp, BitsOf(sample.value), window_ms_);
    if (!Accept(verdict, &SampleCounts::samples)) continue;
    batch.samples.push_back({place, sample.timestamp, sample.value});
    const TimestampMs start = sample.start != 0 ? sample.start : read_.start;
    if (start != 0 && keep_starts_) batch.starts.push_back({place, start});
  }
}

void WriteIntake::TakeHistograms(ReceivedSource& source, ReceivedBatch& batch, uint32_t place) {
  for (const std::string_view bytes : read_.histograms) {
    if (!request_->ReadHistogram(bytes, histogram_)) {
      Refuse(ReceiveRefusal::kInvalidHistogram, 1, "it is malformed, or larger than 1 MiB");
      continue;
    }
    NativeHistogram& histogram = histogram_.histogram;
    Status valid;
    if (histogram.schema > kExponentialSchemaMax && histogram.schema <= kReservedSchemaMax) {
      valid = ReduceResolution(histogram, kExponentialSchemaMax);
    }
    if (valid) valid = ValidateHistogram(histogram);
    if (!valid) {
      Refuse(ReceiveRefusal::kInvalidHistogram, 1, valid.error().message);
      continue;
    }
    if (histogram_.times.timestamp > latest_allowed_) {
      Refuse(ReceiveRefusal::kTooFarAhead, 1);
      continue;
    }
    ScrapeBuffer::PlacedHistogram placed{place, {}};
    placed.sample.timestamp = histogram_.times.timestamp;
    placed.sample.start = histogram_.times.start != 0 ? histogram_.times.start : read_.start;
    placed.sample.custom_buckets = histogram.schema == kCustomBucketsSchema;
    EncodeHistogram(histogram, placed.sample.encoded);
    const auto verdict = source.Judge(place, histogram_.times.timestamp,
                                      env_.hash(placed.sample.encoded), window_ms_);
    if (Accept(verdict, &SampleCounts::histograms)) batch.histograms.push_back(std::move(placed));
  }
}

// Errors of exemplars are counted only: no request fails for them, as in 1.0 there.
void WriteIntake::TakeExemplars(ReceivedSource& source, ReceivedBatch& batch, uint32_t place) {
  for (const std::string_view bytes : read_.exemplars) {
    Result<Labels> labels = Fail("");
    if (request_->ReadExemplar(bytes, exemplar_)) {
      auto read = ReadLabels(exemplar_.label_bytes, exemplar_.label_refs);
      if (read) labels = MakeExemplarLabels(*std::move(read));
    }
    if (!labels || exemplar_.timestamp > latest_allowed_) {
      stats_.exemplars_invalid++;
      continue;
    }
    ScrapeBuffer::PlacedExemplar placed;
    placed.place = place;
    placed.sample.timestamp = exemplar_.timestamp;
    placed.sample.value = exemplar_.value;
    PackLabels(*labels, placed.sample.labels);
    hashed_ = {env_.hash(placed.sample.labels), BitsOf(exemplar_.value)};
    placed.mark = {0, env_.hash(BytesOf(hashed_)), exemplar_.timestamp, true};
    switch (source.JudgeExemplar(place, placed.mark)) {
      case ReceivedSource::ExemplarVerdict::kTaken:
        batch.exemplars.push_back(std::move(placed));
        outcome_.written.exemplars++;
        stats_.taken.exemplars++;
        break;
      case ReceivedSource::ExemplarVerdict::kRepeated:
        outcome_.written.exemplars++;
        stats_.repeated.exemplars++;
        break;
      case ReceivedSource::ExemplarVerdict::kOutOfOrder:
        stats_.exemplars_out_of_order++;
        break;
    }
  }
}

Result<std::vector<Label>> WriteIntake::ReadLabels(std::string_view label_bytes,
                                                   const std::vector<uint32_t>& refs) const {
  std::vector<ProtobufLabel> pairs;
  if (request_->version() == WriteVersion::kV1) {
    if (Status decoded = DecodeProtobufLabels(label_bytes, pairs); !decoded) {
      return Fail(std::move(decoded.error().message));
    }
  } else {
    const std::vector<std::string_view>& symbols = request_->symbols();
    for (size_t i = 0; i + 1 < refs.size(); i += 2) {
      if (refs[i] >= symbols.size() || refs[i + 1] >= symbols.size()) {
        return Fail("a label names a symbol that is not there");
      }
      pairs.push_back({symbols[refs[i]], symbols[refs[i + 1]]});
    }
  }
  std::vector<Label> labels;
  labels.reserve(pairs.size());
  for (const ProtobufLabel& pair : pairs) {
    labels.push_back({std::string(pair.name), std::string(pair.value)});
  }
  return labels;
}

Result<Labels> WriteIntake::SeriesLabels() const {
  Result<std::vector<Label>> labels = ReadLabels(read_.label_bytes, read_.label_refs);
  if (!labels) return tl::unexpected(labels.error());
  for (const Label& label : *labels) {
    if (label.name.empty()) return Fail("a label has no name");
    if (!IsValidUtf8(label.name) || !IsValidUtf8(label.value)) return Fail("a label is not UTF-8");
  }
  std::sort(labels->begin(), labels->end());
  const auto twice =
      std::adjacent_find(labels->begin(), labels->end(),
                         [](const Label& a, const Label& b) { return a.name == b.name; });
  if (twice != labels->end()) return Fail(fmt::format("the label {} is there twice", twice->name));
  return Labels(*std::move(labels));
}

bool WriteIntake::WithinLimits(const Labels& labels, std::string& problem) const {
  if (config_.label_limit > 0 && labels.size() > config_.label_limit) {
    problem = fmt::format("it has {} labels, the limit is {}", labels.size(), config_.label_limit);
    return false;
  }
  for (const Label& label : labels) {
    const auto over = [&](const char* what, const std::string& text, uint64_t limit) {
      if (limit == 0 || text.size() <= limit) return false;
      problem = fmt::format("the {} of a label ({}...) has {} bytes, the limit is {}", what,
                            label.name.substr(0, 50), text.size(), limit);
      return true;
    };
    if (over("name", label.name, config_.label_name_length_limit)) return false;
    if (over("value", label.value, config_.label_value_length_limit)) return false;
  }
  return true;
}

ReceivedSeries::Ref WriteIntake::Learn(uint64_t hash) {
  const uint64_t count = read_.samples.size() + read_.histograms.size();
  if (quotas_.is_limited() && quotas_.IsRefused(sender_, hash)) {
    RefuseForLimit(count);
    return {};
  }
  Result<Labels> labels = SeriesLabels();
  if (labels && !labels->Has(kMetricName)) labels = Fail("it has no __name__");
  if (!labels) {
    Refuse(ReceiveRefusal::kInvalidLabels, count, labels.error().message);
    return {};
  }
  if (std::string problem; !WithinLimits(*labels, problem)) {
    Refuse(ReceiveRefusal::kLabelLimit, count, problem);
    return {};
  }
  if (env_.shed != nullptr && env_.shed->load() >= ShedStep::kRefuseNew) {
    Refuse(ReceiveRefusal::kMemory, count, "the agent is near its memory limit");
    outcome_.try_again = true;
    return {};
  }
  ReceivedLine line{hash};
  line.replica = TakeReplica(*labels);
  if (request_->version() == WriteVersion::kV1) line.label_bytes = read_.label_bytes.size();
  uint16_t owner = SenderQuotas::kNobody;
  if (quotas_.is_limited() && !HasRoom(hash, *labels, owner)) {
    RefuseForLimit(count);
    return {};
  }
  const ReceivedSeries::Ref ref = series_.Learn(line, *labels);
  if (owner != SenderQuotas::kNobody) {
    ReceivedSource& source = series_.source(ref.source);
    source.SetOwner(source.place(ref.line), owner);
  }
  return ref;
}

bool WriteIntake::HasRoom(uint64_t hash, const Labels& labels, uint16_t& owner) {
  if (IsAgentMetric(labels.Get(kMetricName))) return true;
  const std::optional<uint16_t> known = series_.OwnerOf(labels);
  if (known && *known != SenderQuotas::kNobody) return true;
  if (known) {
    // From before there was a limit: it goes on.
    quotas_.Own(sender_);
  } else if (!quotas_.Admit(sender_, hash, labels, env_.loop.WallMs())) {
    return false;
  }
  owner = sender_;
  return true;
}

void WriteIntake::RefuseForLimit(uint64_t count) {
  quotas_.CountDropped(count);
  // Those of an explosion are many: the text is made once.
  const bool tells = outcome_.problem.empty();
  Refuse(ReceiveRefusal::kSeriesLimit, count,
         tells ? fmt::format("the sender may have {} series", quotas_.limit()) : "");
}

uint16_t WriteIntake::TakeReplica(Labels& labels) {
  if (config_.replica_label.empty() || config_.cluster_label.empty()) {
    return ReceivedSource::kNoReplica;
  }
  const std::string name(labels.Get(config_.replica_label));
  const std::string cluster(labels.Get(config_.cluster_label));
  if (name.empty() || cluster.empty()) return ReceivedSource::kNoReplica;
  std::string key = cluster;
  key += '\0';
  key += name;
  auto it = replica_numbers_.find(key);
  if (it == replica_numbers_.end()) {
    if (replicas_.size() >= kReplicasMax) {
      stats_.replica_names_over_limit++;
      return ReceivedSource::kNoReplica;
    }
    replicas_.push_back({cluster, name});
    it = replica_numbers_.emplace(std::move(key), static_cast<uint16_t>(replicas_.size())).first;
  }
  labels.Remove(config_.replica_label);
  return it->second;
}

bool WriteIntake::IsElected(uint16_t number) {
  Replica& replica = replicas_[number - 1];
  if (replica.request != request_number_) {
    replica.request = request_number_;
    replica.elected = env_.election.Admit(replica.cluster, replica.name, env_.loop.Now(),
                                          env_.loop.WallMs(), config_.failover_timeout);
  }
  return replica.elected;
}

void WriteIntake::Refuse(ReceiveRefusal refusal, uint64_t count, const std::string& more) {
  stats_.refused[static_cast<size_t>(refusal)] += count;
  outcome_.refused += std::max<uint64_t>(count, 1);
  if (!outcome_.problem.empty()) return;
  const char* what = "";
  switch (refusal) {
    case ReceiveRefusal::kInvalidLabels:
      what = "invalid labels";
      break;
    case ReceiveRefusal::kLabelLimit:
      what = "labels over a limit";
      break;
    case ReceiveRefusal::kOutOfOrder:
      what = "out of order sample";
      break;
    case ReceiveRefusal::kConflict:
      what = "duplicate sample for timestamp";
      break;
    case ReceiveRefusal::kTooFarAhead:
      what = "out of bounds: timestamp is too far in the future";
      break;
    case ReceiveRefusal::kInvalidHistogram:
      what = "invalid histogram";
      break;
    case ReceiveRefusal::kSeriesLimit:
      what = "series_limit_per_sender exceeded";
      break;
    case ReceiveRefusal::kMemory:
      what = "new series";
      break;
  }
  std::string problem(what);
  if (!more.empty()) problem += ": " + more;
  if (const Result<Labels> labels = SeriesLabels()) {
    problem += " for series " + labels->ToString();
  }
  outcome_.problem = ToValidUtf8(problem.substr(0, kProblemBytesMax));
}

void WriteIntake::AppendBatches() {
  for (size_t i = 0; i < touched_.size(); i++) {
    ReceivedBatch& batch = *batches_[i];
    series_.Settle(touched_[i]);
    ReceivedSource& source = series_.source(touched_[i]);
    if (batch.empty()) {
      source.SetBatch(nullptr);
    } else {
      for (Commit& commit : source.TakeBatch(buffer_, keep_starts_)) {
        env_.log.Append(std::move(commit));
        outcome_.appended = true;
      }
    }
    batch.Clear();
  }
  touched_.clear();
}

void WriteIntake::Sort(const WriteRequestReader& request,
                       std::array<std::vector<uint32_t>, kLogPartitions>& by_partition) {
  request_ = &request;
  HashSymbols(request);
  for (uint32_t i = 0; i < request.series(); i++) {
    uint64_t hash = 0;
    uint8_t partition = 0;
    if (request.ReadSeries(i, read_) && HashOf(read_, hash)) {
      if (auto it = partitions_.find(hash); it != partitions_.end()) {
        partition = it->second;
      } else if (const Result<Labels> labels = SeriesLabels()) {
        partition =
            SourceKeyOf(labels->Get("job"), labels->Get("instance"), labels->Get("cluster")) %
            kLogPartitions;
        if (partitions_.size() >= kPartitionsKnownMax) partitions_.clear();
        partitions_.emplace(hash, partition);
      }
    }
    by_partition[partition].push_back(i);
  }
  request_ = nullptr;
}

}  // namespace tributary
