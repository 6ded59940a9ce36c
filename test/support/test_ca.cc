#include "test/support/test_ca.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

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

Key NewKey() {
  Key key(EVP_EC_gen("P-256"));
  CHECK(key != nullptr);
  return key;
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// Without an issuer it is its own.
Cert NewCertificate(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* signer,
                    const std::vector<std::string>& names) {
  static long serial = 1;
  Cert certificate(X509_new());
  CHECK(certificate != nullptr);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 30 * 86400);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509* const by = issuer != nullptr ? issuer : certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(by));
  if (issuer == nullptr) {
    AddExtension(certificate.get(), by, NID_basic_constraints, "critical,CA:TRUE");
    AddExtension(certificate.get(), by, NID_key_usage, "critical,keyCertSign");
  } else {
    AddExtension(certificate.get(), by, NID_ext_key_usage, "serverAuth,clientAuth");
  }
  std::string list;
  for (const std::string& one : names) list += (list.empty() ? "" : ",") + one;
  if (!list.empty()) AddExtension(certificate.get(), by, NID_subject_alt_name, list);
  CHECK(X509_sign(certificate.get(), signer, EVP_sha256()) > 0);
  return certificate;
}

std::string Text(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string Pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return Text(bio);
}

std::string Pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  CHECK(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return Text(bio);
}

}  // namespace

struct TestCa::Impl {
  Key key = NewKey();
  Cert certificate;
};

TestCa::TestCa(const std::string& name) : impl_(std::make_unique<Impl>()) {
  impl_->certificate = NewCertificate(name, impl_->key.get(), nullptr, impl_->key.get(), {});
  pem_ = Pem(impl_->certificate.get());
}

TestCa::~TestCa() = default;

TestCertificate TestCa::Issue(const std::string& common_name,
                              const std::vector<std::string>& names) const {
  const Key key = NewKey();
  const Cert certificate =
      NewCertificate(common_name, key.get(), impl_->certificate.get(), impl_->key.get(), names);
  return {Pem(certificate.get()), Pem(key.get())};
}

}  // namespace tributary
