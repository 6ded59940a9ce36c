#include "test/support/sim/sim_files.h"

#include <fnmatch.h>

#include <algorithm>

namespace tributary {

namespace {

constexpr nanoseconds kWatchDelay = milliseconds(100);

std::string Parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string Trimmed(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

bool IsBelow(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.rfind(directory, 0) == 0 &&
         path[directory.size()] == '/';
}

}  // namespace

struct SimFileSystem::Tree {
  struct Watcher {
    Watcher(EventLoop& loop, std::vector<std::string> in, std::function<void()> call)
        : timer(loop), directories(std::move(in)), changed(std::move(call)) {}
    Timer timer;
    std::vector<std::string> directories;
    std::function<void()> changed;
  };

  std::map<std::string, std::string> files;
  std::set<std::string> directories{"/"};
  std::set<std::string> locks;
  std::vector<Watcher*> watchers;
  size_t failing_reads = 0;
  std::string failing_reads_reason;
  std::map<std::string, std::string> failing_paths;
  std::string failing_all;
  bool silent = false;
  size_t reads = 0;

  const std::string* FailureOf(const std::string& path) const {
    if (!failing_all.empty()) return &failing_all;
    const auto found = failing_paths.find(path);
    return found == failing_paths.end() ? nullptr : &found->second;
  }

  void AddDirectories(std::string path) {
    for (path = Trimmed(std::move(path)); directories.insert(path).second; path = Parent(path)) {
      Changed(path);
    }
  }

  // Something happened to the entry `path` of its directory, or to `path` itself.
  void Changed(const std::string& path) {
    if (silent) return;
    const std::string directory = Parent(path);
    for (Watcher* watcher : watchers) {
      const auto& in = watcher->directories;
      const bool meant = std::any_of(in.begin(), in.end(), [&](const std::string& watched) {
        return watched == directory || watched == path;
      });
      if (meant && !watcher->timer.active()) watcher->timer.SetAfter(kWatchDelay, watcher->changed);
    }
  }
};

namespace {

template <typename Tree>
class Watching : public FileWatch {
 public:
  Watching(std::shared_ptr<Tree> tree, EventLoop& loop, std::vector<std::string> directories,
           std::function<void()> changed)
      : tree_(std::move(tree)), watcher_(loop, std::move(directories), std::move(changed)) {
    tree_->watchers.push_back(&watcher_);
  }
  ~Watching() override { std::erase(tree_->watchers, &watcher_); }

 private:
  std::shared_ptr<Tree> tree_;
  typename Tree::Watcher watcher_;
};

template <typename Tree>
class Locking : public FileLock {
 public:
  Locking(std::shared_ptr<Tree> tree, std::string path)
      : tree_(std::move(tree)), path_(std::move(path)) {
    tree_->locks.insert(path_);
  }
  ~Locking() override { tree_->locks.erase(path_); }

 private:
  std::shared_ptr<Tree> tree_;
  std::string path_;
};

}  // namespace

SimFileSystem::SimFileSystem() : tree_(std::make_shared<Tree>()) {}
SimFileSystem::~SimFileSystem() = default;

Result<std::string> SimFileSystem::ReadFile(const std::string& path, size_t bytes_max) {
  tree_->reads++;
  if (tree_->failing_reads > 0) {
    tree_->failing_reads--;
    return Fail(path + ": " + tree_->failing_reads_reason);
  }
  if (const std::string* reason = tree_->FailureOf(path)) return Fail(path + ": " + *reason);
  const auto file = tree_->files.find(path);
  if (file == tree_->files.end()) {
    const bool directory = tree_->directories.contains(Trimmed(path));
    return Fail(path + (directory ? ": Is a directory" : ": No such file or directory"));
  }
  if (file->second.size() > bytes_max) {
    return Fail(path + ": larger than " + std::to_string(bytes_max) + " bytes");
  }
  return file->second;
}

Result<std::vector<std::string>> SimFileSystem::Glob(const std::string& pattern) {
  if (!tree_->failing_all.empty()) return Fail(pattern + ": " + tree_->failing_all);
  std::vector<std::string> found;
  const auto match = [&](const std::string& path) {
    if (fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) {
      found.push_back(path);
    }
  };
  for (const auto& [path, content] : tree_->files) match(path);
  for (const std::string& path : tree_->directories) match(path);
  std::sort(found.begin(), found.end());
  return found;
}

Status SimFileSystem::CreateDirectories(const std::string& path) {
  const std::string trimmed = Trimmed(path);
  if (const std::string* reason = tree_->FailureOf(trimmed)) return Fail(path + ": " + *reason);
  for (std::string at = trimmed; at != "/"; at = Parent(at)) {
    if (tree_->files.contains(at)) return Fail(path + ": Not a directory");
  }
  tree_->AddDirectories(trimmed);
  return {};
}

Result<std::unique_ptr<FileLock>> SimFileSystem::Lock(const std::string& path) {
  if (const std::string* reason = tree_->FailureOf(path)) return Fail(path + ": " + *reason);
  if (!tree_->directories.contains(Parent(path))) {
    return Fail(path + ": No such file or directory");
  }
  if (tree_->locks.contains(path)) return Fail(path + ": locked by another process");
  if (!tree_->files.contains(path)) WriteFile(path, "1\n");
  return std::make_unique<Locking<Tree>>(tree_, path);
}

std::unique_ptr<FileWatch> SimFileSystem::Watch(EventLoop& loop,
                                                std::vector<std::string> directories,
                                                std::function<void()> changed) {
  for (std::string& directory : directories) directory = Trimmed(std::move(directory));
  // As inotify has it: what does not exist yet cannot be watched.
  std::erase_if(directories, [this](const std::string& directory) {
    return !tree_->directories.contains(directory);
  });
  return std::make_unique<Watching<Tree>>(tree_, loop, std::move(directories), std::move(changed));
}

void SimFileSystem::WriteFile(const std::string& path, std::string content) {
  tree_->AddDirectories(Parent(path));
  tree_->files[path] = std::move(content);
  tree_->Changed(path);
}

void SimFileSystem::WriteFileSlowly(EventLoop& loop, const std::string& path,
                                    const std::string& content, size_t bytes, nanoseconds later) {
  WriteFile(path, content.substr(0, bytes));
  loop.AddTimerAfter(later, [tree = std::weak_ptr<Tree>(tree_), path, content] {
    const std::shared_ptr<Tree> still = tree.lock();
    if (!still) return;
    const auto file = still->files.find(path);
    if (file == still->files.end()) return;  // removed meanwhile: written into the void
    file->second = content;
    still->Changed(path);
  });
}

void SimFileSystem::Remove(const std::string& path) {
  const auto gone = [&](const std::string& entry) { return entry == path || IsBelow(entry, path); };
  std::vector<std::string> changes;
  for (const auto& [file, content] : tree_->files) {
    if (gone(file)) changes.push_back(file);
  }
  for (const std::string& directory : tree_->directories) {
    if (gone(directory)) changes.push_back(directory);
  }
  for (const std::string& change : changes) {
    tree_->files.erase(change);
    tree_->directories.erase(change);
    tree_->Changed(change);
    // A watch follows the directory, not its name: one that is made again is not watched.
    for (Tree::Watcher* watcher : tree_->watchers) std::erase(watcher->directories, change);
  }
}

void SimFileSystem::Rename(const std::string& from, const std::string& to) {
  const auto file = tree_->files.find(from);
  if (file != tree_->files.end()) {
    std::string content = std::move(file->second);
    tree_->files.erase(file);
    tree_->Changed(from);
    WriteFile(to, std::move(content));
    return;
  }
  if (!tree_->directories.contains(from)) return;
  std::map<std::string, std::string> moved;
  std::vector<std::string> directories;
  for (const auto& [path, content] : tree_->files) {
    if (IsBelow(path, from)) moved[to + path.substr(from.size())] = content;
  }
  for (const std::string& path : tree_->directories) {
    if (path == from || IsBelow(path, from)) directories.push_back(to + path.substr(from.size()));
  }
  Remove(from);
  for (const std::string& path : directories) tree_->AddDirectories(path);
  for (auto& [path, content] : moved) WriteFile(path, std::move(content));
}

bool SimFileSystem::Exists(const std::string& path) const {
  return tree_->files.contains(path) || tree_->directories.contains(path);
}

void SimFileSystem::FailNextReads(size_t count, std::string reason) {
  tree_->failing_reads = count;
  tree_->failing_reads_reason = std::move(reason);
}

void SimFileSystem::FailPath(const std::string& path, std::string reason) {
  if (reason.empty()) {
    tree_->failing_paths.erase(path);
  } else {
    tree_->failing_paths[path] = std::move(reason);
  }
}

void SimFileSystem::FailAll(std::string reason) { tree_->failing_all = std::move(reason); }

void SimFileSystem::LoseNotifications(bool on) { tree_->silent = on; }

size_t SimFileSystem::reads() const { return tree_->reads; }

}  // namespace tributary
