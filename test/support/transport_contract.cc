#include "test/support/transport_contract.h"

#include <memory>
#include <utility>

#include "common/file/posix_file_system.h"
#include "common/http_client/http_client.h"
#include "test/support/catch.h"

namespace tributary {

void CollectingHandler::OnHead(const HttpResponseHead& received) {
  heads++;
  head = received;
  if (on_head) on_head();
}

bool CollectingHandler::OnBody(std::string_view bytes) {
  if (refused_) calls_after_refusal++;
  body.append(bytes);
  refused_ = body.size() > body_bytes_max;
  return !refused_;
}

void CollectingHandler::OnTrailers(const std::vector<HttpHeader>& received) {
  REQUIRE(trailers.empty());
  REQUIRE(heads == 1);
  trailers = received;
}

void CollectingHandler::OnDone(const HttpOutcome& result) {
  REQUIRE_FALSE(done);
  done = true;
  outcome = result;
  if (on_done) on_done();
}

HttpRequest GetRequest(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  request.timeout = seconds(10);
  return request;
}

HttpRequest PostRequest(std::string url, std::string body) {
  HttpRequest request = GetRequest(std::move(url));
  request.method = "POST";
  request.body = std::make_shared<const std::string>(std::move(body));
  return request;
}

CollectingHandler Fetch(TransportWorld& world, HttpRequest request) {
  CollectingHandler handler;
  REQUIRE(world.transport().Start(std::move(request), &handler) != 0);
  REQUIRE_FALSE(handler.done);  // never from inside Start
  REQUIRE(world.Run([&] { return handler.done; }, seconds(30)));
  return handler;
}

namespace {

using End = ScriptedReply::End;

ScriptedReply Redirect(int status, std::string location) {
  return ScriptedReply::Text(status, "moved", {{"Location", std::move(location)}});
}

ReplyScript Always(ScriptedReply reply) {
  return [reply](const ServedRequest&) { return reply; };
}

void RequireFailure(const CollectingHandler& handler, HttpFailure failure) {
  INFO(handler.outcome.message);
  REQUIRE(static_cast<int>(handler.outcome.failure) == static_cast<int>(failure));
  REQUIRE_FALSE(handler.outcome.message.empty());
}

void PlainGet(TransportWorld& world) {
  const size_t server =
      world.Serve(Always(ScriptedReply::Text(200, "hello", {{"X-Answer", "forty two"}})));
  HttpRequest request = GetRequest(world.Url(server) + "/path?query=1");
  request.headers = {{"X-Test", "yes"}, {"X-Empty", ""}};
  const CollectingHandler got = Fetch(world, request);
  REQUIRE(got.outcome.ok());
  REQUIRE(got.outcome.status == 200);
  REQUIRE(got.heads == 1);
  REQUIRE(got.head.status == 200);
  REQUIRE(got.head.Header("x-ANSWER") == "forty two");
  REQUIRE(got.head.Header("x-other").empty());
  REQUIRE(got.body == "hello");
  const auto requests = world.Requests(server);
  REQUIRE(requests.size() == 1);
  REQUIRE(requests[0].method == "GET");
  REQUIRE(requests[0].target == "/path?query=1");
  REQUIRE(requests[0].Header("x-test") == "yes");
  REQUIRE(requests[0].headers.size() == 3);  // Host and ours: nothing is added
}

void PathAsItIs(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  for (const char* path : {"/a/../b/./c", "/..//x/", "/%2e%2E/%41?x=../y&z", "/a//b?"}) {
    REQUIRE(Fetch(world, GetRequest(world.Url(server) + path)).outcome.ok());
    REQUIRE(world.Requests(server).back().target == path);
  }
}

void PlainPost(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "")));
  HttpRequest request = PostRequest(world.Url(server) + "/write", std::string(300'000, 'x'));
  request.headers = {{"Content-Type", "application/x-protobuf"}};
  const CollectingHandler got = Fetch(world, request);
  REQUIRE(got.outcome.ok());
  const auto requests = world.Requests(server);
  REQUIRE(requests.size() == 1);
  REQUIRE(requests[0].method == "POST");
  REQUIRE(requests[0].body == *request.body);
  REQUIRE(requests[0].headers.size() == 3);  // Host, Content-Length, Content-Type
  REQUIRE(requests[0].Header("Content-Type") == "application/x-protobuf");
}

void OtherMethods(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "body")));
  HttpRequest request = GetRequest(world.Url(server) + "/");
  request.method = "PUT";
  REQUIRE(Fetch(world, request).body == "body");
  request.method = "HEAD";
  const CollectingHandler head = Fetch(world, request);
  REQUIRE(head.outcome.ok());
  REQUIRE(head.heads == 1);
  REQUIRE(head.body.empty());
  const auto requests = world.Requests(server);
  REQUIRE(requests[0].method == "PUT");
  REQUIRE(requests[1].method == "HEAD");
}

void Chunked(TransportWorld& world) {
  ScriptedReply reply;
  std::string whole;
  for (int i = 0; i < 50; i++) {
    reply.chunks.push_back(
        std::string(static_cast<size_t>(1 + i * 37), static_cast<char>('a' + i % 26)));
    whole += reply.chunks.back();
  }
  const CollectingHandler got = Fetch(world, GetRequest(world.Url(world.Serve(Always(reply)))));
  REQUIRE(got.outcome.ok());
  REQUIRE(got.body == whole);
}

void Trailers(TransportWorld& world) {
  ScriptedReply reply = ScriptedReply::Text(200, "body", {{"X-Head", "h"}});
  reply.trailers = {{"X-Status", "0"}, {"X-Empty", ""}, {"X-Words", "two words"}};
  const size_t server = world.Serve(Always(reply));
  for (int i = 0; i < 2; i++) {
    const CollectingHandler got = Fetch(world, GetRequest(world.Url(server)));
    REQUIRE(got.outcome.ok());
    REQUIRE(got.heads == 1);
    REQUIRE(got.head.Header("X-Status").empty());
    REQUIRE(got.body == "body");
    REQUIRE(got.trailers.size() == 3);
    REQUIRE(FindHeader(got.trailers, "x-status") == "0");
    REQUIRE(FindHeader(got.trailers, "X-Words") == "two words");
  }
  // A broken body has none.
  const size_t broken = world.Serve(Always(reply.Cut(End::kClose, 2)));
  const CollectingHandler cut = Fetch(world, GetRequest(world.Url(broken)));
  RequireFailure(cut, HttpFailure::kClosed);
  REQUIRE(cut.trailers.empty());
}

void HugeTrailers(TransportWorld& world) {
  ScriptedReply reply = ScriptedReply::Text(200, "body");
  for (int i = 0; i < 100; i++) {
    reply.trailers.push_back({"X-" + std::to_string(i), std::string(700, 't')});
  }
  const CollectingHandler got = Fetch(world, GetRequest(world.Url(world.Serve(Always(reply)))));
  RequireFailure(got, HttpFailure::kBadResponse);
}

void NoContent(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(204, "")));
  const CollectingHandler got = Fetch(world, PostRequest(world.Url(server), "x"));
  REQUIRE(got.outcome.ok());
  REQUIRE(got.outcome.status == 204);
  REQUIRE(got.heads == 1);
  REQUIRE(got.body.empty());
}

void ErrorStatus(TransportWorld& world) {
  const size_t server =
      world.Serve(Always(ScriptedReply::Text(429, "slow down", {{"Retry-After", "7"}})));
  const CollectingHandler got = Fetch(world, GetRequest(world.Url(server)));
  REQUIRE(got.outcome.ok());
  REQUIRE(got.outcome.status == 429);
  REQUIRE(got.head.Header("retry-after") == "7");
  REQUIRE(got.body == "slow down");
}

void EncodedBody(TransportWorld& world) {
  const std::string bytes("\x1f\x8b\x08\x00 not inflated \xff", 19);
  const size_t server =
      world.Serve(Always(ScriptedReply::Text(200, bytes, {{"Content-Encoding", "gzip"}})));
  HttpRequest request = GetRequest(world.Url(server));
  request.headers = {{"Accept-Encoding", "gzip"}};
  REQUIRE(Fetch(world, request).body == bytes);
}

void InvalidUrls(TransportWorld& world) {
  const std::string refusing = world.RefusingUrl();
  const std::string without_scheme = refusing.substr(refusing.find("//") + 2);
  for (const std::string& url :
       {std::string(), std::string("no url"), std::string("ftp://127.0.0.1/"),
        std::string("http://"), std::string("http://user:sesame@:80/"),
        std::string("http://user:sesame@h:99999/"), without_scheme, without_scheme + "/metrics",
        "//" + without_scheme, std::string("localhost"), std::string("ftp.localhost/metrics")}) {
    INFO(url);
    const CollectingHandler got = Fetch(world, GetRequest(url));
    RequireFailure(got, HttpFailure::kInvalidUrl);
    REQUIRE(got.heads == 0);
    REQUIRE(got.outcome.status == 0);
    REQUIRE(got.outcome.message.find("sesame") == std::string::npos);
  }
}

void HeaderInjection(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "")));
  HttpRequest request = GetRequest(world.Url(server));
  request.headers = {{"X-Test", "a\r\nX-Smuggled: b"}};
  RequireFailure(Fetch(world, request), HttpFailure::kInvalidUrl);
  REQUIRE(world.Requests(server).empty());
}

void Refused(TransportWorld& world) {
  std::string url = world.RefusingUrl();
  url.insert(url.find("//") + 2, "user:sesame@");
  const CollectingHandler got = Fetch(world, GetRequest(url));
  RequireFailure(got, HttpFailure::kConnect);
  REQUIRE(got.outcome.status == 0);
  REQUIRE(got.outcome.message.find("sesame") == std::string::npos);
}

void UnknownName(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "")));
  RequireFailure(Fetch(world, GetRequest(world.Url(server, "gone-20.test"))),
                 HttpFailure::kResolve);
}

void SlowName(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  REQUIRE(Fetch(world, GetRequest(world.Url(server, "slow-50.test"))).outcome.ok());

  // Ten seconds to resolve: its request times out on time, and nobody else notices.
  HttpRequest slow = GetRequest(world.Url(server, "slow-10000.test"));
  slow.timeout = milliseconds(300);
  CollectingHandler waiting;
  const MonotonicTime start = world.loop().Now();
  world.transport().Start(slow, &waiting);
  for (int i = 0; i < 5; i++) REQUIRE(Fetch(world, GetRequest(world.Url(server))).outcome.ok());
  REQUIRE(world.loop().Now() - start < milliseconds(250));
  REQUIRE_FALSE(waiting.done);
  REQUIRE(world.Run([&] { return waiting.done; }, seconds(5)));
  RequireFailure(waiting, HttpFailure::kTimeout);
  REQUIRE(world.loop().Now() - start >= milliseconds(300));
  REQUIRE(world.loop().Now() - start < milliseconds(1300));
  // Its end does not wait for the resolver either.
  const MonotonicTime then = world.loop().Now();
  REQUIRE(Fetch(world, GetRequest(world.Url(server))).outcome.ok());
  REQUIRE(world.loop().Now() - then < milliseconds(250));
}

void ManySlowTargets(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  HttpRequest slow = GetRequest(world.Url(server, "slow-10000-b.test"));
  slow.timeout = milliseconds(500);
  std::vector<std::unique_ptr<CollectingHandler>> handlers;
  for (int i = 0; i < 100; i++) {
    handlers.push_back(std::make_unique<CollectingHandler>());
    world.transport().Start(slow, handlers.back().get());
  }
  const MonotonicTime start = world.loop().Now();
  REQUIRE(Fetch(world, GetRequest(world.Url(server, "slow-1.test"))).outcome.ok());
  REQUIRE(world.loop().Now() - start < milliseconds(400));
  for (const auto& handler : handlers) {
    REQUIRE(world.Run([&] { return handler->done; }, seconds(5)));
    RequireFailure(*handler, HttpFailure::kTimeout);
  }
}

void Broken(TransportWorld& world) {
  for (const End end : {End::kClose, End::kReset}) {
    const size_t early = world.Serve(Always(ScriptedReply::Broken(end)));
    const CollectingHandler none = Fetch(world, GetRequest(world.Url(early)));
    RequireFailure(none, HttpFailure::kClosed);
    REQUIRE(none.heads == 0);
    REQUIRE(none.outcome.status == 0);

    ScriptedReply sized = ScriptedReply::Text(200, std::string(1000, 'x'));
    ScriptedReply chunked;
    chunked.chunks = {std::string(600, 'x'), std::string(400, 'x')};
    for (ScriptedReply reply : {sized, chunked}) {
      const size_t bytes = 700;
      const size_t late = world.Serve(Always(reply.Cut(end, bytes)));
      const CollectingHandler some = Fetch(world, GetRequest(world.Url(late)));
      RequireFailure(some, HttpFailure::kClosed);
      REQUIRE(some.outcome.status == 200);
      REQUIRE(some.heads == 1);
      // A reset may overtake what was sent before it.
      if (end == End::kClose) REQUIRE(some.body.size() == bytes);
      REQUIRE(some.body.size() <= bytes);
    }
  }
}

void PostIsSentOnce(TransportWorld& world) {
  for (const End end : {End::kClose, End::kReset}) {
    const size_t server = world.Serve([end](const ServedRequest& request) {
      return request.body == "two" ? ScriptedReply::Broken(end) : ScriptedReply::Text(200, "ok");
    });
    REQUIRE(Fetch(world, PostRequest(world.Url(server), "one")).outcome.ok());
    const CollectingHandler got = Fetch(world, PostRequest(world.Url(server), "two"));
    RequireFailure(got, HttpFailure::kClosed);
    REQUIRE(got.heads == 0);
    REQUIRE(world.Requests(server).size() == 2);
    REQUIRE(Fetch(world, PostRequest(world.Url(server), "three")).outcome.ok());
    REQUIRE(world.Requests(server).size() == 3);
  }
}

void LostEndOfChunks(TransportWorld& world) {
  ScriptedReply reply;
  reply.chunks = {"all", "there"};
  const size_t server = world.Serve(Always(reply.Cut(End::kClose, 8)));
  RequireFailure(Fetch(world, GetRequest(world.Url(server))), HttpFailure::kClosed);
}

void Timeouts(TransportWorld& world) {
  ScriptedReply drip;  // a byte each 30 ms
  drip.chunks.assign(100, "x");
  drip.before_chunk = milliseconds(30);
  ScriptedReply halfway = ScriptedReply::Text(200, "some of it");
  halfway.Cut(End::kHang, 4);
  ScriptedReply late = ScriptedReply::Text(200, "late");
  late.before_head = seconds(20);
  std::vector<std::pair<std::string, int>> stages = {{world.DeafUrl(), 0}};
  stages.emplace_back(world.Url(world.Serve(Always(ScriptedReply::Broken(End::kHang)))), 0);
  stages.emplace_back(world.Url(world.Serve(Always(late))), 0);
  stages.emplace_back(world.Url(world.Serve(Always(halfway))), 200);
  stages.emplace_back(world.Url(world.Serve(Always(drip))), 200);
  for (const auto& [url, status] : stages) {
    HttpRequest request = GetRequest(url);
    request.timeout = milliseconds(200);
    const MonotonicTime start = world.loop().Now();
    const CollectingHandler got = Fetch(world, request);
    const nanoseconds took = world.loop().Now() - start;
    RequireFailure(got, HttpFailure::kTimeout);
    REQUIRE(got.outcome.status == status);
    REQUIRE(took >= request.timeout);
    REQUIRE(took < request.timeout + milliseconds(500));
  }
}

void SlowButInTime(TransportWorld& world) {
  ScriptedReply reply;
  reply.chunks = {"a", "b", "c"};
  reply.before_head = milliseconds(30);
  reply.before_chunk = milliseconds(30);
  HttpRequest request = GetRequest(world.Url(world.Serve(Always(reply))));
  const MonotonicTime start = world.loop().Now();
  REQUIRE(Fetch(world, request).body == "abc");
  REQUIRE(world.loop().Now() - start >= milliseconds(120));
}

// Through an HttpClient, which is what follows redirects.
CollectingHandler FetchByClient(TransportWorld& world, HttpRequest request) {
  PosixFileSystem files;
  HttpClient client(world.loop(), world.transport(), files, {});
  CollectingHandler handler;
  client.Start(std::move(request), &handler);
  REQUIRE_FALSE(handler.done);
  REQUIRE(world.Run([&] { return handler.done; }, seconds(30)));
  return handler;
}

void RedirectOnSameHost(TransportWorld& world) {
  const size_t server = world.Serve([](const ServedRequest& request) {
    if (request.target == "/a/one") return Redirect(302, "two?x=1");
    if (request.target == "/a/two?x=1") return Redirect(301, "/three");
    return ScriptedReply::Text(200, "arrived");
  });
  HttpRequest request = GetRequest(world.Url(server) + "/a/one");
  request.headers = {{"Authorization", "Bearer t"}, {"X-Test", "1"}};
  const CollectingHandler got = FetchByClient(world, request);
  REQUIRE(got.outcome.ok());
  REQUIRE(got.heads == 1);
  REQUIRE(got.head.status == 200);
  REQUIRE(got.head.Header("Location").empty());
  REQUIRE(got.body == "arrived");
  const auto requests = world.Requests(server);
  REQUIRE(requests.size() == 3);
  REQUIRE(requests[2].target == "/three");
  REQUIRE(requests[2].Header("Authorization") == "Bearer t");
  REQUIRE(requests[2].Header("X-Test") == "1");
}

// Another port is not another host.
void RedirectToOtherHost(TransportWorld& world) {
  const size_t last = world.Serve(Always(ScriptedReply::Text(200, "arrived")));
  const size_t third = world.Serve(Always(Redirect(302, world.Url(last) + "/x")));
  const size_t second = world.Serve(Always(Redirect(307, world.Url(third, "localhost") + "/x")));
  const size_t first = world.Serve(Always(Redirect(307, world.Url(second) + "/x")));
  HttpRequest request = GetRequest(world.Url(first));
  request.headers = {{"Authorization", "Bearer t"}, {"Cookie", "c=1"}, {"X-Test", "1"}};
  REQUIRE(FetchByClient(world, request).body == "arrived");
  for (const size_t server : {first, second, third, last}) {
    const ServedRequest seen = world.Requests(server).at(0);
    const bool trusted = server == first || server == second;
    REQUIRE(seen.Header("Authorization") == (trusted ? "Bearer t" : ""));
    REQUIRE(seen.Header("Cookie") == (trusted ? "c=1" : ""));
    REQUIRE(seen.Header("X-Test") == "1");
  }
}

void RedirectedPost(TransportWorld& world) {
  for (const int status : {301, 302, 303, 307, 308}) {
    const size_t server = world.Serve([status](const ServedRequest& request) {
      return request.target == "/to" ? ScriptedReply::Text(200, "") : Redirect(status, "/to");
    });
    HttpRequest request = PostRequest(world.Url(server) + "/from", "payload");
    request.headers = {{"Content-Encoding", "snappy"}};
    REQUIRE(FetchByClient(world, request).outcome.ok());
    const auto requests = world.Requests(server);
    REQUIRE(requests.size() == 2);
    const bool kept = status >= 307;
    REQUIRE(requests[1].method == (kept ? "POST" : "GET"));
    REQUIRE(requests[1].body == (kept ? "payload" : ""));
    REQUIRE(requests[1].Header("Content-Encoding") == (kept ? "snappy" : ""));
  }
}

void RedirectIsAResponse(TransportWorld& world) {
  const size_t server = world.Serve(Always(Redirect(302, "/elsewhere")));
  const CollectingHandler got = Fetch(world, GetRequest(world.Url(server)));
  REQUIRE(got.outcome.ok());
  REQUIRE(got.outcome.status == 302);
  REQUIRE(got.head.Header("Location") == "/elsewhere");
  REQUIRE(got.body == "moved");
  REQUIRE(world.Requests(server).size() == 1);
}

// As Go's client: ten requests in all.
void RedirectLimit(TransportWorld& world) {
  const size_t server = world.Serve([](const ServedRequest& request) {
    const int hops = std::stoi(request.target.substr(1));
    return hops == 0 ? ScriptedReply::Text(200, "arrived")
                     : Redirect(302, "/" + std::to_string(hops - 1));
  });
  REQUIRE(FetchByClient(world, GetRequest(world.Url(server) + "/9")).body == "arrived");
  REQUIRE(world.Requests(server).size() == 10);
  const CollectingHandler got = FetchByClient(world, GetRequest(world.Url(server) + "/10"));
  RequireFailure(got, HttpFailure::kTooManyRedirects);
  REQUIRE(got.heads == 0);
  REQUIRE(got.outcome.status == 302);
  REQUIRE(world.Requests(server).size() == 20);
}

void RedirectOffTheWeb(TransportWorld& world) {
  for (const char* location : {"ftp://127.0.0.1/x", "file:///etc/passwd", "http://", "//"}) {
    const size_t server = world.Serve(Always(Redirect(302, location)));
    const CollectingHandler got = FetchByClient(world, GetRequest(world.Url(server)));
    RequireFailure(got, HttpFailure::kBadResponse);
    REQUIRE(got.heads == 0);
    REQUIRE(got.outcome.status == 0);
  }
}

void HugeHeader(TransportWorld& world) {
  for (const size_t lines : {1, 100}) {
    ScriptedReply reply = ScriptedReply::Text(200, "x");
    for (size_t i = 0; i < lines; i++) {
      reply.headers.push_back({"X-" + std::to_string(i), std::string(70'000 / lines, 'h')});
    }
    const CollectingHandler got = Fetch(world, GetRequest(world.Url(world.Serve(Always(reply)))));
    RequireFailure(got, HttpFailure::kBadResponse);
    REQUIRE(got.heads == 0);
  }
  ScriptedReply large = ScriptedReply::Text(200, "x", {{"X-Large", std::string(60'000, 'h')}});
  REQUIRE(Fetch(world, GetRequest(world.Url(world.Serve(Always(large))))).outcome.ok());
}

void NoHttp(TransportWorld& world) {
  ScriptedReply reply;
  reply.raw = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
  reply.close_after = true;
  RequireFailure(Fetch(world, GetRequest(world.Url(world.Serve(Always(reply))))),
                 HttpFailure::kBadResponse);
}

void BodyRefused(TransportWorld& world) {
  ScriptedReply reply;
  reply.chunks.assign(100, std::string(1000, 'x'));
  CollectingHandler handler;
  handler.body_bytes_max = 5000;
  world.transport().Start(GetRequest(world.Url(world.Serve(Always(reply)))), &handler);
  REQUIRE(world.Run([&] { return handler.done; }, seconds(5)));
  RequireFailure(handler, HttpFailure::kAborted);
  REQUIRE(handler.outcome.status == 200);
  REQUIRE(handler.calls_after_refusal == 0);
}

void Cancelled(TransportWorld& world) {
  ScriptedReply reply = ScriptedReply::Text(200, "some of it");
  const size_t halfway = world.Serve(Always(reply.Cut(End::kHang, 4)));
  const size_t silent = world.Serve(Always(ScriptedReply::Broken(End::kHang)));
  const size_t good = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  HttpTransport& transport = world.transport();

  CollectingHandler started;
  const HttpRequestId in_body = transport.Start(GetRequest(world.Url(halfway)), &started);
  REQUIRE(world.Run([&] { return !started.body.empty(); }, seconds(5)));
  CollectingHandler before;
  const HttpRequestId in_wait = transport.Start(GetRequest(world.Url(silent)), &before);
  REQUIRE(world.Run([&] { return world.Requests(silent).size() == 1; }, seconds(5)));
  CollectingHandler resolving;
  const HttpRequestId in_lookup =
      transport.Start(GetRequest(world.Url(good, "slow-200-c.test")), &resolving);
  CollectingHandler invalid;
  const HttpRequestId bad = transport.Start(GetRequest("nonsense"), &invalid);
  CollectingHandler bystander;
  const HttpRequestId other = transport.Start(GetRequest(world.Url(good)), &bystander);
  for (const HttpRequestId id : {in_body, in_wait, in_lookup, bad}) transport.Cancel(id);
  transport.Cancel(0);
  transport.Cancel(in_body);
  transport.Cancel(123'456'789);
  REQUIRE(world.Run([&] { return bystander.done; }, seconds(5)));
  transport.Cancel(other);
  bool later = false;
  world.loop().AddTimerAfter(milliseconds(300), [&] { later = true; });
  REQUIRE(world.Run([&] { return later; }, seconds(5)));
  for (const CollectingHandler* handler : {&started, &before, &resolving, &invalid}) {
    REQUIRE_FALSE(handler->done);
  }
}

void StartAndCancelWhenDone(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  const size_t silent = world.Serve(Always(ScriptedReply::Broken(End::kHang)));
  CollectingHandler victim;
  const HttpRequestId cancelled = world.transport().Start(GetRequest(world.Url(silent)), &victim);
  // A chain: each request is started by the end of the one before, whose handler goes.
  auto handler = std::make_unique<CollectingHandler>();
  int ended = 0;
  std::function<void()> next = [&] {
    world.transport().Cancel(cancelled);
    if (++ended == 20) return;
    handler = std::make_unique<CollectingHandler>();
    handler->on_done = [&next] {
      const auto call = next;  // outlives the handler
      call();
    };
    world.transport().Start(GetRequest(world.Url(server)), handler.get());
  };
  next();
  REQUIRE(world.Run([&] { return ended == 20; }, seconds(10)));
  REQUIRE_FALSE(victim.done);
}

void StartFromOnHead(TransportWorld& world) {
  const size_t server = world.Serve(Always(ScriptedReply::Text(200, "ok")));
  CollectingHandler first;
  CollectingHandler second;
  first.on_head = [&] { world.transport().Start(GetRequest(world.Url(server)), &second); };
  world.transport().Start(GetRequest(world.Url(server)), &first);
  REQUIRE(world.Run([&] { return first.done && second.done; }, seconds(5)));
  REQUIRE(second.body == "ok");
}

void Parallel(TransportWorld& world) {
  const size_t server = world.Serve([](const ServedRequest& request) {
    ScriptedReply reply = ScriptedReply::Text(200, request.target + std::string(5000, '.'));
    reply.before_head = milliseconds(100);
    return reply;
  });
  std::vector<std::unique_ptr<CollectingHandler>> handlers;
  size_t done = 0;
  const MonotonicTime start = world.loop().Now();
  for (int i = 0; i < 200; i++) {
    handlers.push_back(std::make_unique<CollectingHandler>());
    handlers.back()->on_done = [&done] { done++; };
    const std::string url = world.Url(server) + "/" + std::to_string(i);
    world.transport().Start(GetRequest(url), handlers.back().get());
  }
  REQUIRE(world.Run([&] { return done == 200; }, seconds(10)));
  REQUIRE(world.loop().Now() - start < seconds(4));  // one after the other: 20 s
  for (size_t i = 0; i < handlers.size(); i++) {
    REQUIRE(handlers[i]->outcome.ok());
    REQUIRE(handlers[i]->body == "/" + std::to_string(i) + std::string(5000, '.'));
  }
}

}  // namespace

const std::vector<TransportContractCase>& TransportContract() {
  static const std::vector<TransportContractCase> cases = {
      {"a GET sends what it was given and delivers status, headers and body", PlainGet},
      {"path and query are sent as they are", PathAsItIs},
      {"a POST sends its body and no header of its own", PlainPost},
      {"other methods go out as they are; HEAD has no body", OtherMethods},
      {"chunked bodies arrive without their frames", Chunked},
      {"trailers arrive after the body", Trailers},
      {"trailers over 64 KiB are kBadResponse", HugeTrailers},
      {"204 has no body", NoContent},
      {"an error status is a complete response", ErrorStatus},
      {"an encoded body is not decoded", EncodedBody},
      {"an invalid URL fails later, without secrets", InvalidUrls},
      {"a line break in a header sends nothing", HeaderInjection},
      {"a refused connection is kConnect, without secrets", Refused},
      {"a name that does not exist is kResolve", UnknownName},
      {"a name that takes 10 s delays nobody else", SlowName},
      {"a hundred targets of a slow name do not hold up another name", ManySlowTargets},
      {"a close or reset before the end is kClosed", Broken},
      {"a POST whose connection ends before the response is sent only once", PostIsSentOnce},
      {"chunks without the last one are kClosed", LostEndOfChunks},
      {"a timeout strikes on time at every stage", Timeouts},
      {"a slow response in time is complete", SlowButInTime},
      {"redirects on the same host keep all headers", RedirectOnSameHost},
      {"a redirect that leaves the host drops credentials for the rest of the way",
       RedirectToOtherHost},
      {"a redirected POST becomes GET for 301 to 303 and stays for 307 and 308", RedirectedPost},
      {"a redirect is a response like any other", RedirectIsAResponse},
      {"nine redirects are followed, ten are not", RedirectLimit},
      {"redirects off the web are kBadResponse", RedirectOffTheWeb},
      {"a header over 64 KiB is kBadResponse", HugeHeader},
      {"what is no HTTP is kBadResponse", NoHttp},
      {"a refused body ends with kAborted", BodyRefused},
      {"a cancelled request is not heard of again", Cancelled},
      {"OnDone may start and cancel requests and destroy its handler", StartAndCancelWhenDone},
      {"OnHead may start requests", StartFromOnHead},
      {"200 requests run at a time", Parallel},
  };
  return cases;
}

}  // namespace tributary
