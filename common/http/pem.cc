#include "common/http/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <cstdlib>
#include <string_view>

#include "common/base/assert.h"

namespace tributary {

namespace {

// Where Debian's ca-certificates keeps all roots in one file, beside the directory that OpenSSL
// looks into.
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";

OpensslBio Memory(const std::string& text) {
  OpensslBio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CHECK(bio != nullptr);
  return bio;
}

int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace

std::vector<OpensslCert> PemCertificates(const std::string& text) {
  std::vector<OpensslCert> certificates;
  const OpensslBio bio = Memory(text);
  char *name = nullptr, *header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    const unsigned char* at = data;
    OpensslCert certificate;
    if (std::string_view(name) == PEM_STRING_X509) certificate.reset(d2i_X509(nullptr, &at, size));
    if (certificate != nullptr) certificates.push_back(std::move(certificate));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<size_t>(size));
  }
  ERR_clear_error();
  return certificates;
}

OpensslKey PemPrivateKey(const std::string& text) {
  OpensslKey key(PEM_read_bio_PrivateKey(Memory(text).get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  return key;
}

OpensslStore NewTrustStore() {
  OpensslStore store(X509_STORE_new());
  CHECK(store != nullptr);
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  return store;
}

X509_STORE* SystemRoots() {
  static const OpensslStore store = [] {
    OpensslStore roots = NewTrustStore();
    X509_STORE_set_default_paths(roots.get());
    if (getenv(X509_get_default_cert_file_env()) == nullptr) {
      X509_STORE_load_file(roots.get(), kSystemBundle);
    }
    ERR_clear_error();
    return roots;
  }();
  return store.get();
}

}  // namespace tributary
