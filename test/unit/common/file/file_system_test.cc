// What both file systems have in common, and what only the machine's has. No clocks: watching is in
// test/integration/file_watch_test.cc.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "common/file/posix_file_system.h"
#include "test/support/catch.h"
#include "test/support/sim/sim_files.h"
#include "test/unit/common/file/temporary_folder.h"

namespace tributary {
namespace {

class Machine {
 public:
  Machine() : root(folder_.path) {}
  void Write(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }
  PosixFileSystem files;

 private:
  TemporaryFolder folder_;

 public:
  std::string root;
};

class Simulated {
 public:
  void Write(const std::string& path, const std::string& content) {
    files.WriteFile(path, content);
  }
  SimFileSystem files;
  std::string root = "/root";
};

TEMPLATE_TEST_CASE("file system: reads whole files up to a limit", "", Machine, Simulated) {
  TestType world;
  FileSystem& files = world.files;
  REQUIRE(files.CreateDirectories(world.root + "/a/b"));
  REQUIRE(files.CreateDirectories(world.root + "/a/b/"));  // again
  const std::string content = std::string(200'000, 'x') + std::string("\0end", 4);
  const std::string path = world.root + "/a/b/file";
  world.Write(path, content);
  REQUIRE(files.ReadFile(path).value() == content);
  REQUIRE(files.ReadFile(path, content.size()).value() == content);
  const auto refused = files.ReadFile(path, content.size() - 1);
  REQUIRE(refused.error().message == path + ": larger than 200003 bytes");
  world.Write(path, "");
  REQUIRE(files.ReadFile(path).value().empty());
  const std::string missing = world.root + "/a/none";
  REQUIRE(files.ReadFile(missing).error().message == missing + ": No such file or directory");
  const std::string folder = world.root + "/a";
  REQUIRE(files.ReadFile(folder).error().message == folder + ": Is a directory");
  REQUIRE_FALSE(files.CreateDirectories(path + "/below"));
}

TEMPLATE_TEST_CASE("file system: globs are sorted and do not cross directories", "", Machine,
                   Simulated) {
  TestType world;
  FileSystem& files = world.files;
  REQUIRE(files.CreateDirectories(world.root + "/d"));
  for (const char* name : {"/b.yml", "/a.yml", "/B.yml", "/.hidden.yml", "/c.json", "/d/e.yml"}) {
    world.Write(world.root + name, "x");
  }
  const std::string& root = world.root;
  using Paths = std::vector<std::string>;
  REQUIRE(files.Glob(root + "/*.yml").value() ==
          Paths{root + "/B.yml", root + "/a.yml", root + "/b.yml"});
  REQUIRE(files.Glob(root + "/[ab].*").value() == Paths{root + "/a.yml", root + "/b.yml"});
  REQUIRE(files.Glob(root + "/*/e.yml").value() == Paths{root + "/d/e.yml"});
  REQUIRE(files.Glob(root + "/c.json").value() == Paths{root + "/c.json"});
  REQUIRE(files.Glob(root + "/d").value() == Paths{root + "/d"});
  REQUIRE(files.Glob(root + "/none").value().empty());
  REQUIRE(files.Glob(root + "/none*").value().empty());
}

TEMPLATE_TEST_CASE("file system: a lock is exclusive and ends with its object", "", Machine,
                   Simulated) {
  TestType world;
  FileSystem& files = world.files;
  REQUIRE(files.CreateDirectories(world.root));
  const std::string path = world.root + "/lock";
  {
    const auto held = files.Lock(path);
    REQUIRE(held);
    const auto second = files.Lock(path);
    REQUIRE(second.error().message.find(path + ": locked by ") == 0);
  }
  REQUIRE(files.Lock(path));
  REQUIRE_FALSE(files.Lock(world.root + "/none/lock"));
}

TEST_CASE("posix files: a lock names its holder") {
  Machine world;
  const auto held = world.files.Lock(world.root + "/lock");
  REQUIRE(held);
  REQUIRE(world.files.Lock(world.root + "/lock").error().message ==
          world.root + "/lock: locked by process " + std::to_string(getpid()));
}

TEST_CASE("posix files: reads pipes and files without a size, no devices") {
  PosixFileSystem files;
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  REQUIRE(write(pipe_ends[1], "piped", 5) == 5);
  close(pipe_ends[1]);
  REQUIRE(files.ReadFile("/dev/fd/" + std::to_string(pipe_ends[0])).value() == "piped");
  close(pipe_ends[0]);
  REQUIRE(files.ReadFile("/proc/self/stat").value().size() > 10);
  REQUIRE(files.ReadFile("/dev/zero").error().message ==
          "/dev/zero: neither a regular file nor a pipe");
}

}  // namespace
}  // namespace tributary
