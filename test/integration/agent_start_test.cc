// How the agent starts, and how it says what is in its way.
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "test/integration/agent_process.h"
#include "test/support/catch.h"
#include "test/support/raw_server.h"

namespace tributary {
namespace {

constexpr char kEmptyConfig[] = "global: {scrape_interval: 1s}\n";

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Runs the agent with a configuration that it cannot use.
ProcessResult RunWithConfig(const TemporaryFolder& folder, const std::string& config) {
  folder.Write("agent.yml", config);
  return RunAgent({"--config.file=" + folder / "agent.yml", "--storage.path=" + folder / "data",
                   "--web.listen-address=127.0.0.1:0"});
}

TEST_CASE("agent start: a bad configuration ends it with 2 and every problem, without secrets") {
  const TemporaryFolder folder;
  const ProcessResult result = RunWithConfig(folder, R"(global:
  scrape_intervall: 1s
scrape_configs:
  - job_name: a
    basic_auth: {username: u, password: hidden1, pasword: hidden2}
  - job_name: a
    scrape_interval: soon
remote_write:
  - url: http://u:hidden3@h/
    bearer_token: hidden4
    basic_auth: {username: x, password: hidden5}
    queue_config: {max_shards: no}
)");
  CHECK(result.status == 2);
  CHECK(result.out.empty());
  const std::string file = folder / "agent.yml";
  CHECK(Contains(result.err, file + ":2:3: error: unknown field 'scrape_intervall'"));
  CHECK(Contains(result.err, "did you mean 'scrape_interval'?"));
  CHECK(Contains(result.err, file + ":5:50: error: unknown field 'pasword'"));
  CHECK(Contains(result.err, file + ":7:22: error: "));
  CHECK(Contains(result.err, file + ":12:32: error: "));
  CHECK(Contains(result.err, "level=error msg=\"the configuration cannot be used\""));
  CHECK_FALSE(Contains(result.err, "hidden"));
}

TEST_CASE(
    "agent start: a configuration that is no text, not there or not readable ends it with 2") {
  const TemporaryFolder folder;
  SECTION("binary") {
    const ProcessResult result = RunWithConfig(folder, std::string("\x7f"
                                                                   "ELF\0\1\2\xff",
                                                                   8));
    CHECK(result.status == 2);
    CHECK(Contains(result.err, "agent.yml:1:"));
  }
  SECTION("no YAML") {
    const ProcessResult result = RunWithConfig(folder, "a: [1, 2\nb: }{\n");
    CHECK(result.status == 2);
    CHECK(Contains(result.err, "agent.yml:2:"));
  }
  SECTION("not a mapping") { CHECK(RunWithConfig(folder, "- 1\n- 2\n").status == 2); }
  SECTION("missing") {
    const ProcessResult result =
        RunAgent({"--config.file=" + folder / "absent.yml", "--storage.path=" + folder / "data",
                  "--web.listen-address=127.0.0.1:0"});
    CHECK(result.status == 2);
    CHECK(Contains(result.err, "absent.yml: No such file or directory"));
  }
  SECTION("a folder") {
    const ProcessResult result =
        RunAgent({"--config.file=" + folder.path(), "--storage.path=" + folder / "data",
                  "--web.listen-address=127.0.0.1:0"});
    CHECK(result.status == 2);
    CHECK(Contains(result.err, "Is a directory"));
  }
  SECTION("a device without end") {
    const ProcessResult result =
        RunAgent({"--config.file=/dev/zero", "--storage.path=" + folder / "data",
                  "--web.listen-address=127.0.0.1:0"});
    CHECK(result.status == 2);
  }
  SECTION("not readable") {
    // Root may read every file, but for this one.
    std::string file = "/proc/self/mem";
    if (geteuid() != 0) {
      file = folder.Write("agent.yml", kEmptyConfig);
      chmod(file.c_str(), 0);
    }
    const ProcessResult result =
        RunAgent({"--config.file=" + file, "--storage.path=" + folder / "data",
                  "--web.listen-address=127.0.0.1:0"});
    CHECK(result.status == 2);
    CHECK(Contains(result.err, file + ": "));
  }
}

TEST_CASE("agent start: an empty configuration is a valid one") {
  AgentProcess agent("");
  CHECK(agent.Get("/-/ready").status == 200);
  CHECK(agent.Api("/api/v1/targets").at("activeTargets").empty());
  CHECK(agent.Stop() == 0);
}

TEST_CASE("agent start: wrong flags end it with 2, --help and --version with 0") {
  for (const char* wrong : {"--no-such-flag", "extra", "--log.level=loud", "--log.format=xml",
                            "--shutdown.deadline=soon", "--config.file", "-x"}) {
    CAPTURE(wrong);
    const ProcessResult result = RunAgent({wrong});
    CHECK(result.status == 2);
    CHECK(result.out.empty());
    CHECK_FALSE(result.err.empty());
  }
  const ProcessResult help = RunAgent({"--help"});
  CHECK(help.status == 0);
  for (const char* flag :
       {"--config.file", "--web.listen-address", "--web.enable-lifecycle", "--storage.path",
        "--shutdown.deadline", "--log.level", "--log.format", "--version", "127.0.0.1:9095"}) {
    CAPTURE(flag);
    CHECK(Contains(help.out, flag));
  }
  const ProcessResult version = RunAgent({"--version"});
  CHECK(version.status == 0);
  CHECK(version.out.rfind("tributary, version ", 0) == 0);
}

TEST_CASE("agent start: a port in use ends it with 1 and says which") {
  const RawServer other([](const ServedRequest&) { return ScriptedReply::Text(200, ""); });
  const TemporaryFolder folder;
  folder.Write("agent.yml", kEmptyConfig);
  const std::string address = "127.0.0.1:" + std::to_string(other.port());
  const ProcessResult result =
      RunAgent({"--config.file=" + folder / "agent.yml", "--storage.path=" + folder / "data",
                "--web.listen-address=" + address});
  CHECK(result.status == 1);
  CHECK(Contains(result.err, address));
  CHECK(Contains(result.err, "in use"));
  CHECK(Contains(result.err, "level=error"));
}

TEST_CASE("agent start: a second agent on the same storage ends with 1 and names the first") {
  AgentProcess first(kEmptyConfig);
  const ProcessResult result =
      RunAgent({"--config.file=" + first.folder() / "agent.yml",
                "--storage.path=" + first.folder() / "data", "--web.listen-address=127.0.0.1:0"});
  CHECK(result.status == 1);
  CHECK(Contains(result.err, "process " + std::to_string(first.process().pid())));
  CHECK(Contains(result.err, "--storage.path"));
  // Once the first is gone the folder is free, whatever is left in it.
  first.process().Signal(SIGKILL);
  CHECK(first.process().Wait(seconds(5)) == -SIGKILL);
  const std::string config = first.folder() / "agent.yml", data = first.folder() / "data";
  Process second(
      {AgentProgram(),
       {"--config.file=" + config, "--storage.path=" + data, "--web.listen-address=127.0.0.1:0"},
       {},
       ""});
  CHECK(second.WaitForLine({"msg=listening"}, seconds(8)));
  second.Signal(SIGTERM);
  CHECK(second.Wait(seconds(8)) == 0);
}

TEST_CASE("agent start: storage that cannot be made ends it with 1 and the reason") {
  const TemporaryFolder folder;
  folder.Write("agent.yml", kEmptyConfig);
  folder.Write("file", "");
  for (const std::string& path :
       {folder / "file", folder / "file/below", std::string("/proc/none")}) {
    CAPTURE(path);
    const ProcessResult result =
        RunAgent({"--config.file=" + folder / "agent.yml", "--storage.path=" + path,
                  "--web.listen-address=127.0.0.1:0"});
    CHECK(result.status == 1);
    CHECK(Contains(result.err, "cannot use --storage.path"));
    CHECK(Contains(result.err, path));
  }
}

TEST_CASE("agent start: in memory mode it needs no storage that could be written") {
  const TemporaryFolder folder;
  folder.Write("agent.yml", kEmptyConfig);
  folder.Write("file", "");
  Process agent(
      {AgentProgram(),
       {"--config.file=" + folder / "agent.yml", "--storage.path=" + folder / "file/below",
        "--storage.mode=memory", "--web.listen-address=127.0.0.1:0"},
       {},
       ""});
  CHECK(agent.WaitForLine({"msg=listening"}, seconds(8)));
  agent.Signal(SIGTERM);
  CHECK(agent.Wait(seconds(8)) == 0);
}

// A file system of a few kilobytes; it goes at the end.
class TinyDisk {
 public:
  explicit TinyDisk(unsigned long flags, int files_max = 3) {
    const std::string size = "size=4k,nr_inodes=" + std::to_string(files_max);
    mounted_ = mount("tmpfs", folder_.path().c_str(), "tmpfs", flags, size.c_str()) == 0;
    if (!mounted_) WARN("SKIPPED: cannot mount a tmpfs here: " << std::strerror(errno));
  }
  ~TinyDisk() {
    if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
  }
  TinyDisk(const TinyDisk&) = delete;
  TinyDisk& operator=(const TinyDisk&) = delete;
  bool mounted() const { return mounted_; }
  const TemporaryFolder& folder() const { return folder_; }

 private:
  TemporaryFolder folder_;
  bool mounted_ = false;
};

TEST_CASE("agent start: on a read-only disk it ends with 1 and the reason", "[mount]") {
  const TinyDisk disk(MS_RDONLY);
  if (!disk.mounted()) return;
  const TemporaryFolder folder;
  folder.Write("agent.yml", kEmptyConfig);
  for (const std::string& path : {disk.folder().path(), disk.folder() / "data"}) {
    const ProcessResult result =
        RunAgent({"--config.file=" + folder / "agent.yml", "--storage.path=" + path,
                  "--web.listen-address=127.0.0.1:0"});
    CHECK(result.status == 1);
    CHECK(Contains(result.err, "Read-only file system"));
  }
}

TEST_CASE("agent start: a disk without room for a file ends it with 1, one without a byte does not",
          "[mount]") {
  const TemporaryFolder folder;
  folder.Write("agent.yml", kEmptyConfig);
  const auto arguments = [&](const TinyDisk& disk) -> std::vector<std::string> {
    disk.folder().Write("full", std::string(4096, 'x'));
    return {"--config.file=" + folder / "agent.yml", "--storage.path=" + disk.folder().path(),
            "--web.listen-address=127.0.0.1:0"};
  };
  SECTION("no byte left: the lock is taken, though its pid cannot be written") {
    const TinyDisk disk(0, 100);
    if (!disk.mounted()) return;
    Process agent({AgentProgram(), arguments(disk), {}, ""});
    CHECK(agent.WaitForLine({"samples are kept in memory", "No space left on device"}, seconds(8)));
    CHECK(agent.WaitForLine({"msg=listening"}, seconds(8)));
    agent.Signal(SIGTERM);
    CHECK(agent.Wait(seconds(8)) == 0);
  }
  SECTION("no inode left") {
    const TinyDisk disk(0);
    if (!disk.mounted()) return;
    disk.folder().Write("second", "");
    const ProcessResult result = RunAgent(arguments(disk));
    CHECK(result.status == 1);
    CHECK(Contains(result.err, "No space left on device"));
  }
}

}  // namespace
}  // namespace tributary
