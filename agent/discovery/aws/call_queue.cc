#include "agent/discovery/aws/call_queue.h"

#include <utility>

namespace tributary {

void AwsCallQueue::Ask(const GroupPtr& group, AwsApiRequest request, Take take) {
  group->left_++;
  waiting_.push_back({group, std::move(request), std::move(take)});
  Pump();
}

void AwsCallQueue::Close(const GroupPtr& group) { Leave(group); }

void AwsCallQueue::Pump() {
  while (under_way_ < calls_max_ && !waiting_.empty()) {
    auto entry = std::make_shared<const Entry>(std::move(waiting_.front()));
    waiting_.pop_front();
    under_way_++;
    api_.Start(entry->request, [this, entry](const AwsResult<std::string>& answer) {
      under_way_--;
      Answered(*entry, answer);
    });
  }
}

// The end of a group may end the queue's work, but not the queue.
void AwsCallQueue::Answered(const Entry& entry, const AwsResult<std::string>& answer) {
  Group& group = *entry.group;
  const auto fail = [&](AwsApiError error) {
    if (!group.failure_) group.failure_ = {entry.request.IamAction(), std::move(error)};
  };
  if (!answer) {
    fail(answer.error());
  } else if (!group.failure_) {
    if (const Status taken = entry.take(*answer); !taken) {
      fail({AwsApiError::Kind::kAnswer, "", taken.error().message});
    }
  }
  if (group.failure_) {
    const size_t before = waiting_.size();
    std::erase_if(waiting_, [&](const Entry& other) { return other.group.get() == &group; });
    group.left_ -= before - waiting_.size();
  }
  Pump();
  Leave(entry.group);
}

void AwsCallQueue::Leave(const GroupPtr& group) {
  if (--group->left_ > 0) return;
  const Done done = std::move(group->done_);
  done(group->failure_);
}

}  // namespace tributary
