#include "agent/receive/replica_file.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "common/file/replace_file.h"

namespace tributary {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

}  // namespace

std::string ReplicaFileText(const std::vector<ReplicaElection::Elected>& elected) {
  Json list = Json::array();
  for (const ReplicaElection::Elected& one : elected) {
    list.push_back(
        {{"cluster", one.cluster}, {"replica", one.replica}, {"since_ms", one.since_ms}});
  }
  return Json{{"version", kVersion}, {"elected", std::move(list)}}.dump() + "\n";
}

Result<std::vector<ReplicaElection::Elected>> ParseReplicaFile(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("version").get<int>() != kVersion) return Fail("it is of another version");
    std::vector<ReplicaElection::Elected> elected;
    for (const Json& one : json.at("elected")) {
      elected.push_back({one.at("cluster").get<std::string>(), one.at("replica").get<std::string>(),
                         one.at("since_ms").get<TimestampMs>()});
      if (elected.back().replica.empty()) return Fail("a replica has no name");
    }
    return elected;
  } catch (const Json::exception& error) {
    return Fail(error.what());
  }
}

void ReplicaFile::Save() {
  if (saving_) {
    changed_ = true;
    return;
  }
  saving_ = true;
  auto outcome = std::make_shared<Status>();
  work_.Run([disk = &disk_, path = path_, text = ReplicaFileText(election_.All()),
             outcome] { *outcome = ReplaceFile(*disk, path, text); },
            [self = self_, outcome] {
              ReplicaFile* file = *self;
              if (file == nullptr) return;
              file->failures_ += outcome->has_value() ? 0 : 1;
              file->saving_ = false;
              if (std::exchange(file->changed_, false)) file->Save();
            });
}

}  // namespace tributary
