#include "test/unit/agent/discovery/aws/ec2_xml.h"

namespace tributary {
namespace {

std::string Tag(const std::string& name, const XmlField& text) {
  return text ? "<" + name + ">" + *text + "</" + name + ">" : "";
}

std::string Response(const std::string& action, const std::string& content,
                     const std::string& next_token = "") {
  const std::string next = next_token.empty() ? "" : "<nextToken>" + next_token + "</nextToken>";
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" + action +
         "Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n<requestId>r</requestId>" +
         content + next + "</" + action + "Response>";
}

std::string InterfaceXml(const XmlInterface& interface) {
  std::string xml = "<item>" + Tag("subnetId", interface.subnet);
  if (interface.attached) {
    xml += "<attachment>" + Tag("deviceIndex", interface.device_index) + "</attachment>";
  }
  xml += "<ipv6AddressesSet>";
  for (const XmlIpv6& ipv6 : interface.ipv6) {
    xml += "<item>" + Tag("ipv6Address", ipv6.address) + Tag("isPrimaryIpv6", ipv6.primary) +
           "</item>";
  }
  return xml + "</ipv6AddressesSet></item>";
}

}  // namespace

std::string InstanceXml(const XmlInstance& instance) {
  std::string xml =
      "<item>" + Tag("instanceId", instance.id) + Tag("imageId", instance.image) +
      Tag("instanceType", instance.type) + Tag("instanceLifecycle", instance.lifecycle) +
      Tag("platform", instance.platform) + Tag("architecture", instance.architecture) +
      Tag("privateIpAddress", instance.private_ip) + Tag("privateDnsName", instance.private_dns) +
      Tag("ipAddress", instance.public_ip) + Tag("dnsName", instance.public_dns) +
      Tag("vpcId", instance.vpc) + Tag("subnetId", instance.subnet);
  if (instance.state) {
    xml += "<instanceState><code>16</code>" + Tag("name", instance.state) + "</instanceState>";
  }
  if (instance.zone) {
    xml += "<placement>" + Tag("availabilityZone", instance.zone) + "<tenancy>default</tenancy>" +
           "</placement>";
  }
  xml += "<networkInterfaceSet>";
  for (const XmlInterface& interface : instance.interfaces) xml += InterfaceXml(interface);
  xml += "</networkInterfaceSet><tagSet>";
  for (const auto& [key, value] : instance.tags) {
    xml += "<item>" + Tag("key", key) + Tag("value", value) + "</item>";
  }
  return xml + "</tagSet></item>";
}

std::string InstancesXml(const std::vector<XmlInstance>& instances, const std::string& owner,
                         const std::string& next_token) {
  std::string xml = "<reservationSet>";
  for (const XmlInstance& instance : instances) {
    xml += "\n  <item><reservationId>r-1</reservationId>" +
           (owner.empty() ? "" : "<ownerId>" + owner + "</ownerId>") + "<instancesSet>" +
           InstanceXml(instance) + "</instancesSet></item>\n";
  }
  return Response("DescribeInstances", xml + "</reservationSet>", next_token);
}

std::string ZonesXml(const std::vector<std::pair<std::string, std::string>>& zones) {
  std::string xml = "<availabilityZoneInfo>";
  for (const auto& [name, id] : zones) {
    xml += "<item><zoneName>" + name + "</zoneName><zoneId>" + id + "</zoneId></item>";
  }
  return Response("DescribeAvailabilityZones", xml + "</availabilityZoneInfo>");
}

std::string InterfacesXml(const std::vector<std::pair<std::string, std::string>>& interfaces,
                          const std::string& next_token) {
  std::string xml = "<networkInterfaceSet>";
  for (const auto& [id, address] : interfaces) {
    xml += "<item><networkInterfaceId>" + id + "</networkInterfaceId>";
    if (!address.empty()) {
      xml += "<association><publicIp>" + address + "</publicIp></association>";
    }
    xml += "</item>";
  }
  return Response("DescribeNetworkInterfaces", xml + "</networkInterfaceSet>", next_token);
}

std::string ErrorXml(const std::string& code, const std::string& message) {
  return "<?xml version=\"1.0\"?>\n<Response><Errors><Error><Code>" + code + "</Code><Message>" +
         message + "</Message></Error></Errors><RequestID>r</RequestID></Response>";
}

}  // namespace tributary
