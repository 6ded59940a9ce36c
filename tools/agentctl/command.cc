#include "tools/agentctl/command.h"

#include <cstdio>

namespace tributary {

int Refuse(const std::string& message, int status) {
  std::fprintf(stderr, "agentctl: %s\n", message.c_str());
  return status;
}

}  // namespace tributary
