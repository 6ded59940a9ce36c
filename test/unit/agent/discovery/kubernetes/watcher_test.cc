// How objects are listed and watched, and what becomes of failures; seen through discovery.
#include "agent/discovery/kubernetes/watcher.h"

#include <algorithm>

#include <fmt/format.h>

#include "common/base/version.h"
#include "test/support/catch.h"
#include "test/unit/agent/discovery/kubernetes/kubernetes_world.h"

namespace tributary {
namespace {

using Ending = FakeKubernetes::Ending;

bool IsWatch(const ServedRequest& request) {
  return request.target.find("watch=true") != std::string::npos;
}

struct PodsWorld : KubernetesWorld {
  PodsWorld() { api.Put("pods", PodJson("a", "p1", "1.1.1.1")); }
  void Discover() { KubernetesWorld::Discover(KubernetesJob(KubeRole::kPod)); }
  // The addresses of what is known now.
  std::string Addresses() const { return TargetsText(*discovery.SettledGroups("j")); }
  // From now on each of these requests gets the reply.
  void Refuse(ScriptedReply reply, bool watches, bool lists) {
    api.refuse = [=](const ServedRequest& request) -> std::optional<ScriptedReply> {
      return (IsWatch(request) ? watches : lists) ? std::optional(reply) : std::nullopt;
    };
  }
};

std::string StatusJson(int code, const std::string& message) {
  return fmt::format(R"({{"kind": "Status", "code": {}, "message": "{}"}})", code, message);
}

TEST_CASE("kubernetes watcher: the requests are those of an informer") {
  PodsWorld world;
  ScrapeConfig job = KubernetesJob(KubeRole::kPod);
  KubernetesSdConfig& sd = job.kubernetes_sd_configs[0];
  sd.api_server = "http://k8s.test/prefix/";
  sd.namespaces = {"a"};
  sd.selectors[KubeRole::kPod] = {"app in (x,y)", "spec.nodeName=n1"};
  sd.attach_namespace = true;
  sd.http.authorization = Authorization{"Bearer", {"t"}, ""};
  world.KubernetesWorld::Discover(job);
  REQUIRE(world.api.requests.size() == 4);
  const ServedRequest& list = world.api.requests[0];
  CHECK(list.method == "GET");
  CHECK(list.target ==
        "/prefix/api/v1/namespaces/a/pods?limit=500&resourceVersion=0"
        "&labelSelector=app+in+%28x%2Cy%29&fieldSelector=spec.nodeName%3Dn1");
  CHECK(list.Header("Accept") == "application/json");
  CHECK(list.Header("User-Agent") == "Tributary/" + std::string(Version()));
  CHECK(list.Header("Authorization") == "Bearer t");
  // Of namespaces the metadata alone is asked for.
  const ServedRequest& namespaces = world.api.requests[1];
  CHECK(namespaces.target == "/prefix/api/v1/namespaces?limit=500&resourceVersion=0");
  CHECK(namespaces.Header("Accept") ==
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json");
  const ServedRequest& watch = world.api.requests[2];
  CHECK(
      watch.target.starts_with("/prefix/api/v1/namespaces/a/pods?watch=true"
                               "&allowWatchBookmarks=true&resourceVersion=101&timeoutSeconds="));
  CHECK(
      watch.target.ends_with("&labelSelector=app+in+%28x%2Cy%29&fieldSelector=spec.nodeName%3Dn1"));
}

TEST_CASE("kubernetes watcher: additions, changes and deletions arrive at once") {
  PodsWorld world;
  world.Discover();
  CHECK(world.Addresses() == "1.1.1.1:80");
  world.api.Put("pods", PodJson("b", "p2", "2.2.2.2"));
  world.Run(milliseconds(200));
  CHECK(world.Addresses() == "1.1.1.1:80 2.2.2.2:80");
  world.Run(seconds(2));
  world.api.Put("pods", PodJson("a", "p1", "3.3.3.3"));
  world.api.Delete("pods", "b/p2");
  world.Run(milliseconds(200));
  CHECK(world.Addresses() == "3.3.3.3:80");
  CHECK(world.Events("pod", "add") == 2);
  CHECK(world.Events("pod", "update") == 1);
  CHECK(world.Events("pod", "delete") == 1);
  CHECK(world.api.Lists("pods") == 1);
  CHECK(world.Failures() == 0);
  CHECK(world.warnings.empty());
}

TEST_CASE("kubernetes watcher: many changes are told together, at most once a second") {
  PodsWorld world;
  world.Discover();
  world.Updates();
  world.updates.clear();
  for (int i = 0; i < 100; i++) {
    world.api.Put("pods", PodJson("a", fmt::format("n{}", i), fmt::format("9.9.9.{}", i)));
    world.Run(milliseconds(50));
  }
  world.Run(seconds(3));
  CHECK(world.updates.size() >= 5);
  CHECK(world.updates.size() <= 7);
  CHECK(world.groups["j"].size() == 101);
}

TEST_CASE("kubernetes watcher: a change of what nobody looks at changes nothing") {
  PodsWorld world;
  world.Discover();
  world.updates.clear();
  const double before = world.Metric("prometheus_sd_received_updates_total name=scrape");
  world.api.Put("pods", PodJson("a", "p1", "1.1.1.1", "n1", R"(, "generation": 2)"));
  world.Run(seconds(5));
  CHECK(world.Events("pod", "update") == 1);
  CHECK(world.updates.empty());
  CHECK(world.Metric("prometheus_sd_received_updates_total name=scrape") == before);
}

TEST_CASE("kubernetes watcher: a long list comes in pages") {
  PodsWorld world;
  for (int i = 2; i <= 25; i++) {
    world.api.Put("pods", PodJson("a", fmt::format("p{}", i), fmt::format("1.1.1.{}", i)));
  }
  world.api.page_max = 10;
  world.Discover();
  CHECK(world.groups["j"].size() == 25);
  CHECK(world.api.Lists("pods") == 3);
  CHECK(world.api.requests[1].target == "/api/v1/pods?limit=500&continue=t0%2B%2F%3D");
  CHECK(world.api.Watches("pods") == 1);
}

TEST_CASE("kubernetes watcher: a continue token that is too old means a fresh list") {
  PodsWorld world;
  world.api.Put("pods", PodJson("a", "p2", "2.2.2.2"));
  world.api.page_max = 1;
  bool forgotten = false;
  world.api.refuse = [&](const ServedRequest& request) -> std::optional<ScriptedReply> {
    if (request.target.find("continue=") != std::string::npos && !forgotten) {
      world.api.Put("pods", PodJson("a", "p3", "3.3.3.3"));
      world.api.Forget();
      forgotten = true;
    }
    return std::nullopt;
  };
  world.Apply({KubernetesJob(KubeRole::kPod)});
  world.Run(seconds(5));
  CHECK(world.Addresses() == "1.1.1.1:80 2.2.2.2:80 3.3.3.3:80");
  CHECK(world.Failures() == 1);
  CHECK(world.api.requests[2].target == "/api/v1/pods?limit=500");
}

TEST_CASE("kubernetes watcher: a watch that ends goes on where it was, without a list") {
  for (const Ending ending : {Ending::kInOrder, Ending::kInTheMiddle}) {
    PodsWorld world;
    world.Discover();
    world.Run(seconds(3));  // for a bookmark
    world.api.EndWatches(ending);
    world.api.Put("pods", PodJson("a", "p2", "2.2.2.2"));
    world.Run(seconds(3));
    CHECK(world.Addresses() == "1.1.1.1:80 2.2.2.2:80");
    CHECK(world.api.Lists("pods") == 1);
    CHECK(world.api.Watches("pods") == 2);
    CHECK(world.Failures() == 0);
    CHECK(world.Metric("tributary_sd_kubernetes_broken_watches_total") ==
          (ending == Ending::kInOrder ? 0 : 1));
    CHECK(world.Events("pod", "add") == 2);
  }
}

TEST_CASE("kubernetes watcher: watches are renewed every five to ten minutes, from bookmarks") {
  PodsWorld world;
  world.Discover();
  world.api.Put("services", R"({"metadata": {"name": "of no interest"}})");
  world.Run(std::chrono::minutes(31));
  CHECK(world.api.Watches("pods") >= 4);
  CHECK(world.api.Watches("pods") <= 7);
  CHECK(world.api.Lists("pods") == 1);
  CHECK(world.api.requests.back().target.find("resourceVersion=102&") != std::string::npos);
  CHECK(world.Failures() == 0);
}

TEST_CASE("kubernetes watcher: a server that forgot the version is listed anew") {
  PodsWorld world;
  world.api.Put("pods", PodJson("a", "p2", "2.2.2.2"));
  world.api.bookmarks = false;
  world.Discover();
  world.updates.clear();
  world.api.EndWatches(Ending::kInOrder);
  world.api.Delete("pods", "a/p2");
  world.api.Put("pods", PodJson("a", "p3", "3.3.3.3"));
  world.api.Forget();
  world.Run(seconds(10));
  CHECK(world.Addresses() == "1.1.1.1:80 3.3.3.3:80");
  CHECK(world.api.Lists("pods") == 2);
  const auto list = std::find_if(world.api.requests.rbegin(), world.api.requests.rend(),
                                 [](const auto& request) { return !IsWatch(request); });
  CHECK(list->target == "/api/v1/pods?limit=500");
  CHECK(world.Metric("tributary_sd_kubernetes_relists_total") == 1);
  // What did not change is no event.
  CHECK(world.Events("pod", "add") == 3);
  CHECK(world.Events("pod", "delete") == 1);
  CHECK(world.Events("pod", "update") == 0);
  CHECK(world.Failures() == 0);
  for (const std::string& update : world.updates) {
    CHECK(update.find("1.1.1.1:80") != std::string::npos);
  }
}

TEST_CASE("kubernetes watcher: another error from a watch is counted, told, and listed anew") {
  PodsWorld world;
  world.Discover();
  world.api.SendRaw("pods",
                    R"({"type": "ERROR", "object": )" + StatusJson(500, "etcd is ill") + "}");
  world.Run(seconds(10));
  CHECK(world.Failures() == 1);
  CHECK(world.api.Lists("pods") == 2);
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0] ==
        "kubernetes_sd: http://k8s.test: cannot watch pods: an error from the watch (code 500): "
        "etcd is ill (its last good targets are kept)");
  CHECK(world.Addresses() == "1.1.1.1:80");
}

TEST_CASE("kubernetes watcher: what makes no sense in a watch is counted, and listed anew") {
  for (const std::string text :
       {"{\"type\": \"ADDED\"}\n", "garbage\n", "{]}\n", "{\"type\": \"NEW\", \"object\": {}}",
        "{\"type\": \"ADDED\", \"object\": {\"metadata\": 7}}\n",
        "{\"type\": \"ADDED\", \"object\": {\"metadata\": {\"name\": \"x\"}, \"status\": "
        "{\"podIP\": 1}}}\n"}) {
    INFO(text);
    PodsWorld world;
    world.Discover();
    world.api.SendRaw("pods", text);
    world.Run(milliseconds(100));
    world.api.Put("pods", PodJson("a", "p2", "2.2.2.2"));
    world.Run(seconds(10));
    CHECK(world.Failures() == 1);
    CHECK(world.warnings.size() == 1);
    CHECK(world.api.Lists("pods") == 2);
    CHECK(world.Addresses() == "1.1.1.1:80 2.2.2.2:80");
  }
}

TEST_CASE("kubernetes watcher: a watch that ends at once is not begun again at once") {
  PodsWorld world;
  world.Discover();
  world.Refuse(ScriptedReply::Text(200, ""), true, false);
  world.api.EndWatches(Ending::kInOrder);
  world.Run(std::chrono::minutes(10));
  CHECK(world.api.Watches("pods") < 40);
  CHECK(world.api.Lists("pods") == 1);
  CHECK(world.Failures() == 0);
}

TEST_CASE("kubernetes watcher: a list that fails keeps the targets, is counted and told once") {
  struct Case {
    ScriptedReply reply;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {ScriptedReply::Text(401, StatusJson(401, "Unauthorized")),
       "status 401: Unauthorized; it does not accept the credentials"},
      {ScriptedReply::Text(403, StatusJson(403, "pods is forbidden")),
       "status 403: pods is forbidden; RBAC has to allow list and watch of \"pods\" (apiGroup "
       "\"\")"},
      {ScriptedReply::Text(429, "slow down"), "status 429"},
      {ScriptedReply::Text(500, std::string(200'000, 'x')), "status 500"},
      {ScriptedReply::Text(200, "{}"), "no list of Kubernetes' objects"},
      {ScriptedReply::Text(200, "<html>"), "the list is no JSON"},
      {ScriptedReply::Text(200, R"({"items": [{"metadata": {}}]})"), "without a name"},
      {ScriptedReply::Text(200, R"({"items": [{"metadata": {"name": [])"), "the list"},
      {ScriptedReply::Text(200, R"({"items": [7], "metadata": {"resourceVersion": "1"}})"),
       "something else than objects"},
      {ScriptedReply::Text(200, R"({"metadata": [], "items": []})"), "another form"},
      {ScriptedReply::Text(200, "{\"items\": [{\"a\": \"" + std::string(9 << 20, 'x') + "\"}]}"),
       "more than 8 MiB or 200 levels"},
      {ScriptedReply::Broken(ScriptedReply::End::kReset), "connection reset"},
  };
  for (const Case& c : cases) {
    INFO(c.reason);
    PodsWorld world;
    world.Discover();
    world.Refuse(c.reply, false, true);
    world.api.SendRaw("pods", R"({"type": "ERROR", "object": {"code": 410}})");
    world.Run(seconds(40));
    CHECK(world.Failures() >= 3);
    CHECK(world.Failures() <= 8);
    REQUIRE(world.warnings.size() == 1);
    CHECK(world.warnings[0].starts_with("kubernetes_sd: http://k8s.test: cannot list pods: "));
    CHECK(world.warnings[0].find(c.reason) != std::string::npos);
    CHECK(world.warnings[0].ends_with("(its last good targets are kept)"));
    CHECK(world.Addresses() == "1.1.1.1:80");
    world.api.refuse = nullptr;
    world.api.Put("pods", PodJson("a", "p2", "2.2.2.2"));
    world.Run(seconds(60));
    CHECK(world.Addresses() == "1.1.1.1:80 2.2.2.2:80");
    CHECK(world.warnings.size() == 1);
  }
}

TEST_CASE("kubernetes watcher: a first list that fails settles with nothing, and is tried again") {
  PodsWorld world;
  world.Refuse(ScriptedReply::Text(403, StatusJson(403, "no")), true, true);
  world.Apply({KubernetesJob(KubeRole::kPod)});
  CHECK_FALSE(world.discovery.SettledGroups("j"));
  world.Run(seconds(1));
  CHECK(world.Addresses().empty());
  CHECK(world.warnings.size() == 1);
  world.api.refuse = nullptr;
  world.Run(seconds(10));
  CHECK(world.Addresses() == "1.1.1.1:80");
}

TEST_CASE("kubernetes watcher: a refused watch is counted and tried again later") {
  PodsWorld world;
  world.Refuse(ScriptedReply::Text(403, StatusJson(403, "no watch")), true, false);
  world.Discover();
  CHECK(world.Addresses() == "1.1.1.1:80");
  world.Run(seconds(30));
  CHECK(world.Failures() >= 3);
  CHECK(world.api.Lists("pods") == 1);
  REQUIRE(world.warnings.size() == 1);
  CHECK(world.warnings[0].find("cannot watch pods: ") != std::string::npos);
  world.api.refuse = nullptr;
  world.api.Put("pods", PodJson("a", "p2", "2.2.2.2"));
  world.Run(seconds(60));
  CHECK(world.Addresses() == "1.1.1.1:80 2.2.2.2:80");
}

TEST_CASE("kubernetes watcher: Retry-After is heeded") {
  PodsWorld world;
  world.Refuse(ScriptedReply::Text(429, "", {{"Retry-After", "50"}}), true, true);
  world.Apply({KubernetesJob(KubeRole::kPod)});
  world.Run(seconds(49));
  CHECK(world.api.Lists("pods") == 1);
  world.Run(seconds(3));
  CHECK(world.api.Lists("pods") == 2);
}

TEST_CASE("kubernetes watcher: an API server that is away for long is back within a minute") {
  PodsWorld world;
  world.Discover();
  world.network.Find("k8s.test:80")->refusing = true;
  world.api.EndWatches(Ending::kInOrder);
  world.Run(std::chrono::hours(1));
  CHECK(world.Addresses() == "1.1.1.1:80");
  CHECK(world.Failures() > 50);
  CHECK(world.Errors() == "j: " + world.warnings.back());
  world.api.Put("pods", PodJson("a", "p2", "2.2.2.2"));
  world.network.Find("k8s.test:80")->refusing = false;
  world.Run(seconds(61));
  CHECK(world.Addresses() == "1.1.1.1:80 2.2.2.2:80");
  CHECK(world.Errors() == "");  // at once, not only when the new watch ends
}

TEST_CASE("kubernetes watcher: a rotated token counts for the next request; none is ever shown") {
  PodsWorld world;
  world.files.WriteFile("/token", "first-secret");
  ScrapeConfig job = KubernetesJob(KubeRole::kPod);
  job.kubernetes_sd_configs[0].http.authorization = Authorization{"Bearer", {}, "/token"};
  world.KubernetesWorld::Discover(job);
  CHECK(world.api.requests.back().Header("Authorization") == "Bearer first-secret");
  world.files.WriteFile("/token", "second-secret");
  world.Refuse(ScriptedReply::Text(401, StatusJson(401, "bad token second-secret")), true, true);
  world.api.EndWatches(Ending::kInOrder);
  world.Run(seconds(5));
  CHECK(world.api.requests.back().Header("Authorization") == "Bearer second-secret");
  REQUIRE_FALSE(world.warnings.empty());
  CHECK(world.warnings[0].find("bad token <secret>") != std::string::npos);
  CHECK(world.warnings[0].find("second-secret") == std::string::npos);
}

}  // namespace
}  // namespace tributary
