#include "common/http/response_reader.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "common/base/trim.h"

namespace tributary {

namespace {

constexpr size_t kHeadBytesMax = 64 << 10;
constexpr size_t kChunkLineMax = 4 << 10;
constexpr std::string_view kProtocol = "HTTP/1.";

// What may be around the value of a field, the ends of its lines included.
constexpr std::string_view kBlanks = " \t\r\n";

template <typename T>
std::optional<T> Number(std::string_view text, int base) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Whether a list of tokens has this one.
bool HasToken(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (SameHeaderName(Trim(list.substr(0, comma), kBlanks), token)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

void AddHeaderLine(std::string_view line, std::vector<HttpHeader>& headers) {
  if (line.empty()) return;
  if (line.front() == ' ' || line.front() == '\t') {  // folded, RFC 9112 5.2
    if (!headers.empty()) headers.back().value.append(" ").append(Trim(line, kBlanks));
    return;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  headers.push_back({std::string(Trim(line.substr(0, colon), kBlanks)),
                     std::string(Trim(line.substr(colon + 1), kBlanks))});
}

ResponseReader::Progress ResponseReader::Read(std::string_view& bytes, HttpHandler& handler) {
  if (!bytes.empty()) untouched_ = false;
  for (;;) {
    switch (state_) {
      case State::kDone:
        return Progress::kDone;
      case State::kBad:
        return Progress::kBad;
      case State::kRefused:
        return Progress::kRefused;
      case State::kSized:
      case State::kChunk:
      case State::kToEnd:
        if (bytes.empty()) return Progress::kNeedsMore;
        OnBody(bytes, handler);
        break;
      default: {
        const std::optional<std::string_view> line = NextLine(bytes);
        if (line) {
          OnLine(*line, handler);
          line_.clear();
        } else if (state_ != State::kBad) {
          return Progress::kNeedsMore;
        }
      }
    }
  }
}

ResponseReader::Progress ResponseReader::End() const {
  return state_ == State::kToEnd ? Progress::kDone : Progress::kNeedsMore;
}

// A line without its end; nullopt: it goes on, or is too long.
std::optional<std::string_view> ResponseReader::NextLine(std::string_view& bytes) {
  const bool is_of_head = state_ != State::kChunkSize && state_ != State::kChunkEnd;
  const size_t feed = bytes.find('\n');
  const size_t taken = feed == std::string_view::npos ? bytes.size() : feed + 1;
  if (is_of_head) head_bytes_ += taken;
  if (is_of_head ? head_bytes_ > kHeadBytesMax : line_.size() + taken > kChunkLineMax) {
    state_ = Bad(is_of_head ? "response header over 64 KiB" : "a chunk's line over 4 KiB");
    return std::nullopt;
  }
  std::string_view line = bytes.substr(0, taken);
  bytes.remove_prefix(taken);
  if (!line_.empty() || feed == std::string_view::npos) {
    line_.append(line);
    line = line_;
  }
  if (state_ == State::kStatusLine &&
      line.substr(0, kProtocol.size()) != kProtocol.substr(0, line.size())) {
    state_ = Bad("the answer is not HTTP/1.1");
    return std::nullopt;
  }
  if (feed == std::string_view::npos) return std::nullopt;
  line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void ResponseReader::OnLine(std::string_view line, HttpHandler& handler) {
  switch (state_) {
    case State::kStatusLine:
      return OnStatusLine(line);
    case State::kFields:
      return line.empty() ? OnEndOfFields(handler) : AddHeaderLine(line, head_.headers);
    case State::kChunkSize:
      return OnChunkSize(line);
    case State::kChunkEnd:
      state_ = line.empty() ? State::kChunkSize : Bad("a chunk is longer than it says");
      return;
    default:
      if (!line.empty()) return AddHeaderLine(line, trailers_);
      state_ = State::kDone;
  }
}

void ResponseReader::OnBody(std::string_view& bytes, HttpHandler& handler) {
  const bool has_length = state_ != State::kToEnd;
  const std::string_view piece =
      has_length ? bytes.substr(0, std::min<uint64_t>(left_, bytes.size())) : bytes;
  bytes.remove_prefix(piece.size());
  left_ -= has_length ? piece.size() : 0;
  if (!handler.OnBody(piece)) {
    state_ = State::kRefused;
  } else if (has_length && left_ == 0) {
    state_ = state_ == State::kSized ? State::kDone : State::kChunkEnd;
  }
}

void ResponseReader::OnStatusLine(std::string_view line) {
  // "HTTP/1.1 200 OK", and what stands behind the status may be missing.
  const size_t version = kProtocol.size();
  const std::optional<int> status =
      Number<int>(line.substr(std::min(version + 2, line.size()), 3), 10);
  const bool is_good = line.size() >= version + 5 && line[version] >= '0' && line[version] <= '9' &&
                       line[version + 1] == ' ' && status && *status >= 100 &&
                       (line.size() == version + 5 || line[version + 5] == ' ');
  if (!is_good) {
    state_ = Bad("the answer's first line is no status line");
    return;
  }
  is_1_0_ = line[version] == '0';
  head_ = HttpResponseHead{};
  head_.status = *status;
  state_ = State::kFields;
}

void ResponseReader::OnEndOfFields(HttpHandler& handler) {
  if (head_.status < 200) {
    state_ = State::kStatusLine;
    return;
  }
  const std::string_view connection = head_.Header("Connection");
  keeps_alive_ = is_1_0_ ? HasToken(connection, "keep-alive") : !HasToken(connection, "close");
  const std::optional<State> by_fields = BodyByFields();
  if (state_ == State::kBad) return;
  has_head_ = true;
  if (is_head_ || head_.status == 204 || head_.status == 304) {
    state_ = State::kDone;
  } else if (by_fields) {
    state_ = *by_fields;
  } else {
    keeps_alive_ = false;
    state_ = State::kToEnd;
  }
  handler.OnHead(head_);
}

std::optional<ResponseReader::State> ResponseReader::BodyByFields() {
  std::optional<uint64_t> length;
  bool is_chunked = false;
  for (const HttpHeader& header : head_.headers) {
    if (SameHeaderName(header.name, "Content-Length")) {
      const std::optional<uint64_t> value = Number<uint64_t>(header.value, 10);
      if (!value || (length && *length != *value)) {
        state_ = Bad("Content-Length makes no sense");
        return std::nullopt;
      }
      length = value;
    } else if (SameHeaderName(header.name, "Transfer-Encoding") &&
               !SameHeaderName(header.value, "identity")) {
      if (is_chunked || !SameHeaderName(header.value, "chunked")) {
        state_ = Bad("a Transfer-Encoding other than chunked");
        return std::nullopt;
      }
      is_chunked = true;
    }
  }
  if (is_chunked) {
    if (length) keeps_alive_ = false;  // RFC 9112 6.3: somebody on the way may see it otherwise
    return State::kChunkSize;
  }
  if (!length) return std::nullopt;
  left_ = *length;
  return left_ == 0 ? State::kDone : State::kSized;
}

void ResponseReader::OnChunkSize(std::string_view line) {
  const std::string_view digits = Trim(line.substr(0, line.find(';')), kBlanks);
  const std::optional<uint64_t> size = Number<uint64_t>(digits, 16);
  if (!size) {
    state_ = Bad("a chunk's size is no number");
  } else {
    left_ = *size;
    state_ = left_ == 0 ? State::kTrailers : State::kChunk;
  }
}

ResponseReader::State ResponseReader::Bad(const char* error) {
  error_ = error;
  return State::kBad;
}

}  // namespace tributary
