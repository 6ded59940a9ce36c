#include "agent/discovery/aws/ecs_provider.h"

#include <utility>

namespace tributary {
namespace {

// What failures may make it remember in vain.
constexpr size_t kDefinitionsMax = 10000;

}  // namespace

EcsProvider::EcsProvider(SdEnvironment& environment, EcsSdConfig config, const std::string& job,
                         std::function<void()> changed)
    : AwsProvider(environment, config.access, "ecs", job, config.refresh_interval,
                  std::move(changed)),
      config_(std::move(config)) {}

bool EcsProvider::FindsTheSame(const AwsProvider& other) const {
  const auto& before = static_cast<const EcsProvider&>(other).config_;
  EcsSdConfig same = config_;
  same.refresh_interval = before.refresh_interval;
  same.request_concurrency = before.request_concurrency;
  same.access.http = before.access.http;
  return same == before;
}

void EcsProvider::Refresh() {
  refresh_ = std::make_unique<EcsRefresh>(
      api(), config_, definitions_, [this](EcsRefresh::Found found) { Take(std::move(found)); });
  refresh_->Start();
}

void EcsProvider::Take(EcsRefresh::Found found) {
  if (!found.failure || definitions_.size() > kDefinitionsMax) {
    std::erase_if(definitions_,
                  [&found](const auto& known) { return !found.definitions.contains(known.first); });
  }
  if (!found.failure) return Succeed(std::move(found.parts));
  if (found.failed.empty()) return Fail(*found.failure);
  SucceedInPart(std::move(found.parts), found.failed, *found.failure);
}

}  // namespace tributary
