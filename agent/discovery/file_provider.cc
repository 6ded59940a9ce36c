#include "agent/discovery/file_provider.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "agent/discovery/target_file.h"

namespace tributary {
namespace {

// "/etc/sd" of "/etc/sd/*.json".
std::string Directory(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<size_t>(slash, 1));
}

void SortUnique(std::vector<std::string>& texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
}

}  // namespace

FileProvider::FileProvider(FileSystem& files, FileSdConfig config)
    : file_system_(files), config_(std::move(config)) {}

std::vector<std::string> FileProvider::Directories() const {
  std::vector<std::string> directories;
  for (const std::string& pattern : config_.files) directories.push_back(Directory(pattern));
  SortUnique(directories);
  return directories;
}

void FileProvider::Adopt(const FileProvider& other) {
  for (const auto& [path, file] : other.files_) files_.emplace(path, file);
}

bool FileProvider::ListFiles(std::vector<std::string>& paths,
                             const std::function<void(std::string)>& warn) {
  std::map<std::string, std::string> errors;
  for (const std::string& pattern : config_.files) {
    Result<std::vector<std::string>> matches = file_system_.Glob(pattern);
    if (matches) {
      std::move(matches->begin(), matches->end(), std::back_inserter(paths));
      continue;
    }
    std::string& error = errors[pattern];
    error = "file_sd: " + matches.error().message;
    if (pattern_errors_[pattern] != error) warn(error);
  }
  SortUnique(paths);
  pattern_errors_ = std::move(errors);
  return pattern_errors_.empty();
}

bool FileProvider::ReadFile(const std::string& path, File& file,
                            const std::function<void(std::string)>& warn) const {
  const auto failed = [&](const std::string& reason) {
    const std::string error =
        "file_sd: " + reason + (file.groups == nullptr ? "" : " (its last good targets are kept)");
    if (file.error != error) warn(error);
    file.error = error;
    return false;
  };
  const Result<std::string> content = file_system_.ReadFile(path, kTargetFileBytesMax);
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

FileProvider::RefreshResult FileProvider::Refresh(const std::function<void(std::string)>& warn) {
  RefreshResult result;
  std::vector<std::string> paths;
  const bool listed = ListFiles(paths, warn);
  std::map<std::string, File> next;
  for (const std::string& path : paths) {
    const auto known = files_.find(path);
    File& file = next[path];
    if (known != files_.end()) file = known->second;
    const std::shared_ptr<const Groups> before = file.groups;
    (ReadFile(path, file, warn) ? result.updates : result.errors)++;
    if (file.groups != before) result.changed = true;
  }
  result.errors += pattern_errors_.size();
  for (auto& [path, file] : files_) {
    if (next.contains(path)) continue;
    if (!listed) {  // which of them are gone is not known
      next.emplace(path, std::move(file));
    } else if (file.groups != nullptr) {
      result.updates++;
      if (!file.groups->empty()) result.changed = true;
    }
  }
  files_ = std::move(next);
  return result;
}

void FileProvider::AppendGroups(std::vector<TargetGroup>& groups) const {
  for (const auto& [path, file] : files_) {
    if (file.groups != nullptr)
      groups.insert(groups.end(), file.groups->begin(), file.groups->end());
  }
}

}  // namespace tributary
