#include "agent/aggregate/saved_state.h"

#include <bit>
#include <cstring>
#include <utility>

#include "common/base/hash.h"
#include "common/base/sized_text.h"
#include "common/wire/histogram.h"

namespace tributary {

namespace {

constexpr std::string_view kMagic = "TRBAGG01";
constexpr std::string_view kSuffix = ".state";
constexpr size_t kHashBytes = sizeof(uint64_t);
// Bounds of what is read into memory.
constexpr uint64_t kFileBytesMax = uint64_t{2} << 30;

static_assert(std::endian::native == std::endian::little);

class Writer {
 public:
  void Number(uint64_t number) { PutVarint(out_, number); }
  void Time(TimestampMs time) {
    const auto bits = static_cast<uint64_t>(time);
    Number((bits << 1) ^ static_cast<uint64_t>(time >> 63));
  }
  void Text(std::string_view text) { PutText(out_, text); }
  void Fixed(uint64_t bits) {
    char bytes[sizeof(bits)];
    std::memcpy(bytes, &bits, sizeof(bits));
    out_.append(bytes, sizeof(bits));
  }
  void Double(double value) { Fixed(std::bit_cast<uint64_t>(value)); }
  // None is of size 0.
  void Histogram(const std::shared_ptr<const HistogramCounts>& counts) {
    std::string encoded;
    if (counts != nullptr) EncodeHistogram(HistogramOf(*counts), encoded);
    Text(encoded);
  }
  std::string& out() { return out_; }

 private:
  std::string out_{kMagic};
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  uint64_t Number() {
    uint64_t number = 0;
    if (good_ && !TakeVarint(in_, number)) Fail();
    return good_ ? number : 0;
  }
  TimestampMs Time() {
    const uint64_t bits = Number();
    return static_cast<TimestampMs>((bits >> 1) ^ (~(bits & 1) + 1));
  }
  std::string Text() {
    std::string_view text;
    if (good_ && !TakeText(in_, text)) Fail();
    return good_ ? std::string(text) : std::string();
  }
  uint64_t Fixed() {
    uint64_t bits = 0;
    if (in_.size() < sizeof(bits)) {
      Fail();
      return 0;
    }
    std::memcpy(&bits, in_.data(), sizeof(bits));
    in_.remove_prefix(sizeof(bits));
    return bits;
  }
  std::shared_ptr<const HistogramCounts> Histogram() {
    const std::string encoded = Text();
    if (encoded.empty()) return nullptr;
    NativeHistogram histogram;
    auto counts = DecodeHistogram(encoded, histogram) ? CountsOf(histogram) : std::nullopt;
    if (!counts) {
      Fail();
      return nullptr;
    }
    return std::make_shared<const HistogramCounts>(*std::move(counts));
  }
  double Double() { return std::bit_cast<double>(Fixed()); }
  // Of things that take a byte each at least.
  size_t Count() {
    const uint64_t count = Number();
    if (count > in_.size()) Fail();
    return good_ ? count : 0;
  }
  bool good() const { return good_; }
  bool at_end() const { return good_ && in_.empty(); }

 private:
  void Fail() {
    good_ = false;
    in_ = {};
  }

  std::string_view in_;
  bool good_ = true;
};

void Put(const IntervalAggregate& open, Writer& out) {
  out.Time(open.end);
  out.Number(open.count);
  if (open.count > 0) {
    for (const double value : {open.sum, open.min, open.max, open.last}) out.Double(value);
    out.Time(open.last_time);
  }
  out.Number(open.increase_count);
  if (open.increase_count > 0) out.Double(open.increase);
  out.Number(open.histograms);
  out.Number(open.mixed ? 1 : 0);
  out.Histogram(open.histogram_sum);
  out.Histogram(open.histogram_increase);
}

IntervalAggregate GetAggregate(Reader& in) {
  IntervalAggregate open;
  open.end = in.Time();
  open.count = in.Number();
  if (open.count > 0) {
    for (double* value : {&open.sum, &open.min, &open.max, &open.last}) *value = in.Double();
    open.last_time = in.Time();
  }
  open.increase_count = in.Number();
  if (open.increase_count > 0) open.increase = in.Double();
  open.histograms = in.Number();
  open.mixed = in.Number() != 0;
  open.histogram_sum = in.Histogram();
  open.histogram_increase = in.Histogram();
  return open;
}

// What is true of an input.
constexpr uint64_t kSeen = 1, kHasValue = 2, kLive = 4, kHasIncrease = 8, kHistogram = 16;

void Put(const SavedInput& input, Writer& out) {
  const IntervalInput& known = input.known;
  out.Fixed(input.series);
  out.Number(input.partition);
  out.Number((known.seen ? kSeen : 0) | (known.has_value ? kHasValue : 0) |
             (known.live ? kLive : 0) | (known.has_increase ? kHasIncrease : 0) |
             (known.histogram != nullptr ? kHistogram : 0));
  out.Time(known.next_end);
  if (known.seen) out.Time(known.newest);
  if (known.has_value) {
    out.Time(known.value_time);
    out.Double(known.value);
  }
  if (known.has_increase) out.Double(known.increase);
  if (known.histogram == nullptr) return;
  out.Histogram(known.histogram);
  out.Histogram(known.histogram_increase);
}

SavedInput GetInput(Reader& in) {
  SavedInput input;
  IntervalInput& known = input.known;
  input.series = in.Fixed();
  input.partition = static_cast<uint32_t>(in.Number());
  const uint64_t flags = in.Number();
  known.seen = (flags & kSeen) != 0;
  known.has_value = (flags & kHasValue) != 0;
  known.live = (flags & kLive) != 0;
  known.has_increase = (flags & kHasIncrease) != 0;
  known.next_end = in.Time();
  if (known.seen) known.newest = in.Time();
  if (known.has_value) {
    known.value_time = in.Time();
    known.value = in.Double();
  }
  if (known.has_increase) known.increase = in.Double();
  if ((flags & kHistogram) == 0) return input;
  known.histogram = in.Histogram();
  known.histogram_increase = in.Histogram();
  return input;
}

void Put(const SavedOutput& output, Writer& out) {
  out.Text(output.place_key);
  out.Number(output.has_value.size());
  for (const bool has : output.has_value) out.Number(has ? 1 : 0);
  out.Number(output.windows.size());
  for (const SavedOutput::Window& window : output.windows) {
    out.Double(window.bound);
    out.Number(window.rises.steps().size());
    for (const RiseWindow::Step& step : window.rises.steps()) {
      out.Time(step.end);
      out.Double(step.increase);
    }
  }
  out.Number(output.histograms.steps().size());
  for (const HistogramWindow::Step& step : output.histograms.steps()) {
    out.Time(step.end);
    out.Histogram(step.increase);
  }
}

SavedOutput GetOutput(Reader& in) {
  SavedOutput output;
  output.place_key = in.Text();
  for (size_t i = in.Count(); i > 0; i--) output.has_value.push_back(in.Number() != 0);
  for (size_t i = in.Count(); i > 0; i--) {
    SavedOutput::Window& window = output.windows.emplace_back();
    window.bound = in.Double();
    for (size_t steps = in.Count(); steps > 0; steps--) {
      const TimestampMs end = in.Time();
      window.rises.Add(end, in.Double());
    }
  }
  for (size_t steps = in.Count(); steps > 0; steps--) {
    const TimestampMs end = in.Time();
    auto increase = in.Histogram();
    if (increase != nullptr) output.histograms.Add(end, std::move(increase));
  }
  return output;
}

Result<std::string> ReadWhole(Disk& disk, const std::string& path) {
  auto file = disk.Open(path, FileMode::kRead);
  if (!file) return tl::unexpected(file.error());
  const Result<uint64_t> size = (*file)->Size();
  if (!size) return tl::unexpected(size.error());
  if (*size > kFileBytesMax) return Fail(path + ": too large");
  std::string bytes(*size, '\0');
  const Result<size_t> read = (*file)->ReadAt(0, bytes.data(), bytes.size());
  if (!read) return tl::unexpected(read.error());
  bytes.resize(*read);
  return bytes;
}

}  // namespace

std::string EncodeState(const SavedState& state) {
  Writer out;
  out.Number(state.size());
  for (const SavedRule& rule : state) {
    out.Fixed(rule.id);
    out.Time(rule.closed);
    out.Time(rule.given_out);
    out.Number(rule.aggregates.size());
    for (const SavedAggregate& aggregate : rule.aggregates) {
      out.Text(aggregate.key);
      out.Number(aggregate.open.size());
      for (const IntervalAggregate& open : aggregate.open) Put(open, out);
      out.Number(aggregate.inputs.size());
      for (const SavedInput& input : aggregate.inputs) Put(input, out);
    }
    out.Number(rule.outputs.size());
    for (const SavedOutput& output : rule.outputs) Put(output, out);
  }
  out.Fixed(StableHash(out.out()));
  return std::move(out.out());
}

Result<SavedState> DecodeState(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return Fail("it is no such file, or of another version");
  uint64_t hash = 0;
  if (bytes.size() < kMagic.size() + kHashBytes) return Fail("it is cut off");
  const std::string_view body = bytes.substr(0, bytes.size() - kHashBytes);
  std::memcpy(&hash, bytes.data() + body.size(), kHashBytes);
  if (hash != StableHash(body)) return Fail("its checksum is wrong");
  Reader in(body.substr(kMagic.size()));
  SavedState state;
  for (size_t rules = in.Count(); rules > 0; rules--) {
    SavedRule& rule = state.emplace_back();
    rule.id = in.Fixed();
    rule.closed = in.Time();
    rule.given_out = in.Time();
    for (size_t i = in.Count(); i > 0 && in.good(); i--) {
      SavedAggregate& aggregate = rule.aggregates.emplace_back();
      aggregate.key = in.Text();
      for (size_t open = in.Count(); open > 0; open--) aggregate.open.push_back(GetAggregate(in));
      for (size_t inputs = in.Count(); inputs > 0; inputs--) {
        aggregate.inputs.push_back(GetInput(in));
      }
    }
    for (size_t i = in.Count(); i > 0 && in.good(); i--) rule.outputs.push_back(GetOutput(in));
  }
  if (!in.at_end()) return Fail("it does not end where it should");
  return state;
}

std::string StatePath(const std::string& folder, uint32_t worker) {
  return folder + "/" + std::to_string(worker) + std::string(kSuffix);
}

std::vector<SavedState> ReadStates(Disk& disk, const std::string& folder,
                                   const std::function<void(const std::string&)>& problem) {
  std::vector<SavedState> states;
  // Where nothing was ever written there is no folder.
  const auto names = disk.List(folder);
  if (!names) return states;
  for (const std::string& name : *names) {
    if (!name.ends_with(kSuffix)) continue;
    const std::string path = folder + "/" + name;
    const auto bytes = ReadWhole(disk, path);
    auto state = bytes ? DecodeState(*bytes) : Result<SavedState>(tl::unexpected(bytes.error()));
    if (state) {
      states.push_back(*std::move(state));
    } else {
      problem(path + ": " + state.error().message);
    }
  }
  return states;
}

}  // namespace tributary
