#include "agent/discovery/aws/ec2_answers.h"

#include <charconv>
#include <string_view>

#include "common/aws/xml.h"

namespace tributary {
namespace {

// As it was sent: the spaces around a tag's value are part of it.
std::string TextOf(const XmlElement& element, std::string_view child) {
  const XmlElement* found = element.Find(child);
  return found == nullptr ? "" : found->text;
}

std::string TextOf(const XmlElement& element, std::string_view child, std::string_view grandchild) {
  const XmlElement* found = element.Find(child);
  return found == nullptr ? "" : TextOf(*found, grandchild);
}

// Calls `take` with each item of the list.
template <typename Take>
void ForEachItem(const XmlElement& element, std::string_view list, const Take& take) {
  const XmlElement* found = element.Find(list);
  if (found == nullptr) return;
  for (const XmlElement& item : found->children) {
    if (item.name == "item") take(item);
  }
}

Result<XmlElement> ReadResponse(const std::string& xml, std::string_view name) {
  Result<XmlElement> root = ParseXml(xml);
  if (!root) return Fail("answered " + root.error().message);
  if (root->name != name) return Fail("answered with something else than " + std::string(name));
  return root;
}

AwsTags ReadTags(const XmlElement& element) {
  AwsTags tags;
  ForEachItem(element, "tagSet", [&tags](const XmlElement& tag) {
    if (std::string key = TextOf(tag, "key"); !key.empty()) {
      tags.emplace_back(std::move(key), TextOf(tag, "value"));
    }
  });
  return tags;
}

Ec2Interface ReadInterface(const XmlElement& element) {
  Ec2Interface interface;
  interface.subnet_id = TextOf(element, "subnetId");
  const std::string index = TextOf(element, "attachment", "deviceIndex");
  int64_t number = -1;
  const char* const end = index.data() + index.size();
  const auto [rest, error] = std::from_chars(index.data(), end, number);
  if (error == std::errc() && rest == end) interface.device_index = number;
  ForEachItem(element, "ipv6AddressesSet", [&interface](const XmlElement& item) {
    if (std::string address = TextOf(item, "ipv6Address"); !address.empty()) {
      interface.ipv6.push_back({std::move(address), TextOf(item, "isPrimaryIpv6") == "true"});
    }
  });
  return interface;
}

Ec2Instance ReadInstance(const XmlElement& element) {
  Ec2Instance instance;
  instance.id = TextOf(element, "instanceId");
  instance.image_id = TextOf(element, "imageId");
  instance.type = TextOf(element, "instanceType");
  instance.lifecycle = TextOf(element, "instanceLifecycle");
  instance.state = TextOf(element, "instanceState", "name");
  instance.platform = TextOf(element, "platform");
  instance.architecture = TextOf(element, "architecture");
  instance.availability_zone = TextOf(element, "placement", "availabilityZone");
  instance.private_ip = TextOf(element, "privateIpAddress");
  instance.private_dns = TextOf(element, "privateDnsName");
  instance.public_ip = TextOf(element, "ipAddress");
  instance.public_dns = TextOf(element, "dnsName");
  instance.vpc_id = TextOf(element, "vpcId");
  instance.subnet_id = TextOf(element, "subnetId");
  ForEachItem(element, "networkInterfaceSet", [&instance](const XmlElement& item) {
    instance.interfaces.push_back(ReadInterface(item));
  });
  instance.tags = ReadTags(element);
  return instance;
}

}  // namespace

Result<AwsPage<Ec2Instance>> ReadInstances(const std::string& xml) {
  const Result<XmlElement> root = ReadResponse(xml, "DescribeInstancesResponse");
  if (!root) return tl::unexpected(root.error());
  AwsPage<Ec2Instance> page;
  ForEachItem(*root, "reservationSet", [&page](const XmlElement& reservation) {
    ForEachItem(reservation, "instancesSet", [&](const XmlElement& item) {
      page.items.push_back(ReadInstance(item));
      page.items.back().owner_id = TextOf(reservation, "ownerId");
    });
  });
  page.next = TextOf(*root, "nextToken");
  return page;
}

Result<std::map<std::string, std::string>> ReadAvailabilityZones(const std::string& xml) {
  const Result<XmlElement> root = ReadResponse(xml, "DescribeAvailabilityZonesResponse");
  if (!root) return tl::unexpected(root.error());
  std::map<std::string, std::string> zones;
  ForEachItem(*root, "availabilityZoneInfo", [&zones](const XmlElement& zone) {
    if (zone.Find("zoneName") != nullptr && zone.Find("zoneId") != nullptr) {
      zones[TextOf(zone, "zoneName")] = TextOf(zone, "zoneId");
    }
  });
  return zones;
}

Result<AwsPage<std::pair<std::string, std::string>>> ReadPublicAddresses(const std::string& xml) {
  const Result<XmlElement> root = ReadResponse(xml, "DescribeNetworkInterfacesResponse");
  if (!root) return tl::unexpected(root.error());
  AwsPage<std::pair<std::string, std::string>> page;
  ForEachItem(*root, "networkInterfaceSet", [&page](const XmlElement& interface) {
    std::string address = TextOf(interface, "association", "publicIp");
    if (!address.empty()) {
      page.items.emplace_back(TextOf(interface, "networkInterfaceId"), std::move(address));
    }
  });
  page.next = TextOf(*root, "nextToken");
  return page;
}

}  // namespace tributary
