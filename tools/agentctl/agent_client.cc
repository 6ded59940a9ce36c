#include "tools/agentctl/agent_client.h"

#include <fmt/format.h>

#include "common/base/version.h"
#include "common/config/model.h"
#include "common/config/url.h"
#include "common/event/system_event_loop.h"
#include "common/http/system_transport.h"

namespace tributary {
namespace {

constexpr size_t kBodyBytesMax = 256 << 20;

// Reads one answer, and ends the loop.
class Answer : public HttpHandler {
 public:
  explicit Answer(SystemEventLoop& loop) : loop_(loop) {}
  void OnHead(const HttpResponseHead& head) override { got.status = head.status; }
  bool OnBody(std::string_view bytes) override {
    if (got.body.size() + bytes.size() > kBodyBytesMax) return false;
    got.body += bytes;
    return true;
  }
  void OnDone(const HttpOutcome& ended) override {
    outcome = ended;
    loop_.Stop();
  }

  AgentAnswer got;
  HttpOutcome outcome;

 private:
  SystemEventLoop& loop_;
};

}  // namespace

Result<std::string> AgentUrl(const std::string& text) {
  std::string url = text.find("://") == std::string::npos ? "http://" + text : text;
  while (url.ends_with('/')) url.pop_back();
  const Result<UrlParts> parts = ParseUrl(url);
  if (!parts) return Fail(fmt::format("--url: {}", parts.error().message));
  if (parts->host.empty() || (parts->scheme != "http" && parts->scheme != "https")) {
    return Fail("--url: give the agent's address, like http://127.0.0.1:9095");
  }
  return url;
}

Result<AgentAnswer> GetFromAgent(const std::string& url, const std::string& path,
                                 milliseconds timeout) {
  SystemEventLoop loop;
  SystemTransport transport(loop, {});
  Answer answer(loop);
  HttpRequest request;
  request.url = url + path;
  request.timeout = timeout;
  request.headers = {{"User-Agent", fmt::format("agentctl/{}", Version())},
                     {"Accept", "application/json"}};
  transport.Start(std::move(request), &answer);
  loop.Run();
  if (!answer.outcome.ok()) {
    return Fail(fmt::format("no agent answers at {}: {}", RedactUrl(url), answer.outcome.message));
  }
  return std::move(answer.got);
}

Result<nlohmann::ordered_json> AskAgent(const std::string& url, const std::string& path,
                                        milliseconds timeout) {
  const Result<AgentAnswer> answer = GetFromAgent(url, path, timeout);
  if (!answer) return tl::unexpected(answer.error());
  const auto json = nlohmann::ordered_json::parse(answer->body, nullptr, false);
  if (json.is_object() && json.value("status", "") == "success" && json.contains("data")) {
    return json["data"];
  }
  if (json.is_object() && json.contains("error") && json["error"].is_string()) {
    return Fail(fmt::format("{}{}: {}", RedactUrl(url), path, json["error"].get<std::string>()));
  }
  return Fail(fmt::format("{}{} answers {}: this is no Tributary, or one of another version",
                          RedactUrl(url), path, answer->status));
}

}  // namespace tributary
