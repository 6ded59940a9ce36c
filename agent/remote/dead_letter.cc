#include "agent/remote/dead_letter.h"

#include <cctype>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/base/hash.h"
#include "common/wire/remote_write.h"

namespace tributary {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kWindowBytesMax = 1 << 20;
constexpr nanoseconds kWindow = seconds(10);
constexpr size_t kMessageBytesMax = 1024;
// Names of files have 255 bytes; ".jsonl.1" follows.
constexpr size_t kNameBytesMax = 200;

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", uint8_t(c));
  return text;
}

Json JsonOf(const Labels& labels) {
  Json object = Json::object();
  for (const Label& label : labels) object[label.name] = label.value;
  return object;
}

// JSON has no numbers for NaN and infinity; Prometheus' API has all values as text, too.
std::string ValueText(double value) {
  return IsStaleNan(value) ? "stale" : fmt::format("{}", value);
}

Json FloatsOf(const GroupSamples& samples, uint32_t series) {
  Json floats = Json::array();
  auto own = [&](bool earlier) {
    for (const OwnSample& sample : samples.own) {
      if (sample.index != series || (sample.timestamp < samples.timestamp) != earlier) continue;
      floats.push_back({sample.timestamp, ValueText(sample.value)});
    }
  };
  own(true);
  size_t value = 0;
  for (uint32_t i = 0; i < series; i++) value += samples.Has(i) ? 1 : 0;
  if (samples.Has(series)) {
    floats.push_back({samples.timestamp, ValueText(samples.values[value])});
  }
  own(false);
  return floats;
}

// Appends `text`, and begins a new file if that one would be too large.
Status Append(Disk& disk, const std::string& folder, const std::string& path,
              const std::string& text, uint64_t file_bytes_max) {
  if (Status made = disk.CreateDirectories(folder); !made) return made;
  Result<std::unique_ptr<File>> file = disk.Open(path, FileMode::kWrite);
  if (!file) file = disk.Open(path, FileMode::kCreate);
  if (!file) return Fail(file.error().message);
  Result<uint64_t> size = (*file)->Size();
  if (!size) return Fail(size.error().message);
  if (*size > 0 && *size + text.size() > file_bytes_max) {
    file->reset();
    if (Status moved = disk.Rename(path, path + ".1"); !moved) return moved;
    file = disk.Open(path, FileMode::kCreate);
    if (!file) return Fail(file.error().message);
    size = 0;
  }
  Status written = (*file)->WriteAt(*size, text);
  // No half line is left where another would begin.
  if (!written) static_cast<void>((*file)->Truncate(*size));
  return written;
}

}  // namespace

std::string DeadLetterLine(const DeadLetterReason& reason, std::string_view encoded_labels,
                           const GroupSamples& samples, uint32_t series) {
  Json labels = Json::object();
  std::string_view name, value;
  while (TakeEncodedLabel(encoded_labels, name, value)) {
    labels[std::string(name)] = std::string(value);
  }
  Json line;
  line["time"] = reason.time;
  line["remote"] = std::string(reason.remote);
  line["status"] = reason.status;
  line["error"] = std::string(reason.message.substr(0, kMessageBytesMax));
  line["labels"] = std::move(labels);
  if (Json floats = FloatsOf(samples, series); !floats.empty()) line["samples"] = floats;
  if (samples.irregular != nullptr) {
    for (const HistogramSample& sample : samples.irregular->histograms) {
      if (sample.index != series) continue;
      line["histograms"].push_back({sample.timestamp, Hex(sample.encoded)});
    }
    for (const ExemplarSample& sample : samples.irregular->exemplars) {
      if (sample.index != series) continue;
      line["exemplars"].push_back(
          {sample.timestamp, ValueText(sample.value), JsonOf(UnpackLabels(sample.labels))});
    }
  }
  // Labels and a receiver's words need not be UTF-8.
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string DeadLetterFileName(std::string_view remote) {
  std::string name;
  for (const char c : remote) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' ||
                       (c == '.' && !name.empty());
    if (plain) {
      name += c;
    } else {
      fmt::format_to(std::back_inserter(name), "%{:02X}", uint8_t(c));
    }
  }
  if (name.size() > kNameBytesMax) {
    name = fmt::format("{}-{:016x}", name.substr(0, kNameBytesMax - 17), StableHash(remote));
  }
  return name + ".jsonl";
}

DeadLetter::DeadLetter(EventLoop& loop, const DeadLetterPlace& place, std::string_view remote,
                       uint64_t bytes_max, Logger& logger, DeadLetterStats& stats)
    : loop_(loop),
      disk_(*place.disk),
      work_(*place.work),
      logger_(logger),
      folder_(place.folder),
      path_(place.folder + "/" + DeadLetterFileName(remote)),
      bytes_max_(bytes_max),
      stats_(stats) {}

DeadLetter::~DeadLetter() {
  *self_ = nullptr;
  for (const Line& line : waiting_) stats_.lost += line.samples;
}

bool DeadLetter::HasRoom() {
  if (loop_.Now() - window_ >= kWindow) {
    window_ = loop_.Now();
    // Of a disk that has stalled, what it has not taken counts on.
    window_bytes_ = 0;
    for (const Line& line : waiting_) window_bytes_ += line.text.size();
  }
  return window_bytes_ < kWindowBytesMax;
}

void DeadLetter::Add(std::string line, uint64_t samples) {
  if (!HasRoom() || line.size() > bytes_max_ / 2) {
    stats_.lost += samples;
    return;
  }
  window_bytes_ += line.size();
  waiting_.push_back({std::move(line), samples});
  if (!writing_) Write();
}

void DeadLetter::Write() {
  struct Batch {
    std::string text;
    uint64_t samples = 0;
    Status status;
  };
  auto batch = std::make_shared<Batch>();
  // It is at most a file.
  while (!waiting_.empty() && batch->text.size() + waiting_.front().text.size() <= bytes_max_ / 2) {
    batch->text += waiting_.front().text;
    batch->samples += waiting_.front().samples;
    waiting_.pop_front();
  }
  writing_ = true;
  work_.Run(
      [batch, &disk = disk_, folder = folder_, path = path_, file_max = bytes_max_ / 2] {
        batch->status = Append(disk, folder, path, batch->text, file_max);
      },
      [batch, self = self_] {
        if (*self == nullptr) return;
        DeadLetter& letter = **self;
        letter.writing_ = false;
        if (batch->status) {
          letter.stats_.written += batch->samples;
        } else {
          letter.stats_.failures++;
          letter.stats_.lost += batch->samples;
          uint64_t held_back = 0;
          if (letter.failure_log_.Allow(letter.loop_.Now(), held_back)) {
            letter.logger_.Error("cannot write what a remote refused",
                                 {{"file", letter.path_},
                                  {"err", batch->status.error().message},
                                  {"similar", std::to_string(held_back)}});
          }
        }
        if (!letter.waiting_.empty()) letter.Write();
      });
}

}  // namespace tributary
