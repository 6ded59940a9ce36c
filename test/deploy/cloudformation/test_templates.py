"""What the resolved templates are, for every combination of environment, storage and backend."""

import itertools
import json
import os
import re
import shlex
import unittest

import rules
from case import (BACKENDS, COMBINATIONS, DOMAIN, ENVIRONMENTS, SECRET, STORAGES, TEMPLATES, Case, each_combination,
                  platform, resolve, templates)
from resolver import Unresolved
from tool.template import read

# The platform that was asked for. Where production's file system differs from it in params/production.json the table in
# the template itself is still this one.
TABLE = {
    "dev": dict(replicas=1, cpu=1024, memory=2048, retention="7d", grafana=(1, 512, 1024), alertmanager=(1, 256, 512),
                efs=("generalPurpose", "bursting", None), azs=2, flow_logs=False, spot=True, volume=100),
    "staging": dict(replicas=2, cpu=2048, memory=8192, retention="30d", grafana=(1, 1024, 2048),
                    alertmanager=(2, 512, 1024), efs=("generalPurpose", "bursting", None), azs=2, flow_logs=True,
                    spot=True, volume=300),
    "production": dict(replicas=3, cpu=4096, memory=16384, retention="90d", grafana=(2, 2048, 4096),
                       alertmanager=(3, 1024, 2048), efs=("maxIO", "provisioned", 100), azs=3, flow_logs=True,
                       spot=False, volume=1000),
}
ECR = "arn:aws:ecr:eu-west-1:111122223333:repository/monitoring/*"
# Who may open a connection to whom: (from, to, port, protocol). Nothing else is allowed in.
PATHS = {
    ("cidr", "publicalb", 443, "tcp"), ("cidr", "publicalb", 80, "tcp"), ("cidr", "internalalb", 443, "tcp"),
    ("publicalb", "grafana", 3000, "tcp"), ("internalalb", "prometheus", 9090, "tcp"),
    ("grafana", "internalalb", 443, "tcp"), ("grafana", "alertmanager", 9093, "tcp"), ("grafana", "efs", 2049, "tcp"),
    ("grafana", "database", 5432, "tcp"), ("prometheus", "prometheus", 9090, "tcp"),
    ("prometheus", "alertmanager", 9093, "tcp"), ("prometheus", "grafana", 3000, "tcp"),
    ("prometheus", "exporters", 9106, "tcp"), ("prometheus", "efs", 2049, "tcp"),
    ("alertmanager", "alertmanager", 9094, "tcp"), ("alertmanager", "alertmanager", 9094, "udp"),
    ("alertmanager", "efs", 2049, "tcp"),
}


def services(stack):
    return {str(s.properties["ServiceName"]): (s, d) for s, d in rules.tasks(stack)}


def container(definition, name):
    return next(c for c in definition.properties["ContainerDefinitions"] if c["Name"] == name)


class TheTable(Case):
    """Values of the environments, as the template has them without params/ENV.json."""

    def test_values(self):
        for environment, want in TABLE.items():
            with self.subTest(environment=environment):
                stack = resolve(environment, from_file=False)
                found = services(stack)
                prometheus = [n for n in found if n.startswith("prometheus-")]
                self.assertEqual(len(prometheus), want["replicas"])
                for name in prometheus:
                    p, command = found[name][1].properties, container(found[name][1], "prometheus")["Command"]
                    self.assertEqual((int(p["Cpu"]), int(p["Memory"])), (want["cpu"], want["memory"]))
                    self.assertIn(f"--storage.tsdb.retention.time={want['retention']}", command)
                    self.assertIn(f"--storage.tsdb.retention.size={want['volume'] * 8 // 10}GB", command)
                count, cpu, memory = want["grafana"]
                service, definition = found["grafana"]
                self.assertEqual(int(service.properties["DesiredCount"]), count)
                self.assertEqual((int(definition.properties["Cpu"]), int(definition.properties["Memory"])), (cpu, memory))
                count, cpu, memory = want["alertmanager"]
                alertmanagers = [d for n, (_, d) in found.items() if n.startswith("alertmanager-")]
                self.assertEqual(len(alertmanagers), count)
                for definition in alertmanagers:
                    self.assertEqual((int(definition.properties["Cpu"]), int(definition.properties["Memory"])),
                                     (cpu, memory))
                efs = stack.nested["FileSystems"].resources["PrometheusFileSystem"].properties
                rate = efs.get("ProvisionedThroughputInMibps")
                self.assertEqual((efs["PerformanceMode"], efs["ThroughputMode"], rate and int(rate)), want["efs"])
                self.assertEqual(efs["LifecyclePolicies"], [{"TransitionToIA": "AFTER_14_DAYS"},
                                                            {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"}])
                self.assertEqual(len(stack.all("AWS::EC2::NatGateway")), want["azs"])
                self.assertEqual(len(stack.all("AWS::EC2::Subnet")), 3 * want["azs"])
                self.assertEqual(bool(stack.all("AWS::EC2::FlowLog")), want["flow_logs"])
                provider = found["grafana"][0].properties["CapacityProviderStrategy"][0]["CapacityProvider"]
                self.assertEqual(provider, "FARGATE_SPOT" if want["spot"] else "FARGATE")
                self.assertEqual(stack.nested["Network"].resources["Vpc"].properties["CidrBlock"], "10.0.0.0/16")
                self.assertEqual(container(found["grafana"][1], "grafana")["Environment"][2],
                                 {"Name": "GF_SECURITY_ADMIN_USER", "Value": "admin"})

    def test_files_hold_the_intervals_and_recipients(self):
        for environment, interval, mail in (("dev", "30s", "dev-team@company.com"), ("staging", "15s", "dev-team@company.com"),
                                            ("production", "15s", "oncall@company.com, sre-team@company.com")):
            with open(os.path.join(TEMPLATES, "params", environment + ".json"), encoding="utf-8") as file:
                configuration = json.load(file)["Configuration"]
            self.assertEqual(configuration["SCRAPE_INTERVAL"], interval)
            self.assertEqual(configuration["EVALUATION_INTERVAL"], interval)
            self.assertEqual(configuration["EMAIL_TO"], mail)

    def test_production_is_deployed_as_aws_recommends(self):
        efs = platform("production", "efs", "prometheus").nested["FileSystems"].resources["PrometheusFileSystem"]
        self.assertEqual((efs.properties["PerformanceMode"], efs.properties["ThroughputMode"]),
                         ("generalPurpose", "elastic"))

    def test_every_value_can_be_overridden(self):
        stack = resolve("dev", PrometheusReplicas="3", PrometheusCpu="2048", PrometheusMemory="4096", Retention="2d",
                        AlertmanagerReplicas="2", GrafanaCount="2", GrafanaMaxCount="3", EnableFlowLogs="true",
                        Spot="false", NatMode="per-az", LogRetentionDays="90")
        found = services(stack)
        self.assertEqual(len([n for n in found if n.startswith("prometheus-")]), 3)
        self.assertEqual(len([n for n in found if n.startswith("alertmanager-")]), 2)
        self.assertEqual(found["prometheus-2"][1].properties["Memory"], "4096")
        self.assertEqual(found["grafana"][0].properties["DesiredCount"], "2")
        self.assertTrue(stack.all("AWS::RDS::DBCluster"))
        self.assertTrue(stack.all("AWS::EC2::FlowLog"))
        self.assertEqual(len(stack.all("AWS::EC2::NatGateway")), 2)
        self.assertEqual({g.properties["RetentionInDays"] for g in stack.all("AWS::Logs::LogGroup")}, {"90"})


class EveryCombination(Case):
    @each_combination
    def test_no_rule_finds_anything(self, stack, *_):
        for rule in rules.RULES:
            self.assertEqual([f"{r}: {text}" for r, text in rule(stack)], [], rule.__name__)

    @each_combination
    def test_prometheus_is_there_unless_amp_is_alone(self, stack, environment, storage, backend):
        found = services(stack)
        replicas = 0 if backend == "amp" else TABLE[environment]["replicas"]
        self.assertEqual(sorted(n for n in found if n.startswith("prometheus-")),
                         [f"prometheus-{i}" for i in range(replicas)])
        self.assertEqual(bool(stack.all("AWS::APS::Workspace")), backend != "prometheus")
        self.assertEqual("cloudwatch-exporter" in found, backend != "amp")
        self.assertIn("grafana", found)
        # Who alerts: our Alertmanager, or AMP where there is none.
        alerting = [r for r in stack.all("AWS::APS::RuleGroupsNamespace") if r.properties["Name"] == "alerting"]
        self.assertEqual(bool(alerting), backend == "amp")

    @each_combination
    def test_each_replica_has_its_own_of_everything(self, stack, environment, storage, backend):
        names, groups, folders, hosts, priorities = set(), set(), set(), set(), set()
        count = 0 if backend == "amp" else TABLE[environment]["replicas"]
        for index in range(count):
            replica = stack.nested[f"PrometheusReplica{index}"]
            service = replica.resources["Service"].properties
            own, query = service["LoadBalancers"]
            groups.add(own["TargetGroupArn"])
            self.assertEqual(query["TargetGroupArn"], stack.nested["LoadBalancers"].outputs["QueryTargetGroupArn"])
            names.add(service["ServiceRegistries"][0]["RegistryArn"])
            priorities.add(str(replica.resources["Rule"].properties["Priority"]))
            hosts.add(replica.resources["Rule"].properties["Conditions"][0]["HostHeaderConfig"]["Values"][0])
            data = next(v for v in replica.resources["TaskDefinition"].properties["Volumes"] if v["Name"] == "data")
            if storage == "efs":
                self.assertEqual(data["EFSVolumeConfiguration"]["AuthorizationConfig"]["AccessPointId"],
                                 replica.attribute("AccessPoint", "Ref", "test"))
                folders.add(replica.resources["AccessPoint"].properties["RootDirectory"]["Path"])
                policy = str(replica.resources["TaskRole"].properties)
                self.assertIn(replica.attribute("AccessPoint", "Arn", "test"), policy)
            elif storage == "ebs":
                self.assertTrue(data["ConfiguredAtLaunch"])
                volume = service["VolumeConfigurations"][0]["ManagedEBSVolume"]
                self.assertEqual((volume["Encrypted"], volume["FilesystemType"], int(volume["SizeInGiB"])),
                                 (True, "ext4", TABLE[environment]["volume"]))
            else:
                self.assertEqual(data["Host"], {"SourcePath": "/data/prometheus"})
                host = stack.nested[f"PrometheusHost{index}"]
                self.assertIn(f'"prometheus.replica":"{index}"', str(host.resources["LaunchTemplate"].properties))
                self.assertEqual(service["PlacementConstraints"][0]["Expression"],
                                 f"attribute:prometheus.replica == {index}")
                self.assertEqual(host.resources["Volume"].properties["AvailabilityZone"],
                                 host.parameters["AvailabilityZone"])
        for distinct in (names, groups, hosts, priorities):
            self.assertEqual(len(distinct), count)
        self.assertEqual(hosts, {f"prometheus-{i}.{DOMAIN}" for i in range(count)})
        if storage == "efs":
            self.assertEqual(folders, {f"/prometheus/replica-{i}" for i in range(count)})
        self.assertEqual(len(stack.all("AWS::AutoScaling::AutoScalingGroup")), count if storage == "ec2" else 0)
        self.assertEqual(bool(stack.all("AWS::EFS::FileSystem")), backend != "amp" or environment != "production")

    @each_combination
    def test_prometheus_starts_as_it_has_to(self, stack, environment, storage, backend):
        for name, (service, definition) in services(stack).items():
            if not name.startswith("prometheus-"):
                continue
            command = container(definition, "prometheus")["Command"]
            for flag in ("--web.enable-remote-write-receiver", "--web.config.file=/config/secrets/web.yml",
                         "--config.file=/config/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"):
                self.assertIn(flag, command)
            for flag in ("--web.enable-admin-api", "--web.enable-lifecycle", "--web.enable-otlp-receiver"):
                self.assertNotIn(flag, command)
            self.assertEqual(container(definition, "prometheus")["StopTimeout"], 120)
            self.assertGreaterEqual(service.properties["HealthCheckGracePeriodSeconds"], 1800)
            self.assertEqual(definition.properties["RequiresCompatibilities"],
                             ["EC2"] if storage == "ec2" else ["FARGATE"])
            forwards = "aps:RemoteWrite" in str(definition.stack.resources["TaskRole"].properties)
            self.assertEqual(forwards, backend == "both" and name == "prometheus-0", "only the first forwards")

    @each_combination
    def test_alertmanager_starts_as_it_has_to(self, stack, environment, storage, backend):
        found = {n: d for n, (_, d) in services(stack).items() if n.startswith("alertmanager-")}
        for definition in found.values():
            words = shlex.split(container(definition, "alertmanager")["Command"][0])
            self.assertEqual(words[:2], ["exec", "/bin/alertmanager"])
            for flag in ("--config.file=/config/alertmanager/alertmanager.yml", "--storage.path=/alertmanager",
                         "--enable-feature=receiver-name-in-metrics"):
                self.assertIn(flag, words)
            peers = [w for w in words if w.startswith("--cluster.peer=")]
            self.assertEqual(peers, [f"--cluster.peer=alertmanager.{environment}.monitoring.internal:9094"]
                             if len(found) > 1 else [])
            self.assertEqual("--cluster.listen-address=" in words, len(found) == 1, "a single one has no others to seek")

    @each_combination
    def test_an_instance_is_there_when_it_says_so(self, stack, environment, storage, backend):
        """A volume that cannot be mounted stops the update at its replica, instead of at an ECS service after hours."""
        for group in stack.all("AWS::AutoScaling::AutoScalingGroup"):
            self.assertEqual(group.body["CreationPolicy"]["ResourceSignal"]["Count"], 1)
            self.assertTrue(group.body["UpdatePolicy"]["AutoScalingRollingUpdate"]["WaitOnResourceSignals"])
            resources = group.stack.resources
            data = resources["LaunchTemplate"].properties["LaunchTemplateData"]["UserData"]
            self.assertIn(f"--logical-resource-id {group.name} ", data)
            self.assertLess(data.index("mount /data"), data.index("tell SUCCESS"))
            self.assertIn("trap 'tell FAILURE' ERR", data)
            self.assertIn("cloudformation:SignalResource", str(resources["Role"].properties))

    @each_combination
    def test_only_these_paths_are_open(self, stack, *_):
        security = stack.nested["Security"]
        group = {security.attribute(n, "GroupId", "test"): n.lower() for n, r in security.resources.items()
                 if r.type == "AWS::EC2::SecurityGroup"}
        into, out = set(), set()
        for resource in security.resources.values():
            p = resource.properties
            if resource.type == "AWS::EC2::SecurityGroup":
                into |= {("cidr", resource.name.lower(), r["FromPort"], r["IpProtocol"])
                         for r in p.get("SecurityGroupIngress", [])}
            elif resource.type == "AWS::EC2::SecurityGroupIngress":
                into.add((group[p["SourceSecurityGroupId"]], group[p["GroupId"]], p["FromPort"], p["IpProtocol"]))
            elif resource.type == "AWS::EC2::SecurityGroupEgress":
                out.add((group[p["GroupId"]], group[p["DestinationSecurityGroupId"]], p["FromPort"], p["IpProtocol"]))
        self.assertEqual(into, PATHS)
        self.assertEqual(out, {p for p in PATHS if p[0] != "cidr"}, "what may come in may go out, and nothing else")
        # And tasks are in the group of their kind.
        for name, (service, _) in services(stack).items():
            kind = {"cloudwatch": "exporters"}.get(name.split("-")[0], name.split("-")[0])
            used = service.properties["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"]
            self.assertEqual([group[g] for g in used], [kind])

    @each_combination
    def test_grafana_shares_a_database_or_is_alone(self, stack, environment, *_):
        service, definition = services(stack)["grafana"]
        several = int(service.properties["DesiredCount"]) > 1
        variables = {v["Name"]: v["Value"] for v in container(definition, "grafana")["Environment"]}
        self.assertEqual(variables["GF_DATABASE_TYPE"], "postgres" if several else "sqlite3")
        self.assertEqual(len(stack.all("AWS::RDS::DBInstance")), 2 if several else 0)
        self.assertEqual(len(stack.all("AWS::ApplicationAutoScaling::ScalableTarget")), 1 if several else 0)
        self.assertEqual(any("EFSVolumeConfiguration" in v for v in definition.properties["Volumes"]), not several)
        if several:
            self.assertEqual(variables["GF_DATABASE_HOST"], stack.nested["GrafanaDatabase"].outputs["Endpoint"])
        self.assertEqual(variables["GF_AUTH_ANONYMOUS_ENABLED"], "false")

    @each_combination
    def test_what_watches_from_outside(self, stack, environment, storage, backend):
        observability = stack.nested["Observability"].resources
        self.assertEqual("HeartbeatMissing" in observability, backend != "amp")
        if backend == "amp":
            return
        alarm = observability["HeartbeatMissing"].properties
        self.assertEqual(alarm["TreatMissingData"], "breaching")
        topic = stack.nested["Foundation"].resources["HeartbeatTopic"].properties["TopicName"]
        self.assertEqual(alarm["Dimensions"], [{"Name": "TopicName", "Value": topic}])
        down = observability["PlatformDown"].properties["AlarmRule"]
        named = re.findall(r'ALARM\("([^"]+)"\)', down)
        self.assertEqual(len(named), TABLE[environment]["replicas"])
        self.assertLessEqual(set(named), {a.properties["AlarmName"] for a in stack.all("AWS::CloudWatch::Alarm")})
        self.assertEqual("FileSystemBusy" in observability, storage == "efs")
        json.loads(observability["Dashboard"].properties["DashboardBody"])

    @each_combination
    def test_outputs_name_every_replica(self, stack, environment, storage, backend):
        count = 0 if backend == "amp" else TABLE[environment]["replicas"]
        urls = [stack.outputs[k] for k in ("WriteUrl0", "WriteUrl1", "WriteUrl2") if k in stack.outputs]
        self.assertEqual(urls, [f"https://prometheus-{i}.{DOMAIN}/api/v1/write" for i in range(count)])
        self.assertEqual("AmpWriteUrl" in stack.outputs, backend != "prometheus")
        self.assertEqual("StorageCaveat" in stack.outputs, storage == "efs" and backend != "amp")
        records = {r.properties["Name"] for r in stack.all("AWS::Route53::RecordSet")}
        inside = {f"prometheus-{i}.{DOMAIN}" for i in range(count)} | ({f"query.{DOMAIN}"} if count else set())
        self.assertEqual(records, inside | {DOMAIN})

    @each_combination
    def test_physical_names_are_the_environments_own(self, stack, *_):
        """Two environments share an account: what is named in an account or region bears the stack's name."""
        for type_, key in (("AWS::Logs::LogGroup", "LogGroupName"), ("AWS::SecretsManager::Secret", "Name"),
                           ("AWS::CloudWatch::Alarm", "AlarmName"), ("AWS::ECS::TaskDefinition", "Family"),
                           ("AWS::KMS::Alias", "AliasName"), ("AWS::Backup::BackupVault", "BackupVaultName"),
                           ("AWS::SNS::Topic", "TopicName"), ("AWS::CloudWatch::Dashboard", "DashboardName")):
            for resource in stack.all(type_):
                if key in resource.properties:
                    self.assertIn("tributary-test", resource.properties[key], str(resource))
        for type_ in ("AWS::IAM::Role", "AWS::ElasticLoadBalancingV2::LoadBalancer",
                      "AWS::ElasticLoadBalancingV2::TargetGroup", "AWS::S3::Bucket", "AWS::EC2::SecurityGroup"):
            for resource in stack.all(type_):
                self.assertFalse({"RoleName", "Name", "BucketName", "GroupName"} & set(resource.properties), str(resource))

    def test_log_groups_are_where_roles_and_key_expect_them(self):
        for combination in COMBINATIONS:
            stack = platform(*combination)
            groups = {g.properties["LogGroupName"] for g in stack.all("AWS::Logs::LogGroup")}
            for definition, c in rules.containers(stack):
                name = c["LogConfiguration"]["Options"]["awslogs-group"]
                self.assertIn(name, groups)
                role = str(definition.stack.resources["ExecutionRole"].properties)
                self.assertIn(f":log-group:{name}:*", role)
                self.assertTrue(name.startswith("/tributary-test/"))


class Templates(Case):
    def test_every_parameter_is_validated(self):
        for name, template in templates().items():
            self.assertEqual(list(rules.parameters_are_validated(name, template)), [])

    def test_sizes_and_counts_are_within_cloudformations(self):
        for name in templates():
            self.assertLess(os.path.getsize(os.path.join(TEMPLATES, name)), 400_000, name)
        for name, template in templates().items():
            self.assertLessEqual(len(template["Resources"]), 500)
            self.assertLessEqual(len(template.get("Parameters", {})), 200)
            self.assertLessEqual(len(template.get("Outputs", {})), 200)

    def test_every_template_and_output_is_used(self):
        found = templates()
        used = {r["Properties"]["TemplateURL"] for r in found["platform.yaml"]["Resources"].values()}
        self.assertEqual(used | {"platform.yaml"}, set(found))

    def test_every_parameter_is_in_a_group(self):
        root = templates()["platform.yaml"]
        groups = root["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        listed = list(itertools.chain.from_iterable(g["Parameters"] for g in groups))
        self.assertEqual(sorted(listed), sorted(set(listed)))
        self.assertEqual(set(listed) ^ set(root["Parameters"]), set())


class WhatIsRefused(Case):
    def refused(self, text, **more):
        environment = more.pop("environment", "dev")
        with self.assertRaises(Unresolved) as raised:
            resolve(environment, **more)
        self.assertIn(text, str(raised.exception))

    def test_bad_values(self):
        self.refused("PrometheusImage", PrometheusImage="prom/prometheus:latest")
        self.refused("PrometheusImage", PrometheusImage="prom/prometheus")
        self.refused("AgentCidr", AgentCidr="0.0.0.0/0")
        self.refused("GrafanaAllowedCidr", GrafanaAllowedCidr="0.0.0.0/0")
        self.refused("Retention", Retention="forever")
        self.refused("PrometheusReplicas", PrometheusReplicas="4")
        self.refused("GrafanaPlugins", GrafanaPlugins="grafana-clock-panel")
        self.refused("VpcCidr", VpcCidr="8.8.0.0/16")
        self.refused("IngestSecretArn", IngestSecretArn="hunter2")

    def test_combinations_that_cannot_work(self):
        self.refused("CertificateArn is needed", CertificateArn="")
        self.refused("maxIO", EfsPerformanceMode="maxIO", EfsThroughputMode="elastic")
        self.refused("EfsProvisionedMibps", EfsThroughputMode="provisioned")
        self.refused("NatMode none needs EnableInterfaceEndpoints", NatMode="none")
        without_nat = dict(NatMode="none", EnableInterfaceEndpoints="true")
        self.refused("needs images in ECR", **without_nat)
        self.refused("Storage efs or ebs", storage="ec2", EcrRepositoryArn=ECR, **without_nat)
        self.refused("ExistingPublicSubnetIds", ExistingVpcId="vpc-0123")
        self.refused("needs Domain", environment="production", Domain="")

    def test_an_existing_vpc_is_used(self):
        three = "subnet-0a,subnet-0b"
        stack = resolve("dev", ExistingVpcId="vpc-0123", ExistingPublicSubnetIds=three, ExistingPrivateSubnetIds=three,
                        ExistingIsolatedSubnetIds=three, ExistingAvailabilityZones="eu-west-1a,eu-west-1b")
        self.assertEqual(stack.all("AWS::EC2::VPC") + stack.all("AWS::EC2::NatGateway"), [])
        self.assertEqual(stack.nested["Security"].parameters["VpcId"], "vpc-0123")
        self.assertEqual([f for f in rules.findings(stack)], [])

    def test_digests_and_private_registries_are_taken(self):
        digest = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/prometheus@sha256:" + "0" * 64
        stack = resolve("dev", PrometheusImage=digest,
                        EcrRepositoryArn=ECR)
        self.assertIn("ecr:BatchGetImage", str(stack.nested["PrometheusReplica0"].resources["ExecutionRole"].properties))
        self.assertEqual(rules.findings(stack), [])

    def test_options_do_what_they_say(self):
        stack = resolve("dev", EnableAdminApi="true", EnableOtlp="true", EnableWaf="true", EnableBackup="false",
                        EnableCloudWatchExporter="false", EnableExec="false", PublicHostedZoneId="Z0123", CertificateArn="",
                        SlackSecretArn=SECRET + "slack", AlarmEmail="a@example.org", EnableInterfaceEndpoints="true",
                        NatMode="none", EcrRepositoryArn=ECR, GrafanaAllowedPrefixListId="pl-01", AgentPrefixListId="pl-02")
        command = container(services(stack)["prometheus-0"][1], "prometheus")["Command"]
        self.assertIn("--web.enable-admin-api", command)
        self.assertIn("--web.enable-otlp-receiver", command)
        self.assertEqual(stack.all("AWS::Backup::BackupVault"), [])
        self.assertEqual(len(stack.all("AWS::WAFv2::WebACL")), 1)
        self.assertNotIn("cloudwatch-exporter", services(stack))
        self.assertEqual({s.properties["EnableExecuteCommand"] for s, _ in services(stack).values()}, {False})
        self.assertEqual(len(stack.all("AWS::CertificateManager::Certificate")), 1)
        self.assertEqual(stack.all("AWS::EC2::NatGateway"), [])
        self.assertEqual(len([e for e in stack.all("AWS::EC2::VPCEndpoint")
                              if e.properties["VpcEndpointType"] == "Interface"]), 9)
        alertmanager = services(stack)["alertmanager-0"][1]
        self.assertEqual([s["Name"] for s in container(alertmanager, "config")["Secrets"]], ["SLACK_URL"])
        self.assertEqual(rules.findings(stack), [])

    def test_ecs_exec_is_off_unless_asked_for_and_costs_the_readonly_image(self):
        for exec_, readonly in (("", True), ("true", False)):
            for service, definition in services(resolve("dev", EnableExec=exec_)).values():
                name = re.sub(r"-\d$", "", str(service.properties["ServiceName"]))
                self.assertEqual(service.properties["EnableExecuteCommand"], not readonly)
                self.assertEqual(container(definition, name)["ReadonlyRootFilesystem"], readonly)
                self.assertEqual("ssmmessages" in str(definition.stack.resources["TaskRole"].properties), not readonly)

    def test_grafana_is_where_those_who_may_can_reach_it(self):
        for scheme, subnets in (("internal", "PrivateSubnetIds"), ("internet-facing", "PublicSubnetIds")):
            stack = resolve("dev", GrafanaScheme=scheme)
            balancer = stack.nested["LoadBalancers"].resources["PublicLoadBalancer"].properties
            self.assertEqual(balancer["Scheme"], scheme)
            self.assertEqual(balancer["Subnets"], stack.nested["LoadBalancers"].parameters[subnets])
        for environment in ENVIRONMENTS:
            # The range that is the default is private, so the addresses have to be, too.
            balancer = platform(environment, "efs", "prometheus").nested["LoadBalancers"].resources["PublicLoadBalancer"]
            self.assertEqual(balancer.properties["Scheme"], "internal")

    def test_a_new_certificate_is_proved_for_each_of_its_names(self):
        stack = resolve("dev", CertificateArn="", PublicHostedZoneId="Z0123")
        p = stack.all("AWS::CertificateManager::Certificate")[0].properties
        self.assertEqual({p["DomainName"], *p["SubjectAlternativeNames"]},
                         {o["DomainName"] for o in p["DomainValidationOptions"]})
        served = {c["HostHeaderConfig"]["Values"][0] for r in stack.all("AWS::ElasticLoadBalancingV2::ListenerRule")
                  for c in r.properties["Conditions"] if "HostHeaderConfig" in c}
        self.assertLessEqual(served, {p["DomainName"], *p["SubjectAlternativeNames"]})

    def test_agents_templates_are_read(self):
        folder = os.path.join(TEMPLATES, "agent")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".yaml"):
                self.assertEqual(list(rules.parameters_are_validated(name, read(os.path.join(folder, name)))), [])


assert set(ENVIRONMENTS) == set(TABLE) and len(COMBINATIONS) == len(ENVIRONMENTS) * len(STORAGES) * len(BACKENDS)

if __name__ == "__main__":
    unittest.main()
