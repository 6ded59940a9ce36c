// What EC2's API answers, as far as discovery looks at it. Source: the EC2 API, version 2016-11-15.
//
// Pure functions. Absent and empty fields are the same, "". An error says why the answer is not
// what was asked for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"

namespace tributary {

// A page of a list; `next` is the token of the following one, "" on the last.
template <typename T>
struct AwsPage {
  std::vector<T> items;
  std::string next;
};

// Keys and values, in the order of the answer; those without a key are left out.
using AwsTags = std::vector<std::pair<std::string, std::string>>;

struct Ec2Ipv6Address {
  std::string address;
  bool primary = false;
};

struct Ec2Interface {
  std::string subnet_id;
  int64_t device_index = -1;  // -1: not attached
  std::vector<Ec2Ipv6Address> ipv6;
};

struct Ec2Instance {
  std::string owner_id;  // of its reservation
  std::string id, image_id, type, lifecycle, state, platform, architecture;
  std::string availability_zone;
  std::string private_ip, private_dns, public_ip, public_dns;
  std::string vpc_id, subnet_id;
  std::vector<Ec2Interface> interfaces;
  AwsTags tags;
};

Result<AwsPage<Ec2Instance>> ReadInstances(const std::string& xml);
// Their ids by their names.
Result<std::map<std::string, std::string>> ReadAvailabilityZones(const std::string& xml);
// Public addresses by the ids of network interfaces; those without are left out.
Result<AwsPage<std::pair<std::string, std::string>>> ReadPublicAddresses(const std::string& xml);

}  // namespace tributary
