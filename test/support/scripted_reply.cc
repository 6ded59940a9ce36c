#include "test/support/scripted_reply.h"

namespace tributary {

std::string ServedRequest::Header(std::string_view name) const {
  HttpResponseHead head;
  head.headers = headers;
  return std::string(head.Header(name));
}

}  // namespace tributary
