// Signs the requests of an HttpClient, each just before it is sent: the first, and anew what
// follows a redirect.
//
// One thread (the loop's). The client owns its signer.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/http/transport.h"

namespace tributary {

class RequestSigner {
 public:
  // Of credentials that were waited for; an error: there are none.
  using Ready = std::function<void(const Status& ready)>;
  virtual ~RequestSigner() = default;

  // Called when what Prepare was waiting for has come or failed, never from inside Prepare.
  void set_ready(Ready ready) { ready_ = std::move(ready); }

  // True: Sign can be called now. False: credentials are being fetched, and Ready will tell.
  virtual Result<bool> Prepare() = 0;
  // Signs the request, and of its headers those that are named and what the signature itself adds.
  // May write the URL in its normal form. Replaces an earlier signature.
  virtual void Sign(HttpRequest& request, const std::vector<std::string>& names) = 0;
  // Whether the answer showed that the signature was wrong and that a new one would be better. A
  // client sends the request once more then.
  virtual bool Learn(const HttpResponseHead& head) = 0;

 protected:
  void TellReady(const Status& ready) const {
    if (ready_) ready_(ready);
  }

 private:
  Ready ready_;
};

}  // namespace tributary
