// PosixFileSystem's watching, on a real folder and the real clock.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/file/posix_file_system.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

namespace fs = std::filesystem;

class WatchedFolder {
 public:
  WatchedFolder() {
    std::string name = (fs::temp_directory_path() / "tributary-XXXXXX").string();
    root = mkdtemp(name.data());
    fs::create_directory(root / "targets");
    watch = files.Watch(loop, {(root / "targets").string(), (root / "missing").string()}, [this] {
      calls++;
      loop.Stop();
    });
  }
  ~WatchedFolder() {
    watch.reset();
    fs::remove_all(root);
  }

  void Write(const std::string& path, const std::string& content) {
    std::ofstream(root / path) << content;
  }
  // Runs until a call, for 5 seconds at most, or for the time given where none is expected.
  bool Called(nanoseconds limit = seconds(5)) {
    const int before = calls;
    Timer end(loop);
    end.SetAfter(limit, [this] { loop.Stop(); });
    loop.Run();
    return calls > before;
  }
  bool Quiet() { return !Called(milliseconds(250)); }

  SystemEventLoop loop;
  PosixFileSystem files;
  fs::path root;
  int calls = 0;
  std::unique_ptr<FileWatch> watch;
};

TEST_CASE("file watch: writing, renaming and removing is told once, a little later") {
  WatchedFolder folder;
  const MonotonicTime start = folder.loop.Now();
  for (int i = 0; i < 50; i++) folder.Write("targets/" + std::to_string(i), "x");
  REQUIRE(folder.Called());
  REQUIRE(folder.loop.Now() - start >= milliseconds(100));
  REQUIRE(folder.Quiet());
  fs::rename(folder.root / "targets/1", folder.root / "targets/renamed");
  REQUIRE(folder.Called());
  fs::remove(folder.root / "targets/renamed");
  REQUIRE(folder.Called());
  folder.Write("elsewhere", "x");
  fs::rename(folder.root / "elsewhere", folder.root / "targets/moved-in");
  REQUIRE(folder.Called());
  folder.Write("elsewhere", "x");
  REQUIRE(folder.Quiet());
}

TEST_CASE("file watch: a directory that is replaced is watched again") {
  WatchedFolder folder;
  fs::create_directory(folder.root / "new");
  fs::rename(folder.root / "targets", folder.root / "old");
  fs::rename(folder.root / "new", folder.root / "targets");
  REQUIRE(folder.Called());
  folder.Called(milliseconds(250));  // the old watch's last word
  folder.Write("old/a", "x");
  REQUIRE(folder.Quiet());
  folder.Write("targets/a", "x");
  REQUIRE(folder.Called());
}

TEST_CASE("file watch: a directory that is removed is told, and is no error") {
  WatchedFolder folder;
  fs::remove_all(folder.root / "targets");
  REQUIRE(folder.Called());
  folder.Called(milliseconds(250));
  fs::create_directory(folder.root / "targets");
  REQUIRE(folder.Quiet());  // callers poll as well
}

TEST_CASE("file watch: may be destroyed in its callback") {
  WatchedFolder folder;
  folder.watch = folder.files.Watch(folder.loop, {(folder.root / "targets").string()}, [&] {
    folder.watch.reset();
    folder.calls++;
    folder.loop.Stop();
  });
  folder.Write("targets/a", "x");
  REQUIRE(folder.Called());
  folder.Write("targets/b", "x");
  REQUIRE(folder.Quiet());
}

TEST_CASE("file watch: an overflow of the kernel's queue is a change like any other") {
  WatchedFolder folder;
  // Without the loop running: more events than the queue takes (16,384 by default).
  for (int i = 0; i < 10'000; i++) folder.Write("targets/" + std::to_string(i % 7), "x");
  REQUIRE(folder.Called());
  while (folder.Called(milliseconds(300))) {
  }
  folder.Write("targets/after", "x");
  REQUIRE(folder.Called());
}

}  // namespace
}  // namespace tributary
