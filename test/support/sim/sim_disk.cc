#include "test/support/sim/sim_disk.h"

#include <algorithm>

namespace tributary {

namespace {

std::string Parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::string NameIn(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

class SimFile : public File {
 public:
  SimFile(SimDisk& disk, std::string path, std::shared_ptr<SimDisk::Node> node, bool writable)
      : disk_(disk),
        path_(std::move(path)),
        node_(std::move(node)),
        writable_(writable),
        power_(disk.power_) {}

  Result<size_t> ReadAt(uint64_t offset, char* out, size_t size) override {
    if (Status good = Begin(SimDisk::kRead); !good) return Fail(good.error().message);
    const std::string& content = node_->content;
    if (offset >= content.size()) return size_t{0};
    return content.copy(out, size, offset);
  }

  Status WriteAt(uint64_t offset, std::string_view bytes) override {
    if (!writable_) return Fail(path_ + ": Bad file descriptor");
    Status good = Begin(SimDisk::kWrite);
    // One that fails may have written a part.
    if (!good) bytes = bytes.substr(0, disk_.random_.Below(bytes.size() + 1));
    std::string& content = node_->content;
    const uint64_t end = offset + bytes.size();
    const uint64_t grows = end > content.size() ? end - content.size() : 0;
    const uint64_t used = disk_.used();
    if (disk_.total_ > 0 && used + grows > disk_.total_) {
      const uint64_t room = disk_.total_ - std::min(disk_.total_, used);
      bytes = bytes.substr(0, bytes.size() - std::min<uint64_t>(bytes.size(), grows - room));
      good = Fail(path_ + ": No space left on device");
    }
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
    content.replace(offset, bytes.size(), bytes);
    node_->kept_from = std::min(node_->kept_from, offset);
    return good;
  }

  Status Truncate(uint64_t size) override {
    if (Status good = Begin(SimDisk::kWrite); !good) return good;
    node_->content.resize(size);
    node_->kept_from = std::min(node_->kept_from, size);
    return {};
  }

  Status Sync() override {
    if (Status good = Begin(SimDisk::kSync); !good) return good;
    node_->synced = node_->content;
    node_->kept_from = node_->content.size();
    return {};
  }

  Result<uint64_t> Size() override {
    if (Status good = Begin(SimDisk::kRead); !good) return Fail(good.error().message);
    return node_->content.size();
  }

 private:
  Status Begin(SimDisk::Kind kind) {
    if (power_ != disk_.power_) return Fail(path_ + ": the power was lost");
    return disk_.Begin(kind, path_);
  }
  static tl::unexpected<Error> Fail(std::string text) { return tributary::Fail(std::move(text)); }

  SimDisk& disk_;
  const std::string path_;
  const std::shared_ptr<SimDisk::Node> node_;
  const bool writable_;
  const uint64_t power_;
};

SimDisk::SimDisk(uint64_t seed) : random_(seed) { directories_.insert(""); }
SimDisk::~SimDisk() = default;

Status SimDisk::Begin(Kind kind, const std::string& path) {
  operations_++;
  const bool nth = fail_at_ > 0 && (kind & fail_kinds_) != 0 && --fail_at_ == 0;
  if (nth && cut_off_) Fail(kAny, "cut off");
  if (nth) return tributary::Fail(path + ": Input/output error");
  if ((failing_ & kind) != 0) return tributary::Fail(path + ": " + reason_);
  return {};
}

void SimDisk::Fail(unsigned kinds, const std::string& reason) {
  failing_ = reason.empty() ? 0 : kinds;
  reason_ = reason;
  if (reason.empty()) cut_off_ = false;
}

void SimDisk::FailNth(uint64_t n, unsigned kinds) {
  fail_at_ = n;
  fail_kinds_ = kinds;
}

void SimDisk::CutOff(uint64_t n) {
  FailNth(n);
  cut_off_ = true;
}

Status SimDisk::CreateDirectories(const std::string& path) {
  if (Status good = Begin(kOpen, path); !good) return good;
  for (std::string each = path; directories_.insert(each).second;) each = Parent(each);
  return {};
}

Result<std::unique_ptr<File>> SimDisk::Open(const std::string& path, FileMode mode) {
  if (Status good = Begin(kOpen, path); !good) return tributary::Fail(good.error().message);
  auto it = names_.find(path);
  if (mode == FileMode::kCreate) {
    if (it != names_.end()) return tributary::Fail(path + ": File exists");
    if (!directories_.contains(Parent(path))) {
      return tributary::Fail(path + ": No such file or directory");
    }
    it = names_.emplace(path, std::make_shared<Node>()).first;
  } else if (it == names_.end()) {
    return tributary::Fail(path + ": No such file or directory");
  }
  return std::make_unique<SimFile>(*this, path, it->second, mode != FileMode::kRead);
}

Result<std::vector<std::string>> SimDisk::List(const std::string& directory) {
  if (Status good = Begin(kRead, directory); !good) return tributary::Fail(good.error().message);
  if (!directories_.contains(directory)) {
    return tributary::Fail(directory + ": No such file or directory");
  }
  std::vector<std::string> names;
  for (const auto& [path, node] : names_) {
    if (Parent(path) == directory) names.push_back(NameIn(path));
  }
  for (const std::string& path : directories_) {
    if (!path.empty() && Parent(path) == directory) names.push_back(NameIn(path));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status SimDisk::Remove(const std::string& path) {
  if (Status good = Begin(kRemove, path); !good) return good;
  if (names_.erase(path) == 0) return tributary::Fail(path + ": No such file or directory");
  return {};
}

Status SimDisk::Rename(const std::string& from, const std::string& to) {
  if (Status good = Begin(kRemove, from); !good) return good;
  auto it = names_.find(from);
  if (it == names_.end()) return tributary::Fail(from + ": No such file or directory");
  const std::shared_ptr<Node> node = it->second;
  names_.erase(it);
  names_[to] = node;
  return {};
}

Status SimDisk::SyncDirectory(const std::string& path) {
  if (Status good = Begin(kSync, path); !good) return good;
  std::erase_if(synced_names_, [&](const auto& entry) { return Parent(entry.first) == path; });
  for (const auto& [name, node] : names_) {
    if (Parent(name) == path) synced_names_[name] = node;
  }
  return {};
}

Result<FileSpace> SimDisk::Space(const std::string& path) {
  if (Status good = Begin(kRead, path); !good) return tributary::Fail(good.error().message);
  if (total_ == 0) return FileSpace{1 << 30, 1 << 30};
  return FileSpace{total_, total_ - std::min(total_, used())};
}

void SimDisk::LosePower() {
  power_++;
  std::map<std::string, std::shared_ptr<Node>> found;
  for (const auto& names : {&names_, &synced_names_}) {
    for (const auto& [path, node] : *names) {
      const auto now = names_.find(path);
      const auto before = synced_names_.find(path);
      const bool settled = now != names_.end() && before != synced_names_.end() &&
                           now->second == before->second;
      if (found.contains(path)) continue;
      if (settled || random_.Chance(0.5)) found[path] = node;
    }
  }
  for (auto& [path, node] : found) {
    std::string& content = node->content;
    // Some of the writes that were not synced came to the disk, up to one that was torn.
    const uint64_t from = std::min<uint64_t>(node->kept_from, content.size());
    const uint64_t kept = from + random_.Below(content.size() - from + 1);
    std::string rest = node->synced.size() > kept ? node->synced.substr(kept) : "";
    content.resize(kept);
    content += rest;
    node->synced = content;
    node->kept_from = content.size();
  }
  names_ = found;
  synced_names_ = std::move(found);
}

std::string* SimDisk::Content(const std::string& path) {
  auto it = names_.find(path);
  return it == names_.end() ? nullptr : &it->second->content;
}

std::vector<std::string> SimDisk::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, node] : names_) paths.push_back(path);
  return paths;
}

void SimDisk::Write(const std::string& path, std::string content) {
  for (std::string each = Parent(path); directories_.insert(each).second;) each = Parent(each);
  auto node = std::make_shared<Node>();
  node->synced = content;
  node->kept_from = content.size();
  node->content = std::move(content);
  names_[path] = node;
  synced_names_[path] = node;
}

uint64_t SimDisk::used() const {
  uint64_t bytes = taken_;
  for (const auto& [path, node] : names_) bytes += node->content.size();
  return bytes;
}

}  // namespace tributary
