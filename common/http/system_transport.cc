#include "common/http/system_transport.h"

namespace tributary {

// An id says whose it is: libcurl's are odd.
HttpRequestId SystemTransport::Start(const HttpRequest& request, HttpHandler* handler) {
  if (const HttpRequestId id = tcp_.Start(request, handler); id != 0) return id << 1;
  if (!curl_) curl_.emplace(loop_, options_);
  return curl_->Start(request, handler) << 1 | 1;
}

void SystemTransport::Cancel(HttpRequestId id) {
  if ((id & 1) == 0) return tcp_.Cancel(id >> 1);
  curl_->Cancel(id >> 1);
}

}  // namespace tributary
