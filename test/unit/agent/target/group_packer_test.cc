#include "agent/target/group_packer.h"

#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "test/support/catch.h"

namespace tributary {
namespace {

TEST_CASE("group packer: any group comes back as it was, and equal bytes are equal groups") {
  GroupPacker packer;
  std::mt19937 random(Catch::rngSeed());
  const auto text = [&](int most) {
    std::string out;
    for (int n = static_cast<int>(random() % static_cast<unsigned>(most + 1)); n > 0; n--) {
      out += static_cast<char>(random() % 3 == 0 ? random() : 'a' + random() % 2);
    }
    return out;
  };
  std::vector<TargetGroup> groups;
  std::vector<std::string> packed;
  for (int i = 0; i < 400; i++) {
    TargetGroup group;
    for (unsigned n = random() % 4; n > 0; n--) group.targets.push_back(text(3));
    for (unsigned n = random() % 5; n > 0; n--)
      group.labels.Set(text(2), text(random() % 9 == 0 ? 300 : 2));
    group.source = text(1);
    packed.push_back(packer.Pack(group));
    groups.push_back(std::move(group));
  }
  for (size_t i = 0; i < groups.size(); i++) {
    CHECK(packer.Unpack(packed[i]) == groups[i]);
    CHECK(packer.Pack(groups[i]) == packed[i]);
    for (size_t j = 0; j < i; j++) {
      if ((packed[i] == packed[j]) != (groups[i] == groups[j]))
        FAIL("groups " << i << " and " << j);
    }
  }
}

TEST_CASE("group packer: names beyond those that are remembered are spelled out") {
  GroupPacker packer;
  std::vector<TargetGroup> groups;
  std::vector<std::string> packed;
  for (int i = 0; i < 5000; i++) {
    groups.push_back({{"10.0.0.1:80"}, Labels({{fmt::format("name_{}", i), "value"}}), "pod/a"});
    packed.push_back(packer.Pack(groups.back()));
  }
  for (size_t i = 0; i < groups.size(); i++) {
    if (packer.Unpack(packed[i]) != groups[i] || packer.Pack(groups[i]) != packed[i])
      FAIL("group " << i);
  }
  CHECK(packed[4999].size() > packed[4000].size() + 8);
}

TEST_CASE("group packer: what is met often takes what its values take") {
  GroupPacker packer;
  TargetGroup group{{"10.0.0.1:80"}, {}, "pod/shop/web"};
  size_t values = group.targets[0].size() + group.source.size();
  for (int i = 0; i < 60; i++) {
    group.labels.Set(fmt::format("__meta_kubernetes_pod_annotation_of_some_length_{}", i), "true");
    values += 4;
  }
  CHECK(packer.Pack(group).size() < values + 60 * 2 + 4);
}

}  // namespace
}  // namespace tributary
