// What only the simulated disk does: losing power, filling up and failing as ordered.
#include "test/support/sim/sim_disk.h"

#include <memory>
#include <set>

#include "test/support/catch.h"

namespace tributary {
namespace {

using Names = std::vector<std::string>;

constexpr uint64_t kSeeds = 400;

std::unique_ptr<File> Create(SimDisk& disk, const std::string& path) {
  return disk.Open(path, FileMode::kCreate).value();
}

std::string ContentOf(SimDisk& disk, const std::string& path) {
  const std::string* content = disk.Content(path);
  return content == nullptr ? "(none)" : *content;
}

template <typename T>
std::string Told(const Result<T>& result) {
  return result ? "ok" : result.error().message;
}

TEST_CASE("sim disk: a loss of power takes what was not synced, and may keep any part of it") {
  std::set<std::string> found;
  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    SimDisk disk(seed);
    disk.Write("/d/file", "safe");
    const auto file = disk.Open("/d/file", FileMode::kWrite).value();
    REQUIRE(file->WriteAt(4, "AB"));
    REQUIRE(file->Sync());
    REQUIRE(file->WriteAt(6, "cd"));
    REQUIRE(file->WriteAt(8, "ef"));
    disk.LosePower();
    found.insert(ContentOf(disk, "/d/file"));
  }
  const std::string lost = "safeAB";
  const auto zeros = [](size_t n) { return std::string(n, '\0'); };
  for (const std::string& each : {lost, lost + "c", lost + "cd", lost + "cde", lost + "cdef",
                                  lost + zeros(2), lost + zeros(2) + "ef", lost + "c" + zeros(1),
                                  lost + "cde" + zeros(1), lost + "c" + zeros(1) + "ef"}) {
    CAPTURE(each);
    REQUIRE(found.contains(each));
  }
  for (const std::string& each : found) {
    CAPTURE(each);
    REQUIRE(each.rfind(lost, 0) == 0);
    REQUIRE(each.size() <= 10);
    for (size_t i = lost.size(); i < each.size(); i++) {
      REQUIRE((each[i] == '\0' || each[i] == (lost + "cdef")[i]));
    }
  }
}

TEST_CASE("sim disk: the worst loss takes all that was not synced") {
  SimDisk disk;
  disk.Write("/d/file", "0123456789");
  const auto file = disk.Open("/d/file", FileMode::kWrite).value();
  REQUIRE(file->Truncate(5));
  REQUIRE(file->WriteAt(0, "x"));
  REQUIRE(Create(disk, "/d/new"));
  REQUIRE(disk.Rename("/d/file", "/d/renamed"));
  disk.LosePower(PowerLoss::kWorst);
  REQUIRE(disk.Paths() == Names{"/d/file"});
  REQUIRE(ContentOf(disk, "/d/file") == "0123456789");
}

TEST_CASE("sim disk: what was synced survives, however often power is lost") {
  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    SimDisk disk(seed);
    REQUIRE(disk.CreateDirectories("/d"));
    std::string content;
    REQUIRE(Create(disk, "/d/file"));
    REQUIRE(disk.SyncDirectory("/d"));
    for (int round = 0; round < 5; round++) {
      const auto file = disk.Open("/d/file", FileMode::kWrite).value();
      REQUIRE(file->Truncate(content.size()));
      for (int i = 0; i < 3; i++) {
        REQUIRE(file->WriteAt(content.size(), "abc"));
        content += "abc";
      }
      REQUIRE(file->Sync());
      REQUIRE(file->WriteAt(content.size(), "unsynced"));
      disk.LosePower(seed % 2 == 0 ? PowerLoss::kRandom : PowerLoss::kWorst);
      REQUIRE(ContentOf(disk, "/d/file").substr(0, content.size()) == content);
    }
  }
}

TEST_CASE("sim disk: names are lost or kept until their directory is synced") {
  std::set<Names> found;
  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    SimDisk disk(seed);
    disk.Write("/d/removed", "r");
    disk.Write("/d/old", "o");
    const auto file = Create(disk, "/d/made");
    REQUIRE(file->WriteAt(0, "m"));
    REQUIRE(file->Sync());  // the bytes, not the name
    REQUIRE(disk.Remove("/d/removed"));
    REQUIRE(disk.Rename("/d/old", "/d/renamed"));
    disk.LosePower();
    found.insert(disk.Paths());
    if (disk.Content("/d/made") != nullptr) REQUIRE(ContentOf(disk, "/d/made") == "m");
    // At once or not at all.
    REQUIRE((disk.Content("/d/old") == nullptr) != (disk.Content("/d/renamed") == nullptr));
  }
  REQUIRE(found.size() == 8);

  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    SimDisk disk(seed);
    disk.Write("/d/old", "o");
    REQUIRE(Create(disk, "/d/made"));
    REQUIRE(disk.Rename("/d/old", "/d/renamed"));
    REQUIRE(disk.SyncDirectory("/d"));
    disk.LosePower();
    REQUIRE(disk.Paths() == Names{"/d/made", "/d/renamed"});
  }
}

TEST_CASE("sim disk: a file that is replaced by rename is the old or the new one") {
  std::set<std::string> found;
  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    SimDisk disk(seed);
    disk.Write("/d/state", "old");
    const auto file = Create(disk, "/d/state.new");
    REQUIRE(file->WriteAt(0, "new"));
    REQUIRE(file->Sync());
    REQUIRE(disk.Rename("/d/state.new", "/d/state"));
    disk.LosePower();
    found.insert(ContentOf(disk, "/d/state"));
  }
  REQUIRE(found == std::set<std::string>{"old", "new"});

  // Without the sync it may be there and empty: the mistake that this is to find.
  found.clear();
  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    SimDisk disk(seed);
    disk.Write("/d/state", "old");
    REQUIRE(Create(disk, "/d/state.new")->WriteAt(0, "new"));
    REQUIRE(disk.Rename("/d/state.new", "/d/state"));
    REQUIRE(disk.SyncDirectory("/d"));
    disk.LosePower();
    found.insert(ContentOf(disk, "/d/state"));
  }
  REQUIRE(found.contains(""));
  REQUIRE(found.contains("new"));
  REQUIRE_FALSE(found.contains("old"));
}

TEST_CASE("sim disk: what was written before a sync that failed stays in doubt") {
  std::set<std::string> found;
  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    SimDisk disk(seed);
    disk.Write("/d/file", "");
    const auto file = disk.Open("/d/file", FileMode::kWrite).value();
    REQUIRE(file->WriteAt(0, "ab"));
    disk.Fail(SimDisk::kSync, "Input/output error");
    REQUIRE(Told(file->Sync()) == "/d/file: Input/output error");
    disk.Fail(SimDisk::kSync, "");
    REQUIRE(file->WriteAt(2, "cd"));
    REQUIRE(file->Sync());
    REQUIRE(ContentOf(disk, "/d/file") == "abcd");
    disk.LosePower();
    found.insert(ContentOf(disk, "/d/file"));
    REQUIRE(ContentOf(disk, "/d/file").substr(2) == "cd");
  }
  REQUIRE(found ==
          std::set<std::string>{std::string("\0\0cd", 4), std::string("a\0cd", 4), "abcd"});
}

TEST_CASE("sim disk: the same seed and calls lose the same") {
  const auto run = [](uint64_t seed) {
    SimDisk disk(seed);
    REQUIRE(disk.CreateDirectories("/d"));
    for (int i = 0; i < 20; i++) {
      const auto file = Create(disk, "/d/" + std::to_string(i));
      REQUIRE(file->WriteAt(0, std::string(100, 'x')));
      if (i % 3 == 0) REQUIRE(disk.SyncDirectory("/d"));
    }
    disk.LosePower();
    std::string all;
    for (const std::string& path : disk.Paths()) all += path + "=" + ContentOf(disk, path) + "\n";
    return all;
  };
  REQUIRE(run(5) == run(5));
  REQUIRE(run(5) != run(6));
}

TEST_CASE("sim disk: the end of a process keeps all that was written") {
  SimDisk disk;
  REQUIRE(disk.CreateDirectories("/d"));
  auto file = Create(disk, "/d/file");
  REQUIRE(file->WriteAt(0, "abc"));
  disk.CloseAll();
  REQUIRE(Told(file->WriteAt(0, "xyz")) == "/d/file: Stale file handle");
  REQUIRE(Told(file->Sync()) == "/d/file: Stale file handle");
  REQUIRE(ContentOf(disk, "/d/file") == "abc");
  disk.LosePower(PowerLoss::kWorst);
  REQUIRE(disk.Paths().empty());
}

TEST_CASE("sim disk: files of before a loss of power are stale") {
  SimDisk disk;
  disk.Write("/d/file", "abc");
  const auto file = disk.Open("/d/file", FileMode::kWrite).value();
  disk.LosePower();
  char byte = 0;
  const std::string stale = "/d/file: Stale file handle";
  REQUIRE(Told(file->ReadAt(0, &byte, 1)) == stale);
  REQUIRE(Told(file->WriteAt(0, "x")) == stale);
  REQUIRE(Told(file->Truncate(0)) == stale);
  REQUIRE(Told(file->Sync()) == stale);
  REQUIRE(Told(file->Size()) == stale);
  REQUIRE(ContentOf(disk, "/d/file") == "abc");
}

TEST_CASE("sim disk: a full one takes what fits, and space comes back when files go") {
  SimDisk disk;
  disk.Write("/d/first", std::string(100, 'x'));
  disk.SetSpace(1000, 10);
  REQUIRE(disk.Space("/d").value().total == 1000);
  REQUIRE(disk.Space("/d").value().free == 10);
  const auto file = Create(disk, "/d/file");
  REQUIRE(file->WriteAt(0, "123456"));
  REQUIRE(Told(file->WriteAt(6, "7890abcd")) == "/d/file: No space left on device");
  REQUIRE(ContentOf(disk, "/d/file") == "1234567890");
  REQUIRE(disk.Space("/d").value().free == 0);
  REQUIRE(file->WriteAt(3, "inside"));  // needs none
  REQUIRE(Told(file->WriteAt(20, "x")) == "/d/file: No space left on device");
  REQUIRE(ContentOf(disk, "/d/file").size() == 10);

  // An open file takes its space until it is closed.
  auto first = disk.Open("/d/first", FileMode::kRead);
  REQUIRE(disk.Remove("/d/first"));
  REQUIRE(disk.Space("/d").value().free == 0);
  first->reset();
  REQUIRE(disk.Space("/d").value().free == 100);
  REQUIRE(file->Truncate(4));
  REQUIRE(disk.Space("/d").value().free == 106);
  disk.SetTaken(disk.used() + 1000);
  REQUIRE(disk.Space("/d").value().free == 0);
}

TEST_CASE("sim disk: kinds of operations fail with their reasons") {
  SimDisk disk;
  disk.Write("/d/file", "abc");
  const auto file = disk.Open("/d/file", FileMode::kWrite).value();
  disk.Fail(SimDisk::kWrite | SimDisk::kRemove, "Read-only file system");
  disk.Fail(SimDisk::kRead, "Input/output error");
  REQUIRE(Told(file->WriteAt(3, "x")) == "/d/file: Read-only file system");
  REQUIRE(Told(file->Truncate(0)) == "/d/file: Read-only file system");
  REQUIRE(Told(disk.Remove("/d/file")) == "/d/file: Read-only file system");
  REQUIRE_FALSE(disk.Rename("/d/file", "/d/b"));
  char byte = 0;
  REQUIRE(Told(file->ReadAt(0, &byte, 1)) == "/d/file: Input/output error");
  REQUIRE(Told(disk.List("/d")) == "/d: Input/output error");
  REQUIRE(file->Sync());
  REQUIRE(disk.SyncDirectory("/d"));
  REQUIRE(disk.Open("/d/file", FileMode::kRead));
  disk.Fail(SimDisk::kWrite, "");
  REQUIRE(file->WriteAt(3, "x"));
  REQUIRE_FALSE(disk.Remove("/d/file"));
  disk.Fail(SimDisk::kAny, "");
  REQUIRE(file->ReadAt(0, &byte, 1));
  REQUIRE(disk.Remove("/d/file"));
}

TEST_CASE("sim disk: paths fail with their reasons") {
  SimDisk disk;
  disk.Write("/d/a", "a");
  disk.Write("/d/b", "b");
  const auto file = disk.Open("/d/a", FileMode::kWrite).value();
  disk.FailPath("/d/a", "Disk quota exceeded");
  REQUIRE(Told(file->WriteAt(0, "x")) == "/d/a: Disk quota exceeded");
  REQUIRE(Told(disk.Open("/d/a", FileMode::kRead)) == "/d/a: Disk quota exceeded");
  REQUIRE(Told(disk.Rename("/d/b", "/d/a")) == "/d/b to /d/a: Disk quota exceeded");
  REQUIRE(disk.Open("/d/b", FileMode::kRead));
  disk.FailPath("/d/a", "");
  REQUIRE(disk.Rename("/d/b", "/d/a"));
}

TEST_CASE("sim disk: each operation in turn can fail") {
  const auto run = [](SimDisk& disk) {
    size_t failed = 0;
    const auto note = [&failed](const auto& result) { failed += result ? 0 : 1; };
    note(disk.CreateDirectories("/d"));
    disk.Write("/d/file", "abc");
    const auto file = disk.Open("/d/file", FileMode::kWrite);
    note(file);
    if (!file) return failed;
    char byte = 0;
    note((*file)->ReadAt(0, &byte, 1));
    note((*file)->WriteAt(0, "x"));
    note((*file)->Truncate(2));
    note((*file)->Sync());
    note((*file)->Size());
    note(disk.List("/d"));
    note(disk.Rename("/d/file", "/d/b"));
    note(disk.SyncDirectory("/d"));
    note(disk.Space("/d"));
    disk.Write("/d/b", "b");
    note(disk.Remove("/d/b"));
    return failed;
  };
  SimDisk whole;
  REQUIRE(run(whole) == 0);
  REQUIRE(whole.operations() == 12);
  for (uint64_t n = 1; n <= whole.operations(); n++) {
    SimDisk disk;
    disk.FailNth(n);
    REQUIRE(run(disk) == 1);
  }
  SimDisk disk;
  disk.FailNth(2, SimDisk::kSync, "No space left on device");
  REQUIRE(disk.CreateDirectories("/d"));
  REQUIRE(disk.SyncDirectory("/d"));
  REQUIRE(Told(disk.SyncDirectory("/d")) == "/d: No space left on device");
  REQUIRE(disk.SyncDirectory("/d"));
}

TEST_CASE("sim disk: can be cut off in the midst of things") {
  SimDisk disk;
  disk.Write("/d/a", "a");
  disk.Write("/d/b", "b");
  disk.CutOff(2);
  REQUIRE(disk.Remove("/d/a"));
  REQUIRE_FALSE(disk.Remove("/d/b"));
  REQUIRE_FALSE(disk.Remove("/d/b"));
  REQUIRE_FALSE(disk.List("/d"));
  disk.Fail(0, "");
  REQUIRE(disk.List("/d").value() == Names{"b"});
}

TEST_CASE("sim disk: a write that fails has written a random part") {
  std::set<std::string> found;
  for (uint64_t seed = 0; seed < kSeeds; seed++) {
    SimDisk disk(seed);
    disk.Write("/d/file", "abc");
    const auto file = disk.Open("/d/file", FileMode::kWrite).value();
    disk.FailNth(1);
    REQUIRE(Told(file->WriteAt(3, "de")) == "/d/file: Input/output error");
    found.insert(ContentOf(disk, "/d/file"));
  }
  REQUIRE(found == std::set<std::string>{"abc", "abcd", "abcde"});
}

TEST_CASE("sim disk: damage lasts") {
  SimDisk disk;
  disk.Write("/d/file", "abc");
  disk.FlipBit("/d/file", 1, 3);
  disk.FlipBit("/d/file", 100);
  REQUIRE(ContentOf(disk, "/d/file") == "ajc");
  *disk.Content("/d/file") = "cut";
  disk.LosePower();
  REQUIRE(ContentOf(disk, "/d/file") == "cut");
  REQUIRE(disk.Open("/d/file", FileMode::kWrite).value()->WriteAt(3, "x"));
  disk.LosePower(PowerLoss::kWorst);
  REQUIRE(ContentOf(disk, "/d/file") == "cut");
  disk.Write("/d/file", "whole");
  disk.LosePower();
  REQUIRE(ContentOf(disk, "/d/file") == "whole");
}

}  // namespace
}  // namespace tributary
