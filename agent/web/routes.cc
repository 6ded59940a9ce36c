#include "agent/web/routes.h"

#include <memory>

#include "agent/limits/series_limits.h"
#include "agent/web/api_json.h"
#include "agent/web/ui_files.h"

namespace tributary {
namespace {

using httplib::Request;
using httplib::Response;

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kJson[] = "application/json";

// Prometheus' endpoints that read samples or evaluate rules. An agent has none to read.
constexpr const char* kQueryPaths[] = {"/api/v1/query",
                                       "/api/v1/query_range",
                                       "/api/v1/query_exemplars",
                                       "/api/v1/format_query",
                                       "/api/v1/parse_query",
                                       "/api/v1/labels",
                                       "/api/v1/label/[^/]+/values",
                                       "/api/v1/series",
                                       "/api/v1/rules",
                                       "/api/v1/alerts",
                                       "/api/v1/alertmanagers",
                                       "/api/v1/status/tsdb",
                                       "/api/v1/status/tsdb/blocks"};

void Send(Response& response, int status, const std::string& body, const char* type) {
  response.status = status;
  response.set_content(body, type);
}

void SendError(Response& response, ApiErrorType type, std::string_view message) {
  Send(response, HttpStatusOf(type), ErrorJson(type, message), kJson);
}

void AddHealth(httplib::Server& server, const WebHandlers& handlers) {
  server.Get("/-/healthy", [](const Request&, Response& response) {
    Send(response, 200, "Tributary is Healthy.\n", kText);
  });
  server.Get("/-/ready", [ready = handlers.ready](const Request&, Response& response) {
    if (ready()) {
      Send(response, 200, "Tributary is Ready.\n", kText);
    } else {
      Send(response, 503, "Service Unavailable", kText);
    }
  });
}

// A page elsewhere can make a visitor's browser send a bare POST here; browsers say so in this
// header.
bool IsCrossSite(const Request& request) {
  const std::string site = request.get_header_value("Sec-Fetch-Site");
  return site == "cross-site" || site == "same-site";
}

// `act` fills the response; it is called only where the lifecycle API is on.
void AddLifecyclePath(httplib::Server& server, const std::string& path, bool enabled,
                      std::function<void(Response&)> act) {
  const auto serve = [enabled, act = std::move(act)](const Request& request, Response& response) {
    if (!enabled) {
      Send(response, 403, "Lifecycle API is not enabled.", kText);
    } else if (IsCrossSite(request)) {
      Send(response, 403, "This request came from another web site.\n", kText);
    } else {
      act(response);
    }
  };
  server.Post(path, serve);
  server.Put(path, serve);
  server.Get(path, [](const Request&, Response& response) {
    response.set_header("Allow", "POST, PUT");
    Send(response, 405, "Use POST or PUT.\n", kText);
  });
}

void AddLifecycle(httplib::Server& server, bool enabled, const WebHandlers& handlers) {
  AddLifecyclePath(server, "/-/reload", enabled, [reload = handlers.reload](Response& response) {
    if (const Status status = reload(); !status) {
      Send(response, 500, "failed to reload config: " + status.error().message + "\n", kText);
    } else {
      Send(response, 200, "", kText);
    }
  });
  AddLifecyclePath(server, "/-/quit", enabled, [quit = handlers.quit](Response& response) {
    quit();
    Send(response, 200, "Tributary is stopping.\n", kText);
  });
}

void AddMetrics(httplib::Server& server, const std::string& process, const WebHandlers& handlers) {
  server.Get("/metrics", [metrics = handlers.metrics, process](const Request&, Response& response) {
    const auto page = metrics();
    if (!process.empty()) response.set_header(std::string(kProcessHeader), process);
    if (page) {
      Send(response, 200, *page, "text/plain; version=0.0.4; charset=utf-8");
    } else {
      Send(response, 503, "cannot collect metrics: " + page.error().message + "\n", kText);
    }
  });
}

void AddTargets(httplib::Server& server, const WebHandlers& handlers) {
  server.Get("/api/v1/targets", [targets = handlers.targets, info = handlers.runtime_info](
                                    const Request& request, Response& response) {
    const auto status = targets();
    if (!status) return SendError(response, ApiErrorType::kUnavailable, status.error().message);
    const TargetsQuery query{request.get_param_value("state"),
                             request.get_param_value("scrapePool")};
    Send(response, 200, TargetsJson(*status, query, info().hostname), kJson);
  });
  server.Get("/api/v1/scrape_pools",
             [targets = handlers.targets](const Request&, Response& response) {
               const auto status = targets();
               if (!status)
                 return SendError(response, ApiErrorType::kUnavailable, status.error().message);
               Send(response, 200, ScrapePoolsJson(*status), kJson);
             });
}

void AddStatus(httplib::Server& server, const WebHandlers& handlers) {
  server.Get("/api/v1/status/config",
             [yaml = handlers.config_yaml](const Request&, Response& response) {
               Send(response, 200, ConfigJson(yaml()), kJson);
             });
  server.Get("/api/v1/status/flags", [flags = handlers.flags](const Request&, Response& response) {
    Send(response, 200, FlagsJson(flags()), kJson);
  });
  server.Get("/api/v1/status/buildinfo", [](const Request&, Response& response) {
    Send(response, 200, BuildInfoJson(), kJson);
  });
  server.Get("/api/v1/status/runtimeinfo",
             [info = handlers.runtime_info](const Request&, Response& response) {
               Send(response, 200, RuntimeInfoJson(info()), kJson);
             });
  server.Get("/api/v1/status/remote_write",
             [remote_write = handlers.remote_write](const Request&, Response& response) {
               const auto status = remote_write();
               if (!status)
                 return SendError(response, ApiErrorType::kUnavailable, status.error().message);
               Send(response, 200, RemoteWriteJson(*status), kJson);
             });
  server.Get("/api/v1/status/series_limits",
             [limits = handlers.series_limits](const Request&, Response& response) {
               Send(response, 200, SeriesLimitsJson(limits()), kJson);
             });
  server.Get("/version",
             [](const Request&, Response& response) { Send(response, 200, VersionJson(), kJson); });
}

void AddQueryRefusals(httplib::Server& server) {
  const auto refuse = [](const Request&, Response& response) {
    SendError(response, ApiErrorType::kExecution,
              "unavailable with an agent: it keeps no samples to query; ask the central store");
  };
  for (const char* path : kQueryPaths) {
    server.Get(path, refuse);
    server.Post(path, refuse);
  }
}

void AddPage(httplib::Server& server) {
  const auto add = [&server](const char* path, std::string_view file, const char* type) {
    server.Get(path, [file, type](const Request&, Response& response) {
      response.set_content(file.data(), file.size(), type);
    });
  };
  add("/", kUiIndexHtml, "text/html; charset=utf-8");
  add("/app\\.js", kUiAppJs, "application/javascript; charset=utf-8");
  add("/style\\.css", kUiStyleCss, "text/css; charset=utf-8");
  add("/icon\\.svg", kUiIconSvg, "image/svg+xml");
}

std::string_view MeaningOf(int status) {
  switch (status) {
    case 400:
      return "bad request";
    case 404:
      return "not found";
    case 413:
      return "request too large";
    case 414:
      return "request URI too long";
    default:
      return status < 500 ? "request refused" : "internal error";
  }
}

httplib::Server::HandlerResponse ServeError(const Request& request, Response& response) {
  if (!response.body.empty()) return httplib::Server::HandlerResponse::Unhandled;
  const std::string reason(MeaningOf(response.status));
  if (request.path.starts_with("/api/")) {
    const int status = response.status;
    SendError(response,
              status == 404  ? ApiErrorType::kNotFound
              : status < 500 ? ApiErrorType::kBadData
                             : ApiErrorType::kInternal,
              reason);
    response.status = status;
  } else {
    response.set_content(reason + "\n", kText);
  }
  return httplib::Server::HandlerResponse::Handled;
}

}  // namespace

void AddRoutes(httplib::Server& server, const WebOptions& options, const WebHandlers& handlers) {
  server.set_default_headers({{"Content-Security-Policy",
                               "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
                               "'self'; connect-src 'self'; "
                               "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                              {"X-Content-Type-Options", "nosniff"},
                              {"X-Frame-Options", "DENY"},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cache-Control", "no-store"}});
  server.set_error_handler(httplib::Server::HandlerWithResponse(ServeError));
  server.set_exception_handler([](const Request&, Response& response, std::exception_ptr) {
    Send(response, 500, "internal error\n", kText);
  });
  AddHealth(server, handlers);
  AddLifecycle(server, options.enable_lifecycle, handlers);
  AddMetrics(server, options.process, handlers);
  AddTargets(server, handlers);
  AddStatus(server, handlers);
  AddQueryRefusals(server);
  AddPage(server);
}

}  // namespace tributary
