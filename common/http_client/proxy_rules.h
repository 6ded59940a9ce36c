// Which proxy to ask through, if any. Follows prometheus/common config/http_config.go (ProxyConfig)
// and golang.org/x/net/http/httpproxy, but for names that are not ASCII, which match as they are
// written. Immutable after construction; the environment is read there.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/config/model.h"
#include "common/http/http_url.h"
#include "common/http/transport.h"

namespace tributary {

// An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d.
using IpAddress = std::array<uint8_t, 16>;

class ProxyRules {
 public:
  // Of a variable of the environment; null: not set.
  using Getenv = std::function<const char*(const char* name)>;
  ProxyRules(const ProxyConfig& config, const Getenv& getenv);

  // Whether no request ever has a proxy.
  bool empty() const { return for_http_ == nullptr && for_https_ == nullptr && error_.empty(); }
  // Null: to be asked directly. An error where the proxy of the configuration cannot be used.
  Result<std::shared_ptr<const HttpProxy>> For(const std::string& url) const;

 private:
  struct Exception {
    std::string name;     // with the leading dot; "": an address or network
    bool itself = false;  // not only what is below the name
    IpAddress address{};
    int prefix = 128;
    std::optional<uint16_t> port;
  };

  std::shared_ptr<const HttpProxy> Make(const ProxyConfig& config, const std::string& text,
                                        bool guess_scheme);
  void ReadExceptions(std::string_view list);
  void ReadException(std::string_view text);
  bool IsException(const HttpUrl& url) const;

  std::shared_ptr<const HttpProxy> for_http_, for_https_;
  std::string error_;
  bool has_exceptions_ = false;  // the machine itself is one whenever there can be others
  bool all_excepted_ = false;
  std::vector<Exception> exceptions_;
};

}  // namespace tributary
