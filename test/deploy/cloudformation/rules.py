"""What a platform has to be and cfn-lint and checkov do not ask: rules over resolved stacks.

Each rule takes the resolved root Stack and yields (resource, what is wrong). test_rules.py breaks the templates in one way
for each of them and more, and sees that the rule says so.
"""

import re

# Actions that IAM offers no resource for, so that "*" is all that can be said.
WITHOUT_RESOURCE = {
    "cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmsForMetric", "cloudwatch:GetMetricData",
    "cloudwatch:GetMetricStatistics", "cloudwatch:ListMetrics", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeRegions", "ec2:DescribeVolumes", "ecr:GetAuthorizationToken",
    "ecs:DiscoverPollEndpoint", "ecs:ListClusters", "ecs:ListServices", "ecs:ListTasks", "iam:ListAccountAliases",
    "logs:DescribeLogGroups", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel", "tag:GetResources",
}
HOLD_DATA = {"AWS::EFS::FileSystem", "AWS::RDS::DBCluster", "AWS::EC2::Volume", "AWS::KMS::Key", "AWS::Logs::LogGroup",
             "AWS::S3::Bucket", "AWS::Backup::BackupVault", "AWS::APS::Workspace"}
SINGLE = ("prometheus", "alertmanager")
FARGATE_MEMORY = {256: (512, 2048), 512: (1024, 4096), 1024: (2048, 8192), 2048: (4096, 16384), 4096: (8192, 30720),
                  8192: (16384, 61440), 16384: (32768, 122880)}


def many(value):
    return value if isinstance(value, list) else [value]


def tasks(stack):
    """(service, its task definition) of every ECS service."""
    definitions = {(r.stack.path, r.name): r for r in stack.all("AWS::ECS::TaskDefinition")}
    for service in stack.all("AWS::ECS::Service"):
        yield service, definitions[service.stack.path, "TaskDefinition"]


def containers(stack):
    for definition in stack.all("AWS::ECS::TaskDefinition"):
        for container in definition.properties["ContainerDefinitions"]:
            yield definition, container


def keeps_data(volume):
    return ("EFSVolumeConfiguration" in volume or volume.get("ConfiguredAtLaunch", False)
            or "SourcePath" in volume.get("Host", {}))


def statements(stack):
    """(resource, statement, True if it is attached to a principal rather than to a resource)."""
    for resource in stack.all():
        p = resource.properties
        for policy in p.get("Policies", []) if resource.type == "AWS::IAM::Role" else []:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield resource, statement, True
        for key in ("AssumeRolePolicyDocument", "KeyPolicy", "PolicyDocument", "FileSystemPolicy"):
            if key in p:
                for statement in p[key]["Statement"]:
                    yield resource, statement, False


# The rules

def images_have_versions(stack):
    for definition, container in containers(stack):
        image = container["Image"]
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield definition, f"{container['Name']}: {image} is whatever was pushed last"


def one_task_per_folder(stack):
    scaled = " ".join(str(r.properties["ResourceId"]) for r in stack.all("AWS::ApplicationAutoScaling::ScalableTarget"))
    for service, definition in tasks(stack):
        if not any(keeps_data(v) for v in definition.properties.get("Volumes", [])):
            continue
        p, rollout = service.properties, service.properties.get("DeploymentConfiguration", {})
        if str(p.get("DesiredCount")) != "1":
            yield service, f"{p.get('DesiredCount')} tasks write one folder"
        if str(rollout.get("MaximumPercent")) != "100" or str(rollout.get("MinimumHealthyPercent")) != "0":
            yield service, "an update starts the new task before the old one ends"
        if p.get("AvailabilityZoneRebalancing") != "DISABLED":
            yield service, "rebalancing between zones starts a second task"
        if f"/{p.get('ServiceName')} " in scaled + " ":
            yield service, "autoscaling adds a second task"
        if "ServiceName" not in p:
            yield service, "without a fixed name a replacement would start beside the old service"


def single_writers_never_scale(stack):
    for target in stack.all("AWS::ApplicationAutoScaling::ScalableTarget"):
        if any(f"/{name}" in str(target.properties["ResourceId"]) for name in SINGLE):
            yield target, "Prometheus and Alertmanager are not scaled by load"


def folders_have_one_access_point(stack):
    seen = {}
    for point in stack.all("AWS::EFS::AccessPoint"):
        path = point.properties["RootDirectory"]["Path"]
        where = (point.properties["FileSystemId"], path)
        for other_system, other in seen:
            if other_system == where[0] and (path + "/").startswith(other.rstrip("/") + "/") \
                    or other_system == where[0] and (other + "/").startswith(path.rstrip("/") + "/"):
                yield point, f"{path} overlaps {other} of {seen[other_system, other]}"
        seen[where] = point
        if str(point.properties["PosixUser"]["Uid"]) == "0":
            yield point, "acts as root"


def folders_have_one_service(stack):
    """An access point, instance folder or volume belongs to one service, and EFS is mounted by access points only."""
    used = {}
    for service, definition in tasks(stack):
        for volume in definition.properties.get("Volumes", []):
            efs = volume.get("EFSVolumeConfiguration")
            if efs is None:
                continue
            authorization = efs.get("AuthorizationConfig", {})
            if efs.get("TransitEncryption") != "ENABLED" or authorization.get("IAM") != "ENABLED" \
                    or not authorization.get("AccessPointId"):
                yield service, f"volume {volume['Name']}: access point, IAM and encryption are needed"
                continue
            point = authorization["AccessPointId"]
            if point in used:
                yield service, f"shares its folder with {used[point]}"
            used[point] = service


def instances_are_told_apart(stack):
    """With Storage ec2 each replica's task can only run where its volume is."""
    wanted = []
    for service, definition in tasks(stack):
        if any("SourcePath" in v.get("Host", {}) for v in definition.properties.get("Volumes", [])):
            expressions = [c["Expression"] for c in service.properties.get("PlacementConstraints", [])]
            if len(expressions) != 1 or expressions[0] in wanted:
                yield service, f"placed by {expressions or 'nothing'}, so it may meet another replica's volume"
            wanted += expressions
    there = []
    for group in stack.all("AWS::AutoScaling::AutoScalingGroup"):
        if {str(group.properties[k]) for k in ("MinSize", "MaxSize", "DesiredCapacity")} != {"1"}:
            yield group, "more than one instance for one volume"
        if len(many(group.properties["VPCZoneIdentifier"])) != 1:
            yield group, "an instance in another zone cannot have the volume"
        there.append(group)
    if len(there) != len(wanted):
        yield stack.resources["Foundation"], f"{len(wanted)} replicas want instances, there are {len(there)}"


def mounts_have_volumes(stack):
    for definition, container in containers(stack):
        volumes = {v["Name"] for v in definition.properties.get("Volumes", [])}
        for mount in container.get("MountPoints", []):
            if mount["SourceVolume"] not in volumes:
                yield definition, f"{container['Name']} mounts {mount['SourceVolume']}, which is not there"
    for definition in stack.all("AWS::ECS::TaskDefinition"):
        for volume in definition.properties.get("Volumes", []):
            if not any(m["SourceVolume"] == volume["Name"] for c in definition.properties["ContainerDefinitions"]
                       for m in c.get("MountPoints", [])):
                yield definition, f"nobody mounts {volume['Name']}"


def containers_wait_for_their_configuration(stack):
    for definition in stack.all("AWS::ECS::TaskDefinition"):
        by_name = {c["Name"]: c for c in definition.properties["ContainerDefinitions"]}
        for container in by_name.values():
            for dependency in container.get("DependsOn", []):
                if dependency["ContainerName"] not in by_name:
                    yield definition, f"{container['Name']} waits for {dependency['ContainerName']}, which is not there"
                elif dependency["Condition"] != "SUCCESS" or by_name[dependency["ContainerName"]].get("Essential", True):
                    yield definition, f"{container['Name']} does not wait for the end of {dependency['ContainerName']}"
            if container.get("Essential", True) and not container.get("DependsOn"):
                yield definition, f"{container['Name']} starts before its configuration is there"


def containers_are_confined(stack):
    for definition, container in containers(stack):
        name = container["Name"]
        if not container.get("ReadonlyRootFilesystem"):
            yield definition, f"{name} can write to its image"
        if container.get("Privileged") or container.get("User", "0").split(":")[0] == "0" and container.get("Essential"):
            yield definition, f"{name} runs as root"
        if container.get("LogConfiguration", {}).get("LogDriver") != "awslogs":
            yield definition, f"{name} logs nowhere"
        for mount in container.get("MountPoints", []):
            if mount["SourceVolume"] == "config" and container.get("Essential") and not mount.get("ReadOnly"):
                yield definition, f"{name} can change its configuration"


def secrets_are_references(stack):
    sign = re.compile(r"PASSWORD|SECRET|TOKEN|API_?KEY|_KEY$|CREDENTIAL|URL$")
    harmless = {"GF_SERVER_ROOT_URL"}
    for definition, container in containers(stack):
        for variable in container.get("Environment", []):
            if sign.search(variable["Name"]) and variable["Name"] not in harmless:
                yield definition, f"{container['Name']}: {variable['Name']} is in clear text"
        for word in container.get("Command", []):
            if re.search(r"(password|token|secret)=\S", str(word), re.I):
                yield definition, f"{container['Name']}: a secret in a command line"


def iam_is_narrow(stack):
    for resource, statement, attached in statements(stack):
        if statement["Effect"] != "Allow":
            continue
        key_policy = resource.type == "AWS::KMS::Key"
        actions = many(statement.get("Action", []))
        for action in actions:
            if "*" in action and not (key_policy and statement.get("Sid") == "AccountAdministersByIam"):
                yield resource, f"allows {action}"
        if attached and "*" in many(statement.get("Resource", [])) and not statement.get("Condition"):
            wide = sorted(set(actions) - WITHOUT_RESOURCE)
            if wide:
                yield resource, f"allows {', '.join(wide)} on everything"
        principal = statement.get("Principal")
        if principal == "*" or isinstance(principal, dict) and "*" in many(principal.get("AWS", [])):
            yield resource, "lets anybody in"
        named = many(principal["Service"]) if isinstance(principal, dict) and "Service" in principal else []
        # Instances are of this account by nature, and CloudWatch Logs says whose its log groups are in the context.
        if named and named != ["ec2.amazonaws.com"] and not statement.get("Condition"):
            yield resource, f"{principal['Service']} may act for other accounts"


def file_systems_are_ready(stack):
    for system in stack.all("AWS::EFS::FileSystem"):
        p = system.properties
        provisioned = p.get("ThroughputMode") == "provisioned"
        if provisioned != (float(p.get("ProvisionedThroughputInMibps", 0)) > 0):
            yield system, "throughput mode and provisioned rate do not go together"
        if p.get("ThroughputMode") == "elastic" and p.get("PerformanceMode") == "maxIO":
            yield system, "maxIO has no elastic throughput"
        if not p.get("Encrypted") or "KmsKeyId" not in p:
            yield system, "is not encrypted with our key"
        if p.get("BackupPolicy", {}).get("Status") != "ENABLED":
            yield system, "has no backups"
        deny = [s for s in p.get("FileSystemPolicy", {}).get("Statement", []) if s["Effect"] == "Deny"]
        if not any("aws:SecureTransport" in str(s) for s in deny):
            yield system, "takes unencrypted connections"


def data_outlives_mistakes(stack):
    for resource in stack.all():
        if resource.type in HOLD_DATA:
            for key in ("DeletionPolicy", "UpdateReplacePolicy"):
                if resource.body.get(key) not in ("Retain", "RetainExceptOnCreate", "Snapshot"):
                    yield resource, f"{key} would destroy it"


def logs_end(stack):
    for group in stack.all("AWS::Logs::LogGroup"):
        if not group.properties.get("RetentionInDays"):
            yield group, "is kept for ever"
        if "KmsKeyId" not in group.properties and not group.body.get("Metadata", {}).get("checkov"):
            yield group, "is not encrypted with our key"


def listeners_speak_tls(stack):
    for listener in stack.all("AWS::ElasticLoadBalancingV2::Listener"):
        p = listener.properties
        if p["Protocol"] == "HTTP":
            if [a["Type"] for a in p["DefaultActions"]] != ["redirect"]:
                yield listener, "serves in clear text"
        elif not p.get("SslPolicy", "").startswith("ELBSecurityPolicy-TLS13") or not p.get("Certificates"):
            yield listener, "speaks old TLS or has no certificate"
        elif p["DefaultActions"][0].get("FixedResponseConfig", {}).get("StatusCode") != "404":
            yield listener, "forwards what no rule names"


def rules_do_not_collide(stack):
    seen = {}
    for rule in stack.all("AWS::ElasticLoadBalancingV2::ListenerRule"):
        p = rule.properties
        where = (p["ListenerArn"], str(p["Priority"]))
        if where in seen:
            yield rule, f"has the priority of {seen[where]}"
        seen[where] = rule
        values = sum(len(v) for c in p["Conditions"] for k, body in c.items() if k.endswith("Config")
                     for v in body.values())
        if values > 5:
            yield rule, f"{values} values; a rule has at most five"


def nothing_is_open_to_the_world(stack):
    for resource in stack.all():
        ingress = resource.properties.get("SecurityGroupIngress", [])
        ingress = ingress if resource.type == "AWS::EC2::SecurityGroup" else \
            [resource.properties] if resource.type == "AWS::EC2::SecurityGroupIngress" else []
        for rule in ingress:
            if rule.get("CidrIp", "").endswith("/0") or "CidrIpv6" in rule:
                yield resource, "is open to the world"
            if rule["IpProtocol"] == "-1" or str(rule["FromPort"]) != str(rule["ToPort"]):
                yield resource, "is open on many ports"
        if resource.type == "AWS::EC2::SecurityGroup" and not resource.properties.get("SecurityGroupEgress"):
            yield resource, "without a rule out EC2 adds one that allows everything"
        for rule in resource.properties.get("SecurityGroupEgress", []) if resource.type == "AWS::EC2::SecurityGroup" else []:
            if rule.get("CidrIp") == "0.0.0.0/0" and str(rule.get("FromPort")) not in ("443", "587"):
                yield resource, f"may talk to anybody on port {rule.get('FromPort', 'any')}"


def tasks_fit_fargate(stack):
    for definition in stack.all("AWS::ECS::TaskDefinition"):
        p = definition.properties
        low, high = FARGATE_MEMORY.get(int(p["Cpu"]), (1, 0))
        if p["RequiresCompatibilities"] == ["FARGATE"] and not low <= int(p["Memory"]) <= high:
            yield definition, f"Fargate has no {p['Cpu']} CPU units with {p['Memory']} MiB"


def spot_is_for_the_replaceable(stack):
    for service in stack.all("AWS::ECS::Service"):
        providers = {s["CapacityProvider"] for s in service.properties.get("CapacityProviderStrategy", [])}
        if "FARGATE_SPOT" in providers and str(service.properties["ServiceName"]).startswith(SINGLE):
            yield service, "may be stopped at two minutes' notice"


def load_balancers_find_containers(stack):
    for service, definition in tasks(stack):
        ports = {(c["Name"], m["ContainerPort"]) for c in definition.properties["ContainerDefinitions"]
                 for m in c.get("PortMappings", [])}
        for balancer in service.properties.get("LoadBalancers", []):
            if (balancer["ContainerName"], balancer["ContainerPort"]) not in ports:
                yield service, f"has no {balancer['ContainerName']}:{balancer['ContainerPort']}"


def alarms_reach_somebody(stack):
    for alarm in stack.all("AWS::CloudWatch::Alarm") + stack.all("AWS::CloudWatch::CompositeAlarm"):
        if not alarm.properties.get("AlarmActions"):
            yield alarm, "tells nobody"
        if alarm.type == "AWS::CloudWatch::Alarm" and "TreatMissingData" not in alarm.properties:
            yield alarm, "does not say what silence means"


RULES = [value for value in list(globals().values())
         if callable(value) and getattr(value, "__module__", "") == __name__
         and value.__name__ not in ("many", "tasks", "containers", "keeps_data", "statements")]


def parameters_are_validated(name, template):
    """Of one template as written: every parameter says what it takes, and what to tell who gives something else."""
    for key, parameter in template.get("Parameters", {}).items():
        if not parameter.get("Description"):
            yield f"{name}: {key} has no description"
        if parameter["Type"].startswith(("AWS::", "List<AWS::")):
            continue  # CloudFormation looks whether there is such a thing
        if not {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter):
            yield f"{name}: {key} takes anything"
        if not parameter.get("ConstraintDescription"):
            yield f"{name}: {key} does not say what it takes"


def findings(stack):
    return [(rule.__name__, str(resource), text) for rule in RULES for resource, text in rule(stack)]


def findings_of(name, stack):
    return list(globals()[name](stack))
