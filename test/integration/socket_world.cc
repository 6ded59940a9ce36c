#include "test/integration/socket_world.h"

namespace tributary {

bool RunLoop(SystemEventLoop& loop, const std::function<bool()>& done, nanoseconds limit) {
  const MonotonicTime end = loop.Now() + limit;
  Timer poll(loop);
  std::function<void()> check = [&] {
    if (done() || loop.Now() >= end) {
      loop.Stop();
    } else {
      poll.SetAfter(milliseconds(1), check);
    }
  };
  loop.Post(check);
  loop.Run();
  return done();
}

}  // namespace tributary
