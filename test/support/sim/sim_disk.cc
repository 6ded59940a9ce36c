#include "test/support/sim/sim_disk.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

constexpr uint64_t kUnlimited = uint64_t{1} << 40;

tl::unexpected<Error> FailWith(const std::string& path, const std::string& reason) {
  return Fail(path + ": " + reason);
}

bool IsBelow(const SimNode& node, const SimNode& directory) {
  if (&node == &directory) return true;
  return std::any_of(directory.names().begin(), directory.names().end(), [&](const auto& entry) {
    return entry.second->is_directory() && IsBelow(node, *entry.second);
  });
}

// Why rename(2) would not do it; null if it would.
const char* Obstacle(const SimDiskTree::Place& from, const SimDiskTree::Place& to) {
  if (!from.node) return "No such file or directory";
  if (!from.directory || !to.directory) return "Device or resource busy";
  if (from.node->is_directory() && from.node != to.node && IsBelow(*to.directory, *from.node)) {
    return "Invalid argument";
  }
  if (!to.node || to.node == from.node) return nullptr;
  if (to.node->is_directory() && IsBelow(*from.directory, *to.node)) return "Directory not empty";
  if (to.node->is_directory() && !from.node->is_directory()) return "Is a directory";
  if (!to.node->is_directory() && from.node->is_directory()) return "Not a directory";
  return to.node->names().empty() ? nullptr : "Directory not empty";
}

}  // namespace

class SimFile : public File {
 public:
  SimFile(SimDisk& disk, std::string path, std::shared_ptr<SimNode> node, bool writable)
      : disk_(disk),
        path_(std::move(path)),
        node_(std::move(node)),
        opened_(node_->opened()),
        writable_(writable),
        boot_(disk.boots_) {}

  Result<size_t> ReadAt(uint64_t offset, char* out, size_t size) override {
    if (Status good = Begin(SimDisk::kRead); !good) return tl::unexpected(good.error());
    const std::string& content = node_->content();
    if (offset >= content.size()) return size_t{0};
    return content.copy(out, size, offset);
  }

  Status WriteAt(uint64_t offset, std::string_view bytes) override {
    if (Status good = Usable(); !good) return good;
    if (!writable_ && !bytes.empty()) return FailWith(path_, "Bad file descriptor");
    return disk_.WriteAt(*node_, path_, offset, bytes);
  }

  Status Truncate(uint64_t size) override {
    if (Status good = Begin(SimDisk::kWrite); !good) return good;
    if (!writable_) return FailWith(path_, "Invalid argument");
    node_->Truncate(size);
    return {};
  }

  Status Sync() override {
    if (Status good = Begin(SimDisk::kSync); !good) {
      if (Usable()) node_->SyncFailed();
      return good;
    }
    node_->Sync();
    return {};
  }

  Result<uint64_t> Size() override {
    if (Status good = Begin(SimDisk::kRead); !good) return tl::unexpected(good.error());
    return node_->content().size();
  }

 private:
  Status Usable() const {
    if (boot_ != disk_.boots_) return FailWith(path_, "Stale file handle");
    return {};
  }
  Status Begin(SimDisk::Kind kind) {
    if (Status good = Usable(); !good) return good;
    return disk_.Begin(kind, path_);
  }

  SimDisk& disk_;
  const std::string path_;
  const std::shared_ptr<SimNode> node_;
  const std::shared_ptr<char> opened_;
  const bool writable_;
  const uint64_t boot_;
};

SimDisk::SimDisk(uint64_t seed) : random_(seed) {}
SimDisk::~SimDisk() = default;

Status SimDisk::Begin(Kind kind, const std::string& path) {
  operations_++;
  const bool nth = fail_at_ > 0 && (kind & fail_at_kinds_) != 0 && --fail_at_ == 0;
  if (nth && cut_off_) Fail(kAny, fail_at_reason_);
  if (nth) return FailWith(path, fail_at_reason_);
  if (const auto why = failing_kinds_.find(kind); why != failing_kinds_.end()) {
    return FailWith(path, why->second);
  }
  if (const auto why = failing_paths_.find(path); why != failing_paths_.end()) {
    return FailWith(path, why->second);
  }
  return {};
}

Status SimDisk::CreateDirectories(const std::string& path) {
  if (Status good = Begin(kOpen, path); !good) return good;
  if (!tree_.MakeDirectories(path)) return FailWith(path, "Not a directory");
  return {};
}

Result<std::unique_ptr<File>> SimDisk::Open(const std::string& path, FileMode mode) {
  if (Status good = Begin(kOpen, path); !good) return tl::unexpected(good.error());
  const auto place = tree_.Find(path);
  if (!place) return FailWith(path, place.error().message);
  std::shared_ptr<SimNode> node = place->node;
  if (mode == FileMode::kCreate) {
    if (node) return FailWith(path, "File exists");
    node = tree_.MakeFile();
    tree_.SetName(*place, node);
  }
  if (!node) return FailWith(path, "No such file or directory");
  if (node->is_directory()) return FailWith(path, "Is a directory");
  return std::make_unique<SimFile>(*this, path, node, mode != FileMode::kRead);
}

Result<std::vector<std::string>> SimDisk::List(const std::string& directory) {
  if (Status good = Begin(kRead, directory); !good) return tl::unexpected(good.error());
  const auto place = tree_.Find(directory);
  if (!place) return FailWith(directory, place.error().message);
  if (!place->node) return FailWith(directory, "No such file or directory");
  if (!place->node->is_directory()) return FailWith(directory, "Not a directory");
  std::vector<std::string> names;
  for (const auto& [name, node] : place->node->names()) names.push_back(name);
  return names;
}

Status SimDisk::Remove(const std::string& path) {
  if (Status good = Begin(kRemove, path); !good) return good;
  const auto place = tree_.Find(path);
  if (!place) return FailWith(path, place.error().message);
  if (!place->node) return FailWith(path, "No such file or directory");
  if (place->node->is_directory()) return FailWith(path, "Is a directory");
  tree_.SetName(*place, nullptr);
  return {};
}

Status SimDisk::Rename(const std::string& from, const std::string& to) {
  const std::string paths = from + " to " + to;
  if (Status good = Begin(kRemove, from); !good) return good;
  if (const auto why = failing_paths_.find(to); why != failing_paths_.end()) {
    return FailWith(paths, why->second);
  }
  const auto source = tree_.Find(from);
  if (!source) return FailWith(paths, source.error().message);
  const auto target = tree_.Find(to);
  if (!target) return FailWith(paths, target.error().message);
  if (const char* why = Obstacle(*source, *target)) return FailWith(paths, why);
  if (source->node != target->node) tree_.Rename(*source, *target);
  return {};
}

Status SimDisk::SyncDirectory(const std::string& path) {
  if (Status good = Begin(kSync, path); !good) return good;
  const auto place = tree_.Find(path);
  if (!place) return FailWith(path, place.error().message);
  if (!place->node) return FailWith(path, "No such file or directory");
  if (!place->node->is_directory()) return FailWith(path, "Not a directory");
  tree_.SyncNames(place->node);
  return {};
}

Result<FileSpace> SimDisk::Space(const std::string& path) {
  if (Status good = Begin(kRead, path); !good) return tl::unexpected(good.error());
  const auto place = tree_.Find(path);
  if (!place) return FailWith(path, place.error().message);
  if (!place->node) return FailWith(path, "No such file or directory");
  return FileSpace{total_ == 0 ? kUnlimited : total_, room()};
}

Status SimDisk::WriteAt(SimNode& file, const std::string& path, uint64_t offset,
                        std::string_view bytes) {
  Status result = Begin(kWrite, path);
  if (!result) bytes = bytes.substr(0, random_.Below(bytes.size() + 1));
  const uint64_t size = file.content().size();
  const uint64_t room_to = size + room();
  if (!bytes.empty() && offset + bytes.size() > std::max(size, room_to)) {
    bytes = bytes.substr(0, room_to > offset ? room_to - offset : 0);
    if (result) result = FailWith(path, "No space left on device");
  }
  file.WriteAt(offset, bytes);
  return result;
}

uint64_t SimDisk::room() const {
  return total_ == 0 ? kUnlimited : total_ - std::min(total_, used());
}

void SimDisk::LosePower(PowerLoss loss) {
  CloseAll();
  tree_.LosePower(loss, random_);
}

void SimDisk::SetSpace(uint64_t total, uint64_t free) {
  total_ = total;
  const uint64_t files = tree_.used();
  taken_ = total - std::min(total, free + files);
}

void SimDisk::Fail(unsigned kinds, const std::string& reason) {
  if (reason.empty()) cut_off_ = false;
  for (const Kind kind : {kRead, kWrite, kSync, kRemove, kOpen}) {
    if (kinds != 0 && (kinds & kind) == 0) continue;
    failing_kinds_.erase(kind);
    if (!reason.empty()) failing_kinds_[kind] = reason;
  }
}

void SimDisk::FailPath(const std::string& path, const std::string& reason) {
  failing_paths_.erase(path);
  if (!reason.empty()) failing_paths_[path] = reason;
}

void SimDisk::FailNth(uint64_t n, unsigned kinds, const std::string& reason) {
  fail_at_ = n;
  fail_at_kinds_ = kinds;
  fail_at_reason_ = reason;
  cut_off_ = false;
}

void SimDisk::CutOff(uint64_t n) {
  FailNth(n);
  cut_off_ = true;
}

std::string* SimDisk::Content(const std::string& path) {
  const auto place = tree_.Find(path);
  if (!place || !place->node || place->node->is_directory()) return nullptr;
  return &place->node->ContentToDamage();
}

void SimDisk::FlipBit(const std::string& path, uint64_t offset, unsigned bit) {
  const auto place = tree_.Find(path);
  if (place && place->node && !place->node->is_directory()) place->node->FlipBit(offset, bit);
}

void SimDisk::Write(const std::string& path, std::string content) {
  tree_.MakeDirectories(path.substr(0, path.rfind('/')));
  const auto place = tree_.Find(path);
  CHECK(place && place->directory && !(place->node && place->node->is_directory()));
  std::shared_ptr<SimNode> file = place->node ? place->node : tree_.MakeFile();
  tree_.SettleName(*place, file);
  file->Replace(std::move(content));
}

}  // namespace tributary
