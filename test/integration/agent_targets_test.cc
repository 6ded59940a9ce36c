// Targets of every bad kind beside a healthy one: each is reported for what it is and hurts nobody
// else.
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include <fmt/format.h>

#include "agent/series/samples.h"
#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"
#include "test/support/remote_receiver.h"

namespace tributary {
namespace {

using nlohmann::json;
using End = ScriptedReply::End;

const HttpHeader kTextType = {"Content-Type", "text/plain; version=0.0.4"};
const HttpHeader kGzip = {"Content-Encoding", "gzip"};

ScriptedReply Page(std::string text) {
  return ScriptedReply::Text(200, std::move(text), {kTextType});
}

std::string Compressed(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string in = text, out(deflateBound(&stream, text.size()) + 100, '\0');
  void *const next_in = in.data(), *const next_out = out.data();  // the C interface's casts
  stream.next_in = static_cast<Bytef*>(next_in);
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = static_cast<Bytef*>(next_out);
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A page in many pieces, with a pause before each.
ScriptedReply InPieces(std::string piece, size_t count, nanoseconds pause) {
  ScriptedReply reply;
  reply.headers = {kTextType};
  reply.chunks.assign(count, std::move(piece));
  reply.before_chunk = pause;
  return reply;
}

std::string Noise(size_t bytes) {
  std::mt19937 random(7);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

constexpr int kIntervalMs = 500 * kSlowdown;

std::string Global() {
  return fmt::format("global: {{scrape_interval: {}ms, scrape_timeout: {}ms}}", kIntervalMs,
                     kIntervalMs * 4 / 5);
}

struct BadTarget {
  const char* job;
  ReplyScript script;
  std::vector<const char*> error;  // what last_error says, in pieces
  const char* options = "";        // of the job
};

std::string Lines(size_t count) {
  std::string page;
  for (size_t i = 0; i < count; i++)
    page += fmt::format("series_{}{{n=\"{}\"}} {}\n", i % 10, i, i);
  return page;
}

ReplyScript Always(ScriptedReply reply) {
  return [reply = std::move(reply)](const ServedRequest&) { return reply; };
}

std::vector<BadTarget> BadTargets() {
  ScriptedReply slow = Page("m 1\n");
  slow.before_head = seconds(30);
  ScriptedReply garbage_head;
  garbage_head.raw = Noise(2000);
  std::string comments;
  for (int i = 0; i < 100; i++) comments += "# no sample, but a comment of some length\n";
  return {
      {"slow", Always(slow), {"timed out", "waiting for the response"}},
      {"hangs", Always(ScriptedReply::Broken(End::kHang)), {"timed out"}},
      {"endless", Always(InPieces(comments, 1000, milliseconds(2))), {"timed out", "body"}},
      {"byte-a-second", Always(InPieces("m", 100, seconds(1))), {"timed out", "body"}},
      {"huge", Always(Page(Lines(50000))), {"body_size_limit exceeded"}, "body_size_limit: 1MB"},
      {"many-series", Always(Page(Lines(5000))), {"sample_limit"}, "sample_limit: 100"},
      {"many-labels", Always(Page("m{a=\"1\",b=\"2\",c=\"3\"} 1\n")), {"label"}, "label_limit: 4"},
      {"half", Always(Page("m 1\nn 2\n").Cut(End::kClose, 5)), {"clos"}},
      {"half-chunked", Always(InPieces("m 1\n", 3, nanoseconds(0)).Cut(End::kClose, 5)), {""}},
      {"reset", Always(ScriptedReply::Broken(End::kReset)), {"reset"}},
      {"reset-halfway", Always(Page("m 1\nn 2\n").Cut(End::kReset, 5)), {""}},
      {"garbage", Always(Page(Noise(5000))), {""}},
      {"no-value", Always(Page("m 1\nn\n")), {""}},
      {"no-http", Always(garbage_head), {""}},
      {"bad-gzip", Always(ScriptedReply::Text(200, Noise(5000), {kTextType, kGzip})), {"gzip"}},
      {"half-gzip",
       Always(ScriptedReply::Text(200, Compressed(Lines(1000)).substr(0, 500), {kTextType, kGzip})),
       {"gzip"}},
      {"gzip-bomb",
       Always(
           ScriptedReply::Text(200, Compressed(std::string(200 << 20, '#')), {kTextType, kGzip})),
       {"body_size_limit exceeded"},
       "body_size_limit: 5MB"},
      {"json",
       Always(ScriptedReply::Text(200, "{}", {{"Content-Type", "application/json"}})),
       {"application/json", "fallback_scrape_protocol"}},
      {"no-type", Always(ScriptedReply::Text(200, "m 1\n")), {"fallback_scrape_protocol"}},
      {"loop", Always(ScriptedReply::Text(302, "", {{"Location", "/again"}})), {"redirect"}},
      {"to-nowhere",
       Always(ScriptedReply::Text(302, "", {{"Location", "http://127.0.0.1:1/"}})),
       {""}},
      {"not-found", Always(ScriptedReply::Text(404, "m 1\n", {kTextType})), {"404"}},
      {"unwell", Always(ScriptedReply::Text(500, "m 1\n", {kTextType})), {"500"}},
  };
}

double MaxGapMs(std::vector<DecodedSample> samples) {
  double gap = 0;
  for (size_t i = 1; i < samples.size(); i++) {
    gap = std::max(gap, static_cast<double>(samples[i].timestamp - samples[i - 1].timestamp));
  }
  return gap;
}

std::string Job(const std::string& name, const std::string& address,
                const std::string& options = "") {
  return fmt::format("  - job_name: {}\n    static_configs: [{{targets: ['{}']}}]\n    {}\n", name,
                     address, options);
}

std::string AddressOf(const RawServer& server) {
  return fmt::format("127.0.0.1:{}", server.port());
}

// The healthy target is scraped as often as it should be, always successfully, and its samples
// arrive.
void CheckHealthy(const RemoteReceiver& receiver, size_t at_least) {
  const auto up = receiver.AcceptedOf({{"__name__", "up"}, {"job", "healthy"}});
  CHECK(up.size() >= at_least);
  for (const DecodedSample& sample : up) CHECK(sample.value == 1);
  CHECK(MaxGapMs(up) < 1.5 * kIntervalMs);
  CHECK(receiver.AcceptedOf({{"__name__", "m"}, {"job", "healthy"}}).size() == up.size());
}

TEST_CASE(
    "agent targets: each bad kind is down for its own reason, and the healthy one keeps its pace") {
  const std::vector<BadTarget> bad = BadTargets();
  std::vector<std::unique_ptr<RawServer>> servers;
  const RawServer healthy(Always(Page("m 1\n")));
  RemoteReceiver receiver;
  std::string jobs = Job("healthy", AddressOf(healthy));
  for (const BadTarget& target : bad) {
    servers.push_back(std::make_unique<RawServer>(target.script));
    jobs += Job(target.job, AddressOf(*servers.back()), target.options);
  }
  jobs += Job("refused", fmt::format("127.0.0.1:{}", UnusedPort()));
  AgentProcess agent(fmt::format(R"({}
scrape_configs:
{}
remote_write: [{{url: '{}', queue_config: {{batch_send_deadline: 100ms}}}}]
)",
                                 Global(), jobs, receiver.Url()));
  REQUIRE(Eventually(seconds(9 * kSlowdown), [&] {
    return receiver.AcceptedOf({{"__name__", "up"}, {"job", "healthy"}}).size() >= 10;
  }));
  std::map<std::string, json> targets;
  const json answer = agent.Api("/api/v1/targets");
  for (const json& target : answer.at("activeTargets")) targets[target.at("scrapePool")] = target;
  for (const BadTarget& target : bad) {
    const json status = targets[target.job];
    const std::string error = status.at("lastError");
    CAPTURE(target.job, error);
    CHECK(status.at("health") == "down");
    CHECK_FALSE(error.empty());
    for (const char* part : target.error) CHECK(error.find(part) != std::string::npos);
    const auto up = receiver.AcceptedOf({{"__name__", "up"}, {"job", target.job}});
    CHECK(up.size() >= 6);
    for (const DecodedSample& sample : up) CHECK(sample.value == 0);
    // All or nothing: not a sample of a page that was not read to its end. One that was refused
    // makes its series known all the same, as in Prometheus: if the next does not arrive in time,
    // which a busy machine can bring about, they are marked stale.
    for (const auto& sample : receiver.AcceptedOf({{"__name__", "m"}, {"job", target.job}})) {
      CHECK(IsStaleNan(sample.value));
    }
  }
  CHECK(targets["refused"].at("health") == "down");
  CHECK(targets["healthy"].at("health") == "up");
  CHECK(receiver.error() == "");
  CheckHealthy(receiver, 10);
  CHECK(agent.Metric("prometheus_target_scrapes_exceeded_body_size_limit_total") >= 10);
  CHECK(agent.Metric("prometheus_target_scrapes_exceeded_sample_limit_total") >= 5);
  // The bomb alone is 200 MB.
  if (kSlowdown == 1) CHECK(agent.Metric("process_resident_memory_bytes") < 150e6);
}

TEST_CASE("agent targets: with --scrape.local-identity those of this machine do not compress") {
  const bool on = GENERATE(false, true);
  CAPTURE(on);
  const RawServer target(Always(Page("m 1\n")));
  RemoteReceiver receiver;
  AgentSetup setup;
  if (on) setup.arguments = {"--scrape.local-identity"};
  const AgentProcess agent(fmt::format("{}\nscrape_configs:\n{}\nremote_write: [{{url: '{}'}}]\n",
                                       Global(), Job("local", AddressOf(target)), receiver.Url()),
                           setup);
  REQUIRE(Eventually(seconds(9 * kSlowdown), [&] { return !target.Requests().empty(); }));
  CHECK(target.Requests()[0].Header("Accept-Encoding") == (on ? "identity" : "gzip"));
}

TEST_CASE("agent targets: slow names, dead remotes and deaf ones delay nobody else") {
  const RawServer healthy(Always(Page("m 1\n")));
  RemoteReceiver receiver;
  const DeafListener deaf;
  std::string jobs = Job("healthy", AddressOf(healthy));
  for (int i = 0; i < 5; i++) {
    jobs += Job(fmt::format("slow-name-{}", i), fmt::format("slow-10000-{}.test:80", i));
  }
  jobs += Job("gone-name", "gone-10.test:80");
  jobs += Job("deaf", deaf.Url().substr(7));
  AgentSetup setup{{"--shutdown.deadline=1s"}, WithSlowNames()};
  AgentProcess agent(fmt::format(R"({}
scrape_configs:
{}
remote_write:
  - {{url: 'http://slow-10000-r.test/write', name: slow-name}}
  - {{url: 'http://127.0.0.1:{}/', name: dead}}
  - {{url: '{}', name: deaf}}
  - {{url: '{}', name: healthy, queue_config: {{batch_send_deadline: 100ms}}}}
)",
                                 Global(), jobs, UnusedPort(), deaf.Url(), receiver.Url()),
                     setup);
  CHECK(Eventually(seconds(9 * kSlowdown), [&] {
    return receiver.AcceptedOf({{"__name__", "up"}, {"job", "healthy"}}).size() >= 10;
  }));
  CheckHealthy(receiver, 10);
  for (int i = 0; i < 5; i++) {
    const json target = agent.TargetOf(fmt::format("slow-name-{}", i));
    CHECK(target.at("health") == "down");
    const std::string error = target.at("lastError");
    CHECK(error.find("name") != std::string::npos);
  }
  CHECK(agent.TargetOf("gone-name").at("health") == "down");
  const auto start = std::chrono::steady_clock::now();
  CHECK(agent.Stop() == 0);
  CHECK(std::chrono::steady_clock::now() - start < milliseconds(2500));
}

}  // namespace
}  // namespace tributary
