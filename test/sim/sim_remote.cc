#include "test/sim/sim_remote.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "agent/series/samples.h"
#include "test/support/say_written.h"

namespace tributary {

SimRemote::SimRemote(SimNetwork& network, const std::string& host, uint64_t seed,
                     std::function<void(std::string)> problem)
    : host_(host), random_(seed), problem_(std::move(problem)) {
  server_ = &network.Listen(host + ":80",
                            [this](const ServedRequest& request) { return Serve(request); });
}

const StoredSeries* SimRemote::Find(const std::string& key) const {
  auto it = series_.find(key);
  return it == series_.end() ? nullptr : &it->second;
}

bool SimRemote::Rejected(const std::string& key, TimestampMs timestamp) const {
  return rejected_.contains({key, timestamp});
}

StoredSeries& SimRemote::SeriesOf(const Labels& labels) {
  std::string all;
  for (const Label& label : labels) all += label.name + '\x01' + label.value + '\x02';
  StoredSeries*& known = by_labels_[all];
  if (known != nullptr) return *known;
  const std::string_view sid = labels.Get("sid");
  const std::string key = fmt::format("{}|{}|{}|{}", labels.Get("job"), labels.Get("instance"),
                                      labels.Get(kMetricName), sid);
  StoredSeries& series = series_[key];
  series.key = key;
  series.name = labels.Get(kMetricName);
  series.sid = static_cast<uint32_t>(std::atoi(std::string(sid).c_str()));
  unsigned id = 0;
  if (std::sscanf(std::string(labels.Get("instance")).c_str(), "10.0.0.%u:", &id) == 1) {
    series.target = id;
  }
  known = &series;
  return series;
}

void SimRemote::SenderEnded(MonotonicTime now, bool orderly) {
  sender_ends_.push_back(now);
  // What a target's own times were only the process knew that read them.
  for (auto& [key, series] : series_) series.may_go_back |= series.name == "sim_own";
  if (!orderly) forgotten_until_ = now;
  in_flight_until_.clear();
}

void SimRemote::SenderForgot() {
  for (auto& [key, series] : series_) series.may_go_back = true;
}

bool SimRemote::EndedSince(MonotonicTime time) const {
  return !sender_ends_.empty() && sender_ends_.back() >= time;
}

bool SimRemote::MayComeAgain(const Taken& taken) const {
  return !taken.sure || taken.came <= forgotten_until_ ||
         std::any_of(sender_ends_.begin(), sender_ends_.end(),
                     [&](MonotonicTime end) { return taken.came <= end && end <= taken.answered; });
}

void SimRemote::Store(const DecodedSample& sample, const Taken& taken) {
  StoredSeries& series = SeriesOf(sample.labels);
  auto where = [&] { return fmt::format("{}: {} at {}", host_, series.key, sample.timestamp); };
  if (auto it = series.samples.find(sample.timestamp); it != series.samples.end()) {
    StoredSeries::Sample& stored = it->second;
    if (std::bit_cast<uint64_t>(stored.value) == std::bit_cast<uint64_t>(sample.value)) {
      if (!clock_went_back && !MayComeAgain({stored.sure, stored.came, stored.answered})) {
        problem_(where() + " came twice though it was acknowledged");
      }
      stored.sure = taken.sure || (stored.sure && !EndedSince(stored.came));
      stored.came = taken.came;
      stored.answered = taken.answered;
      duplicates_++;
      return;
    }
    if (!clock_went_back) {
      problem_(
          fmt::format("{} came with the values {} and {}", where(), stored.value, sample.value));
    }
  }
  if (sample.timestamp > series.latest) series.may_go_back = false;
  // What was refused may be offered again by a sender that forgot that.
  const bool again = !sender_ends_.empty() && Rejected(series.key, sample.timestamp);
  const bool checks_order = !clock_went_back && !series.may_go_back && !again;
  if (checks_order && sample.timestamp <= series.latest) {
    problem_(fmt::format("{} came after {}", where(), series.latest));
  }
  const bool is_page = series.sid != 0 && !IsStaleNan(sample.value);
  if (is_page) {
    const PageValue value = PageValue::Decode(sample.value);
    if (value.target != series.target || value.series != series.sid) {
      problem_(fmt::format("{} has the value of another series: {}", where(), sample.value));
    }
    if (value.scrape <= series.latest_scrape && !series.may_go_back && !again) {
      problem_(
          fmt::format("{}: scrape {} came after {}", where(), value.scrape, series.latest_scrape));
    }
    series.latest_scrape = std::max(series.latest_scrape, value.scrape);
  }
  series.latest = std::max(series.latest, sample.timestamp);
  const StoredSeries::Sample stored{sample.timestamp, sample.value, taken.sure,
                                    taken.came,       taken.came,   taken.answered};
  series.samples.insert_or_assign(sample.timestamp, stored);
  if (on_stored) on_stored(series, stored);
}

void SimRemote::Store(const DecodedHistogram& sample, const Taken& taken) {
  StoredSeries& series = SeriesOf(sample.labels);
  auto where = [&] { return fmt::format("{}: {} at {}", host_, series.key, sample.timestamp); };
  if (auto it = series.histograms.find(sample.timestamp); it != series.histograms.end()) {
    if (clock_went_back) return;
    // A stale marker is not equal to itself.
    const bool same = it->second.histogram == sample.histogram || IsStaleNan(sample.histogram.sum);
    if (!same) problem_(where() + " came with two histograms");
    StoredSeries::Histogram& stored = it->second;
    if (!MayComeAgain({stored.sure, stored.came, stored.answered})) {
      problem_(where() + " (a histogram) came twice though acknowledged");
    }
    stored.sure = taken.sure || (stored.sure && !EndedSince(stored.came));
    stored.came = taken.came;
    stored.answered = taken.answered;
    duplicates_++;
    return;
  }
  if (!clock_went_back && sample.timestamp <= series.latest) {
    problem_(fmt::format("{} (a histogram) came after {}", where(), series.latest));
  }
  series.latest = std::max(series.latest, sample.timestamp);
  series.histograms[sample.timestamp] = {sample.histogram, taken.sure, taken.came, taken.answered};
}

void SimRemote::Store(const DecodedExemplar& exemplar) {
  std::vector<DecodedExemplar>& stored = SeriesOf(exemplar.labels).exemplars[exemplar.timestamp];
  const bool known = std::any_of(stored.begin(), stored.end(), [&](const DecodedExemplar& one) {
    return one.own_labels == exemplar.own_labels &&
           std::bit_cast<uint64_t>(one.value) == std::bit_cast<uint64_t>(exemplar.value);
  });
  if (!known) stored.push_back(exemplar);
}

void SimRemote::StoreAll(const DecodedRequest& request, const Taken& taken) {
  for (const DecodedSample& sample : request.samples) {
    Store(sample, taken);
    if (request.is_v2) SeriesOf(sample.labels).metadata = sample.metadata;
  }
  for (const DecodedHistogram& sample : request.histograms) Store(sample, taken);
  for (const DecodedExemplar& exemplar : request.exemplars) Store(exemplar);
  for (const DecodedMetadata& entry : request.metadata) metadata_[entry.family] = entry;
}

void SimRemote::CheckHeaders(const ServedRequest& request) {
  const std::string type = request.Header("Content-Type");
  const std::string version = request.Header("X-Prometheus-Remote-Write-Version");
  const bool is_v1 = type == "application/x-protobuf" && version == "0.1.0";
  const bool is_v2 =
      type == "application/x-protobuf;proto=io.prometheus.write.v2.Request" && version == "2.0.0";
  if (!is_v1 && !is_v2) problem_(fmt::format("{}: {} of version {}", host_, type, version));
}

void SimRemote::CheckBounds(const Request& request) {
  if (request.samples > bounds.samples_max) {
    problem_(fmt::format("{}: {} samples in a request of at most {}", host_, request.samples,
                         bounds.samples_max));
  }
  if (request.samples > 0 && request.metadata > 0) problem_(host_ + ": samples beside metadata");
  if (request.samples + request.metadata == 0) problem_(host_ + ": an empty request");
  if (in_flight_until_.size() >= bounds.requests_max && request.samples > 0) {
    problem_(fmt::format("{}: more than {} requests in flight", host_, bounds.requests_max));
  }
}

RemoteAct SimRemote::Act(const Request& request) {
  if (ask_) return ask_(request);
  return acts_[random_.Below(acts_.size())];
}

ScriptedReply SimRemote::Reply(RemoteAct act) {
  ScriptedReply reply;
  switch (act) {
    case RemoteAct::kStore:
      reply = ScriptedReply::Text(random_.Chance(0.5) ? 204 : 200, "");
      break;
    case RemoteAct::kReset:
    case RemoteAct::kStoreThenReset:
      reply = ScriptedReply::Broken(ScriptedReply::End::kReset);
      break;
    case RemoteAct::kHang:
    case RemoteAct::kStoreThenHang:
      reply = ScriptedReply::Broken(ScriptedReply::End::kHang);
      break;
    case RemoteAct::kFail:
    case RemoteAct::kStoreThenFail:
      reply = ScriptedReply::Text(random_.Chance(0.5) ? 503 : 500, "not now\n");
      break;
    case RemoteAct::kBusy:
      reply = ScriptedReply::Text(429, "too many\n");
      break;
    case RemoteAct::kReject:
      reply = ScriptedReply::Text(400, "out of order sample\n");
      break;
  }
  const bool may_say_when =
      act == RemoteAct::kFail || act == RemoteAct::kStoreThenFail || act == RemoteAct::kBusy;
  if (retry_after_s_ && may_say_when) {
    reply.headers.push_back({"Retry-After", std::to_string(*retry_after_s_)});
  }
  reply.before_head = random_.Between(latency_min_, latency_max_);
  return reply;
}

ScriptedReply SimRemote::Serve(const ServedRequest& served) {
  CheckHeaders(served);
  DecodedRequest decoded = DecodeWriteRequest(served.body, served.Header("Content-Type"));
  if (!decoded.error.empty()) problem_(host_ + ": " + decoded.error);
  std::erase_if(in_flight_until_, [&](MonotonicTime until) { return until <= served.time; });
  Request request;
  request.arrived = served.time;
  request.samples = decoded.entries();
  request.metadata = decoded.metadata.size();
  request.attempt = served.Header("Retry-Attempt");
  CheckBounds(request);
  request.act = Act(request);
  ScriptedReply reply = Reply(request.act);
  SayWritten(decoded, reply);
  if (request.samples > 0) {
    const bool hangs = reply.end == ScriptedReply::End::kHang;
    in_flight_until_.push_back(served.time +
                               (hangs ? bounds.timeout - milliseconds(1) : reply.before_head));
  }
  if (request.act == RemoteAct::kStore || IsAmbiguous(request.act)) {
    const bool sure = request.act == RemoteAct::kStore;
    // And the way back.
    StoreAll(decoded, {sure, served.time, served.time + reply.before_head + milliseconds(1)});
    if (sure) acknowledged_ += decoded.samples.size();
  }
  if (request.act == RemoteAct::kReject || request.act == RemoteAct::kBusy) {
    for (const DecodedSample& sample : decoded.samples) {
      rejected_.insert({SeriesOf(sample.labels).key, sample.timestamp});
    }
    if (request.act == RemoteAct::kReject) rejected_count_ += decoded.samples.size();
  }
  if (keep_requests_) request.decoded = std::move(decoded);
  requests_.push_back(std::move(request));
  return reply;
}

}  // namespace tributary
