// Loads configurations that tests have as texts.
#pragma once

#include <memory>
#include <string>

#include "common/config/loader.h"
#include "test/support/catch.h"
#include "test/unit/common/config/memory_files.h"

namespace tributary {

// The configuration, which has to be good.
inline std::shared_ptr<const Config> Good(const std::string& text,
                                          const LoadOptions& options = {}) {
  LoadResult result = LoadText(text, options);
  CAPTURE(text);
  INFO(Messages(result));
  REQUIRE(result.config != nullptr);
  return result.config;
}

// What is said of one that has to be bad.
inline std::string Bad(const std::string& text) {
  LoadResult result = LoadText(text);
  CAPTURE(text);
  REQUIRE(result.config == nullptr);
  REQUIRE_FALSE(result.unreadable);
  return Messages(result);
}

inline const char* const kRemote = "remote_write: [{url: \"http://127.0.0.1:9/w\"}]\n";

// A configuration of one job with these lines.
inline std::string Job(const std::string& lines) {
  return "scrape_configs:\n- job_name: j\n  " + lines + "\n" + kRemote;
}

}  // namespace tributary
