"""Resolves platform.yaml and its nested stacks as CloudFormation would, without a cloud.

What only AWS knows (ids, ARNs, names of resources) becomes a text that is unique to the resource and the same wherever it
is used, so that a test can ask whether a target group in one stack is that of another. All conditions, mappings,
parameters, rules and intrinsics are evaluated; whatever cannot be, or refers to something that is not there, raises
Unresolved with the place.
"""

import ipaddress
import os
import re
import sys
import zlib

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
TEMPLATES = os.path.join(ROOT, "deploy", "cloudformation")
sys.path.insert(0, TEMPLATES)
from tool.template import read  # noqa: E402

NO_VALUE = object()
ACCOUNT, REGION, PARTITION = "111122223333", "eu-west-1", "aws"

# Attributes whose form matters because a parameter's pattern or a function asks for it. {id} is unique to the resource.
FORMS = {
    ("AWS::KMS::Key", "Arn"): "arn:aws:kms:eu-west-1:111122223333:key/{id}",
    ("AWS::SNS::Topic", "Ref"): "arn:aws:sns:eu-west-1:111122223333:{id}",
    ("AWS::EC2::VPC", "Ref"): "vpc-{hex}",
    ("AWS::EC2::Subnet", "Ref"): "subnet-{hex}",
    ("AWS::EC2::Volume", "Ref"): "vol-{hex}",
    ("AWS::EC2::SecurityGroup", "GroupId"): "sg-{hex}",
    ("AWS::EFS::FileSystem", "Ref"): "fs-{hex}",
    ("AWS::EFS::FileSystem", "Arn"): "arn:aws:elasticfilesystem:eu-west-1:111122223333:file-system/fs-{hex}",
    ("AWS::EFS::AccessPoint", "Ref"): "fsap-{hex}",
    ("AWS::EFS::AccessPoint", "Arn"): "arn:aws:elasticfilesystem:eu-west-1:111122223333:access-point/fsap-{hex}",
    ("AWS::SecretsManager::Secret", "Ref"): "arn:aws:secretsmanager:eu-west-1:111122223333:secret:{id}",
    ("AWS::ElasticLoadBalancingV2::Listener", "Ref"): "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/{id}",
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "Ref"):
        "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/{id}",
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "LoadBalancerFullName"): "app/{id}/{hex}",
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "DNSName"): "{id}.elb.local",
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "CanonicalHostedZoneID"): "Z0{HEX}",
    ("AWS::ElasticLoadBalancingV2::TargetGroup", "Ref"):
        "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/{id}",
    ("AWS::ServiceDiscovery::PrivateDnsNamespace", "Id"): "ns-{hex}",
    ("AWS::ServiceDiscovery::Service", "Arn"): "arn:aws:servicediscovery:eu-west-1:111122223333:service/{id}",
    ("AWS::CertificateManager::Certificate", "Ref"): "arn:aws:acm:eu-west-1:111122223333:certificate/{id}",
    ("AWS::APS::Workspace", "Arn"): "arn:aws:aps:eu-west-1:111122223333:workspace/ws-{hex}",
    ("AWS::RDS::DBCluster", "Endpoint.Address"): "{id}.rds.local",
    ("AWS::RDS::DBCluster", "Endpoint.Port"): "5432",
    ("AWS::RDS::DBCluster", "DBClusterArn"): "arn:aws:rds:eu-west-1:111122223333:cluster:{id}",
}
# Names that the template itself chooses are what Ref gives.
NAMED = {
    "AWS::ECS::Cluster": "ClusterName", "AWS::Logs::LogGroup": "LogGroupName", "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::Backup::BackupVault": "BackupVaultName", "AWS::CloudWatch::CompositeAlarm": "AlarmName",
}
ATTRIBUTE_NAMES = {("AWS::ECS::Service", "Name"): "ServiceName", ("AWS::SNS::Topic", "TopicName"): "TopicName"}


class Unresolved(Exception):
    pass


class Resource:
    def __init__(self, stack, name, body):
        self.stack, self.name, self.type = stack, name, body["Type"]
        self.body, self.properties = body, {}

    def __repr__(self):
        return f"{self.stack.path}/{self.name}"


class Stack:
    """One stack with its resources resolved: `resources`, `outputs`, `nested`, `parameters`, `conditions`."""

    def __init__(self, file, parameters, name="platform", parent=None, templates=None):
        self.file, self.name, self.parent = file, name, parent
        self.path = name if parent is None else f"{parent.path}/{name}"
        self._templates = templates if templates is not None else {}
        self.template = self._templates.get(file) or read(os.path.join(TEMPLATES, file))
        self._templates[file] = self.template
        self.parameters = self._take(parameters)
        self._conditions, self._evaluating = {}, set()
        self._assert_rules()
        self.resources, self.nested, self.outputs, self._resolving = {}, {}, {}, []
        for logical in self.template["Resources"]:
            self._resource(logical)
        for key, output in self.template.get("Outputs", {}).items():
            if "Condition" not in output or self.condition(output["Condition"]):
                self.outputs[key] = self.resolve(output["Value"], f"Outputs/{key}")

    def all(self, type_=None):
        """Resources of this stack and all nested ones."""
        found = [r for r in self.resources.values() if type_ is None or r.type == type_]
        for stack in self.nested.values():
            found += stack.all(type_)
        return found

    def stacks(self):
        yield self
        for stack in self.nested.values():
            yield from stack.stacks()

    # parameters, rules and conditions

    def _take(self, given):
        declared = self.template.get("Parameters", {})
        unknown = set(given) - set(declared)
        if unknown:
            raise Unresolved(f"{self.path}: {self.file} has no parameter {sorted(unknown)}")
        values = {}
        for name, parameter in declared.items():
            if name not in given and "Default" not in parameter:
                raise Unresolved(f"{self.path}: parameter {name} is not given and has no default")
            value = given.get(name, parameter.get("Default"))
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            if isinstance(value, bool):
                text = text.lower()
            problem = invalid(text, parameter)
            if problem:
                raise Unresolved(f"{self.path}: parameter {name}: '{text}' {problem}")
            values[name] = text.split(",") if "List" in parameter["Type"] else text
        return values

    def _assert_rules(self):
        for name, rule in self.template.get("Rules", {}).items():
            if "RuleCondition" in rule and not self._test(rule["RuleCondition"], f"Rules/{name}"):
                continue
            for assertion in rule["Assertions"]:
                if not self._test(assertion["Assert"], f"Rules/{name}"):
                    raise Unresolved(f"{self.path}: rule {name}: {assertion['AssertDescription']}")

    def condition(self, name):
        if name not in self._conditions:
            if name not in self.template.get("Conditions", {}):
                raise Unresolved(f"{self.path}: there is no condition {name}")
            if name in self._evaluating:
                raise Unresolved(f"{self.path}: condition {name} depends on itself")
            self._evaluating.add(name)
            self._conditions[name] = self._test(self.template["Conditions"][name], f"Conditions/{name}")
        return self._conditions[name]

    def _test(self, value, where):
        (function, argument), = value.items()
        if function == "Condition":
            return self.condition(argument)
        if function == "Fn::Not":
            return not self._test(argument[0], where)
        if function in ("Fn::And", "Fn::Or"):
            if not 2 <= len(argument) <= 10:
                raise Unresolved(f"{self.path}: {where}: {function} takes 2 to 10 conditions")
            return (all if function == "Fn::And" else any)(self._test(item, where) for item in argument)
        if function == "Fn::Equals":
            left, right = (self.resolve(item, where, inside_condition=True) for item in argument)
            return str(left) == str(right)
        raise Unresolved(f"{self.path}: {where}: {function} is no condition")

    # resources

    def _resource(self, logical):
        if logical in self.resources:
            return self.resources[logical]
        body = self.template["Resources"].get(logical)
        if body is None:
            raise Unresolved(f"{self.path}: there is no resource {logical}")
        if "Condition" in body and not self.condition(body["Condition"]):
            return None
        if logical in self._resolving:
            raise Unresolved(f"{self.path}: {' -> '.join([*self._resolving, logical])} goes in a circle")
        self._resolving.append(logical)
        resource = Resource(self, logical, body)
        depends = body.get("DependsOn", [])
        for other in [depends] if isinstance(depends, str) else depends:
            if other not in self.template["Resources"]:
                raise Unresolved(f"{self.path}: {logical} depends on {other}, which is not there")
        resource.properties = self.resolve(body.get("Properties", {}), logical)
        if resource.type == "AWS::CloudFormation::Stack":
            self.nested[logical] = Stack(resource.properties["TemplateURL"], resource.properties.get("Parameters", {}),
                                         logical, self, self._templates)
        self.resources[logical] = resource
        self._resolving.pop()
        return resource

    def attribute(self, logical, attribute, where):
        resource = self._resource(logical)
        if resource is None:
            raise Unresolved(f"{self.path}: {where} uses {logical}, which its condition leaves out")
        if resource.type == "AWS::CloudFormation::Stack":
            if not attribute.startswith("Outputs."):
                raise Unresolved(f"{self.path}: {where}: a stack has outputs, not {attribute}")
            key = attribute[len("Outputs."):]
            if key not in self.nested[logical].outputs:
                raise Unresolved(f"{self.path}: {where}: {logical} has no output {key} here")
            return self.nested[logical].outputs[key]
        own = NAMED.get(resource.type) if attribute == "Ref" else ATTRIBUTE_NAMES.get((resource.type, attribute))
        if own and own in resource.properties:
            return resource.properties[own]
        unique = re.sub("[^a-z0-9]", "-", f"{self.path}-{logical}".lower())
        number = zlib.crc32(unique.encode())
        form = FORMS.get((resource.type, attribute), "{id}" if attribute == "Ref" else "{id}." + attribute.lower())
        return form.format(id=unique, hex=f"{number:08x}", HEX=f"{number:08X}")

    # values

    def resolve(self, value, where, inside_condition=False):
        if isinstance(value, list):
            items = [self.resolve(item, f"{where}[{i}]", inside_condition) for i, item in enumerate(value)]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, argument), = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._function(function, argument, where, inside_condition)
        items = {key: self.resolve(item, f"{where}/{key}", inside_condition) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not NO_VALUE}

    def _function(self, function, argument, where, inside_condition):
        def inner(item):
            return self.resolve(item, where, inside_condition)

        if function == "Ref":
            return self._ref(argument, where, inside_condition)
        if function == "Fn::GetAtt" and not inside_condition:
            return self.attribute(argument[0], argument[1], where)
        if function == "Fn::If" and not inside_condition:
            return inner(argument[1] if self.condition(argument[0]) else argument[2])
        if function == "Fn::FindInMap":
            keys = [inner(item) for item in argument]
            try:
                return self.template["Mappings"][keys[0]][keys[1]][keys[2]]
            except KeyError:
                raise Unresolved(f"{self.path}: {where}: no {keys} in the mappings") from None
        if function == "Fn::Sub":
            return self._sub(argument, where, inside_condition)
        if function == "Fn::Join":
            items = inner(argument[1])
            return argument[0].join(str(item) for item in items)
        if function == "Fn::Split":
            return str(inner(argument[1])).split(argument[0])
        if function == "Fn::Select":
            index, items = int(inner(argument[0])), inner(argument[1])
            if not 0 <= index < len(items):
                raise Unresolved(f"{self.path}: {where}: Select {index} of {len(items)}")
            return items[index]
        if function == "Fn::GetAZs":
            return [f"{REGION}{letter}" for letter in "abc"]
        if function == "Fn::Cidr":
            block, count, bits = (inner(item) for item in argument)
            parts = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
            return [str(next(parts)) for _ in range(int(count))]
        if function == "Fn::Base64":
            return inner(argument)  # left readable
        raise Unresolved(f"{self.path}: {where}: {function} cannot be used here")

    def _ref(self, name, where, inside_condition):
        own = "tributary-test" if self.parent is None else self.path.replace("/", "-")
        pseudo = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": PARTITION,
                  "AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": NO_VALUE, "AWS::StackName": own,
                  "AWS::StackId": f"arn:{PARTITION}:cloudformation:{REGION}:{ACCOUNT}:stack/{own}/0a1b"}
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        if inside_condition:
            raise Unresolved(f"{self.path}: {where}: conditions know no resources ({name})")
        return self.attribute(name, "Ref", where)

    def _sub(self, argument, where, inside_condition):
        text, names = argument if isinstance(argument, list) else (argument, {})
        names = {key: self.resolve(item, where, inside_condition) for key, item in names.items()}

        def replace(match):
            word = match[1]
            if word.startswith("!"):
                return "${" + word[1:] + "}"
            if word in names:
                return str(names[word])
            if "." in word:
                return str(self.attribute(*word.split(".", 1), where))
            return str(self._ref(word, where, inside_condition))

        return re.sub(r"\$\{([^}]*)\}", replace, text)


def invalid(text, parameter):
    """What is wrong with a parameter's value, or None."""
    if "AllowedValues" in parameter and text not in [str(v) for v in parameter["AllowedValues"]]:
        return f"is not one of {parameter['AllowedValues']}"
    if parameter["Type"] == "Number":
        try:
            number = float(text)
        except ValueError:
            return "is no number"
        if not parameter.get("MinValue", number) <= number <= parameter.get("MaxValue", number):
            return "is out of range"
    if "AllowedPattern" in parameter and not re.fullmatch(parameter["AllowedPattern"], text):
        return f"does not match {parameter['AllowedPattern']}"
    if parameter["Type"] in ("AWS::EC2::VPC::Id", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id"):
        prefix = {"VPC": "vpc-", "SecurityGroup": "sg-", "Subnet": "subnet-"}[parameter["Type"].split("::")[2]]
        if not text.startswith(prefix):
            return f"is no {parameter['Type']}"
    if parameter["Type"] == "List<AWS::EC2::Subnet::Id>" and not all(t.startswith("subnet-") for t in text.split(",")):
        return "is no list of subnets"
    return None
