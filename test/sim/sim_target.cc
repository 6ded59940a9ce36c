#include "test/sim/sim_target.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr uint32_t kFamilies = 3;

std::string Gzip(const std::string& data) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string input = data;
  std::string out(deflateBound(&stream, input.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void CutIntoChunks(ScriptedReply& reply, size_t count) {
  const std::string page = std::move(reply.chunks.front());
  reply.chunks.clear();
  const size_t size = page.size() / count + 1;
  for (size_t at = 0; at < page.size(); at += size) reply.chunks.push_back(page.substr(at, size));
}

}  // namespace

PageValue PageValue::Decode(double value) {
  if (!std::isfinite(value) || value < 1e10) return {};
  PageValue decoded;
  decoded.target = static_cast<uint32_t>(value / 1e10);
  const double rest = value - decoded.target * 1e10;
  decoded.series = static_cast<uint32_t>(rest / 1e5);
  decoded.scrape = static_cast<uint32_t>(rest - decoded.series * 1e5);
  return decoded;
}

SimTarget::SimTarget(SimNetwork& network, uint32_t id, uint64_t seed)
    : id_(id), address_(fmt::format("10.0.0.{}:9100", id)), random_(seed) {
  server_ =
      &network.Listen(address_, [this](const ServedRequest& request) { return Serve(request); });
}

void SimTarget::SetMood(TargetMood mood) {
  mood_ = mood;
  server_->refusing = mood == TargetMood::kRefuse;
  server_->unreachable = mood == TargetMood::kSilent;
}

void SimTarget::Churn() {
  if (!random_.Chance(churn_)) return;
  if (!series_.empty() && random_.Chance(0.5)) {
    series_.erase(series_.begin() + static_cast<ptrdiff_t>(random_.Below(series_.size())));
    return;
  }
  // A new one, or one that was there before.
  next_series_ = std::max(next_series_, series_.empty() ? 1 : series_.back() + 1);
  const auto added = static_cast<uint32_t>(1 + random_.Below(next_series_));
  auto at = std::lower_bound(series_.begin(), series_.end(), added);
  if (at == series_.end() || *at != added) series_.insert(at, added);
}

std::string SimTarget::Page(uint32_t scrape) {
  std::vector<uint32_t> order = series_;
  if (shuffle_ && random_.Chance(0.3)) {
    for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[random_.Below(i)]);
  }
  std::string page;
  for (uint32_t family = 0; family < kFamilies; family++) {
    page += fmt::format("# HELP sim_value_{0} Family {0}.\n# TYPE sim_value_{0} gauge\n", family);
    for (uint32_t series : order) {
      if (series % kFamilies != family) continue;
      page += fmt::format("sim_value_{}{{sid=\"{}\"}} {:.0f}\n", family, series,
                          PageValue{id_, series, scrape}.Encode());
    }
  }
  if (own_time_) {
    for (uint32_t series = 1; series <= 3; series++) {
      page += fmt::format("sim_own{{sid=\"{}\"}} {:.0f} {}\n", series,
                          PageValue{id_, series, scrape}.Encode(),
                          own_time_() - static_cast<TimestampMs>(random_.Below(5000)));
    }
  }
  return page;
}

ScriptedReply SimTarget::Serve(const ServedRequest& request) {
  Churn();
  const auto scrape = static_cast<uint32_t>(scrapes_.size() + 1);
  scrapes_.push_back({request.time, false, false, series_});
  const double timeout = std::atof(request.Header("X-Prometheus-Scrape-Timeout-Seconds").c_str());
  const auto timeout_ns = nanoseconds(static_cast<int64_t>(timeout * 1e9));
  ScriptedReply reply = ScriptedReply::Text(200, Page(scrape), {{"Content-Type", "text/plain"}});
  switch (mood_) {
    case TargetMood::kGood:
      break;
    case TargetMood::kGzip:
      reply.chunks.front() = Gzip(reply.chunks.front());
      reply.headers.push_back({"Content-Encoding", "gzip"});
      break;
    case TargetMood::kSlow:
    case TargetMood::kTooSlow: {
      CutIntoChunks(reply, 1 + random_.Below(30));
      const nanoseconds whole = mood_ == TargetMood::kSlow ? timeout_ns / 2 : timeout_ns * 2;
      reply.before_chunk = whole / static_cast<int64_t>(reply.chunks.size());
      if (mood_ == TargetMood::kTooSlow) return reply;
      break;
    }
    case TargetMood::kReset:
      return ScriptedReply::Broken(ScriptedReply::End::kReset);
    case TargetMood::kCut:
      return reply.Cut(ScriptedReply::End::kClose, random_.Below(reply.chunks.front().size()));
    case TargetMood::kError:
      reply.status = 500;
      return reply;
    case TargetMood::kGarbage:
      reply.chunks.front() += "}{ this is no line\n";
      scrapes_.back().garbage = true;
      return reply;
    case TargetMood::kHang:
    case TargetMood::kRefuse:
    case TargetMood::kSilent:
      return ScriptedReply::Broken(ScriptedReply::End::kHang);
  }
  scrapes_.back().whole = true;
  return reply;
}

}  // namespace tributary
