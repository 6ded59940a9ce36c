#include "agent/discovery/folder_watcher.h"

#include <algorithm>
#include <utility>

namespace tributary {
namespace {

constexpr nanoseconds kReadSpacing = seconds(1);
// Below this an interval would do little but read files.
constexpr milliseconds kIntervalMin{100};

}  // namespace

struct FolderWatcher::Folder {
  explicit Folder(EventLoop& loop) : read_at(loop.Now()), read(loop) {}
  milliseconds Interval() const {
    const auto shortest =
        std::min_element(subscriptions.begin(), subscriptions.end(),
                         [](const auto* a, const auto* b) { return a->interval_ < b->interval_; });
    return (*shortest)->interval_;
  }

  std::vector<const Subscription*> subscriptions;  // never empty
  std::unique_ptr<FileWatch> watch;
  MonotonicTime read_at;
  Timer read;
};

FolderWatcher::Subscription::Subscription(FolderWatcher& watcher, std::vector<std::string> folders,
                                          milliseconds interval, std::function<void()> read)
    : watcher_(watcher),
      folders_(std::move(folders)),
      interval_(std::max(interval, kIntervalMin)),
      read_(std::move(read)) {}

FolderWatcher::FolderWatcher(EventLoop& loop, FileSystem& files, SdCounters& counters)
    : loop_(loop), files_(files), counters_(counters) {}

FolderWatcher::~FolderWatcher() = default;

std::unique_ptr<FolderWatcher::Subscription> FolderWatcher::Subscribe(
    std::vector<std::string> folders, milliseconds interval, std::function<void()> read) {
  auto subscription =
      std::make_unique<Subscription>(*this, std::move(folders), interval, std::move(read));
  for (const std::string& path : subscription->folders_) {
    std::unique_ptr<Folder>& folder = folders_[path];
    if (folder == nullptr) {
      folder = std::make_unique<Folder>(loop_);
      Watch(path, *folder);
    }
    folder->subscriptions.push_back(subscription.get());
    ReadAt(path, *folder, folder->read_at + subscription->interval_);
  }
  return subscription;
}

void FolderWatcher::Unsubscribe(const Subscription& subscription) {
  for (const std::string& path : subscription.folders_) {
    const auto folder = folders_.find(path);
    std::erase(folder->second->subscriptions, &subscription);
    if (folder->second->subscriptions.empty()) folders_.erase(folder);
  }
}

void FolderWatcher::Watch(const std::string& path, Folder& folder) {
  folder.watch.reset();
  folder.watch = files_.Watch(loop_, {path}, [this, path, &folder] {
    ReadAt(path, folder, std::max(loop_.Now(), folder.read_at + kReadSpacing));
  });
  if (folder.watch == nullptr) counters_.file_watcher_errors++;
}

void FolderWatcher::ReadAt(const std::string& path, Folder& folder, MonotonicTime when) {
  if (folder.read.active() && folder.read.when() <= when) return;
  folder.read.Set(when, [this, path, &folder] { Read(path, folder); });
}

void FolderWatcher::Read(const std::string& path, Folder& folder) {
  folder.read_at = loop_.Now();
  // Watched anew: the folder may not have been there, or be another one by now. Before it is read,
  // so that no change falls between.
  Watch(path, folder);
  for (const Subscription* subscription : folder.subscriptions) subscription->read_();
  ReadAt(path, folder, folder.read_at + folder.Interval());
}

}  // namespace tributary
