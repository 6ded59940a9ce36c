#include "common/http_client/tls_source.h"

#include "common/http_client/secrets.h"

namespace tributary {

namespace {

TlsVersion VersionOf(const std::string& name) {
  if (name == "TLS10") return TlsVersion::kTls10;
  if (name == "TLS11") return TlsVersion::kTls11;
  if (name == "TLS12") return TlsVersion::kTls12;
  if (name == "TLS13") return TlsVersion::kTls13;
  return TlsVersion::kAny;
}

std::string SourceName(const char* option, const std::string& path) {
  return path.empty() ? std::string("tls_config's ") + option : path;
}

}  // namespace

TlsSource::TlsSource(FileSystem& files, const TlsConfig& config)
    : files_(files),
      config_(config),
      says_nothing_(config == TlsConfig()),
      has_files_(!config.ca_file.empty() || !config.cert_file.empty() || !config.key_file.empty()) {
}

Result<std::shared_ptr<const HttpTls>> TlsSource::Current() {
  if (current_ != nullptr && !has_files_) return current_;
  if (says_nothing_) return nullptr;
  Result<std::string> ca = ValueOrFile(files_, config_.ca, config_.ca_file);
  if (!ca) return tl::unexpected(ca.error());
  Result<std::string> certificate = ValueOrFile(files_, config_.cert, config_.cert_file);
  if (!certificate) return tl::unexpected(certificate.error());
  Result<std::string> key = ValueOrFile(files_, config_.key.value, config_.key_file);
  if (!key) return tl::unexpected(key.error());
  if (current_ != nullptr && *ca == ca_ && *certificate == certificate_ && *key == key_) {
    return current_;
  }
  // A file that is empty must not mean that the system's roots are trusted, or nothing is shown.
  if (ca->empty() && !config_.ca_file.empty())
    return Fail("no CA certificate in " + config_.ca_file);
  if (certificate->empty() && !config_.cert_file.empty()) {
    return Fail("no client certificate in " + config_.cert_file);
  }
  HttpTlsOptions options;
  options.ca = {*ca, SourceName("ca", config_.ca_file)};
  options.certificate = {*certificate, SourceName("cert", config_.cert_file)};
  options.key = {*key, SourceName("key", config_.key_file)};
  options.server_name = config_.server_name;
  options.verify = !config_.insecure_skip_verify;
  options.version_min = VersionOf(config_.min_version);
  options.version_max = VersionOf(config_.max_version);
  auto made = HttpTls::Make(options);
  if (!made) return made;
  ca_ = *std::move(ca);
  certificate_ = *std::move(certificate);
  key_ = *std::move(key);
  current_ = *std::move(made);
  return current_;
}

}  // namespace tributary
