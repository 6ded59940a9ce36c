// A certificate authority for tests: certificates and keys as PEM text, made when they are asked
// for.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace tributary {

struct TestCertificate {
  std::string certificate;
  std::string key;
};

class TestCa {
 public:
  explicit TestCa(const std::string& name);
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;

  const std::string& pem() const { return pem_; }
  // For a server or a client. `names` as OpenSSL writes them: "DNS:a.test", "IP:127.0.0.1".
  TestCertificate Issue(const std::string& common_name,
                        const std::vector<std::string>& names) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string pem_;
};

}  // namespace tributary
