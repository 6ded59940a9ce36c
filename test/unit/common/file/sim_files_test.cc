#include "test/support/sim/sim_files.h"

#include <memory>

#include "test/support/catch.h"
#include "test/support/sim/sim_loop.h"

namespace tributary {
namespace {

TEST_CASE("sim files: a watch tells of changes in its directories, once for many") {
  SimLoop loop;
  SimFileSystem files;
  REQUIRE(files.CreateDirectories("/etc/targets"));
  int calls = 0;
  auto watch = files.Watch(loop, {"/etc/targets/", "/missing"}, [&] { calls++; });
  loop.RunFor(seconds(1));
  REQUIRE(calls == 0);

  files.WriteFile("/etc/targets/a.yml", "1");
  files.WriteFile("/etc/targets/b.yml", "1");
  REQUIRE(calls == 0);
  loop.RunFor(seconds(1));
  REQUIRE(calls == 1);
  files.Rename("/etc/targets/a.yml", "/etc/targets/c.yml");
  loop.RunFor(seconds(1));
  REQUIRE(calls == 2);
  files.Remove("/etc/targets/c.yml");
  loop.RunFor(seconds(1));
  REQUIRE(calls == 3);

  files.WriteFile("/etc/other.yml", "1");
  files.WriteFile("/etc/targets/below/x.yml", "1");  // makes an entry, and one below
  files.WriteFile("/missing/x.yml", "1");
  loop.RunFor(seconds(1));
  REQUIRE(calls == 4);
  files.WriteFile("/etc/targets/below/x.yml", "2");
  loop.RunFor(seconds(1));
  REQUIRE(calls == 4);

  files.WriteFile("/etc/targets/a.yml", "2");
  watch.reset();
  loop.RunFor(seconds(1));
  REQUIRE(calls == 4);
  REQUIRE(loop.pending() == 0);
}

TEST_CASE("sim files: notifications can be lost, directories can go") {
  SimLoop loop;
  SimFileSystem files;
  files.WriteFile("/d/a", "1");
  int calls = 0;
  const auto watch = files.Watch(loop, {"/d"}, [&] { calls++; });
  files.LoseNotifications(true);
  files.WriteFile("/d/a", "2");
  loop.RunFor(seconds(1));
  REQUIRE(calls == 0);
  files.LoseNotifications(false);
  files.Rename("/d", "/e");
  loop.RunFor(seconds(1));
  REQUIRE(calls == 1);
  REQUIRE(files.ReadFile("/e/a").value() == "2");
  files.WriteFile("/d/a", "3");  // another directory of the same name
  loop.RunFor(seconds(1));
  REQUIRE(calls == 1);
}

TEST_CASE("sim files: a slow writer leaves half a file for a while") {
  SimLoop loop;
  SimFileSystem files;
  files.WriteFileSlowly(loop, "/d/a", "0123456789", 4, seconds(3));
  REQUIRE(files.ReadFile("/d/a").value() == "0123");
  int calls = 0;
  const auto watch = files.Watch(loop, {"/d"}, [&] { calls++; });
  loop.RunFor(seconds(4));
  REQUIRE(files.ReadFile("/d/a").value() == "0123456789");
  REQUIRE(calls == 1);
}

TEST_CASE("sim files: errors come as they are ordered") {
  SimFileSystem files;
  files.WriteFile("/d/a", "1");
  files.WriteFile("/d/b", "1");
  files.FailNextReads(2, "Input/output error");
  REQUIRE(files.ReadFile("/d/a").error().message == "/d/a: Input/output error");
  REQUIRE_FALSE(files.ReadFile("/d/a"));
  REQUIRE(files.ReadFile("/d/a"));
  files.FailPath("/d/a", "Permission denied");
  REQUIRE(files.ReadFile("/d/a").error().message == "/d/a: Permission denied");
  REQUIRE(files.ReadFile("/d/b"));
  files.FailPath("/d/a", "");
  files.FailAll("Input/output error");
  REQUIRE_FALSE(files.ReadFile("/d/a"));
  REQUIRE_FALSE(files.Glob("/d/*"));
  REQUIRE_FALSE(files.CreateDirectories("/x"));
  REQUIRE_FALSE(files.Lock("/d/lock"));
  files.FailAll("");
  REQUIRE(files.ReadFile("/d/a"));
}

}  // namespace
}  // namespace tributary
