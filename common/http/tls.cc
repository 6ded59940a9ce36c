#include "common/http/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <functional>
#include <string_view>
#include <vector>

#include "common/base/assert.h"

namespace tributary {

namespace {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* value) const {
    kFree(value);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Cert = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;

// Where Debian's ca-certificates keeps all roots in one file, beside the directory that OpenSSL
// looks into.
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";

Bio Memory(const std::string& text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CHECK(bio != nullptr);
  return bio;
}

// The certificates among the PEM blocks of a text; other blocks and broken ones are passed over.
std::vector<Cert> Certificates(const std::string& text) {
  std::vector<Cert> certificates;
  const Bio bio = Memory(text);
  char *name = nullptr, *header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    const unsigned char* at = data;
    Cert certificate;
    if (std::string_view(name) == PEM_STRING_X509) certificate.reset(d2i_X509(nullptr, &at, size));
    if (certificate != nullptr) certificates.push_back(std::move(certificate));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<size_t>(size));
  }
  ERR_clear_error();
  return certificates;
}

Store NewStore() {
  Store store(X509_STORE_new());
  CHECK(store != nullptr);
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  return store;
}

// Read once in a process, as Go does. SSL_CERT_FILE and SSL_CERT_DIR are honoured.
X509_STORE* SystemRoots() {
  static const Store store = [] {
    Store roots = NewStore();
    X509_STORE_set_default_paths(roots.get());
    if (getenv(X509_get_default_cert_file_env()) == nullptr) {
      X509_STORE_load_file(roots.get(), kSystemBundle);
    }
    ERR_clear_error();
    return roots;
  }();
  return store.get();
}

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

// Keys with a passphrase cannot be used: nobody is there to type it.
int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace

struct HttpTls::Material {
  Store roots;  // null: the system's
  std::vector<Cert> chain;
  Key key;
};

HttpTls::HttpTls() : material_(std::make_unique<Material>()) {}
HttpTls::~HttpTls() = default;

Result<std::shared_ptr<const HttpTls>> HttpTls::Make(const HttpTlsOptions& options) {
  const std::shared_ptr<HttpTls> tls(new HttpTls());
  Material& material = *tls->material_;
  if (!options.ca.text.empty()) {
    const std::vector<Cert> certificates = Certificates(options.ca.text);
    if (certificates.empty()) return Fail("no CA certificate in " + options.ca.source);
    material.roots = NewStore();
    for (const Cert& certificate : certificates) {
      X509_STORE_add_cert(material.roots.get(), certificate.get());
    }
  }
  if (!options.certificate.text.empty() || !options.key.text.empty()) {
    material.chain = Certificates(options.certificate.text);
    if (material.chain.empty()) {
      return Fail("no client certificate in " + options.certificate.source);
    }
    material.key.reset(
        PEM_read_bio_PrivateKey(Memory(options.key.text).get(), nullptr, NoPassphrase, nullptr));
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
