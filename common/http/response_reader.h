// Takes a response of HTTP/1.1 or 1.0 off the bytes of a connection, in whatever pieces they come
// (RFC 9112): head, body by length, by chunks or to the end of the connection, trailers; interim
// responses are passed over. As lenient as what exporters have always been read by: lines may end
// with LF alone, lines without a colon in a head are ignored, folded fields are unfolded.
//
// Body bytes go to the handler where they lie, uncopied. Bounds: status line, fields, those of
// interim responses and trailers are 64 KiB in all; a line about a chunk is 4 KiB.
//
// Not thread-safe. Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/transport.h"

namespace tributary {

// Adds a line of a head, without its end, to the fields before it.
void AddHeaderLine(std::string_view line, std::vector<HttpHeader>& headers);

class ResponseReader {
 public:
  enum class Progress : uint8_t {
    kNeedsMore,
    kDone,
    kBad,      // not HTTP; see error()
    kRefused,  // the handler does not want the body
  };

  // Of a request whose method is HEAD there is no body.
  explicit ResponseReader(bool is_head = false) : is_head_(is_head) {}

  // Takes what is of the response off the front of `bytes`: all, while it is kNeedsMore. Not after
  // another answer than that.
  Progress Read(std::string_view& bytes, HttpHandler& handler);
  // The connection has ended: kDone for a body that goes to there. kNeedsMore: too early.
  Progress End() const;

  bool untouched() const { return untouched_; }  // not a byte has come
  // Whether the handler has had the head, and its status: 0 before.
  int status() const { return has_head_ ? head_.status : 0; }
  const std::vector<HttpHeader>& trailers() const { return trailers_; }
  // Once kDone: whether another request may follow on the connection.
  bool keeps_alive() const { return keeps_alive_; }
  const char* error() const { return error_; }

 private:
  enum class State : uint8_t {
    kStatusLine,
    kFields,
    kSized,
    kToEnd,
    kChunkSize,
    kChunk,
    kChunkEnd,
    kTrailers,
    kDone,
    kBad,
    kRefused,
  };

  std::optional<std::string_view> NextLine(std::string_view& bytes);
  void OnLine(std::string_view line, HttpHandler& handler);
  void OnBody(std::string_view& bytes, HttpHandler& handler);
  void OnStatusLine(std::string_view line);
  void OnEndOfFields(HttpHandler& handler);
  // Nullopt: it does not say.
  std::optional<State> BodyByFields();
  void OnChunkSize(std::string_view line);
  State Bad(const char* error);

  bool is_head_;
  State state_ = State::kStatusLine;
  bool untouched_ = true;
  bool has_head_ = false;
  bool keeps_alive_ = false;
  bool is_1_0_ = false;
  size_t head_bytes_ = 0;
  uint64_t left_ = 0;  // of the body, or of the chunk
  std::string line_;   // as much of it as there is yet
  HttpResponseHead head_;
  std::vector<HttpHeader> trailers_;
  const char* error_ = "";
};

}  // namespace tributary
