#include "test/bench/bench_target.h"

#include <algorithm>

#include <zlib.h>

#include "common/base/assert.h"
#include "common/base/varint.h"
#include "metrics.pb.h"
#include "test/support/allocation_counter.h"

namespace tributary {

namespace {

constexpr size_t kLongBytes = 264;  // of a line, its value and its newline included
constexpr std::string_view kLongName = "container_memory_usage_bytes";
constexpr std::string_view kShortName = "node_cpu";
constexpr std::string_view kHelp = "What it is.";

using LabelPairs = std::vector<std::pair<std::string_view, std::string>>;

// Some twenty series are of one container.
LabelPairs LongLabels(size_t i, bool federated) {
  std::mt19937_64 container(i / 20);
  const std::string number = std::to_string(10'000'000 + i);
  return {{federated ? "job" : "app", "kubelet"},
          {"cluster", "eu-1-a"},
          {"container", "app-" + std::to_string(100 + i % 900)},
          {"device", "sda"},
          {"id", "/kubepods/" + std::to_string(container() | uint64_t{1} << 63).substr(0, 19)},
          {"image", "team/app:v1.2"},
          {federated ? "instance" : "nodename", "10.11.12.13"},
          {"name", "k8s_app"},
          {"namespace", "prod"},
          {"pod", "app-7f9c5-" + number},
          {"service", "node"},
          {"zone", "a"}};
}

LabelPairs LabelsOf(BenchSeries kind, size_t i) {
  if (kind == BenchSeries::kShort) return {{"cpu", std::to_string(i)}};
  return LongLabels(i, kind == BenchSeries::kFederated);
}

std::string_view NameOf(BenchSeries kind) {
  return kind == BenchSeries::kShort ? kShortName : kLongName;
}

std::string SeriesOf(BenchSeries kind, size_t i) {
  std::string text(NameOf(kind));
  char before = '{';
  for (const auto& [name, value] : LabelsOf(kind, i)) {
    text += before;
    text += name;
    text += "=\"" + value + '"';
    before = ',';
  }
  text += '}';
  CHECK(kind == BenchSeries::kShort || text.size() + 10 == kLongBytes);
  return text;
}

}  // namespace

BenchTarget::BenchTarget(BenchSeries kind, size_t lines) : kind_(kind), next_(lines) {
  for (size_t i = 0; i < lines; i++) lines_.push_back({SeriesOf(kind, i), i});
}

void BenchTarget::Churn(size_t count) {
  for (size_t i = 0; i < count; i++) {
    lines_[random_() % lines_.size()] = {SeriesOf(kind_, next_), next_};
    next_++;
  }
}

void BenchTarget::Shuffle() { std::shuffle(lines_.begin(), lines_.end(), random_); }

// Eight digits.
uint64_t BenchTarget::ValueOf(const Line& line) const {
  return 10'000'000 + (7919 * line.number + 31 * round_) % 90'000'000;
}

void BenchTarget::AppendText(size_t& at, size_t bytes_max, TimestampMs timestamp,
                             std::string& text) const {
  const size_t end = text.size() + bytes_max;
  do {
    const Line& line = lines_[at];
    text += line.series;
    text += ' ';
    text += std::to_string(ValueOf(line));
    if (timestamp != 0) {
      text += ' ';
      text += std::to_string(timestamp - static_cast<TimestampMs>(line.number * 7919 % 15'000));
    }
    text += '\n';
    at++;
  } while (at < lines_.size() && text.size() < end);
}

std::string BenchTarget::Page(PageFormat format) {
  NextRound();
  if (format == PageFormat::kProtobuf) return ProtobufPage();
  const std::string name(NameOf(kind_));
  std::string page = "# HELP " + name + ' ' + std::string(kHelp) + "\n# TYPE " + name + " gauge\n";
  size_t at = 0;
  AppendText(at, std::string::npos / 2, 0, page);
  if (format == PageFormat::kOpenMetrics) page += "# EOF\n";
  return page;
}

std::string BenchTarget::ProtobufPage() const {
  test::metrics::MetricFamily family;
  family.set_name(std::string(NameOf(kind_)));
  family.set_help(std::string(kHelp));
  family.set_type(1);  // a gauge
  for (const Line& line : lines_) {
    test::metrics::Metric& metric = *family.add_metric();
    for (const auto& [name, value] : LabelsOf(kind_, line.number)) {
      test::metrics::LabelPair& pair = *metric.add_label();
      pair.set_name(std::string(name));
      pair.set_value(value);
    }
    metric.mutable_gauge()->set_value(static_cast<double>(ValueOf(line)));
  }
  std::string page;
  PutVarint(page, family.ByteSizeLong());
  return page + family.SerializeAsString();
}

std::string GzipOf(std::string_view page) {
  z_stream stream = {};
  CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) ==
        Z_OK);
  std::string body(deflateBound(&stream, page.size()), '\0');
  std::string from(page);
  stream.next_in = reinterpret_cast<Bytef*>(from.data());
  stream.avail_in = static_cast<uInt>(from.size());
  stream.next_out = reinterpret_cast<Bytef*>(body.data());
  stream.avail_out = static_cast<uInt>(body.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  body.resize(stream.total_out);
  deflateEnd(&stream);
  return body;
}

PageReader BenchScraper::Begin() {
  timestamp_ += kInterval;
  if (quota_ != nullptr) {
    quota_->SetActive(layout_.active_series());
    layout_.ForgetOverLimit(quota_->room());
  }
  return PageReader({layout_, rules_, target_, hash_, pool_, buffer_, {}, nullptr, quota_.get()},
                    timestamp_, timestamp_);
}

void BenchScraper::End(PageReader& reader) {
  good_ = reader.FinishPage().has_value() && good_;
  commit_ = reader.MakeCommit({});
}

uint64_t BenchScraper::samples() const {
  uint64_t samples = 0;
  for (const GroupSamples& group : commit_.groups) samples += group.samples();
  return samples;
}

void BenchScraper::Scrape(std::string_view page) {
  const uint64_t before = AllocationCount();
  PageReader reader = Begin();
  reader.SetFormat(format_);
  for (size_t at = 0; at < page.size(); at += kPiece) reader.Push(page.substr(at, kPiece));
  End(reader);
  allocations_ = AllocationCount() - before;
}

void BenchScraper::ScrapeGzip(std::string_view body) {
  const uint64_t before = AllocationCount();
  PageReader reader = Begin();
  reader.SetFormat(format_);
  gunzip_.Reset();
  const Gunzip::Sink sink = [&](std::string_view bytes) {
    reader.Push(bytes);
    return true;
  };
  for (size_t at = 0; at < body.size(); at += kPiece) {
    good_ = gunzip_.Push(body.substr(at, kPiece), sink).value_or(false) && good_;
  }
  good_ = gunzip_.Finish().has_value() && good_;
  End(reader);
  allocations_ = AllocationCount() - before;
}

}  // namespace tributary
