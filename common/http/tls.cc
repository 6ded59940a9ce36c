#include "common/http/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <functional>
#include <string_view>
#include <vector>

#include "common/base/assert.h"
#include "common/http/pem.h"

namespace tributary {

namespace {

std::string Digest(const HttpTlsOptions& options) {
  std::string all;
  for (const std::string* part :
       {&options.ca.text, &options.certificate.text, &options.key.text, &options.server_name}) {
    all += std::to_string(part->size()) + ":" + *part;
  }
  all += static_cast<char>('0' + static_cast<int>(options.verify));
  all += static_cast<char>('0' + static_cast<int>(options.version_min));
  all += static_cast<char>('0' + static_cast<int>(options.version_max));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(EVP_Digest(all.data(), all.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1);
  OPENSSL_cleanse(all.data(), all.size());
  std::string hex;
  for (unsigned i = 0; i < size; i++) {
    constexpr std::string_view kHex = "0123456789abcdef";
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex;
}

}  // namespace

struct HttpTls::Material {
  OpensslStore roots;  // null: the system's
  std::vector<OpensslCert> chain;
  OpensslKey key;
};

HttpTls::HttpTls() : material_(std::make_unique<Material>()) {}
HttpTls::~HttpTls() = default;

Result<std::shared_ptr<const HttpTls>> HttpTls::Make(const HttpTlsOptions& options) {
  const std::shared_ptr<HttpTls> tls(new HttpTls());
  Material& material = *tls->material_;
  if (!options.ca.text.empty()) {
    const std::vector<OpensslCert> certificates = PemCertificates(options.ca.text);
    if (certificates.empty()) return Fail("no CA certificate in " + options.ca.source);
    material.roots = NewTrustStore();
    for (const OpensslCert& certificate : certificates) {
      X509_STORE_add_cert(material.roots.get(), certificate.get());
    }
  }
  if (!options.certificate.text.empty() || !options.key.text.empty()) {
    material.chain = PemCertificates(options.certificate.text);
    if (material.chain.empty()) {
      return Fail("no client certificate in " + options.certificate.source);
    }
    material.key = PemPrivateKey(options.key.text);
    if (material.key == nullptr) return Fail("no usable client key in " + options.key.source);
    if (X509_check_private_key(material.chain.front().get(), material.key.get()) != 1) {
      ERR_clear_error();
      return Fail("the client key in " + options.key.source +
                  " is not that of the certificate in " + options.certificate.source);
    }
  }
  ERR_clear_error();
  tls->id_ = Digest(options);
  tls->server_name_ = options.server_name;
  tls->verify_ = options.verify;
  if (options.version_min != TlsVersion::kAny) tls->version_min_ = options.version_min;
  tls->version_max_ = options.version_max;
  return tls;
}

const HttpTls& HttpTls::Default() {
  static const std::shared_ptr<const HttpTls> tls = *Make({});
  return *tls;
}

bool HttpTls::Apply(ssl_ctx_st* context, const std::string& name) const {
  const Material& material = *material_;
  SSL_CTX_set1_cert_store(context,
                          material.roots != nullptr ? material.roots.get() : SystemRoots());
  if (!material.chain.empty()) {
    bool good = SSL_CTX_use_certificate(context, material.chain.front().get()) == 1 &&
                SSL_CTX_use_PrivateKey(context, material.key.get()) == 1;
    for (size_t i = 1; i < material.chain.size(); i++) {
      good = good && SSL_CTX_add1_chain_cert(context, material.chain[i].get()) == 1;
    }
    if (!good) return false;
  }
  // OpenSSL's default level knows no version below 1.2.
  if (version_min_ < TlsVersion::kTls12) SSL_CTX_set_security_level(context, 0);
  if (!verify_ || name.empty()) return true;
  X509_VERIFY_PARAM* const expected = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(
      expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1) return true;
  ERR_clear_error();
  return X509_VERIFY_PARAM_set1_host(expected, name.data(), name.size()) == 1;
}

}  // namespace tributary
