// An API server of Kubernetes for the simulated network: objects that the test puts and deletes,
// lists with pages, watches that bring what happens later, selectors by equality.
//
// What is asked is remembered; what goes wrong is set by the test. Versions count up with each
// change.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "test/support/scripted_reply.h"
#include "test/support/sim/sim_loop.h"
#include "test/support/sim/sim_network.h"

namespace tributary {

class FakeKubernetes {
 public:
  using Json = nlohmann::json;

  // Listens on k8s.test:80.
  FakeKubernetes(SimNetwork& network, SimLoop& loop);

  // `resource` as in paths ("pods"); of an object like an earlier one only what it now is counts.
  void Put(const std::string& resource, const std::string& object);
  // By "namespace/name" or "name".
  void Delete(const std::string& resource, const std::string& key);

  // Every version up to now is too old to watch from, and every continue token.
  void Forget() { oldest_ = version_; }
  // To all watches of the resource under way.
  void SendRaw(const std::string& resource, const std::string& text);
  // All watches under way end this way.
  enum class Ending { kInOrder, kInTheMiddle };
  void EndWatches(Ending ending);
  size_t open_watches() const;
  // How often the resource was listed (pages count) or watched.
  size_t Lists(const std::string& resource) const;
  size_t Watches(const std::string& resource) const;

  // An answer other than the ordinary one.
  std::function<std::optional<ScriptedReply>(const ServedRequest&)> refuse;
  std::function<std::string(std::string)> spoil_list;  // its body
  size_t page_max = 500;
  bool bookmarks = true;  // each second, where they are asked for
  std::vector<ServedRequest> requests;

 private:
  struct Change {
    uint64_t version = 0;
    std::string resource;
    Json before, after;  // null: not there
  };
  struct Query {
    std::string resource, namespace_name, label, field;
    std::map<std::string, std::string> parameters;
    bool Selects(const Json& object) const;
  };
  struct Watch {
    Query query;
    uint64_t version = 0;
    MonotonicTime end{}, bookmark{};
    std::string raw;
    std::optional<Ending> ending;
    bool cut = false;
  };

  static Query Parse(const std::string& target);
  ScriptedReply Answer(const ServedRequest& request);
  ScriptedReply List(const Query& query);
  ScriptedReply Begin(const Query& query);
  std::optional<std::string> Next(Watch& watch);
  void Add(const std::string& resource, const std::string& key, Json after);

  SimLoop& loop_;
  static constexpr uint64_t kFirstVersion = 100;
  uint64_t version_ = kFirstVersion;
  uint64_t oldest_ = 0;
  std::map<std::string, std::map<std::string, Json>> objects_;
  std::vector<Change> changes_;  // one for each version after the first
  std::vector<std::weak_ptr<Watch>> watches_;
  struct Rest {
    uint64_t version = 0;
    std::vector<Json> items;
  };
  std::map<std::string, Rest> continued_;
};

}  // namespace tributary
