// Answers of EC2's API, for tests: instances with the fields that a test names, the rest absent.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tributary {

using XmlField = std::optional<std::string>;

struct XmlIpv6 {
  XmlField address, primary;
};
struct XmlInterface {
  XmlField subnet, device_index;
  bool attached = true;
  std::vector<XmlIpv6> ipv6;
};
struct XmlInstance {
  XmlField id, image, type, lifecycle, state, platform, architecture, zone;
  XmlField private_ip, private_dns, public_ip, public_dns, vpc, subnet;
  std::vector<XmlInterface> interfaces;
  std::vector<std::pair<XmlField, XmlField>> tags;
};

std::string InstanceXml(const XmlInstance& instance);
// One reservation for each; owner "": none is said.
std::string InstancesXml(const std::vector<XmlInstance>& instances, const std::string& owner = "",
                         const std::string& next_token = "");
std::string ZonesXml(const std::vector<std::pair<std::string, std::string>>& zones);
// Public addresses by the ids of interfaces; "": none.
std::string InterfacesXml(const std::vector<std::pair<std::string, std::string>>& interfaces,
                          const std::string& next_token = "");
std::string ErrorXml(const std::string& code, const std::string& message);

}  // namespace tributary
