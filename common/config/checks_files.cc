// Whether the files that HTTP clients need are there: cmd/promtool/main.go (checkConfig,
// checkTLSConfig) for jobs, and for remotes what Prometheus does not start without
// (storage/remote/client.go).
#include "common/config/checks.h"

namespace tributary {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;

void CheckReadable(const SectionValue& section, std::string_view name, FileSystem& files,
                   CheckContext& context) {
  const Value& path = section.Get(name);
  if (path.IsZero()) return;
  if (auto content = files.ReadFile(path.text, kFileBytesMax); !content) {
    context.Error(path, section, "'" + std::string(name) + "': " + content.error().message);
  }
}

}  // namespace

void CheckJobFiles(const SectionValue& job, FileSystem& files, CheckContext& context) {
  if (const SectionValue* authorization = job.Sub("authorization")) {
    CheckReadable(*authorization, "credentials_file", files, context);
  }
  for (std::string_view name : {"cert_file", "key_file"}) {
    CheckReadable(*job.Sub("tls_config"), name, files, context);
  }
}

void CheckRemoteFiles(const SectionValue& remote, FileSystem& files, CheckContext& context) {
  for (std::string_view name : {"ca_file", "cert_file", "key_file"}) {
    CheckReadable(*remote.Sub("tls_config"), name, files, context);
  }
}

}  // namespace tributary
