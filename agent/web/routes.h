// Which path is answered with what: the table of the web server's endpoints.
#pragma once

#include <httplib.h>

#include "agent/web/server.h"

namespace tributary {

// Registers all endpoints, error pages and security headers. The handlers are kept by the server.
void AddRoutes(httplib::Server& server, const WebOptions& options, const WebHandlers& handlers);

}  // namespace tributary
