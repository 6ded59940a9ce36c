// Any bytes as a configuration file: no crash, no hang, and what is printed loads again and prints
// the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "common/config/loader.h"

namespace tributary {
namespace {

// One file, which is also the only one that patterns can match.
class OneFile : public FileSystem {
 public:
  explicit OneFile(std::string text) : text_(std::move(text)) {}
  Result<std::string> ReadFile(const std::string& path, size_t) override {
    if (path != "/c/fuzz.yml") return Fail("no such file");
    return text_;
  }
  Result<std::vector<std::string>> Glob(const std::string&) override {
    return std::vector<std::string>{};
  }
  Status CreateDirectories(const std::string&) override { return Fail("read only"); }
  Result<std::unique_ptr<FileLock>> Lock(const std::string&) override { return Fail("read only"); }
  std::unique_ptr<FileWatch> Watch(EventLoop&, std::vector<std::string>,
                                   std::function<void()>) override {
    return nullptr;
  }

 private:
  std::string text_;
};

LoadResult Load(std::string text) {
  OneFile files(std::move(text));
  return LoadConfig(files, "/c/fuzz.yml");
}

}  // namespace
}  // namespace tributary

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tributary;
  LoadResult first = Load(std::string(data, data + size));
  for (const Diagnostic& diagnostic : first.diagnostics) {
    if (diagnostic.ToString().empty() || diagnostic.line < 0) std::abort();
  }
  if (first.config == nullptr) {
    if (first.diagnostics.empty()) std::abort();
    return 0;
  }
  // External labels were expanded in the first place: a dollar in them is no variable again.
  if (first.config->yaml.find('$') != std::string::npos) return 0;
  LoadResult second = Load(first.config->yaml);
  if (second.config == nullptr || second.config->yaml != first.config->yaml) std::abort();
  return 0;
}
