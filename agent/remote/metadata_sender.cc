#include "agent/remote/metadata_sender.h"

#include <algorithm>

#include "common/wire/remote_write.h"

namespace tributary {

MetadataSender::MetadataSender(EventLoop& loop, RemoteClient& client, MetadataPool& pool,
                               std::shared_ptr<const RemoteWriteConfig> config,
                               MetadataSenderStats& stats)
    : loop_(loop),
      client_(client),
      pool_(pool),
      config_(std::move(config)),
      stats_(stats),
      interval_timer_(loop),
      retry_timer_(loop) {
  if (config_->metadata.send) {
    interval_timer_.SetAfter(config_->metadata.send_interval, [this] { Collect(); });
  }
}

MetadataSender::~MetadataSender() { Stop(); }

void MetadataSender::Stop() {
  interval_timer_.Cancel();
  retry_timer_.Cancel();
  if (send_ != 0) client_.Cancel(send_);
  send_ = 0;
  batches_.clear();
  stats_.pending = 0;
}

void MetadataSender::Collect() {
  interval_timer_.SetAfter(config_->metadata.send_interval, [this] { Collect(); });
  // What could not be sent since the last time is out of date.
  if (!batches_.empty()) return;
  const std::vector<FamilyRef> families = pool_.InUse();
  const size_t batch_size = config_->metadata.max_samples_per_send;
  for (size_t begin = 0; begin < families.size(); begin += batch_size) {
    const size_t end = std::min(families.size(), begin + batch_size);
    WriteRequestBuilder builder;
    for (size_t i = begin; i < end; i++) {
      const FamilyMetadata& family = *families[i];
      builder.AddMetadata(family.family, family.type, family.help, family.unit);
    }
    batches_.push_back({std::make_shared<const std::string>(builder.Finish()), end - begin});
  }
  stats_.pending = families.size();
  SendNext();
}

void MetadataSender::SendNext() {
  if (batches_.empty()) return;
  send_ = client_.Send(batches_.front().body, attempt_,
                       [this](const SendOutcome& outcome) { OnOutcome(outcome); },
                       {{}, batches_.front().entries});
}

void MetadataSender::OnOutcome(const SendOutcome& outcome) {
  send_ = 0;
  const Batch& batch = batches_.front();
  if (outcome.kind == SendOutcome::Kind::kRetry) {
    stats_.retried += batch.entries;
    if (attempt_++ == 0) backoff_ = config_->queue.min_backoff;
    const nanoseconds wait = outcome.retry_after.value_or(backoff_);
    backoff_ = std::min<nanoseconds>(2 * wait, config_->queue.max_backoff);
    retry_timer_.SetAfter(wait, [this] { SendNext(); });
    return;
  }
  if (outcome.kind == SendOutcome::Kind::kDelivered) {
    stats_.sent += batch.entries;
    stats_.bytes += batch.body->size();
  } else {
    stats_.failed += batch.entries;
  }
  stats_.pending -= batch.entries;
  attempt_ = 0;
  batches_.pop_front();
  SendNext();
}

}  // namespace tributary
