#include "common/aws/credential_source.h"

#include <algorithm>
#include <utility>

#include "common/base/hash.h"

namespace tributary {

namespace {

constexpr milliseconds kRenewEarly = std::chrono::minutes(5);
constexpr milliseconds kJitter = std::chrono::minutes(1);
constexpr milliseconds kRenewAfterMax = std::chrono::hours(1);
constexpr milliseconds kFileAge = std::chrono::minutes(1);
constexpr seconds kPauseMax(60);

// How long keys with so much life left are used before others are asked for. The jitter is of the
// keys, so that agents which were started together do not ask together.
milliseconds RenewAfter(const AwsCredentials& keys, milliseconds left) {
  const uint64_t chance = StableHash(keys.access_key_id + std::to_string(*keys.expires));
  const milliseconds early =
      kRenewEarly + milliseconds(chance % static_cast<uint64_t>(kJitter.count()));
  return std::min(kRenewAfterMax, std::max(left - early, left / 2));
}

}  // namespace

CredentialSource::CredentialSource(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                                   AwsGetenv getenv, AwsClock& clock, const Sigv4Config& config,
                                   Fetched fetched, const HttpClientConfig* sts)
    : loop_(loop),
      files_(files),
      getenv_(std::move(getenv)),
      clock_(clock),
      config_(config),
      fetched_(std::move(fetched)),
      fetch_(loop, transport, files, getenv_, clock, sts) {}

bool CredentialSource::IsUsable() const {
  return identity_ &&
         (!identity_->credentials.expires || clock_.Now() < *identity_->credentials.expires);
}

Result<const AwsIdentity*> CredentialSource::Current() {
  const MonotonicTime now = loop_.Now();
  if (!fetching_ && now >= not_before_ && (!IsUsable() || now >= renew_)) Begin();
  if (IsUsable()) return &*identity_;
  if (fetching_) return nullptr;
  return Fail("sigv4: " + error_);
}

void CredentialSource::Refuse(const std::string& access_key_id) {
  if (identity_ && identity_->credentials.access_key_id == access_key_id) identity_.reset();
}

void CredentialSource::Begin() {
  Result<CredentialPlan> plan = PlanCredentials(config_, getenv_, files_);
  if (!plan) return Take(tl::unexpected(plan.error()), false);
  const bool known = plan->base == CredentialPlan::Base::kKeys && plan->roles.empty();
  const bool of_file = known && plan->keys_of_file;
  if (known && !plan->region.empty()) return Take(AwsIdentity{plan->keys, plan->region}, of_file);
  fetching_ = true;
  fetch_.Start(*std::move(plan), [this, of_file](Result<AwsIdentity> identity) {
    fetching_ = false;
    Take(std::move(identity), of_file);
    fetched_(IsUsable() ? Status() : Status(Fail("sigv4: " + error_)));
  });
}

void CredentialSource::Take(Result<AwsIdentity> identity, bool of_file) {
  const MonotonicTime now = loop_.Now();
  if (!identity) {
    error_ = identity.error().message;
    failures_total_++;
    not_before_ = now + std::min(kPauseMax, seconds(1LL << std::min<uint64_t>(failures_++, 6)));
    return;
  }
  failures_ = 0;
  identity_ = *std::move(identity);
  renew_ = MonotonicTime::max();
  const AwsCredentials& keys = identity_->credentials;
  if (keys.expires) renew_ = now + RenewAfter(keys, milliseconds(*keys.expires - clock_.Now()));
  if (of_file) renew_ = now + kFileAge;
}

}  // namespace tributary
