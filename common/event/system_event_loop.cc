#include "common/event/system_event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <ctime>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/base/assert.h"
#include "common/event/timer_queue.h"

namespace tributary {

namespace {

constexpr int kEventsPerTurn = 256;
constexpr size_t kPostsPerTurn = 256;

// An epoll event's tag: the descriptor, and which of its watches. Generation 0 is the inbox.
uint64_t Tag(int fd, uint32_t generation) {
  return static_cast<uint64_t>(generation) << 32 | static_cast<uint32_t>(fd);
}

}  // namespace

struct SystemEventLoop::Impl {
  struct Watch {
    uint32_t generation;
    FdCallback callback;
  };

  Impl();
  ~Impl();

  void Turn();
  void RunFds(int count);
  void RunTimers(uint64_t mark);
  void RunPosts();
  int Wait();
  int WaitMilliseconds(nanoseconds timeout);
  void Wake() const;
  void DrainWake() const;
  bool OnLoopThread() const { return std::this_thread::get_id() == thread.load(); }
  void CheckThread() const { DCHECK(thread.load() == std::thread::id() || OnLoopThread()); }

  int epoll = -1;
  int event = -1;
  std::array<epoll_event, kEventsPerTurn> ready{};
  bool precise_wait = true;  // epoll_pwait2 works here
  // Shared, as a callback may replace or remove its own watch while it runs.
  std::unordered_map<int, std::shared_ptr<Watch>> watches;
  uint32_t last_generation = 0;

  TimerQueue timers;
  std::deque<Callback> posts;  // taken from the inbox, in their order

  std::mutex mutex;
  std::deque<Callback> inbox;  // guarded by mutex
  bool hurried = false;  // guarded by mutex: the loop will look into the inbox before it sleeps

  std::atomic<bool> stop{false};
  std::atomic<std::thread::id> thread{};
  std::atomic<uint64_t> turns{0};
};

SystemEventLoop::Impl::Impl() {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(epoll >= 0 && event >= 0);
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.u64 = Tag(event, 0);
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &interest) == 0);
}

SystemEventLoop::Impl::~Impl() {
  close(event);
  close(epoll);
}

void SystemEventLoop::Impl::Turn() {
  const int count = Wait();
  turns.fetch_add(1, std::memory_order_relaxed);
  const uint64_t mark = timers.Mark();
  RunFds(count);
  RunTimers(mark);
  RunPosts();
}

int SystemEventLoop::Impl::Wait() {
  nanoseconds timeout(-1);
  {
    const std::lock_guard lock(mutex);
    if (!posts.empty() || !inbox.empty()) timeout = nanoseconds(0);
  }
  if (timeout.count() < 0) {
    if (const auto next = timers.Next()) {
      timeout = std::max(*next - std::chrono::steady_clock::now(), nanoseconds(0));
    }
  }
  if (precise_wait) {
    timespec spec{};
    spec.tv_sec = timeout.count() / 1'000'000'000;
    spec.tv_nsec = timeout.count() % 1'000'000'000;
    const int count = epoll_pwait2(epoll, ready.data(), kEventsPerTurn,
                                   timeout.count() < 0 ? nullptr : &spec, nullptr);
    if (count >= 0 || errno == EINTR) return count;
    // Linux before 5.11, or a seccomp filter that does not know it.
    CHECK(errno == ENOSYS || errno == EPERM);
    precise_wait = false;
  }
  return WaitMilliseconds(timeout);
}

int SystemEventLoop::Impl::WaitMilliseconds(nanoseconds timeout) {
  int ms = -1;
  if (timeout.count() >= 0) {
    // Rounded up: a timer must not be early, and early wake-ups would spin.
    const int64_t wait = (timeout.count() + 999'999) / 1'000'000;
    ms = static_cast<int>(std::min<int64_t>(wait, INT_MAX));
  }
  const int count = epoll_wait(epoll, ready.data(), kEventsPerTurn, ms);
  CHECK(count >= 0 || errno == EINTR);
  return count;
}

void SystemEventLoop::Impl::RunFds(int count) {
  for (int i = 0; i < count && !stop.load(); i++) {
    const epoll_event& fired = ready[static_cast<size_t>(i)];
    const auto fd = static_cast<int>(static_cast<uint32_t>(fired.data.u64));
    const auto generation = static_cast<uint32_t>(fired.data.u64 >> 32);
    if (generation == 0) {
      DrainWake();
      continue;
    }
    const auto found = watches.find(fd);
    // Removed, or replaced, by a callback of this turn; what still holds is reported again.
    if (found == watches.end() || found->second->generation != generation) continue;
    const std::shared_ptr<Watch> watch = found->second;
    watch->callback(fired.events);
  }
}

void SystemEventLoop::Impl::RunTimers(uint64_t mark) {
  const auto next = timers.Next();
  if (!next) return;
  const MonotonicTime now = std::chrono::steady_clock::now();
  while (!stop.load()) {
    const Callback callback = timers.Take(now, mark);
    if (!callback) return;
    callback();
  }
}

void SystemEventLoop::Impl::RunPosts() {
  if (posts.empty()) {
    const std::lock_guard lock(mutex);
    posts.swap(inbox);
    hurried = false;
  }
  for (size_t i = 0; i < kPostsPerTurn && !posts.empty() && !stop.load(); i++) {
    const Callback callback = std::move(posts.front());
    posts.pop_front();
    callback();
  }
}

void SystemEventLoop::Impl::Wake() const {
  const uint64_t one = 1;
  // Can fail only when the counter is full, and then the loop is awake.
  [[maybe_unused]] const ssize_t written = write(event, &one, sizeof one);
}

void SystemEventLoop::Impl::DrainWake() const {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(event, &count, sizeof count);
}

SystemEventLoop::SystemEventLoop() : impl_(std::make_unique<Impl>()) {}

SystemEventLoop::~SystemEventLoop() {
  // While the loop is still whole: what these own may call it.
  impl_->timers.Clear();
  for (;;) {
    std::deque<Callback> posts = std::exchange(impl_->posts, {});
    {
      const std::lock_guard lock(impl_->mutex);
      for (Callback& callback : impl_->inbox) posts.push_back(std::move(callback));
      impl_->inbox.clear();
    }
    if (posts.empty()) break;
  }
  impl_->timers.Clear();
}

MonotonicTime SystemEventLoop::Now() const { return std::chrono::steady_clock::now(); }

int64_t SystemEventLoop::WallNs() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

TimerId SystemEventLoop::AddTimer(MonotonicTime when, Callback callback) {
  impl_->CheckThread();
  return impl_->timers.Add(when, std::move(callback));
}

void SystemEventLoop::CancelTimer(TimerId timer) {
  impl_->CheckThread();
  impl_->timers.Cancel(timer);
}

void SystemEventLoop::Post(Callback callback) {
  bool wake;
  {
    const std::lock_guard lock(impl_->mutex);
    // Only the first post since the loop looked must wake it.
    wake = !std::exchange(impl_->hurried, true);
    impl_->inbox.push_back(std::move(callback));
  }
  if (wake && !impl_->OnLoopThread()) impl_->Wake();
}

void SystemEventLoop::PostQuietly(Callback callback) {
  const std::lock_guard lock(impl_->mutex);
  impl_->inbox.push_back(std::move(callback));
}

void SystemEventLoop::WatchFd(int fd, uint32_t events, FdCallback callback) {
  impl_->CheckThread();
  if (++impl_->last_generation == 0) impl_->last_generation = 1;  // 0 is the inbox
  std::shared_ptr<Impl::Watch>& watch = impl_->watches[fd];
  const bool known = watch != nullptr;
  watch = std::make_shared<Impl::Watch>(Impl::Watch{impl_->last_generation, std::move(callback)});
  epoll_event interest{};
  interest.events = events;
  interest.data.u64 = Tag(fd, impl_->last_generation);
  int failed = epoll_ctl(impl_->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &interest);
  if (failed != 0 && known && errno == ENOENT) {
    // Closed without RemoveFd; the number has come back with another descriptor.
    failed = epoll_ctl(impl_->epoll, EPOLL_CTL_ADD, fd, &interest);
  }
  CHECK(failed == 0);
}

void SystemEventLoop::RemoveFd(int fd) {
  impl_->CheckThread();
  if (impl_->watches.erase(fd) == 0) return;
  epoll_ctl(impl_->epoll, EPOLL_CTL_DEL, fd, nullptr);  // fails if it was closed before: no matter
}

void SystemEventLoop::Run() {
  impl_->thread.store(std::this_thread::get_id());
  while (!impl_->stop.load()) impl_->Turn();
  impl_->stop.store(false);
  // Whoever joins the thread may take down what lives on the loop.
  impl_->thread.store(std::thread::id());
}

void SystemEventLoop::Stop() {
  impl_->stop.store(true);
  impl_->Wake();
}

uint64_t SystemEventLoop::turns() const { return impl_->turns.load(std::memory_order_relaxed); }

}  // namespace tributary
