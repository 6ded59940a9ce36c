#include "agent/web/federate_door.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "agent/federate/federate_query.h"
#include "agent/web/conversation.h"
#include "agent/web/reception.h"
#include "agent/web/request_lines.h"

namespace tributary {
namespace {

constexpr size_t kThreads = 2;
constexpr size_t kWaitingMax = 8;
constexpr std::chrono::seconds kReadTimeout{5};
constexpr double kAnswerSeconds = 60;
constexpr double kAnswerSecondsMax = 120;

std::chrono::milliseconds AnswerTime(std::string_view head) {
  const std::string_view text = HeaderOf(head, "X-Prometheus-Scrape-Timeout-Seconds");
  double seconds = kAnswerSeconds;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (parsed.ec != std::errc() || !(seconds > 0)) seconds = kAnswerSeconds;
  return std::chrono::milliseconds(
      static_cast<int64_t>(std::min(seconds, kAnswerSecondsMax) * 1000));
}

bool WriteAll(Conversation& conversation, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = conversation.write(bytes.data(), bytes.size());
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void Refuse(Conversation& conversation, std::string_view status, std::string_view message,
            std::string_view more = "") {
  WriteAll(conversation,
           RefusalResponse(status, fmt::format("{}\n", message), conversation.terms(), more));
}

}  // namespace

bool IsFederate(std::string_view head) { return ParseRequestLine(head).path == "/federate"; }

FederateDoor::FederateDoor(FederateDoorOptions options)
    : options_(std::move(options)), pool_(kThreads) {}

FederateDoor::~FederateDoor() {
  stopping_ = true;
  {
    const std::lock_guard lock(mutex_);
    for (Conversation* conversation : under_way_) conversation->Abort();
  }
  pool_.shutdown();
}

void FederateDoor::Pass(std::unique_ptr<Conversation> conversation) {
  if (waiting_.load() >= kWaitingMax) {
    options_.counters->busy++;
    return Refuse(*conversation, "503 Service Unavailable", "busy; try again");
  }
  waiting_++;
  pool_.enqueue([this, shared = std::shared_ptr<Conversation>(std::move(conversation))] {
    waiting_--;
    Serve(*shared);
  });
}

void FederateDoor::Serve(Conversation& conversation) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    under_way_.insert(&conversation);
  }
  Answer(conversation);
  const std::lock_guard lock(mutex_);
  under_way_.erase(&conversation);
}

void FederateDoor::Answer(Conversation& conversation) {
  const std::string_view head = conversation.head();
  conversation.SetPatience({kReadTimeout, AnswerTime(head)});
  const RequestLine request = ParseRequestLine(head);
  if (request.method != "GET") {
    return Refuse(conversation, "405 Method Not Allowed", "Method Not Allowed", "Allow: GET\r\n");
  }
  if (!options_.ready()) {
    return Refuse(conversation, "503 Service Unavailable", "Service Unavailable");
  }
  auto selectors = ParseMatches(request.query);
  if (!selectors) return Refuse(conversation, "400 Bad Request", selectors.error().message);
  auto source = options_.source();
  if (!source) {
    options_.counters->federate_errors++;
    return Refuse(conversation, "503 Service Unavailable", source.error().message);
  }
  const FederateForm form = NegotiateForm(HeaderOf(head, "Accept"));
  const bool gzip = TakesGzip(HeaderOf(head, "Accept-Encoding"));
  const bool chunked = request.version == "HTTP/1.1";
  FederatePage page(std::move(*source), std::move(*selectors), form, gzip);
  const bool sent =
      WriteAll(conversation,
               fmt::format("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {}\r\n"
                           "Vary: Accept-Encoding\r\n{}{}{}\r\n",
                           form.content_type(), gzip ? "Content-Encoding: gzip\r\n" : "",
                           chunked ? "Transfer-Encoding: chunked\r\n" : "",
                           StandingHeaders(conversation.terms()))) &&
      SendPage(conversation, page, chunked);
  options_.counters->federate_errors += !sent;
  options_.counters->federated_series += page.series();
}

bool FederateDoor::SendPage(Conversation& conversation, FederatePage& page, bool chunked) {
  std::string piece;
  while (page.Next(piece)) {
    if (stopping_) return false;
    if (chunked && !WriteAll(conversation, fmt::format("{:x}\r\n", piece.size()))) return false;
    if (chunked) piece += "\r\n";
    if (!WriteAll(conversation, piece)) return false;
  }
  return !chunked || WriteAll(conversation, "0\r\n\r\n");
}

}  // namespace tributary
