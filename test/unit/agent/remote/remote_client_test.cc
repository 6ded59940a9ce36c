#include "agent/remote/remote_client.h"

#include <algorithm>
#include <optional>
#include <set>

#include "common/base/version.h"
#include "common/wire/remote_write.h"
#include "test/support/catch.h"
#include "test/unit/agent/remote/remote_world.h"

namespace tributary {
namespace {

using Kind = SendOutcome::Kind;

std::shared_ptr<const std::string> Body() {
  WriteRequestBuilder builder;
  builder.AddSample(EncodeLabels(Labels{{"__name__", "m"}}), 1, 1700000000000);
  return std::make_shared<const std::string>(builder.Finish());
}

struct ClientWorld : RemoteWorld {
  RemoteWriteConfig config = RemoteConfig();

  // What comes of one attempt.
  SendOutcome Send(int attempt = 0) {
    RemoteClient client(loop, transport, files, std::make_shared<const RemoteWriteConfig>(config));
    std::optional<SendOutcome> outcome;
    client.Send(Body(), attempt, [&](SendOutcome result) {
      CHECK_FALSE(outcome);
      outcome = std::move(result);
    });
    CHECK_FALSE(outcome);
    REQUIRE(loop.RunUntil([&] { return outcome.has_value(); }, seconds(60)));
    loop.RunFor(seconds(60));
    return *outcome;
  }
  SendOutcome SendTo(ScriptedReply reply) {
    answer = [reply](const Received&) { return reply; };
    return Send();
  }
  SendOutcome SendTo(int status) { return SendTo(ScriptedReply::Text(status, "")); }
};

TEST_CASE("remote client: what comes of each status") {
  ClientWorld world;
  for (int status : {200, 201, 202, 204, 299}) {
    CAPTURE(status);
    const SendOutcome outcome = world.SendTo(status);
    CHECK(outcome.kind == Kind::kDelivered);
    CHECK(outcome.status == status);
  }
  for (int status : {300, 301, 304, 307, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 499}) {
    CAPTURE(status);
    CHECK(world.SendTo(status).kind == Kind::kRejected);
  }
  for (int status = 500; status < 600; status++) {
    CAPTURE(status);
    const SendOutcome outcome = world.SendTo(status);
    CHECK(outcome.kind == Kind::kRetry);
    CHECK(outcome.status == status);
  }
  world.config.queue.retry_on_http_429 = true;
  CHECK(world.SendTo(429).kind == Kind::kRetry);
  CHECK(world.SendTo(428).kind == Kind::kRejected);
}

TEST_CASE("remote client: without the head of a response it is a retry") {
  ClientWorld world;
  using End = ScriptedReply::End;
  for (End end : {End::kClose, End::kReset, End::kHang}) {
    const MonotonicTime start = world.loop.Now();
    const SendOutcome outcome = world.SendTo(ScriptedReply::Broken(end));
    CHECK(outcome.kind == Kind::kRetry);
    CHECK(outcome.status == 0);
    CHECK_FALSE(outcome.message.empty());
    CHECK(world.loop.Now() - start >= seconds(end == End::kHang ? 5 : 0));
  }
  ScriptedReply garbage;
  garbage.raw = "SSH-2.0\r\n";
  CHECK(world.SendTo(garbage).kind == Kind::kRetry);
  world.server->refusing = true;
  CHECK(world.Send().kind == Kind::kRetry);
  world.server->refusing = false;
  world.server->unreachable = true;
  CHECK(world.Send().kind == Kind::kRetry);
  world.server->unreachable = false;
  world.network.SetName("central.test", {milliseconds(10), true});
  CHECK(world.Send().kind == Kind::kRetry);
}

TEST_CASE("remote client: a status counts even if its body is cut off") {
  ClientWorld world;
  using End = ScriptedReply::End;
  auto cut = [](int status, End end) {
    return ScriptedReply::Text(status, "a body of some length").Cut(end, 5);
  };
  for (End end : {End::kClose, End::kReset, End::kHang}) {
    CHECK(world.SendTo(cut(200, end)).kind == Kind::kDelivered);
    CHECK(world.SendTo(cut(400, end)).kind == Kind::kRejected);
    CHECK(world.SendTo(cut(503, end)).kind == Kind::kRetry);
  }
}

TEST_CASE("remote client: redirects") {
  ClientWorld world;
  std::vector<HttpHeader> to_other = {{"Location", "http://other.test/here"}};
  std::string method_there, body_there;
  world.network.Listen("other.test:80", [&](const ServedRequest& request) {
    method_there = request.method;
    body_there = request.body;
    return ScriptedReply::Text(204, "");
  });
  CHECK(world.SendTo(ScriptedReply::Text(307, "", to_other)).kind == Kind::kDelivered);
  CHECK(method_there == "POST");
  CHECK(body_there == *Body());

  SECTION("that are not to be followed are a rejection") {
    world.config.http.follow_redirects = false;
    const SendOutcome outcome = world.SendTo(ScriptedReply::Text(307, "", to_other));
    CHECK(outcome.kind == Kind::kRejected);
    CHECK(outcome.status == 307);
  }
  SECTION("that never end are a retry: nothing has refused the samples") {
    CHECK(world.SendTo(ScriptedReply::Text(307, "", {{"Location", kRemoteUrl}})).kind ==
          Kind::kRetry);
  }
  SECTION("to where nobody listens are a retry") {
    CHECK(world.SendTo(ScriptedReply::Text(307, "", {{"Location", "http://127.0.0.1:1/"}})).kind ==
          Kind::kRetry);
  }
}

TEST_CASE("remote client: an invalid URL is a rejection, without its password") {
  ClientWorld world;
  world.config.url = "http://user:hunter2@[::bad/";
  const SendOutcome outcome = world.Send();
  CHECK(outcome.kind == Kind::kRejected);
  CHECK(outcome.message.find("hunter2") == std::string::npos);
}

TEST_CASE("remote client: the message is the first line of the receiver's words, clipped") {
  ClientWorld world;
  CHECK(world.SendTo(ScriptedReply::Text(400, "out of order  \r\nmore\n")).message ==
        "the receiver answered 400: out of order");
  CHECK(world.SendTo(ScriptedReply::Text(500, "")).message == "the receiver answered 500: ");
  const std::string message =
      world.SendTo(ScriptedReply::Text(400, std::string(100000, 'x'))).message;
  CHECK(message.size() < 1100);
  CHECK(message.size() > 1000);
}

TEST_CASE("remote client: Retry-After is taken from what is to be retried") {
  ClientWorld world;
  auto reply = [](int status) { return ScriptedReply::Text(status, "", {{"retry-after", "7"}}); };
  CHECK(world.SendTo(reply(503)).retry_after == seconds(7));
  CHECK(world.SendTo(reply(500)).retry_after == seconds(7));
  CHECK_FALSE(world.SendTo(reply(400)).retry_after);
  CHECK_FALSE(world.SendTo(503).retry_after);
  world.config.queue.retry_on_http_429 = true;
  CHECK(world.SendTo(reply(429)).retry_after == seconds(7));
}

constexpr TimestampMs kDate = 1445412480000;  // Wed, 21 Oct 2015 07:28:00 GMT

TEST_CASE("Retry-After: seconds or an HTTP date in the future") {
  auto parse = [](std::string_view value, TimestampMs now = kDate - 90'000) {
    return ParseRetryAfter(value, now);
  };
  CHECK(parse("120") == seconds(120));
  CHECK(parse("1") == seconds(1));
  CHECK(parse("Wed, 21 Oct 2015 07:28:00 GMT") == seconds(90));
  // At once and in the past: the sender's own backoff decides, or it would never pause.
  for (const char* none :
       {"0", "-5", "Wed, 21 Oct 2015 07:26:30 GMT", "Wed, 21 Oct 2015 07:26:29 GMT"}) {
    CAPTURE(none);
    CHECK_FALSE(parse(none));
  }
  for (const char* bad : {"", "abc", "1.5", "5s", "12 3", "99999999999999999999",
                          "Wed, 21 Oct 2015 07:28:00 CET", "Wed, 21 Oct 2015 07:28:00 GMT+1",
                          "Wed, 32 Oct 2015 07:28:00 GMT", "2015-10-21T07:28:00Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse(bad));
  }
  CHECK(parse("9223372036854775807") == std::chrono::hours(365 * 24));
  CHECK(parse("Wed, 21 Oct 2099 07:28:00 GMT") == std::chrono::hours(365 * 24));
}

std::set<std::string> HeadersOf(const ServedRequest& request) {
  std::set<std::string> headers;
  for (const HttpHeader& header : request.headers) {
    if (header.name == "Host" || header.name == "Content-Length") continue;
    headers.insert(header.name + ": " + header.value);
  }
  return headers;
}

TEST_CASE("remote client: sends the headers of remote write 1.0 and nothing else") {
  ClientWorld world;
  world.Send();
  REQUIRE(world.received.size() == 1);
  CHECK(world.received[0].served.method == "POST");
  CHECK(world.received[0].served.target == "/write");
  CHECK(world.received[0].served.body == *Body());
  const std::set<std::string> plain = {"Content-Encoding: snappy",
                                       "Content-Type: application/x-protobuf",
                                       "User-Agent: Tributary/" + std::string(Version()),
                                       "X-Prometheus-Remote-Write-Version: 0.1.0"};
  CHECK(HeadersOf(world.received[0].served) == plain);

  world.config.headers = {{"X-Scope-OrgID", "tenant"}, {"X-Empty", ""}};
  world.config.http.authorization = Authorization{"Bearer", {"tok"}, ""};
  world.Send(3);
  std::set<std::string> all = plain;
  all.insert(
      {"Retry-Attempt: 3", "X-Scope-OrgID: tenant", "X-Empty: ", "Authorization: Bearer tok"});
  CHECK(HeadersOf(world.received[1].served) == all);

  world.config.http.authorization.reset();
  world.config.http.basic_auth = BasicAuth{"w", "", {"p:w"}, ""};
  world.config.headers.clear();
  world.Send();
  all = plain;
  all.insert("Authorization: Basic dzpwOnc=");
  CHECK(HeadersOf(world.received[2].served) == all);
}

TEST_CASE("remote client: a credentials file is read at each attempt") {
  ClientWorld world;
  world.config.http.authorization = Authorization{"Bearer", {}, "/secret/token"};
  world.files.WriteFile("/secret/token", "one\n");
  world.Send();
  world.files.WriteFile("/secret/token", "two\n");
  world.Send();
  CHECK(world.received[0].served.Header("Authorization") == "Bearer one");
  CHECK(world.received[1].served.Header("Authorization") == "Bearer two");
}

TEST_CASE("remote client: a credentials file that is missing is a retry that names it") {
  ClientWorld world;
  world.config.url = "http://user:hunter2@central.test/write";
  world.config.http.basic_auth = BasicAuth{"", "/secret/absent", {"hunter3"}, ""};
  const SendOutcome outcome = world.Send();
  CHECK(outcome.kind == Kind::kRetry);
  CHECK(outcome.status == 0);
  CHECK(outcome.message.find("/secret/absent") != std::string::npos);
  CHECK(outcome.message.find("hunter") == std::string::npos);
  CHECK(world.received.empty());
}

TEST_CASE("remote client: says nothing after Cancel, nor after its end") {
  ClientWorld world;
  int calls = 0;
  auto client =
      std::make_unique<RemoteClient>(world.loop, world.transport, world.files,
                                     std::make_shared<const RemoteWriteConfig>(world.config));
  auto done = [&](const SendOutcome&) { calls++; };
  const uint64_t send = client->Send(Body(), 0, done);
  client->Cancel(send);
  client->Cancel(send);
  client->Cancel(12345);
  world.loop.RunFor(seconds(10));
  CHECK(calls == 0);
  client->Send(Body(), 0, done);
  client->Send(Body(), 0, done);
  world.loop.RunFor(seconds(10));
  CHECK(calls == 2);
  client->Send(Body(), 0, done);
  client.reset();
  world.loop.RunFor(seconds(10));
  CHECK(calls == 2);
  CHECK(world.transport.in_flight() == 0);
}

TEST_CASE("remote client: may be ended from inside of its answer") {
  // A queue does so when it was told to reconfigure. What shows a mistake here is the address
  // sanitizer.
  for (const bool credentials_missing : {false, true}) {
    ClientWorld world;
    if (credentials_missing) {
      world.config.http.authorization = Authorization{"Bearer", {}, "/secret/absent"};
    }
    auto client =
        std::make_unique<RemoteClient>(world.loop, world.transport, world.files,
                                       std::make_shared<const RemoteWriteConfig>(world.config));
    int calls = 0;
    auto done = [&](const SendOutcome&) {
      calls++;
      client.reset();
    };
    client->Send(Body(), 0, done);
    client->Send(Body(), 0, done);
    world.loop.RunFor(seconds(10));
    CHECK(calls == 1);
    CHECK(world.transport.in_flight() == 0);
  }
}

}  // namespace
}  // namespace tributary
