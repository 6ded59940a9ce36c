#include "agent/log/sample_log.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

Status SampleLog::Append(Commit commit, std::function<void()> done) {
  if (appends_ >= options_.appends_max) {
    stats_.appends_refused++;
    return Fail("the sample log does not keep up: too many appends are under way");
  }
  appends_++;
  auto shared = std::make_shared<Commit>(std::move(commit));
  loop_.Post([self = self_, shared, done = std::move(done)] {
    SampleLog* log = *self;
    if (log == nullptr) return;
    log->appends_--;
    for (GroupSamples& samples : shared->groups) {
      log->stats_.appended += samples.counts();
      log->stats_.bytes += samples.memory_bytes();
      log->records_.push_back(
          {log->next_++, std::make_shared<const GroupSamples>(std::move(samples))});
    }
    log->Trim();
    log->NotifyReaders();
    if (log->appends_ == 0) {
      for (auto& waiting : std::exchange(log->after_appends_, {})) {
        log->loop_.Post(std::move(waiting));
      }
    }
    done();
  });
  return {};
}

void SampleLog::AfterAppends(std::function<void()> done) {
  if (appends_ > 0) {
    after_appends_.push_back(std::move(done));
  } else {
    loop_.Post(std::move(done));
  }
}

SampleLog::ReaderId SampleLog::AddReader(std::function<void()> on_data) {
  Reader& reader = readers_[++last_reader_];
  reader.next = next_;
  reader.released = next_ - 1;
  reader.on_data = std::move(on_data);
  return last_reader_;
}

void SampleLog::RemoveReader(ReaderId id) {
  readers_.erase(id);
  Trim();
}

void SampleLog::Read(ReaderId id, uint64_t samples_max, std::function<void(Batch)> done) {
  loop_.Post([self = self_, id, samples_max, done = std::move(done)] {
    SampleLog* log = *self;
    if (log == nullptr) return;
    auto it = log->readers_.find(id);
    if (it == log->readers_.end()) return;
    Reader& reader = it->second;
    Batch batch;
    batch.lost = std::exchange(reader.lost, {});
    uint64_t samples = 0;
    while (reader.next < log->next_ && (samples < samples_max || batch.records.empty())) {
      const LogRecord& record = log->records_[reader.next - log->records_.front().position];
      samples += record.samples->counts().total();
      batch.records.push_back(record);
      reader.next++;
    }
    batch.at_end = reader.next == log->next_;
    done(std::move(batch));
  });
}

void SampleLog::Release(ReaderId id, LogPosition position) {
  auto it = readers_.find(id);
  CHECK(it != readers_.end());
  DCHECK(position < it->second.next);
  if (position <= it->second.released) return;
  it->second.released = position;
  Trim();
}

void SampleLog::PopOldest() {
  stats_.bytes -= records_.front().samples->memory_bytes();
  records_.pop_front();
}

void SampleLog::Trim() {
  LogPosition released = next_ - 1;
  for (const auto& [id, reader] : readers_) released = std::min(released, reader.released);
  while (!records_.empty() && records_.front().position <= released) PopOldest();
  while (stats_.bytes > options_.bytes_max && !records_.empty()) {
    const LogRecord& oldest = records_.front();
    const SampleCounts samples = oldest.samples->counts();
    stats_.evicted += samples;
    for (auto& [id, reader] : readers_) {
      if (reader.next > oldest.position) continue;
      reader.next = oldest.position + 1;
      reader.lost += samples;
    }
    PopOldest();
  }
  stats_.records = records_.size();
}

void SampleLog::NotifyReaders() {
  for (auto& [id, reader] : readers_) {
    if (reader.notified) continue;
    reader.notified = true;
    loop_.Post([self = self_, reader_id = id] {
      SampleLog* log = *self;
      if (log == nullptr) return;
      auto it = log->readers_.find(reader_id);
      if (it == log->readers_.end()) return;
      it->second.notified = false;
      // A copy: the callback may remove its reader.
      auto on_data = it->second.on_data;
      on_data();
    });
  }
}

}  // namespace tributary
