// PEM text as OpenSSL's objects, for the TLS of clients (tls.h) and of servers. The only header
// that shows OpenSSL's own.
//
// Free functions without state; they leave no error behind in OpenSSL's queue.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace tributary {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* value) const {
    kFree(value);
  }
};
using OpensslBio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using OpensslCert = std::unique_ptr<X509, Freed<X509_free>>;
using OpensslKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using OpensslStore = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;

// The certificates among the PEM blocks of a text; other blocks and broken ones are passed over.
std::vector<OpensslCert> PemCertificates(const std::string& text);
// The first private key; null if there is none, or it has a passphrase: nobody is there to type it.
OpensslKey PemPrivateKey(const std::string& text);
// Trusts each certificate that is put into it, whether or not it is a root, as Go does.
OpensslStore NewTrustStore();
// The roots of the system, read once in a process, as Go does. SSL_CERT_FILE and SSL_CERT_DIR are
// honoured.
X509_STORE* SystemRoots();

}  // namespace tributary
