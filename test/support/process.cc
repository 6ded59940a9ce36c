#include "test/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "common/base/assert.h"

extern char** environ;

namespace tributary {

namespace {

constexpr milliseconds kPoll{2};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& own) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; entry++) {
    const std::string text = *entry;
    if (!own.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : own) all.push_back(name + "=" + value);
  return all;
}

bool HasAll(const std::string& line, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (line.find(text) == std::string::npos) return false;
  }
  return true;
}

}  // namespace

Process::Process(const ProcessOptions& options) {
  std::vector<std::string> arguments = {options.program};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<std::string> environment = Environment(options.environment);
  const std::vector<char*> argv = Pointers(arguments), envp = Pointers(environment);
  int out[2], err[2];
  CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
  // From here to exec only what is safe between threads' forks.
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = open("/dev/null", O_RDONLY);
    const bool ready = dup2(null, 0) == 0 && dup2(out[1], 1) == 1 && dup2(err[1], 2) == 2 &&
                       (options.directory.empty() || chdir(options.directory.c_str()) == 0);
    if (ready) execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  out_.fd = out[0];
  err_.fd = err[0];
  out_.thread = std::thread([this] { Read(out_); });
  err_.thread = std::thread([this] { Read(err_); });
}

Process::~Process() {
  if (!status_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (Stream* stream : {&out_, &err_}) {
    stream->thread.join();
    close(stream->fd);
  }
}

void Process::Read(Stream& stream) {
  char buffer[16384];
  for (;;) {
    const ssize_t bytes = read(stream.fd, buffer, sizeof buffer);
    if (bytes < 0 && errno == EINTR) continue;
    const std::lock_guard lock(mutex_);
    if (bytes > 0) stream.text.append(buffer, static_cast<size_t>(bytes));
    if (bytes <= 0) stream.ended = true;
    changed_.notify_all();
    if (bytes <= 0) return;
  }
}

std::string Process::TextOf(const Stream& stream) const {
  const std::lock_guard lock(mutex_);
  return stream.text;
}

bool Process::Running() { return !Wait(nanoseconds(0)); }

void Process::Signal(int signal) {
  if (Running()) kill(pid_, signal);
}

std::optional<int> Process::Wait(nanoseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!status_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
      break;
    }
    if (std::chrono::steady_clock::now() >= end) return std::nullopt;
    std::this_thread::sleep_for(kPoll);
  }
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, seconds(5), [this] { return out_.ended && err_.ended; });
  return status_;
}

std::optional<std::string> Process::WaitForLine(const std::vector<std::string>& texts,
                                                nanoseconds timeout) const {
  std::unique_lock lock(mutex_);
  std::optional<std::string> found;
  size_t begin = 0;  // of the first line not looked at
  changed_.wait_for(lock, timeout, [&] {
    for (size_t end; (end = err_.text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      std::string line = err_.text.substr(begin, end - begin);
      if (!HasAll(line, texts)) continue;
      found = std::move(line);
      return true;
    }
    return err_.ended;
  });
  return found;
}

ProcessResult RunProcess(const ProcessOptions& options, nanoseconds timeout) {
  Process process(options);
  const std::optional<int> status = process.Wait(timeout);
  return {status.value_or(-999), process.Out(), process.Err()};
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "tributary-XXXXXX").string();
  CHECK(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::Write(const std::string& name, const std::string& content) const {
  const std::string path = *this / name, temporary = path + ".new";
  std::ofstream(temporary, std::ios::binary) << content;
  std::filesystem::rename(temporary, path);
  return path;
}

}  // namespace tributary
