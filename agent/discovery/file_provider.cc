#include "agent/discovery/file_provider.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "agent/discovery/target_file.h"

namespace tributary {
namespace {

// "/etc/sd" of "/etc/sd/*.json".
std::string Folder(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<size_t>(slash, 1));
}

void SortUnique(std::vector<std::string>& texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
}

}  // namespace

FileProvider::FileProvider(SdEnvironment& environment, FileSdConfig config,
                           std::function<void()> changed)
    : environment_(environment), config_(std::move(config)), changed_(std::move(changed)) {}

std::vector<std::string> FileProvider::Folders() const {
  std::vector<std::string> folders;
  for (const std::string& pattern : config_.files) folders.push_back(Folder(pattern));
  SortUnique(folders);
  return folders;
}

void FileProvider::Adopt(const Provider& predecessor) {
  const auto* other = dynamic_cast<const FileProvider*>(&predecessor);
  if (other == nullptr) return;
  for (const auto& [path, file] : other->files_) files_.emplace(path, file);
}

void FileProvider::Start() {
  subscription_ =
      environment_.folders.Subscribe(Folders(), config_.refresh_interval, [this] { Refresh(); });
  Refresh();
}

bool FileProvider::ListFiles(std::vector<std::string>& paths) {
  std::map<std::string, std::string> errors;
  for (const std::string& pattern : config_.files) {
    Result<std::vector<std::string>> matches = environment_.files.Glob(pattern);
    if (matches) {
      std::move(matches->begin(), matches->end(), std::back_inserter(paths));
      continue;
    }
    std::string& error = errors[pattern];
    error = "file_sd: " + matches.error().message;
    if (pattern_errors_[pattern] != error) environment_.warn(error);
  }
  SortUnique(paths);
  pattern_errors_ = std::move(errors);
  return pattern_errors_.empty();
}

bool FileProvider::ReadFile(const std::string& path, File& file) const {
  const auto failed = [&](const std::string& reason) {
    const std::string error =
        "file_sd: " + reason + (file.groups == nullptr ? "" : " (its last good targets are kept)");
    if (file.error != error) environment_.warn(error);
    file.error = error;
    return false;
  };
  const Result<std::string> content = environment_.files.ReadFile(path, kTargetFileBytesMax);
  if (!content) return failed(content.error().message);
  const size_t hash = std::hash<std::string>()(*content);
  if (file.groups == nullptr || file.content_hash != hash) {
    Result<Groups> groups = ParseTargetFile(path, *content);
    if (!groups) return failed(groups.error().message);
    if (file.groups == nullptr || *file.groups != *groups) {
      file.groups = std::make_shared<const Groups>(std::move(*groups));
    }
    file.content_hash = hash;
  }
  file.error.clear();
  return true;
}

void FileProvider::Refresh() {
  SdCounters& counters = environment_.counters;
  bool changed = false;
  std::vector<std::string> paths;
  const bool listed = ListFiles(paths);
  counters.file_read_errors += pattern_errors_.size();
  std::map<std::string, File> next;
  for (const std::string& path : paths) {
    const auto known = files_.find(path);
    File& file = next[path];
    if (known != files_.end()) file = known->second;
    const std::shared_ptr<const Groups> before = file.groups;
    (ReadFile(path, file) ? counters.received_updates : counters.file_read_errors)++;
    if (file.groups != before) changed = true;
  }
  for (auto& [path, file] : files_) {
    if (next.contains(path)) continue;
    if (!listed) {  // which of them are gone is not known
      next.emplace(path, std::move(file));
    } else if (file.groups != nullptr) {
      counters.received_updates++;
      if (!file.groups->empty()) changed = true;
    }
  }
  files_ = std::move(next);
  if (changed) changed_();
}

void FileProvider::AppendErrors(std::vector<std::string>& errors) const {
  for (const auto& [pattern, error] : pattern_errors_) errors.push_back(error);
  for (const auto& [path, file] : files_) {
    if (!file.error.empty()) errors.push_back(file.error);
  }
}

void FileProvider::AppendGroups(std::vector<TargetGroup>& groups) const {
  for (const auto& [path, file] : files_) {
    if (file.groups != nullptr)
      groups.insert(groups.end(), file.groups->begin(), file.groups->end());
  }
}

}  // namespace tributary
