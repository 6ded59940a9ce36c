// Random pages of the protobuf exposition format, encoded by libprotobuf.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace tributary {

struct ProtobufPageShape {
  // How often (of 1000) something unusual is put somewhere: wrong types, spans that do not fit, bad
  // UTF-8, unknown fields and groups, fields left out, numbers not packed.
  unsigned oddities = 20;
  unsigned families_max = 6;
  unsigned metrics_max = 6;
};

std::string RandomProtobufPage(std::mt19937_64& random, const ProtobufPageShape& shape);
// With some bytes changed, inserted or removed.
std::string SpoilProtobufPage(std::mt19937_64& random, std::string page);

}  // namespace tributary
