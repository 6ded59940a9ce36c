// Where a configuration is: a file, or what the agent can fetch itself, where there is no disk to
// put a file on.
//
//   env:NAME                         the text that a variable of the environment holds
//   ssm:NAME, ssm:arn:aws:ssm:...    a parameter of AWS Systems Manager, decrypted
//   s3://BUCKET/KEY                  an object of S3
//
// Anything else is a file; one that is named like these is reached by "./env:NAME". Pure functions.
#pragma once

#include <string>

#include "common/base/status.h"

namespace tributary {

struct ConfigLocation {
  enum class Kind : uint8_t { kFile, kEnvironment, kSsm, kS3 };
  Kind kind = Kind::kFile;
  std::string text;    // as given: what messages call it
  std::string name;    // of the variable, or the parameter (its ARN, if given so), or the key
  std::string bucket;  // kS3
  std::string region;  // of an ARN; "": that of AWS' chain

  bool is_file() const { return kind == Kind::kFile; }
};

// An error for what is meant as one of the above and cannot be one.
Result<ConfigLocation> ParseConfigLocation(const std::string& text);

}  // namespace tributary
