#include "agent/discovery/aws/ec2_targets.h"

#include <algorithm>
#include <vector>

#include "common/base/host_port.h"

namespace tributary {
namespace {

// No instance has so many interfaces; an answer that says so is not to make a label of that length.
constexpr int64_t kDeviceIndexMax = 255;

// ",a,b,"; "" of none.
std::string JoinList(const std::vector<std::string>& parts) {
  if (parts.empty()) return "";
  std::string text = ",";
  for (const std::string& part : parts) text += part + ",";
  return text;
}

struct Ipv6Addresses {
  std::vector<std::string> all;
  std::vector<std::string> primary;  // by the interface's device index; "": none there
  std::string usual;                 // the first primary one, or the first
};

Ipv6Addresses Ipv6Of(const Ec2Instance& instance) {
  Ipv6Addresses found;
  if (instance.vpc_id.empty()) return found;
  for (const Ec2Interface& interface : instance.interfaces) {
    if (interface.subnet_id.empty()) continue;
    for (const Ec2Ipv6Address& ipv6 : interface.ipv6) {
      found.all.push_back(ipv6.address);
      const int64_t index = interface.device_index;
      if (!ipv6.primary || index < 0 || index > kDeviceIndexMax) continue;
      const auto place = static_cast<size_t>(index);
      if (found.primary.size() <= place) found.primary.resize(place + 1);
      found.primary[place] = ipv6.address;
    }
  }
  for (const auto* list : {&found.primary, &found.all}) {
    for (const std::string& address : *list) {
      if (found.usual.empty()) found.usual = address;
    }
  }
  return found;
}

std::vector<std::string> SubnetsOf(const Ec2Instance& instance) {
  std::vector<std::string> subnets;
  for (const Ec2Interface& interface : instance.interfaces) {
    const std::string& id = interface.subnet_id;
    if (!id.empty() && std::find(subnets.begin(), subnets.end(), id) == subnets.end()) {
      subnets.push_back(id);
    }
  }
  return subnets;
}

void AddNetworkLabels(const Ec2Instance& instance, const Ipv6Addresses& ipv6, Labels& labels) {
  labels.Set("__meta_ec2_default_ipv6_address", ipv6.usual);
  labels.Set("__meta_ec2_primary_ipv6_addresses", JoinList(ipv6.primary));
  labels.Set("__meta_ec2_ipv6_addresses", JoinList(ipv6.all));
  labels.Set("__meta_ec2_private_ip", instance.private_ip);
  labels.Set("__meta_ec2_private_dns_name", instance.private_dns);
  if (!instance.public_ip.empty()) {
    labels.Set("__meta_ec2_public_ip", instance.public_ip);
    labels.Set("__meta_ec2_public_dns_name", instance.public_dns);
  }
  if (!instance.vpc_id.empty()) {
    const std::string subnets = JoinList(SubnetsOf(instance));
    labels.Set("__meta_ec2_vpc_id", instance.vpc_id);
    labels.Set("__meta_ec2_primary_subnet_id", instance.subnet_id);
    labels.Set("__meta_ec2_subnet_id", subnets.empty() ? ",," : subnets);
  }
}

}  // namespace

std::optional<TargetGroup> MakeEc2Target(const Ec2Instance& instance,
                                         const Ec2Surroundings& surroundings) {
  const Ipv6Addresses ipv6 = Ipv6Of(instance);
  const std::string& address = instance.private_ip.empty() ? ipv6.usual : instance.private_ip;
  if (address.empty()) return std::nullopt;
  TargetGroup group;
  group.targets = {JoinHostPort(address, surroundings.port)};
  group.source = surroundings.region;
  Labels& labels = group.labels;
  labels.Set("__meta_ec2_region", surroundings.region);
  labels.Set("__meta_ec2_instance_id", instance.id);
  labels.Set("__meta_ec2_owner_id", instance.owner_id);
  labels.Set("__meta_ec2_ami", instance.image_id);
  labels.Set("__meta_ec2_platform", instance.platform);
  labels.Set("__meta_ec2_architecture", instance.architecture);
  labels.Set("__meta_ec2_instance_state", instance.state);
  labels.Set("__meta_ec2_instance_type", instance.type);
  labels.Set("__meta_ec2_instance_lifecycle", instance.lifecycle);
  labels.Set("__meta_ec2_availability_zone", instance.availability_zone);
  const auto zone = surroundings.zone_ids.find(instance.availability_zone);
  if (zone != surroundings.zone_ids.end()) {
    labels.Set("__meta_ec2_availability_zone_id", zone->second);
  }
  AddNetworkLabels(instance, ipv6, labels);
  AddTagLabels(instance.tags, "__meta_ec2_tag_", labels);
  return group;
}

void AddTagLabels(const AwsTags& tags, std::string_view prefix, Labels& labels) {
  for (const auto& [key, value] : tags) {
    std::string name(prefix);
    for (const char c : key) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte & 0xC0) == 0x80) continue;  // of a character that has its '_' already
      const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      name += good ? c : '_';
    }
    labels.Set(name, value);
  }
}

}  // namespace tributary
