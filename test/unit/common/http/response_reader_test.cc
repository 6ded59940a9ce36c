#include "common/http/response_reader.h"

#include <random>
#include <string>

#include "common/http/request_head.h"
#include "test/support/catch.h"
#include "test/support/transport_contract.h"

namespace tributary {
namespace {

using Progress = ResponseReader::Progress;

struct Reading {
  Progress progress = Progress::kNeedsMore;
  CollectingHandler handler;
  std::vector<HttpHeader> trailers;
  bool keeps_alive = false;
  std::string rest;
  std::string error;
};

// `piece` gives the size of each read.
template <typename Piece>
Reading Read(std::string_view bytes, Piece piece, bool is_head = false) {
  Reading reading;
  ResponseReader reader(is_head);
  REQUIRE(reader.untouched());
  while (!bytes.empty() && reading.progress == Progress::kNeedsMore) {
    std::string_view some = bytes.substr(0, piece());
    bytes.remove_prefix(some.size());
    reading.progress = reader.Read(some, reading.handler);
    if (reading.progress == Progress::kNeedsMore) REQUIRE(some.empty());
    REQUIRE_FALSE(reader.untouched());
    reading.rest = some;
  }
  if (reading.progress == Progress::kNeedsMore) reading.progress = reader.End();
  reading.rest += bytes;
  reading.trailers = reader.trailers();
  reading.keeps_alive = reader.keeps_alive();
  reading.error = reader.error();
  return reading;
}

Reading ReadWhole(std::string_view bytes, bool is_head = false) {
  return Read(
      bytes, [&] { return bytes.size(); }, is_head);
}

TEST_CASE("response reader: bodies by length, by chunks and to the end") {
  Reading sized = ReadWhole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhelloHTTP");
  REQUIRE(sized.progress == Progress::kDone);
  REQUIRE(sized.handler.head.status == 200);
  REQUIRE(sized.handler.head.Header("x-a") == "b");
  REQUIRE(sized.handler.body == "hello");
  REQUIRE(sized.rest == "HTTP");
  REQUIRE(sized.keeps_alive);

  Reading chunked = ReadWhole(
      "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5;x=\"y\"\r\nhello\r\n00a \r\n, it is me\r\n0\r\nX-Late: yes\r\n\r\n");
  REQUIRE(chunked.progress == Progress::kDone);
  REQUIRE(chunked.handler.body == "hello, it is me");
  REQUIRE(FindHeader(chunked.trailers, "X-Late") == "yes");
  REQUIRE(chunked.rest.empty());

  Reading open = ReadWhole("HTTP/1.0 200 OK\r\n\r\nto the end");
  REQUIRE(open.progress == Progress::kDone);
  REQUIRE(open.handler.body == "to the end");
  REQUIRE_FALSE(open.keeps_alive);
}

TEST_CASE("response reader: lines may end with LF alone") {
  const Reading got =
      ReadWhole("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nno colon here\n\n3\nabc\n0\n\n");
  REQUIRE(got.progress == Progress::kDone);
  REQUIRE(got.handler.body == "abc");
  REQUIRE(got.handler.head.headers.size() == 1);
}

TEST_CASE("response reader: responses without a body") {
  REQUIRE(ReadWhole("HTTP/1.1 204 No Content\r\n\r\n").progress == Progress::kDone);
  REQUIRE(ReadWhole("HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n").progress == Progress::kDone);
  REQUIRE(ReadWhole("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true).progress ==
          Progress::kDone);
  REQUIRE(ReadWhole("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").progress == Progress::kDone);
}

TEST_CASE("response reader: what ends too early needs more") {
  for (const char* bytes : {"HTT", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\n\r",
                            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
                            "HTTP/1.1 100 Continue\r\n\r\n"}) {
    INFO(bytes);
    REQUIRE(ReadWhole(bytes).progress == Progress::kNeedsMore);
  }
}

TEST_CASE("response reader: whether another request may follow") {
  const auto keeps = [](const std::string& version, const std::string& fields) {
    return ReadWhole("HTTP/" + version + " 200 OK\r\n" + fields + "Content-Length: 1\r\n\r\nx")
        .keeps_alive;
  };
  REQUIRE(keeps("1.1", ""));
  REQUIRE_FALSE(keeps("1.1", "Connection: Close\r\n"));
  REQUIRE_FALSE(keeps("1.1", "Connection: upgrade , close\r\n"));
  REQUIRE_FALSE(keeps("1.0", ""));
  REQUIRE(keeps("1.0", "Connection: keep-alive\r\n"));
  // Somebody on the way may have seen another end of it.
  REQUIRE_FALSE(ReadWhole("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
                          "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
                    .keeps_alive);
}

TEST_CASE("response reader: what makes no sense is bad, with a reason") {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& bytes :
       {std::string("<html>"), std::string("HTTP/2 200\r\n"), std::string("HTTP/1.1 99 x\r\n"),
        std::string("HTTP/1.1 2000\r\n"), std::string("HTTP/1.1  200 OK\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        chunked + "x\r\n", chunked + "\r\n", chunked + "11111111111111111\r\n",
        chunked + "1\r\nab\r\n", chunked + "1;" + std::string(5000, 'e'),
        "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x'),
        chunked + "0\r\nX: " + std::string(70'000, 'x')}) {
    INFO(bytes.substr(0, 100));
    const Reading got = ReadWhole(bytes);
    REQUIRE(got.progress == Progress::kBad);
    REQUIRE_FALSE(got.error.empty());
  }
}

TEST_CASE("response reader: a handler that has enough ends it") {
  CollectingHandler handler;
  handler.body_bytes_max = 3;
  ResponseReader reader;
  std::string_view bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  REQUIRE(reader.Read(bytes, handler) == Progress::kRefused);
}

TEST_CASE("response reader: pieces of any size give the same") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return random() % n; };
  for (int round = 0; round < 2000; round++) {
    const std::string eol = below(4) == 0 ? "\n" : "\r\n";
    std::string bytes, body;
    if (below(3) == 0) bytes += "HTTP/1.1 103 Early" + eol + "X: y" + eol + eol;
    bytes += "HTTP/1." + std::to_string(below(2)) + " 200 OK" + eol;
    for (size_t i = below(5); i > 0; i--) {
      bytes += "X-" + std::to_string(i) + ":" + std::string(below(40), 'v') + eol;
    }
    for (size_t i = below(200); i > 0; i--) body += static_cast<char>(below(256));
    if (below(2) == 0) {
      bytes += "Content-Length: " + std::to_string(body.size()) + eol + eol + body;
    } else {
      bytes += "Transfer-Encoding: chunked" + eol + eol;
      for (size_t at = 0; at < body.size();) {
        const size_t size = std::min(1 + below(60), body.size() - at);
        char hex[20];
        snprintf(hex, sizeof hex, "%zx", size);
        bytes += hex + eol + body.substr(at, size) + eol;
        at += size;
      }
      bytes += "0" + eol + (below(2) == 0 ? "T: t" + eol : "") + eol;
    }
    bytes += "next";
    const Reading whole = ReadWhole(bytes);
    const Reading pieces = Read(bytes, [&] { return 1 + below(1 + below(90)); });
    REQUIRE(whole.progress == Progress::kDone);
    REQUIRE(pieces.progress == Progress::kDone);
    REQUIRE(whole.handler.body == body);
    REQUIRE(pieces.handler.body == body);
    REQUIRE(whole.rest == "next");
    REQUIRE(pieces.rest == "next");
    REQUIRE(pieces.handler.head.headers.size() == whole.handler.head.headers.size());
    REQUIRE(pieces.trailers.size() == whole.trailers.size());
    REQUIRE(pieces.keeps_alive == whole.keeps_alive);
  }
}

std::optional<std::string> HeadOf(const HttpRequest& request) {
  const auto url = ParseHttpUrl(request.url);
  return url ? RequestHead(request, *url) : std::nullopt;
}

TEST_CASE("request head: as it is sent") {
  HttpRequest request;
  request.url = "http://127.0.0.1:9100/metrics?a=b#c";
  request.headers = {{"Accept", "text/plain"}, {"X-Empty", ""}};
  REQUIRE(HeadOf(request) ==
          "GET /metrics?a=b HTTP/1.1\r\nHost: 127.0.0.1:9100\r\nAccept: text/plain\r\n"
          "X-Empty: \r\n\r\n");
  request.method = "POST";
  request.url = "http://[::1]:80?q";
  request.headers = {{"host", "other"}};
  REQUIRE(HeadOf(request) == "POST /?q HTTP/1.1\r\nhost: other\r\nContent-Length: 0\r\n\r\n");
  request.body = std::make_shared<const std::string>("12345");
  REQUIRE(HeadOf(request)->ends_with("Content-Length: 5\r\n\r\n"));
}

TEST_CASE("request head: what has to be rewritten is not ours") {
  for (const char* url : {"http://user:pw@127.0.0.1/", "http://[fe80::1%25eth0]/", "http://127.1/",
                          "https://127.0.0.1/", "HTTP://127.0.0.1/", "http://127.0.0.1/a b",
                          "http://127.0.0.1/\xc3\xa4"}) {
    INFO(url);
    HttpRequest request;
    request.url = url;
    REQUIRE_FALSE(HeadOf(request));
  }
  HttpRequest request;
  request.url = "http://127.0.0.1/";
  request.headers = {{"X", "a\nb"}};
  REQUIRE_FALSE(HeadOf(request));
}

}  // namespace
}  // namespace tributary
