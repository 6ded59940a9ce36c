// The cases are those of Prometheus' discovery/aws/ec2_test.go, over the API's XML.
#include "agent/discovery/aws/ec2_targets.h"

#include <string>
#include <vector>

#include "test/support/catch.h"
#include "test/unit/agent/discovery/aws/ec2_xml.h"

namespace tributary {
namespace {

std::vector<TargetGroup> Targets(const std::vector<XmlInstance>& instances,
                                 const std::string& owner = "") {
  const auto page = ReadInstances(InstancesXml(instances, owner));
  REQUIRE(page);
  const Ec2Surroundings surroundings{
      "the-region", {{"az-a", "id-1"}, {"az-b", "id-2"}, {"az-c", "id-3"}}, 4242};
  std::vector<TargetGroup> targets;
  for (const Ec2Instance& instance : page->items) {
    if (auto target = MakeEc2Target(instance, surroundings)) targets.push_back(*target);
  }
  return targets;
}

// Labels but for the prefix __meta_ec2_, with the target as the first line.
std::string Text(const TargetGroup& group) {
  std::string text = group.targets.at(0) + "\n";
  for (const Label& label : group.labels) {
    const std::string prefix = "__meta_ec2_";
    REQUIRE(label.name.starts_with(prefix));
    text += label.name.substr(prefix.size()) + "=" + label.value + "\n";
  }
  return text;
}

std::string One(const XmlInstance& instance, const std::string& owner = "") {
  const std::vector<TargetGroup> targets = Targets({instance}, owner);
  REQUIRE(targets.size() == 1);
  CHECK(targets[0].source == "the-region");
  return Text(targets[0]);
}

XmlInstance Full() {
  XmlInstance full;
  full.architecture = "x86_64";
  full.image = "ami-full";
  full.id = "i-full";
  full.lifecycle = "spot";
  full.type = "t3.micro";
  full.zone = "az-a";
  full.platform = "windows";
  full.private_dns = "ip-10-0-0-1.ec2.internal";
  full.private_ip = "10.0.0.1";
  full.public_dns = "ec2-42-42-42-42.compute-1.amazonaws.com";
  full.public_ip = "42.42.42.42";
  full.state = "running";
  full.subnet = "subnet-full";
  full.vpc = "vpc-full";
  full.interfaces = {{"subnet-full", "0", true, {{"2001:db8::1", "true"}}}};
  return full;
}

TEST_CASE("ec2 targets: an instance with all that there can be has all labels") {
  CHECK(One(Full(), "owner-full") ==
        "10.0.0.1:4242\n"
        "ami=ami-full\n"
        "architecture=x86_64\n"
        "availability_zone=az-a\n"
        "availability_zone_id=id-1\n"
        "default_ipv6_address=2001:db8::1\n"
        "instance_id=i-full\n"
        "instance_lifecycle=spot\n"
        "instance_state=running\n"
        "instance_type=t3.micro\n"
        "ipv6_addresses=,2001:db8::1,\n"
        "owner_id=owner-full\n"
        "platform=windows\n"
        "primary_ipv6_addresses=,2001:db8::1,\n"
        "primary_subnet_id=subnet-full\n"
        "private_dns_name=ip-10-0-0-1.ec2.internal\n"
        "private_ip=10.0.0.1\n"
        "public_dns_name=ec2-42-42-42-42.compute-1.amazonaws.com\n"
        "public_ip=42.42.42.42\n"
        "region=the-region\n"
        "subnet_id=,subnet-full,\n"
        "vpc_id=vpc-full\n");
}

TEST_CASE("ec2 targets: without a private or an IPv6 address there is none") {
  XmlInstance instance;
  instance.id = "i-1";
  CHECK(Targets({instance}).empty());
  // IPv6 addresses count in a VPC only.
  instance.interfaces = {{"subnet", "0", true, {{"2001:db8::1", "true"}}}};
  CHECK(Targets({instance}).empty());
}

TEST_CASE("ec2 targets: outside a VPC there are no networks, and tags without a key do not count") {
  XmlInstance instance;
  instance.image = "ami";
  instance.private_ip = "1.2.3.4";
  instance.zone = "az-b";
  instance.subnet = "subnet";
  instance.tags = {{"tag-1-key", "tag-1-value"},
                   {"tag-2-key", "tag-2-value"},
                   {{}, {}},
                   {{}, "tag-4-value"},
                   {"tag-5-key", {}}};
  CHECK(One(instance) ==
        "1.2.3.4:4242\n"
        "ami=ami\n"
        "availability_zone=az-b\n"
        "availability_zone_id=id-2\n"
        "private_ip=1.2.3.4\n"
        "region=the-region\n"
        "tag_tag_1_key=tag-1-value\n"
        "tag_tag_2_key=tag-2-value\n");
}

TEST_CASE("ec2 targets: subnets stand in the order of the interfaces, each once") {
  XmlInstance instance;
  instance.private_ip = "5.6.7.8";
  instance.vpc = "vpc";
  instance.subnet = "s-3";
  instance.interfaces = {{{}, {}, false, {{"2001:db8:1::1", "true"}}},  // without a subnet: ignored
                         {"s-3", {}, false, {}},
                         {"s-1", {}, false, {}},
                         {"s-3", {}, false, {}}};
  CHECK(One(instance) ==
        "5.6.7.8:4242\n"
        "primary_subnet_id=s-3\n"
        "private_ip=5.6.7.8\n"
        "region=the-region\n"
        "subnet_id=,s-3,s-1,\n"
        "vpc_id=vpc\n");
  instance.interfaces.clear();
  CHECK(One(instance).find("\nsubnet_id=,,\n") != std::string::npos);
}

TEST_CASE("ec2 targets: primary IPv6 addresses stand at their interfaces' places") {
  XmlInstance instance;
  instance.private_ip = "9.10.11.12";
  instance.vpc = "vpc";
  instance.interfaces = {
      {"s-2", "3", true, {{"2001:db8:2::1:1", "false"}}},
      {"s-2", "1", true, {{"2001:db8:2::2:1", "false"}, {"2001:db8:2::2:2", "true"}}},
      {"s-1", "3", true, {{"2001:db8:2::3:1", "true"}}},
      {"s-3", "0", true, {}}};
  CHECK(One(instance) ==
        "9.10.11.12:4242\n"
        "default_ipv6_address=2001:db8:2::2:2\n"
        "ipv6_addresses=,2001:db8:2::1:1,2001:db8:2::2:1,2001:db8:2::2:2,2001:db8:2::3:1,\n"
        "primary_ipv6_addresses=,,2001:db8:2::2:2,,2001:db8:2::3:1,\n"
        "private_ip=9.10.11.12\n"
        "region=the-region\n"
        "subnet_id=,s-2,s-1,s-3,\n"
        "vpc_id=vpc\n");
}

TEST_CASE("ec2 targets: an instance with IPv6 alone is asked there") {
  XmlInstance instance;
  instance.vpc = "vpc";
  instance.interfaces = {{"s-2", "0", true, {{"2001:db8:2::1:1", "false"}}}};
  CHECK(One(instance) ==
        "[2001:db8:2::1:1]:4242\n"
        "default_ipv6_address=2001:db8:2::1:1\n"
        "ipv6_addresses=,2001:db8:2::1:1,\n"
        "region=the-region\n"
        "subnet_id=,s-2,\n"
        "vpc_id=vpc\n");
}

TEST_CASE("ec2 targets: a primary IPv6 address without a place is one of the others") {
  const auto with = [](XmlInterface interface) {
    XmlInstance instance;
    instance.private_ip = "10.0.0.1";
    instance.vpc = "vpc";
    instance.interfaces = {std::move(interface)};
    return One(instance);
  };
  const std::string without =
      "10.0.0.1:4242\ndefault_ipv6_address=2001:db8::1\nipv6_addresses=,2001:db8::1,\n";
  CHECK(with({"s", "0", true, {{"2001:db8::1", {}}}}).starts_with(without + "private_ip"));
  CHECK(with({"s", {}, false, {{"2001:db8::1", "true"}}}).starts_with(without + "private_ip"));
  for (const char* index : {"-1", "", "x", "4294967296", "1000000", "1x"}) {
    CAPTURE(index);
    CHECK(with({"s", index, true, {{"2001:db8::1", "true"}}}).starts_with(without + "private_ip"));
  }
  CHECK(with({"s", "0", true, {{{}, "true"}}}).starts_with("10.0.0.1:4242\nprivate_ip"));
}

TEST_CASE("ec2 targets: what is absent has no label, and takes no other along but what it names") {
  const auto lacks = [](const std::function<void(XmlInstance&)>& change) {
    XmlInstance instance = Full();
    const std::string full = One(instance);
    change(instance);
    const std::string less = One(instance);
    std::string gone;
    for (size_t at = 0; at < full.size();) {
      const size_t end = full.find('\n', at);
      const std::string line = full.substr(at, end + 1 - at);
      if (less.find(line) == std::string::npos) gone += line.substr(0, line.find('=')) + " ";
      at = end + 1;
    }
    return gone;
  };
  CHECK(lacks([](XmlInstance& i) { i.image.reset(); }) == "ami ");
  CHECK(lacks([](XmlInstance& i) { i.id.reset(); }) == "instance_id ");
  CHECK(lacks([](XmlInstance& i) { i.zone.reset(); }) == "availability_zone availability_zone_id ");
  CHECK(lacks([](XmlInstance& i) { i.zone = ""; }) == "availability_zone availability_zone_id ");
  CHECK(lacks([](XmlInstance& i) { i.state.reset(); }) == "instance_state ");
  CHECK(lacks([](XmlInstance& i) { i.subnet.reset(); }) == "primary_subnet_id ");
  CHECK(lacks([](XmlInstance& i) { i.public_dns.reset(); }) == "public_dns_name ");
  CHECK(lacks([](XmlInstance& i) { i.public_ip.reset(); }) == "public_dns_name public_ip ");
  CHECK(lacks([](XmlInstance& i) { i.platform.reset(); }) == "platform ");
  CHECK(lacks([](XmlInstance& i) { i.lifecycle.reset(); }) == "instance_lifecycle ");
  CHECK(lacks([](XmlInstance& i) { i.architecture.reset(); }) == "architecture ");
  CHECK(lacks([](XmlInstance& i) { i.private_dns.reset(); }) == "private_dns_name ");
  CHECK(lacks([](XmlInstance& i) { i.type.reset(); }) == "instance_type ");
}

TEST_CASE("ec2 targets: tags are taken as they are, their names without what a label cannot have") {
  Labels labels;
  const auto page = ReadInstances(InstancesXml([] {
    XmlInstance instance;
    instance.tags = {
        {"aws:x/y z-1", " a &amp; b "}, {"größe", "1"}, {"a-b", "old"}, {"a.b", "new"}};
    return std::vector<XmlInstance>{instance};
  }()));
  REQUIRE(page);
  AddTagLabels(page->items.at(0).tags, "t_", labels);
  CHECK(labels.ToString() == R"({t_a_b="new", t_aws_x_y_z_1=" a & b ", t_gr__e="1"})");
}

TEST_CASE("ec2 answers: what is something else is an error, what is empty is nothing") {
  for (const char* bad :
       {"", "{}", "<a/>", "<DescribeInstancesResponse>", "<Response><Errors/></Response>",
        "<!DOCTYPE a [<!ENTITY e "
        "'x'>]><DescribeInstancesResponse>&e;</DescribeInstancesResponse>"}) {
    CAPTURE(bad);
    CHECK_FALSE(ReadInstances(bad));
    CHECK_FALSE(ReadAvailabilityZones(bad));
    CHECK_FALSE(ReadPublicAddresses(bad));
  }
  for (const char* empty :
       {"<DescribeInstancesResponse/>",
        "<DescribeInstancesResponse><reservationSet/><nextToken/></DescribeInstancesResponse>",
        "<DescribeInstancesResponse><reservationSet><item/><x><instancesSet/></x>"
        "</reservationSet></DescribeInstancesResponse>"}) {
    CAPTURE(empty);
    const auto page = ReadInstances(empty);
    REQUIRE(page);
    CHECK(page->items.empty());
    CHECK(page->next.empty());
  }
  const auto zones = ReadAvailabilityZones(
      "<DescribeAvailabilityZonesResponse><availabilityZoneInfo><item><zoneName>a</zoneName></item>"
      "<item><zoneId>b</zoneId></item><item><zoneName>c</zoneName><zoneId>d</zoneId></item>"
      "</availabilityZoneInfo></DescribeAvailabilityZonesResponse>");
  REQUIRE(zones);
  CHECK(*zones == std::map<std::string, std::string>{{"c", "d"}});
  const auto addresses = ReadPublicAddresses(InterfacesXml({{"e-1", "1.1.1.1"}, {"e-2", ""}}, "n"));
  REQUIRE(addresses);
  CHECK(addresses->items == AwsTags{{"e-1", "1.1.1.1"}});
  CHECK(addresses->next == "n");
}

}  // namespace
}  // namespace tributary
