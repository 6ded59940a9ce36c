// Asks another thread's event loop a question and waits for the answer, for a bounded time.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "common/event/event_loop.h"

namespace tributary {

// Runs `question` on the loop. Nullopt if it has not answered in time, or its loop has ended; it
// may still run later, so what it captures must live on by itself. Not from the loop's own thread.
template <typename Question>
auto Ask(EventLoop& loop, std::chrono::milliseconds timeout, Question question)
    -> std::optional<decltype(question())> {
  auto promise = std::make_shared<std::promise<decltype(question())>>();
  auto answer = promise->get_future();
  loop.Post(
      [promise, question = std::move(question)]() mutable { promise->set_value(question()); });
  // The loop's end destroys the promise.
  promise.reset();
  if (answer.wait_for(timeout) != std::future_status::ready) return std::nullopt;
  try {
    return answer.get();
  } catch (const std::future_error&) {
    return std::nullopt;
  }
}

}  // namespace tributary
