#include "agent/access/web_access.h"

#include <utility>

namespace tributary {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;

Result<TlsPem> PemOf(FileSystem& files, const std::string& text, const std::string& path,
                     const char* option) {
  if (path.empty()) return TlsPem{text, std::string("tls_server_config's ") + option};
  Result<std::string> read = files.ReadFile(path, kFileBytesMax);
  if (!read) return tl::unexpected(read.error());
  // A file that is empty must not mean the system's roots.
  if (read->empty()) return Fail(path + " is empty");
  return TlsPem{*std::move(read), path};
}

Result<std::shared_ptr<const ServerTls>> LoadTls(FileSystem& files, const WebTlsConfig& config) {
  const auto certificate = PemOf(files, config.cert, config.cert_file, "cert");
  if (!certificate) return tl::unexpected(certificate.error());
  const auto key = PemOf(files, config.key.value, config.key_file, "key");
  if (!key) return tl::unexpected(key.error());
  const auto client_ca = PemOf(files, config.client_ca, config.client_ca_file, "client_ca");
  if (!client_ca) return tl::unexpected(client_ca.error());
  return ServerTls::Make(config, *certificate, *key, *client_ca);
}

}  // namespace

Result<WebTerms> LoadWebTerms(FileSystem& files, const std::string& path) {
  WebConfigResult loaded = LoadWebConfig(files, path);
  if (loaded.config == nullptr) return Fail(ErrorText(loaded.diagnostics));
  WebTerms terms{std::move(loaded.config), nullptr};
  if (!terms.config->tls) return terms;
  auto tls = LoadTls(files, *terms.config->tls);
  if (!tls) return Fail(path + ": error: tls_server_config: " + tls.error().message);
  terms.tls = *std::move(tls);
  return terms;
}

Result<std::unique_ptr<WebAccess>> WebAccess::Open(
    FileSystem& files, const std::string& path, std::function<void(const std::string&)> problem) {
  auto terms = LoadWebTerms(files, path);
  if (!terms) return tl::unexpected(terms.error());
  std::unique_ptr<WebAccess> access(new WebAccess(files, path, std::move(problem)));
  access->terms_ = std::make_shared<const WebTerms>(*std::move(terms));
  return access;
}

WebAccess::Texts WebAccess::ReadAll() const {
  Texts texts;
  const auto read = [&](const std::string& path, std::string& text) {
    if (path.empty()) return;
    auto got = files_.ReadFile(path, kFileBytesMax);
    got ? text = *std::move(got) : texts.problem += got.error().message + "\n";
  };
  read(path_, texts.config);
  // Files that a new configuration names are read when it is found to be new.
  if (const auto& tls = terms_->config->tls) {
    read(tls->cert_file, texts.certificate);
    read(tls->key_file, texts.key);
    read(tls->client_ca_file, texts.client_ca);
  }
  return texts;
}

Result<WebTerms> WebAccess::Renew() const {
  auto terms = LoadWebTerms(files_, path_);
  if (!terms) return terms;
  if ((terms->tls != nullptr) != (terms_->tls != nullptr)) {
    return Fail(path_ + ": error: TLS is switched on and off by a restart only");
  }
  // It may be being written, and an empty file would let everybody in.
  if (terms->config->empty && !terms_->config->empty) return Fail(path_ + ": error: it is empty");
  return terms;
}

std::shared_ptr<const WebTerms> WebAccess::Current() {
  Texts texts = ReadAll();
  if (texts == texts_) {
    last_read_good_ = true;
    last_problem_.clear();
    return terms_;
  }
  auto renewed = Renew();
  last_read_good_ = renewed.has_value();
  if (!renewed) {
    // Tried again each time: a file that is named now and comes later is not among those read here.
    if (renewed.error().message != last_problem_) problem_(renewed.error().message);
    last_problem_ = renewed.error().message;
    return terms_;
  }
  last_problem_.clear();
  terms_ = std::make_shared<const WebTerms>(*std::move(renewed));
  // As they were before: what has changed since is found at the next call.
  texts_ = std::move(texts);
  return terms_;
}

}  // namespace tributary
