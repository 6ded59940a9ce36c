// Many calls of AWS' APIs, so many of them at a time, in groups: a group is done when all of its
// calls are, those too that the answers of others have made necessary. After a group's first
// failure the rest of it is not asked for.
//
// Control loop only. The client must outlive the queue, and the queue the client's calls: what is
// under way when it goes must not be answered any more.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/discovery/aws/aws_provider.h"
#include "common/aws/api_client.h"
#include "common/base/status.h"

namespace tributary {

class AwsCallQueue {
 public:
  // Reads an answer; may Ask for more in the same group. An error: it is not what was asked for.
  using Take = std::function<Status(const std::string& answer)>;
  // What failed first, if anything.
  using Done = std::function<void(const std::optional<AwsFailure>& failure)>;
  class Group {
   public:
    explicit Group(Done done) : done_(std::move(done)) {}

   private:
    friend class AwsCallQueue;
    size_t left_ = 1;  // calls; and one until it is closed
    std::optional<AwsFailure> failure_;
    Done done_;
  };
  using GroupPtr = std::shared_ptr<Group>;

  AwsCallQueue(AwsApiClient& api, size_t calls_max) : api_(api), calls_max_(calls_max) {}

  // Into a group that is open, or from inside `take` of a call of it.
  void Ask(const GroupPtr& group, AwsApiRequest request, Take take);
  // Nothing but what answers ask for is added any more. `done` runs at once if nothing is left.
  void Close(const GroupPtr& group);

 private:
  struct Entry {
    GroupPtr group;
    AwsApiRequest request;
    Take take;
  };

  void Pump();
  void Answered(const Entry& entry, const AwsResult<std::string>& answer);
  static void Leave(const GroupPtr& group);

  AwsApiClient& api_;
  const size_t calls_max_;
  size_t under_way_ = 0;
  std::deque<Entry> waiting_;
};

}  // namespace tributary
