#include "test/unit/agent/discovery/kubernetes/fake_kubernetes.h"

#include <algorithm>

#include "common/http/query.h"

namespace tributary {
namespace {

using Json = FakeKubernetes::Json;

std::string KeyOf(const Json& object) {
  const Json& meta = object.at("metadata");
  const std::string name = meta.at("name");
  const std::string space = meta.value("namespace", "");
  return space.empty() ? name : space + "/" + name;
}

ScriptedReply Refusal(int code, const std::string& message) {
  return ScriptedReply::Text(code,
                             Json{{"kind", "Status"}, {"code", code}, {"message", message}}.dump());
}

std::string Event(const std::string& type, const Json& object) {
  return Json{{"type", type}, {"object", object}}.dump() + "\n";
}

// "a.b=c" of an object's fields, or of its labels.
bool Equals(const Json& root, const std::string& selector, bool dotted) {
  if (selector.empty()) return true;
  const size_t equals = selector.find('=');
  std::string path = selector.substr(0, equals);
  if (dotted) std::replace(path.begin(), path.end(), '.', '/');
  const Json::json_pointer pointer("/" + path);
  return root.contains(pointer) && root.at(pointer) == selector.substr(equals + 1);
}

}  // namespace

bool FakeKubernetes::Query::Selects(const Json& object) const {
  if (object.is_null()) return false;
  const Json& meta = object.at("metadata");
  if (!namespace_name.empty() && meta.value("namespace", "") != namespace_name) return false;
  return Equals(object, field, true) && Equals(meta.value("labels", Json::object()), label, false);
}

FakeKubernetes::FakeKubernetes(SimNetwork& network, SimLoop& loop) : loop_(loop) {
  network.Listen("k8s.test:80", [this](const ServedRequest& request) { return Answer(request); });
}

void FakeKubernetes::Put(const std::string& resource, const std::string& object) {
  Json json = Json::parse(object);
  const std::string key = KeyOf(json);
  Add(resource, key, std::move(json));
}

void FakeKubernetes::Delete(const std::string& resource, const std::string& key) {
  if (objects_[resource].contains(key)) Add(resource, key, Json());
}

void FakeKubernetes::Add(const std::string& resource, const std::string& key, Json after) {
  version_++;
  std::map<std::string, Json>& known = objects_[resource];
  const Json before = known.contains(key) ? known[key] : Json();
  if (!after.is_null()) after["metadata"]["resourceVersion"] = std::to_string(version_);
  changes_.push_back({version_, resource, before, after});
  if (after.is_null()) {
    known.erase(key);
  } else {
    known[key] = std::move(after);
  }
}

void FakeKubernetes::SendRaw(const std::string& resource, const std::string& text) {
  for (const auto& weak : watches_) {
    const auto watch = weak.lock();
    if (watch != nullptr && watch->query.resource == resource) watch->raw += text;
  }
}

void FakeKubernetes::EndWatches(Ending ending) {
  for (const auto& weak : watches_) {
    if (const auto watch = weak.lock()) watch->ending = ending;
  }
}

size_t FakeKubernetes::open_watches() const {
  return static_cast<size_t>(std::count_if(watches_.begin(), watches_.end(),
                                           [](const auto& watch) { return !watch.expired(); }));
}

size_t FakeKubernetes::Lists(const std::string& resource) const {
  return static_cast<size_t>(
      std::count_if(requests.begin(), requests.end(), [&](const ServedRequest& request) {
        const Query query = Parse(request.target);
        return query.resource == resource && !query.parameters.contains("watch");
      }));
}

size_t FakeKubernetes::Watches(const std::string& resource) const {
  return static_cast<size_t>(
      std::count_if(requests.begin(), requests.end(), [&](const ServedRequest& request) {
        const Query query = Parse(request.target);
        return query.resource == resource && query.parameters.contains("watch");
      }));
}

FakeKubernetes::Query FakeKubernetes::Parse(const std::string& target) {
  Query query;
  const size_t mark = target.find('?');
  const std::string path = target.substr(0, mark);
  query.resource = path.substr(path.rfind('/') + 1);
  constexpr std::string_view kNamespaces = "/namespaces/";
  if (const size_t at = path.find(kNamespaces); at != std::string::npos) {
    const size_t begin = at + kNamespaces.size();
    query.namespace_name = path.substr(begin, path.find('/', begin) - begin);
  }
  std::string rest = mark == std::string::npos ? "" : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string pair = rest.substr(0, rest.find('&'));
    rest.erase(0, pair.size() + 1);
    const size_t equals = pair.find('=');
    query.parameters[pair.substr(0, equals)] =
        UnescapeBytes(pair.substr(equals + 1), true).value_or("?");
  }
  query.label = query.parameters["labelSelector"];
  query.field = query.parameters["fieldSelector"];
  return query;
}

ScriptedReply FakeKubernetes::Answer(const ServedRequest& request) {
  requests.push_back(request);
  if (refuse != nullptr) {
    if (std::optional<ScriptedReply> reply = refuse(request)) return *reply;
  }
  const Query query = Parse(request.target);
  return query.parameters.contains("watch") ? Begin(query) : List(query);
}

ScriptedReply FakeKubernetes::List(const Query& query) {
  Rest rest;
  const std::string token =
      query.parameters.contains("continue") ? query.parameters.at("continue") : "";
  if (!token.empty()) {
    rest = continued_[token];
    if (rest.version < oldest_) return Refusal(410, "The provided continue parameter is too old");
  } else {
    rest.version = version_;
    for (const auto& [key, object] : objects_[query.resource]) {
      if (query.Selects(object)) rest.items.push_back(object);
    }
  }
  const size_t asked = std::stoul(query.parameters.at("limit"));
  const size_t count = std::min({rest.items.size(), page_max, asked});
  Json list = {{"kind", "List"}, {"apiVersion", "v1"}, {"items", Json::array()}};
  for (size_t i = 0; i < count; i++) list["items"].push_back(rest.items[i]);
  list["metadata"] = {{"resourceVersion", std::to_string(rest.version)}};
  rest.items.erase(rest.items.begin(), rest.items.begin() + static_cast<std::ptrdiff_t>(count));
  if (!rest.items.empty()) {
    const std::string next = "t" + std::to_string(continued_.size()) + "+/=";
    continued_[next] = std::move(rest);
    list["metadata"]["continue"] = next;
  }
  std::string body = list.dump();
  return ScriptedReply::Text(200, spoil_list == nullptr ? body : spoil_list(body));
}

ScriptedReply FakeKubernetes::Begin(const Query& query) {
  auto watch = std::make_shared<Watch>();
  watch->query = query;
  watch->version = std::stoull(query.parameters.at("resourceVersion"));
  if (watch->version < oldest_) {
    return ScriptedReply::Text(
        200, Event("ERROR", {{"kind", "Status"}, {"code", 410}, {"message", "too old"}}));
  }
  watch->end = loop_.Now() + seconds(std::stoi(query.parameters.at("timeoutSeconds")));
  watch->bookmark = loop_.Now();
  watches_.push_back(watch);
  ScriptedReply reply;
  reply.before_chunk = milliseconds(20);
  reply.more = [this, watch, first = true]() mutable -> std::optional<std::string> {
    if (std::exchange(first, false)) return "";
    return Next(*watch);
  };
  return reply;
}

std::optional<std::string> FakeKubernetes::Next(Watch& watch) {
  if (watch.cut) return std::nullopt;
  if (watch.ending == Ending::kInTheMiddle) {
    watch.cut = true;
    return R"({"type":"ADDED","obj)";
  }
  if (watch.ending || loop_.Now() >= watch.end) return std::nullopt;
  std::string text = std::exchange(watch.raw, "");
  for (size_t i = watch.version - kFirstVersion; i < changes_.size(); i++) {
    const Change& change = changes_[i];
    if (change.resource != watch.query.resource) continue;
    const bool before = watch.query.Selects(change.before);
    const bool after = watch.query.Selects(change.after);
    if (after) {
      text += Event(before ? "MODIFIED" : "ADDED", change.after);
    } else if (before) {
      Json gone = change.before;
      gone["metadata"]["resourceVersion"] = std::to_string(change.version);
      text += Event("DELETED", gone);
    }
  }
  watch.version = version_;
  const bool wanted = bookmarks && watch.query.parameters.contains("allowWatchBookmarks");
  if (wanted && loop_.Now() - watch.bookmark >= seconds(1)) {
    watch.bookmark = loop_.Now();
    text += Event("BOOKMARK", {{"metadata", {{"resourceVersion", std::to_string(version_)}}}});
  }
  return text;
}

}  // namespace tributary
