#include "test/support/h2_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "common/base/assert.h"

namespace tributary {

namespace {

sockaddr* Generic(sockaddr_in* address) {
  void* const plain = address;  // the C interface's cast
  return static_cast<sockaddr*>(plain);
}

int Listen(uint16_t* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(fd >= 0 && bind(fd, Generic(&address), sizeof address) == 0 && listen(fd, 16) == 0);
  socklen_t size = sizeof address;
  CHECK(getsockname(fd, Generic(&address), &size) == 0);
  *port = ntohs(address.sin_port);
  return fd;
}

// Whether `fd` can be read before the stop.
bool WaitFor(int fd, int stop_event) {
  pollfd waits[2] = {{fd, POLLIN, 0}, {stop_event, POLLIN, 0}};
  return poll(waits, 2, -1) > 0 && waits[1].revents == 0;
}

int ChooseH2(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
             const unsigned char* offered, unsigned size, void*) {
  return nghttp2_select_next_protocol(const_cast<unsigned char**>(chosen), chosen_size, offered,
                                      size) == 1
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;

Ssl AcceptTls(int fd, const TestCertificate& pem) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  &SSL_CTX_free);
  const auto bio = [](const std::string& text) {
    return std::unique_ptr<BIO, decltype(&BIO_free)>(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
  };
  X509* const certificate =
      PEM_read_bio_X509(bio(pem.certificate).get(), nullptr, nullptr, nullptr);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio(pem.key).get(), nullptr, nullptr, nullptr);
  CHECK(SSL_CTX_use_certificate(context.get(), certificate) == 1);
  CHECK(SSL_CTX_use_PrivateKey(context.get(), key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  SSL_CTX_set_alpn_select_cb(context.get(), ChooseH2, nullptr);
  Ssl ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(ssl.get(), fd);
  if (SSL_accept(ssl.get()) != 1) ssl.reset();
  return ssl;
}

std::vector<nghttp2_nv> Fields(const std::vector<HttpHeader>& headers) {
  std::vector<nghttp2_nv> fields;
  for (const HttpHeader& header : headers) {
    const auto bytes = [](const std::string& text) {
      return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
    };
    fields.push_back({bytes(header.name), bytes(header.value), header.name.size(),
                      header.value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return fields;
}

}  // namespace

class H2Server::Connection {
 public:
  Connection(H2Server& server, int fd) : server_(server), fd_(fd) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &OnFrame);
    CHECK(nghttp2_session_server_new(&session_, callbacks, this) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Connection() {
    nghttp2_session_del(session_);
    ssl_.reset();
    close(fd_);
  }

  void Run() {
    if (server_.certificate_) {
      ssl_ = AcceptTls(fd_, *server_.certificate_);
      if (ssl_ == nullptr) return;
    }
    while (Send() && Receive()) {
    }
  }

 private:
  struct Stream {
    ServedRequest request;
    ScriptedReply reply;
    std::string body;
    size_t sent = 0;
  };

  static Connection& Self(void* self) { return *static_cast<Connection*>(self); }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* self) {
    const std::string key(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    ServedRequest& request = Self(self).streams_[frame->hd.stream_id].request;
    if (key == ":method") {
      request.method = text;
    } else if (key == ":path") {
      request.target = text;
    } else if (key != ":scheme") {
      request.headers.push_back({key == ":authority" ? "Host" : key, text});
    }
    return 0;
  }
  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* self) {
    Self(self).streams_[id].request.body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    const bool has_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (has_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      Self(self).Answer(frame->hd.stream_id);
    }
    return 0;
  }

  void Answer(int32_t id) {
    Stream& stream = streams_[id];
    stream.request.http2 = true;
    {
      const std::lock_guard lock(server_.mutex_);
      server_.requests_.push_back(stream.request);
    }
    stream.reply = server_.script_(stream.request);
    for (const std::string& chunk : stream.reply.chunks) stream.body += chunk;
    std::vector<HttpHeader> headers = {{":status", std::to_string(stream.reply.status)}};
    headers.insert(headers.end(), stream.reply.headers.begin(), stream.reply.headers.end());
    const std::vector<nghttp2_nv> fields = Fields(headers);
    nghttp2_data_provider provider{};
    provider.source.ptr = &stream;
    provider.read_callback = &ReadBody;
    const bool has_body = !stream.body.empty() || !stream.reply.trailers.empty();
    CHECK(nghttp2_submit_response(session_, id, fields.data(), fields.size(),
                                  has_body ? &provider : nullptr) == 0);
  }
  static ssize_t ReadBody(nghttp2_session* session, int32_t id, uint8_t* out, size_t size,
                          uint32_t* flags, nghttp2_data_source* source, void*) {
    auto* const stream = static_cast<Stream*>(source->ptr);
    const size_t count = std::min(size, stream->body.size() - stream->sent);
    std::copy_n(stream->body.data() + stream->sent, count, out);
    stream->sent += count;
    if (stream->sent == stream->body.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      const std::vector<nghttp2_nv> fields = Fields(stream->reply.trailers);
      if (!fields.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, id, fields.data(), fields.size());
      }
    }
    return static_cast<ssize_t>(count);
  }

  bool Send() {
    const uint8_t* bytes = nullptr;
    for (;;) {
      const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
      if (size <= 0) return size == 0;
      const auto count = static_cast<size_t>(size);
      const ssize_t sent = ssl_ ? SSL_write(ssl_.get(), bytes, static_cast<int>(count))
                                : send(fd_, bytes, count, MSG_NOSIGNAL);
      if (sent != size) return false;
    }
  }
  bool Receive() {
    const bool buffered = ssl_ && SSL_pending(ssl_.get()) > 0;
    if (!buffered && !WaitFor(fd_, server_.stop_event_)) return false;
    uint8_t bytes[16 << 10];
    const ssize_t size =
        ssl_ ? SSL_read(ssl_.get(), bytes, sizeof bytes) : recv(fd_, bytes, sizeof bytes, 0);
    return size > 0 && nghttp2_session_mem_recv(session_, bytes, static_cast<size_t>(size)) == size;
  }

  H2Server& server_;
  const int fd_;
  nghttp2_session* session_ = nullptr;
  Ssl ssl_{nullptr, &SSL_free};
  std::map<int32_t, Stream> streams_;
};

H2Server::H2Server(ReplyScript script, std::optional<TestCertificate> certificate)
    : script_(std::move(script)),
      certificate_(std::move(certificate)),
      listener_(Listen(&port_)),
      stop_event_(eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Accept(); }) {}

H2Server::~H2Server() {
  eventfd_write(stop_event_, 1);
  thread_.join();
  close(listener_);
  close(stop_event_);
}

std::vector<ServedRequest> H2Server::Requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void H2Server::Accept() {
  while (WaitFor(listener_, stop_event_)) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    connections_++;
    Connection(*this, fd).Run();
  }
}

}  // namespace tributary
