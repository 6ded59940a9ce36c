// Every example in configs/ is a good configuration.
#include <algorithm>
#include <filesystem>

#include "common/config/loader.h"
#include "common/file/posix_file_system.h"
#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("configs: every example loads without a problem") {
  PosixFileSystem files;
  LoadOptions options;
  options.getenv = [](const std::string&) { return std::optional<std::string>("value"); };
  options.expand_env = true;
  int loaded = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           std::filesystem::path(TRIBUTARY_SOURCE_DIR) / "configs")) {
    std::string extension = entry.path().extension().string();
    if (!entry.is_regular_file() || (extension != ".yml" && extension != ".yaml")) continue;
    LoadResult result = LoadConfig(files, entry.path().string(), options);
    CAPTURE(entry.path().string());
    for (const Diagnostic& diagnostic : result.diagnostics) UNSCOPED_INFO(diagnostic.ToString());
    CHECK(result.config != nullptr);
    CHECK(result.diagnostics.empty());
    ++loaded;
  }
  CHECK(loaded >= 3);
}

}  // namespace
}  // namespace tributary
