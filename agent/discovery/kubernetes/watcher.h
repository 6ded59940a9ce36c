// Keeps all objects of one kind that Kubernetes' API has, in one namespace or in all of them, as
// far as they match a selector: lists them, page by page, and then watches what becomes of them.
// Follows k8s.io/client-go tools/cache/reflector.go (0.37).
//
// The first list may come from the API server's cache (resourceVersion=0). A watch asks for
// bookmarks, and when it ends goes on from the last version heard of; where the server cannot (410
// Gone, or an ERROR event) or makes no sense, everything is listed anew, and what has changed is
// told. What fails is tried again after 0.8 s, doubling up to 30 s, and up to twice as long by
// chance; a server's Retry-After counts as far as it is longer, up to 5 minutes. Meanwhile the
// objects stay.
//
// Bounds: those of JsonCutter (8 MiB an object), 10,000 pages, a million objects. The body is never
// held: objects are read one by one as they arrive.
//
// Control loop only. Listeners hear of changes from inside network callbacks: they must neither
// create nor destroy watchers then.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/kubernetes/counters.h"
#include "agent/discovery/kubernetes/json_cutter.h"
#include "agent/discovery/kubernetes/objects.h"
#include "agent/discovery/kubernetes/resource.h"
#include "common/config/model.h"
#include "common/event/event_loop.h"
#include "common/http/transport.h"

namespace tributary {

class KubeApi;
class KubeWatcher;

// What is watched.
struct KubeQuery {
  KubeResource resource = KubeResource::kPods;
  std::string namespace_name;  // "": all
  KubeSelector selector;
  bool operator==(const KubeQuery&) const = default;
};

class KubeListener {
 public:
  virtual ~KubeListener() = default;
  // `differs`: something that is kept of the object is not what it was.
  virtual void OnChange(const KubeWatcher& watcher, const std::string& key, KubeChange change,
                        bool differs) = 0;
  // The first list is in, or a request has failed for the first time.
  virtual void OnProgress() = 0;
};

class KubeWatcher : private HttpHandler {
 public:
  // Begins at once. Loop and counters must outlive it.
  KubeWatcher(EventLoop& loop, std::shared_ptr<KubeApi> api, KubeQuery query,
              KubeCounters& counters, std::function<void(std::string)> warn);
  ~KubeWatcher() override;
  KubeWatcher(const KubeWatcher&) = delete;
  KubeWatcher& operator=(const KubeWatcher&) = delete;

  const KubeQuery& query() const { return query_; }
  const KubeApi& api() const { return *api_; }
  // A whole list has been had: the objects are what there is, or was when it could last be asked.
  bool synced() const { return synced_; }
  // Synced, or failed at least once.
  bool tried() const { return synced_ || failed_once_; }

  // What failed last, as it is told; "": all is well, as it is while a watch is under way.
  std::string error() const;

  const std::map<std::string, KubeVersioned>& objects() const { return objects_; }
  // Null if there is none of this key (KubeKey).
  const KubeObject* Find(const std::string& key) const;

  void AddListener(KubeListener* listener) { listeners_.push_back(listener); }
  void RemoveListener(KubeListener* listener) { std::erase(listeners_, listener); }

 private:
  enum class Phase { kList, kWatch };

  void List();
  void ListPage();
  void Watch();
  void Send(std::string query, nanoseconds timeout);
  void CountRequest();
  void OnHead(const HttpResponseHead& head) override;
  bool OnBody(std::string_view bytes) override;
  void OnDone(const HttpOutcome& outcome) override;
  bool TakeListed(std::string_view json);
  bool TakeEvent(std::string_view json);
  void ListDone();
  void WatchDone(const HttpOutcome& outcome);
  void Replace();
  void Upsert(KubeVersioned changed);
  void Remove(const std::string& key);
  void Tell(const std::string& key, KubeChange change, bool differs);
  void Failed(const std::string& reason);
  // What the server said of a request that it refused, with what can be done about it.
  std::string Refusal() const;
  // Later, what failed: again the watch, or the whole list.
  void Retry(int failures);

  EventLoop& loop_;
  const std::shared_ptr<KubeApi> api_;
  const KubeQuery query_;
  KubeCounters& counters_;
  const std::function<void(std::string)> warn_;
  std::vector<KubeListener*> listeners_;

  std::map<std::string, KubeVersioned> objects_;
  bool synced_ = false;
  bool failed_once_ = false;
  std::string version_;  // up to which everything has been heard

  HttpRequestId request_ = 0;
  Phase phase_ = Phase::kList;
  MonotonicTime started_{};
  int status_ = 0;
  nanoseconds retry_after_{};
  std::string refused_body_;
  std::unique_ptr<JsonCutter> cutter_;
  std::string problem_;     // why the answer that arrives is no good; empty: it may be
  bool expired_ = false;    // the server does not know our version any more
  bool had_event_ = false;  // of the watch under way

  std::map<std::string, KubeVersioned> listed_;  // of the list under way
  std::string continue_token_;
  int pages_ = 0;
  bool from_cache_ = true;  // whether the next list may be

  Timer retry_;
  int list_failures_ = 0, watch_failures_ = 0;  // in a row
  std::string error_;                           // of the last try; empty: it went well
};

}  // namespace tributary
