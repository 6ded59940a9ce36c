#include "agent/receive/sender_quotas.h"

namespace tributary {

namespace {

constexpr char kOthers[] = "others";

}  // namespace

void SenderQuotas::SetLimit(uint64_t limit) {
  if (limits_ == nullptr) return;
  const bool was_limited = is_limited();
  if (was_limited != (limit > 0)) Clear();
  all_ = limits_->Set(LimitScope::kSender, "", limit);
  refused_.clear();
}

void SenderQuotas::Clear() {
  for (const Sender& sender : senders_) sender.room->Give(sender.series);
  senders_.clear();
  numbers_.clear();
  refused_.clear();
}

uint16_t SenderQuotas::NumberOf(const std::string& sender) {
  if (auto it = numbers_.find(sender); it != numbers_.end()) return it->second;
  if (senders_.size() >= kSendersMax && sender != kOthers) return NumberOf(kOthers);
  senders_.push_back({sender, limits_->SenderRoom(sender)});
  const auto number = static_cast<uint16_t>(senders_.size());
  numbers_.emplace(sender, number);
  return number;
}

SeriesLimit& SenderQuotas::RoomOf(uint16_t sender) const {
  SeriesLimit& room = *senders_[sender - 1].room;
  room.SetLimit(all_->limit());
  return room;
}

bool SenderQuotas::IsRefused(uint16_t sender, uint64_t line) const {
  return !refused_.empty() && refused_.contains(line) && RoomOf(sender).room() == 0;
}

bool SenderQuotas::Admit(uint16_t sender, uint64_t line, const Labels& series, TimestampMs now) {
  if (RoomOf(sender).Take()) {
    senders_[sender - 1].series++;
    return true;
  }
  if (refused_.size() < kRefusedMax && refused_.insert(line).second) {
    all_->NoteDropped(senders_[sender - 1].name, series, {}, now);
  }
  return false;
}

void SenderQuotas::Own(uint16_t sender) {
  senders_[sender - 1].series++;
  senders_[sender - 1].room->Add(1);
}

void SenderQuotas::Release(uint16_t sender) {
  senders_[sender - 1].series--;
  senders_[sender - 1].room->Give(1);
}

}  // namespace tributary
