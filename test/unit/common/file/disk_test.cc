// What the machine's disk and the simulated one have in common: cases, and random operations with
// the same outcome on both.
#include "common/file/disk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <random>

#include "common/file/posix_file_system.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_disk.h"
#include "test/unit/common/file/temporary_folder.h"

namespace tributary {
namespace {

using Names = std::vector<std::string>;

class Machine {
 public:
  TemporaryFolder folder;
  PosixFileSystem disk;
  std::string root = folder.path;
};

class Simulated {
 public:
  Simulated() { REQUIRE(disk.CreateDirectories(root)); }
  SimDisk disk;
  std::string root = "/root";
};

std::string Read(File& file, uint64_t offset, size_t size) {
  std::string bytes(size, '?');
  const auto got = file.ReadAt(offset, bytes.data(), size);
  if (!got) return got.error().message;
  bytes.resize(*got);
  return bytes;
}

// "ok", or the error.
template <typename T>
std::string Told(const Result<T>& result) {
  return result ? "ok" : result.error().message;
}

TEMPLATE_TEST_CASE("disk: a file is written, read and cut anywhere", "", Machine, Simulated) {
  TestType world;
  const std::string path = world.root + "/file";
  auto file = world.disk.Open(path, FileMode::kCreate).value();
  REQUIRE(file->Size().value() == 0);
  REQUIRE(Read(*file, 0, 10).empty());
  REQUIRE(file->WriteAt(0, "0123456789"));
  REQUIRE(file->WriteAt(4, "xy"));
  REQUIRE(file->WriteAt(12, "end"));
  REQUIRE(file->WriteAt(100, ""));
  const std::string content("0123xy6789\0\0end", 15);
  REQUIRE(file->Size().value() == 15);
  REQUIRE(Read(*file, 0, 100) == content);
  REQUIRE(Read(*file, 3, 4) == "3xy6");
  REQUIRE(Read(*file, 15, 1).empty());
  REQUIRE(Read(*file, 1000, 1).empty());
  REQUIRE(file->Sync());
  REQUIRE(file->Truncate(3));
  REQUIRE(file->Truncate(5));
  REQUIRE(Read(*file, 0, 100) == std::string("012\0\0", 5));
  const std::string large(3 << 20, 'x');
  REQUIRE(file->WriteAt(5, large));
  REQUIRE(Read(*file, 5, large.size() + 10) == large);
}

TEMPLATE_TEST_CASE("disk: opening is for what is there, or for what is not", "", Machine,
                   Simulated) {
  TestType world;
  Disk& disk = world.disk;
  const std::string path = world.root + "/file";
  const std::string missing = path + ": No such file or directory";
  REQUIRE(Told(disk.Open(path, FileMode::kRead)) == missing);
  REQUIRE(Told(disk.Open(path, FileMode::kWrite)) == missing);
  REQUIRE(disk.Open(path, FileMode::kCreate).value()->WriteAt(0, "abc"));
  REQUIRE(Told(disk.Open(path, FileMode::kCreate)) == path + ": File exists");
  const auto writer = disk.Open(path, FileMode::kWrite).value();
  const auto reader = disk.Open(path, FileMode::kRead).value();
  REQUIRE(writer->WriteAt(3, "def"));
  REQUIRE(Read(*reader, 0, 10) == "abcdef");
  REQUIRE(Told(reader->WriteAt(0, "x")) == path + ": Bad file descriptor");
  REQUIRE(Told(reader->Truncate(0)) == path + ": Invalid argument");
  REQUIRE(reader->Size().value() == 6);
  for (const FileMode mode : {FileMode::kRead, FileMode::kWrite}) {
    REQUIRE(Told(disk.Open(world.root, mode)) == world.root + ": Is a directory");
    REQUIRE(Told(disk.Open(path + "/x", mode)) == path + "/x: Not a directory");
  }
  const std::string below = world.root + "/none/file";
  REQUIRE(Told(disk.Open(below, FileMode::kCreate)) == below + ": No such file or directory");
}

TEMPLATE_TEST_CASE("disk: a file lives on without a name while it is open", "", Machine,
                   Simulated) {
  TestType world;
  const std::string path = world.root + "/file";
  auto file = world.disk.Open(path, FileMode::kCreate).value();
  REQUIRE(file->WriteAt(0, "old"));
  REQUIRE(world.disk.Remove(path));
  REQUIRE(world.disk.Open(path, FileMode::kCreate).value()->WriteAt(0, "new"));
  REQUIRE(file->WriteAt(3, "er"));
  REQUIRE(file->Sync());
  REQUIRE(Read(*file, 0, 10) == "older");
  REQUIRE(Read(*world.disk.Open(path, FileMode::kRead).value(), 0, 10) == "new");
}

TEMPLATE_TEST_CASE("disk: names are listed, replaced and removed", "", Machine, Simulated) {
  TestType world;
  Disk& disk = world.disk;
  const std::string root = world.root + "/d";
  REQUIRE(disk.CreateDirectories(root + "/e/f/"));
  REQUIRE(disk.CreateDirectories(root + "/e"));
  for (const char* name : {"/b", "/B", "/a", "/.c"}) {
    REQUIRE(disk.Open(root + name, FileMode::kCreate).value()->WriteAt(0, name));
  }
  REQUIRE(disk.List(root).value() == Names{".c", "B", "a", "b", "e"});
  REQUIRE(disk.List(root + "/e/f").value().empty());
  REQUIRE(disk.Rename(root + "/a", root + "/b"));
  REQUIRE(Read(*disk.Open(root + "/b", FileMode::kRead).value(), 0, 10) == "/a");
  REQUIRE(disk.Rename(root + "/b", root + "/e/b"));
  REQUIRE(disk.Rename(root + "/e/b", root + "/e/b"));
  REQUIRE(disk.Rename(root + "/e", root + "/g"));
  REQUIRE(disk.SyncDirectory(root));
  REQUIRE(disk.SyncDirectory(root + "/g/"));
  REQUIRE(disk.List(root + "/g").value() == Names{"b", "f"});
  REQUIRE(disk.Remove(root + "/g/b"));
  REQUIRE(disk.List(root).value() == Names{".c", "B", "g"});
}

TEMPLATE_TEST_CASE("disk: errors name the path and the reason", "", Machine, Simulated) {
  TestType world;
  Disk& disk = world.disk;
  const std::string& root = world.root;
  const std::string none = root + "/none";
  const std::string file = root + "/file";
  REQUIRE(disk.Open(file, FileMode::kCreate));
  REQUIRE(disk.CreateDirectories(root + "/d/e"));
  const std::string missing = ": No such file or directory";
  REQUIRE(Told(disk.List(none)) == none + missing);
  REQUIRE(Told(disk.List(file)) == file + ": Not a directory");
  REQUIRE(Told(disk.Remove(none)) == none + missing);
  REQUIRE(Told(disk.Remove(root + "/d")) == root + "/d: Is a directory");
  REQUIRE(Told(disk.SyncDirectory(none)) == none + missing);
  REQUIRE(Told(disk.SyncDirectory(file)) == file + ": Not a directory");
  REQUIRE(Told(disk.Space(none)) == none + missing);
  REQUIRE(Told(disk.CreateDirectories(file + "/x")) == file + "/x: Not a directory");
  const auto rename = [&](const std::string& from, const std::string& to) {
    const std::string told = Told(disk.Rename(root + from, root + to));
    const std::string prefix = root + from + " to " + root + to + ": ";
    return told.rfind(prefix, 0) == 0 ? told.substr(prefix.size()) : told;
  };
  REQUIRE(rename("/none", "/x") == "No such file or directory");
  REQUIRE(rename("/file", "/none/x") == "No such file or directory");
  REQUIRE(rename("/file", "/d") == "Is a directory");
  REQUIRE(rename("/d", "/file") == "Not a directory");
  REQUIRE(rename("/d", "/d/e/x") == "Invalid argument");
  REQUIRE(disk.CreateDirectories(root + "/other"));
  REQUIRE(rename("/other", "/d") == "Directory not empty");
  REQUIRE(rename("/d", "/other") == "ok");
}

TEMPLATE_TEST_CASE("disk: says how much space there is", "", Machine, Simulated) {
  TestType world;
  const FileSpace space = world.disk.Space(world.root).value();
  REQUIRE(space.total > 0);
  REQUIRE(space.free <= space.total);
}

TEST_CASE("disk: the machine's and the simulated one do the same, whatever is asked") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&random](size_t n) { return random() % n; };
  Machine machine;
  Simulated simulated;
  const Names paths{"/a", "/b", "/d", "/d/a", "/d/b", "/d/e", "/d/e/a", "/none/a"};
  const auto some = [&] { return paths[below(paths.size())]; };
  std::map<std::string, std::pair<std::unique_ptr<File>, std::unique_ptr<File>>> open;
  size_t good = 0;

  for (int step = 0; step < 5000; step++) {
    const std::string path = some(), other = some();
    const size_t what = below(8);
    CAPTURE(step, what, path, other);
    const uint64_t offset = below(50);
    const std::string bytes(below(30), static_cast<char>('a' + below(26)));
    const auto mode = static_cast<FileMode>(below(3));
    std::unique_ptr<File> opened;
    const auto outcome = [&](Disk& disk, const std::string& root, File* file) {
      std::string told;
      if (what == 0) told = Told(disk.CreateDirectories(root + "/d" + path));
      if (what == 1) told = Told(disk.Remove(root + path));
      if (what == 2) told = Told(disk.Rename(root + path, root + other));
      if (what == 3) {
        const auto names = disk.List(root + path);
        told = Told(names);
        for (const std::string& name : names.value_or(Names{})) told += " " + name;
      }
      if (what == 4 || what == 5) {
        auto result = disk.Open(root + path, mode);
        told = Told(result);
        if (result) opened = std::move(*result);
      }
      if (file != nullptr) {
        if (what == 6) told = Told(file->WriteAt(offset, bytes));
        if (what == 7) told = Told(file->Truncate(offset));
        told += Read(*file, offset / 2, 40) + std::to_string(file->Size().value());
      }
      for (size_t at; (at = told.find(root)) != std::string::npos;) told.erase(at, root.size());
      return told;
    };
    auto& [real, twin] = open[other];
    const std::string expected = outcome(machine.disk, machine.root, real.get());
    if (opened) std::swap(real, opened);
    opened.reset();
    const std::string told = outcome(simulated.disk, simulated.root, twin.get());
    if (opened) std::swap(twin, opened);
    REQUIRE(told == expected);
    if (told.rfind("ok", 0) == 0) good++;
  }
  REQUIRE(good > 500);
}

TEST_CASE("posix disk: files are for the owner and the group") {
  Machine world;
  const mode_t mask = umask(022);
  const auto file = world.disk.Open(world.root + "/file", FileMode::kCreate);
  umask(mask);
  REQUIRE(file);
  struct stat info {};
  REQUIRE(stat((world.root + "/file").c_str(), &info) == 0);
  REQUIRE((info.st_mode & 07777) == 0640);
}

TEST_CASE("posix disk: opens no pipes and devices, and does not wait for them") {
  Machine world;
  const std::string pipe = world.root + "/pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  REQUIRE(Told(world.disk.Open(pipe, FileMode::kRead)) == pipe + ": not a regular file");
  REQUIRE(Told(world.disk.Open("/dev/zero", FileMode::kRead)) == "/dev/zero: not a regular file");
}

}  // namespace
}  // namespace tributary
