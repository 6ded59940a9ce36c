"""A server that answers as AWS does, for the tests of `deploy`: moto, with what it lacks for our templates put in.

Usage: moto_platform.py PORT

What moto 5.2 lacks, each found by deploying: Fn::Cidr; Fn::Select with an index that is no literal; AWS::NoValue inside
of lists; some attributes, those of nested stacks among them; outputs of stacks that a change set made; conditions of
exports, so that there are none here; updates of nested stacks; termination protection; and the types in STUBS, which are
kept as names only. It does not check signatures, quotas, allowed patterns or whether a task could start, so the tests
that use it show order, intrinsics, conditions and counts, nothing more.
"""

import ipaddress
import sys

from moto.cloudformation import models as cloudformation
from moto.cloudformation import parsing
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.common_models import CloudFormationModel
from moto.core.responses import ActionResult

ARN = "arn:aws:{service}:{region}:{account}:"
# type: (Ref, {attribute: value}); {name} is unique.
STUBS = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("{name}", {}),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("{name}", {}),
    "AWS::APS::RuleGroupsNamespace": (ARN.replace("{service}", "aps") + "rulegroupsnamespace/{name}", {}),
    "AWS::APS::Workspace": (ARN.replace("{service}", "aps") + "workspace/ws-{name}", {
        "Arn": ARN.replace("{service}", "aps") + "workspace/ws-{name}", "WorkspaceId": "ws-{name}",
        "PrometheusEndpoint": "https://aps-workspaces.{region}.amazonaws.com/workspaces/ws-{name}/"}),
    "AWS::AutoScaling::AutoScalingGroup": ("{name}", {}),
    "AWS::Backup::BackupPlan": ("{name}", {}),
    "AWS::Backup::BackupSelection": ("{name}", {}),
    "AWS::Backup::BackupVault": ("{name}", {}),
    "AWS::CertificateManager::Certificate": (ARN.replace("{service}", "acm") + "certificate/{name}", {}),
    "AWS::CloudWatch::Alarm": ("{name}", {}),
    "AWS::CloudWatch::CompositeAlarm": ("{name}", {}),
    "AWS::EC2::SecurityGroupEgress": ("{name}", {}),
    "AWS::EC2::VPCEndpoint": ("vpce-{name}", {}),
    "AWS::ECS::ClusterCapacityProviderAssociations": ("{name}", {}),
    "AWS::ECS::Service": (ARN.replace("{service}", "ecs") + "service/{name}", {"Name": "{name}"}),
    "AWS::EFS::MountTarget": ("fsmt-{name}", {}),
    "AWS::KMS::Alias": ("{name}", {}),
    "AWS::Logs::LogGroup": ("{name}", {"Arn": ARN.replace("{service}", "logs") + "log-group:{name}:*"}),
    "AWS::RDS::DBCluster": ("{name}", {
        # In Fn::Sub it sees only the first part of an attribute's name.
        "Endpoint": "{name}.rds.local", "Endpoint.Address": "{name}.rds.local", "Endpoint.Port": "5432",
        "DBClusterArn": ARN.replace("{service}", "rds") + "cluster:{name}"}),
    "AWS::RDS::DBClusterParameterGroup": ("{name}", {}),
    "AWS::RDS::DBInstance": ("{name}", {}),
    "AWS::Route53::RecordSet": ("{name}", {}),
    "AWS::S3::BucketPolicy": ("{name}", {}),
    "AWS::SecretsManager::Secret": (ARN.replace("{service}", "secretsmanager") + "secret:{name}", {}),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": ("ns-{name}", {"Id": "ns-{name}"}),
    "AWS::ServiceDiscovery::Service": ("srv-{name}", {
        "Arn": ARN.replace("{service}", "servicediscovery") + "service/srv-{name}"}),
    "AWS::SNS::Subscription": (ARN.replace("{service}", "sns") + "{name}", {}),
    "AWS::SNS::TopicPolicy": ("{name}", {}),
    "AWS::WAFv2::LoggingConfiguration": ("{name}", {}),
    "AWS::WAFv2::WebACL": ("{name}", {"Arn": ARN.replace("{service}", "wafv2") + "regional/webacl/{name}"}),
    "AWS::WAFv2::WebACLAssociation": ("{name}", {}),
}

plain_clean_json = parsing.clean_json


def clean_json(value, resources):
    if isinstance(value, dict) and set(value) == {"Fn::Cidr"}:
        block, count, bits = (clean_json(item, resources) for item in value["Fn::Cidr"])
        parts = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
        return [str(next(parts)) for _ in range(int(count))]
    if isinstance(value, dict) and set(value) == {"Fn::Select"}:
        index, items = (clean_json(item, resources) for item in value["Fn::Select"])
        return (items.split(",") if isinstance(items, str) else items)[int(index)]
    if isinstance(value, list):
        return [v for v in (clean_json(item, resources) for item in value) if v is not None]
    return plain_clean_json(value, resources)


def stub(type_, reference, attributes):
    class Stub(CloudFormationModel):
        __module__ = "moto.stubs.models"

        @staticmethod
        def cloudformation_name_type():
            return None

        @staticmethod
        def cloudformation_type():
            return type_

        @classmethod
        def has_cfn_attr(cls, attr):
            return attr in attributes

        def get_cfn_attribute(self, attribute_name):
            return attributes[attribute_name].format(**self.words)

        @property
        def physical_resource_id(self):
            return reference.format(**self.words)

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            self = cls()
            self.words = {"name": resource_name, "account": account_id, "region": region_name}
            return self

        @classmethod
        def update_from_cloudformation_json(cls, original_resource, *_, **__):
            return original_resource

        @classmethod
        def delete_from_cloudformation_json(cls, *_, **__):
            pass

    Stub.__name__ = type_.replace("::", "_")
    return Stub


def attributes(cls, values):
    """Gives a class of moto attributes for Fn::GetAtt, {name: function of the object}, besides what it has."""
    had, get = cls.__dict__.get("has_cfn_attr"), cls.__dict__.get("get_cfn_attribute")

    def has_cfn_attr(owner, attr):
        return attr in values or (had is not None and had.__func__(owner, attr))

    def get_cfn_attribute(self, attribute_name):
        return values[attribute_name](self) if attribute_name in values else get(self, attribute_name)

    cls.has_cfn_attr, cls.get_cfn_attribute = classmethod(has_cfn_attr), get_cfn_attribute


def patch():
    parsing.clean_json = clean_json
    # A type that moto has itself is replaced: its models refuse or lose properties that ours use.
    kept = [stub(type_, *what) for type_, what in STUBS.items()]
    models = {cls.cloudformation_type(): cls for cls in kept}
    plain = parsing.resource_class_from_type
    parsing.resource_class_from_type = lambda type_: models.get(type_) or plain(type_)

    def output(self, attribute_name):
        return {o["OutputKey"]: o["OutputValue"] for o in self.outputs}[attribute_name.split(".", 1)[1]]

    cloudformation.Stack.has_cfn_attr = classmethod(lambda cls, attr: attr.startswith("Outputs."))
    cloudformation.Stack.get_cfn_attribute = output

    def update_nested(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        # moto would delete it and make another, which does not work for one that was left out by its condition before.
        if original_resource is None:
            return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)
        properties = cloudformation_json["Properties"]
        template = cloudformation.get_stack_from_s3_url(properties["TemplateURL"], account_id=account_id, partition="aws")
        original_resource.update(template, parameters=properties.get("Parameters", {}))
        return original_resource

    cloudformation.Stack.update_from_cloudformation_json = classmethod(update_nested)

    plain_apply = cloudformation.ChangeSet.apply

    def apply(self):
        # A stack keeps the empty template that it was announced with; its outputs are those of that one then.
        self.stack.template, self.stack.template_dict = self.template, self.template_dict
        plain_apply(self)
        self.stack.output_map = self.stack._create_output_map()

    cloudformation.ChangeSet.apply = apply

    # Exports of outputs whose condition is false are resolved all the same, and fail.
    parsing.OutputMap.exports = property(lambda self: [])

    def update_termination_protection(self):
        stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
        stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
        return ActionResult({"StackId": stack.stack_id})

    CloudFormationResponse.update_termination_protection = update_termination_protection

    from moto.efs.models import AccessPoint, FileSystem
    attributes(FileSystem, {"Arn": lambda f: f.file_system_arn, "FileSystemId": lambda f: f.file_system_id})
    attributes(AccessPoint, {"Arn": lambda p: p.access_point_arn, "AccessPointId": lambda p: p.access_point_id})
    from moto.ec2.models.subnets import Subnet
    attributes(Subnet, {"AvailabilityZone": lambda s: s.availability_zone})
    from moto.elbv2.models import FakeLoadBalancer, FakeTargetGroup
    attributes(FakeTargetGroup, {"TargetGroupFullName": lambda g: g.arn.split(":")[-1]})
    attributes(FakeLoadBalancer, {
        "LoadBalancerFullName": lambda b: b.arn.split("loadbalancer/")[-1],
        "CanonicalHostedZoneID": lambda b: "Z35SXDOTRQ7X7K"})
    return kept


if __name__ == "__main__":
    patched = patch()
    from moto.server import main
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
