#include "common/aws/sigv4_signer.h"

#include <utility>

#include "common/aws/sigv4.h"
#include "common/base/assert.h"

namespace tributary {

Sigv4Signer::Sigv4Signer(EventLoop& loop, HttpTransport& transport, FileSystem& files,
                         AwsGetenv getenv, const Sigv4Config& config)
    : clock_(loop),
      service_(config.service_name),
      credentials_(loop, transport, files, std::move(getenv), clock_, config,
                   [this](const Status& fetched) { TellReady(fetched); }) {}

Result<bool> Sigv4Signer::Prepare() {
  const Result<const AwsIdentity*> identity = credentials_.Current();
  if (!identity) return tl::unexpected(identity.error());
  identity_ = *identity;
  return identity_ != nullptr;
}

void Sigv4Signer::Sign(HttpRequest& request, const std::vector<std::string>& names) {
  CHECK(identity_ != nullptr);
  SignRequest(request, names, identity_->credentials, {identity_->region, service_}, clock_.Now());
}

}  // namespace tributary
