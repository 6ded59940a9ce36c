"""ec2_sd_configs and aws_sd_configs of the real programs, against a server that answers as EC2 and ECS do (moto)."""

import os
import re
import subprocess
import tempfile
import unittest

from aws_world import KEYS, REGION, Agent, Credentials, Moto, Proxy, clean_environment, reason
from case import Case
from test_agent import agentctl

INSTANCES = """
tags = [{{"ResourceType": "instance", "Tags": [{{"Key": "Name", "Value": "web"}}, {{"Key": "team-x", "Value": "shop"}}]}}]
made = ec2.run_instances(ImageId=image, MinCount={count}, MaxCount={count}, TagSpecifications=tags)["Instances"]
print(json.dumps({{i["InstanceId"]: [i["PrivateIpAddress"], i["VpcId"], i["SubnetId"]] for i in made}}))
"""
# Two tasks of Fargate in a service, and one in the network of an instance; {name: what moto says of it}.
CLUSTER = """
network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
cluster = ecs.create_cluster(clusterName="apps", tags=[{"key": "stage", "value": "test"}])["cluster"]
ecs.register_task_definition(
    family="web", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", containerDefinitions=[
        {"name": "web", "image": "web:1", "memory": 128, "portMappings": [{"containerPort": 8080}],
         "dockerLabels": {"com.example/team": "shop"}}])
ecs.register_task_definition(
    family="host", networkMode="host", containerDefinitions=[
        {"name": "node", "image": "node:1", "memory": 128, "portMappings": [{"containerPort": 9000}],
         "dockerLabels": {"PROMETHEUS_EXPORTER_PORT": "9100", "PROMETHEUS_EXPORTER_PATH": "/stats"}}])
service = ecs.create_service(cluster="apps", serviceName="web", taskDefinition="web", desiredCount=2, launchType="FARGATE",
                             networkConfiguration=network)["service"]
ecs.run_task(cluster="apps", taskDefinition="web", launchType="FARGATE", count=2, group="service:web",
             networkConfiguration=network, tags=[{"key": "Version", "value": "v1"}])
host = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
ecs.register_container_instance(cluster="apps", instanceIdentityDocument=json.dumps({"instanceId": host["InstanceId"]}))
ecs.run_task(cluster="apps", taskDefinition="host", launchType="EC2", count=1)
tasks = ecs.describe_tasks(cluster="apps", tasks=ecs.list_tasks(cluster="apps")["taskArns"])["tasks"]
print(json.dumps({"cluster": cluster["clusterArn"], "service": service["serviceArn"], "subnet": subnet,
                  "host": [host["InstanceId"], host["InstanceType"], host["PrivateIpAddress"]], "tasks": [
    {"arn": t["taskArn"], "definition": t["taskDefinitionArn"], "instance": t.get("containerInstanceArn"),
     "details": {d["name"]: d["value"] for a in t["attachments"] for d in a["details"]}} for t in tasks]}))
"""
MORE_TASKS = """
network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
made = ecs.run_task(cluster="apps", taskDefinition="web", launchType="FARGATE", count=1, networkConfiguration=network)
print(json.dumps([task["taskArn"] for task in made["tasks"]]))
"""


def discovered(text, environment):
    """{address: [labels of each target there]} that `agentctl sd` finds with such an entry of a job."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
        config.write("scrape_configs:\n- job_name: j\n" + text)
        config.flush()
        done = subprocess.run([agentctl(), "sd", "--config", config.name, "--job", "j"], env=environment,
                              capture_output=True, text=True)
    if done.returncode or "a-secret" in done.stdout + done.stderr:
        raise AssertionError(done.stdout + done.stderr)
    targets = {}
    for part in re.split(r"\n(?=\S+:\d+ )", done.stdout)[1:]:
        labels = dict(re.findall(r'^ +(\w+)="(.*)"$', part.partition("  after")[0], re.M))
        targets.setdefault(labels["__address__"], []).append(labels)
    return targets


@unittest.skipIf(reason(), reason())
class Found(Case):
    def setUp(self):
        self.moto = Moto(self)
        self.environment = clean_environment(AWS_ENDPOINT_URL_EC2=self.moto.url, **KEYS)

    def test_instances_are_those_that_the_filter_takes(self):
        made = self.moto.run(INSTANCES.format(count=3))
        self.moto.run("print(ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)['ResponseMetadata']['HTTPStatusCode'])")
        for entry in (f"ec2_sd_configs:\n  - {{endpoint: {self.moto.url}",
                      f"aws_sd_configs:\n  - {{role: ec2, endpoint: {self.moto.url}"):
            found = discovered(f'  {entry}, port: 9100, filters: [{{name: "tag:Name", values: [web]}}]}}\n', self.environment)
            self.assertEqual(set(found), {address + ":9100" for address, _, _ in made.values()})
            for instance, (address, vpc, subnet) in made.items():
                labels, = found[address + ":9100"]
                self.assertEqual(labels["__meta_ec2_private_ip"], address)
                self.assertEqual((labels["__meta_ec2_instance_id"], labels["__meta_ec2_vpc_id"]), (instance, vpc))
                self.assertEqual(labels["__meta_ec2_subnet_id"], f",{subnet},")
                self.assertEqual((labels["__meta_ec2_tag_Name"], labels["__meta_ec2_tag_team_x"]), ("web", "shop"))
                self.assertEqual((labels["__meta_ec2_region"], labels["__meta_ec2_instance_state"]), (REGION, "running"))

    def entry(self, more):
        return f"  aws_sd_configs:\n  - {{role: ecs, endpoint: {self.moto.url}, {more}}}\n"

    def expected(self, world):
        """{address without port: labels} of each task, __meta_ecs_ left out; of the task itself."""
        of_cluster = {"cluster": "apps", "cluster_arn": world["cluster"], "tag_cluster_stage": "test", "region": REGION,
                      "last_status": "RUNNING", "desired_status": "RUNNING"}
        found = {}
        for task in world["tasks"]:
            labels = dict(of_cluster, task_arn=task["arn"], task_definition=task["definition"])
            if task["instance"]:
                host, kind, address = world["host"]
                labels.update({"launch_type": "EC2", "network_mode": "bridge", "container_instance_arn": task["instance"],
                               "ec2_instance_id": host, "ec2_instance_type": kind, "ec2_instance_private_ip": address,
                               "task_group": "family:host"})
            else:
                address = task["details"]["privateIPv4Address"]
                labels.update({"launch_type": "FARGATE", "network_mode": "awsvpc", "task_group": "service:web",
                               "service": "web", "service_arn": world["service"], "service_status": "ACTIVE",
                               "tag_task_Version": "v1", "subnet_id": world["subnet"]})
            found[address] = dict(labels, ip_address=address)
        return found

    def compare(self, found, expected, port_of):
        self.assertEqual(set(found), {f"{address}:{port_of[labels['launch_type']]}" for address, labels in expected.items()})
        for address, expected_labels in expected.items():
            labels, = found[f"{address}:{port_of[expected_labels['launch_type']]}"]
            for name, value in expected_labels.items():
                self.assertEqual(labels.get("__meta_ecs_" + name), value, name)
            yield labels

    def test_tasks_of_a_cluster(self):
        expected = self.expected(self.moto.run(CLUSTER))
        self.assertEqual(len(expected), 3)
        for clusters in ("clusters: [apps]", "refresh_interval: 5m"):
            found = discovered(self.entry(clusters + ", port: 9100"), self.environment)
            for labels in self.compare(found, expected, {"FARGATE": 9100, "EC2": 9100}):
                self.assertEqual([name for name in labels if "_container_name" in name], [])

    def test_containers_of_a_cluster(self):
        expected = self.expected(self.moto.run(CLUSTER))
        for labels in expected.values():
            if labels["launch_type"] == "EC2":
                labels.update({"network_mode": "host", "container_name": "node", "container_image": "node:1",
                               "container_port": "9100", "container_label_PROMETHEUS_EXPORTER_PORT": "9100"})
            else:
                labels.update({"container_name": "web", "container_image": "web:1", "container_port": "8080",
                               "container_label_com_example_team": "shop"})
        found = discovered(self.entry("per_container: true"), self.environment)
        for labels in self.compare(found, expected, {"FARGATE": 8080, "EC2": 9100}):
            path = "/stats" if labels["__meta_ecs_launch_type"] == "EC2" else "/metrics"
            self.assertEqual(labels["__metrics_path__"], path)


@unittest.skipIf(reason(), reason())
class Throttled(Case):
    """The agent asks through a proxy that throttles. Each call is made three times before a refresh fails."""

    def setUp(self):
        self.moto = Moto(self)
        self.proxy = Proxy(self, self.moto)
        self.environment = clean_environment(AWS_ENDPOINT_URL_EC2=self.proxy.url, **KEYS)

    def last_good_targets_stay(self, mechanism, entry, label, there, add, action, words):
        """`add` makes what is found only once the action is throttled no more."""
        agent = Agent(self, f"  aws_sd_configs:\n  - {{endpoint: '{self.proxy.url}', refresh_interval: 1s, {entry}}}\n",
                      self.environment)
        failures = f'prometheus_sd_refresh_failures_total{{config="j",mechanism="{mechanism}"}}'
        agent.wait("the targets", lambda: agent.found(label) == there)
        self.assertEqual((agent.errors(), agent.metric(failures)), ([], 0))
        self.proxy.throttle(action, words)
        told = set()

        def look():
            self.assertEqual(agent.found(label), there)
            told.update(agent.errors())

        agent.wait("a failed refresh", lambda: agent.metric(failures) >= 1, 60, look)
        added = add()
        before = agent.metric(failures)
        agent.wait("two more", lambda: agent.metric(failures) >= before + 2, 60, look)
        self.proxy.relent(action)
        agent.wait("the new target", lambda: agent.found(label) == there | added)
        agent.wait("the end of the error", lambda: agent.errors() == [])
        # The last call may have been throttled once or twice, which is no failure.
        refused, failed = self.proxy.refused, agent.metric(failures)
        self.assertEqual(failed, refused // 3)
        self.assertEqual(agent.metric("tributary_sd_aws_throttled_total"), refused)
        self.assertEqual(agent.metric("tributary_sd_aws_retries_total"), refused - failed)
        self.assertEqual(agent.metric('prometheus_sd_discovered_targets{config="j",name="scrape"}'), len(there | added))
        self.assertEqual(len(told), 1)
        told = told.pop()
        for part in (f"{mechanism}_sd: {REGION}: {mechanism}:{action}: ", words.removeprefix("status "), "ask less often",
                     "(its last good targets are kept)"):
            self.assertIn(part, told)
        with open(agent.log, encoding="utf-8") as log:
            self.assertEqual(log.read().count("ask less often"), 1, "the log says it once")

    def test_instances(self):
        for words in ("RequestLimitExceeded", "status 429"):
            with self.subTest(words):
                self.setUp()
                there = set(self.moto.run(INSTANCES.format(count=2)))
                self.last_good_targets_stay("ec2", "role: ec2", "ec2_instance_id", there,
                                            lambda: set(self.moto.run(INSTANCES.format(count=1))), "DescribeInstances", words)

    def test_tasks(self):
        there = {task["arn"] for task in self.moto.run(CLUSTER)["tasks"]}
        self.last_good_targets_stay("ecs", "role: ecs", "ecs_task_arn", there, lambda: set(self.moto.run(MORE_TASKS)),
                                    "ListTasks", "ThrottlingException")

    def test_a_cluster_that_is_throttled_while_its_tasks_are_described(self):
        there = {task["arn"] for task in self.moto.run(CLUSTER)["tasks"]}
        self.last_good_targets_stay("ecs", "role: ecs", "ecs_task_arn", there, lambda: set(self.moto.run(MORE_TASKS)),
                                    "DescribeTasks", "ThrottlingException")

    def test_twice_is_no_failure(self):
        there = set(self.moto.run(INSTANCES.format(count=1)))
        self.proxy.throttle("DescribeInstances", "RequestLimitExceeded", 2)
        self.assertEqual({labels["__meta_ec2_instance_id"] for found in discovered(
            f"  ec2_sd_configs: [{{endpoint: '{self.proxy.url}'}}]\n", self.environment).values() for labels in found}, there)
        self.assertEqual(self.proxy.refused, 2)


@unittest.skipIf(reason(), reason())
class Rotation(Case):
    """Keys that live for six seconds, so that they are renewed after three; and what has to be shown for them changes."""

    def setUp(self):
        self.moto = Moto(self)
        self.proxy = Proxy(self, self.moto)
        self.credentials = Credentials(self, lifetime=6)
        self.there = set(self.moto.run(INSTANCES.format(count=1)))

    def agent(self, environment):
        return Agent(self, f"  ec2_sd_configs: [{{region: {REGION}, endpoint: '{self.proxy.url}', refresh_interval: 1s}}]\n",
                     {**clean_environment(), **environment})

    def check_signers(self, agent):
        """All of them in turn, each with its own session; nothing has failed."""
        signers = self.proxy.signers()
        self.assertEqual(signers, [f"ASIA{i + 1}" for i in range(len(signers))])
        for _, key, session in self.proxy.asked:
            self.assertEqual(session, key.replace("ASIA", "session-"))
        self.assertEqual(agent.metric('prometheus_sd_refresh_failures_total{config="j",mechanism="ec2"}'), 0)
        self.assertEqual(agent.metric("tributary_sd_aws_credential_failures_total"), 0)

    def test_tokens_of_the_instance(self):
        agent = self.agent({"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.credentials.url})
        agent.wait("four keys", lambda: len(self.proxy.signers()) >= 4)
        self.assertEqual(agent.found("ec2_instance_id"), self.there)
        self.check_signers(agent)
        self.assertEqual(self.credentials.unauthorized, 0)

    def test_token_of_the_container(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "token")

            def rotate(token):
                with open(path + ".new", "w", encoding="utf-8") as file:
                    file.write(token)
                self.credentials.tokens.add(token)  # both count for a while, as they do with EKS
                os.replace(path + ".new", path)

            rotate("first-token")
            agent = self.agent({"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.credentials.url + "/container",
                                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": path})
            agent.wait("two keys", lambda: len(self.proxy.signers()) >= 2)
            rotate("second-token")
            given = self.credentials.given
            agent.wait("a key since", lambda: self.credentials.given > given)
            self.credentials.tokens.remove("first-token")
            agent.wait("two more keys", lambda: len(self.proxy.signers()) >= given + 3)
            self.check_signers(agent)
            self.assertEqual(self.credentials.unauthorized, 0)
            # Nobody gives keys any more: the last ones expire, the targets stay, and it heals.
            self.credentials.silent = True
            agent.wait("an error", lambda: agent.errors() != [])
            self.assertIn("(its last good targets are kept)", agent.errors()[0])
            self.assertEqual(agent.found("ec2_instance_id"), self.there)
            self.credentials.silent = False
            agent.wait("no error", lambda: agent.errors() == [])
            with open(agent.log, encoding="utf-8") as log:
                text = log.read() + str(agent.api())
            for secret in ("first-token", "second-token", "hidden-", "session-"):
                self.assertNotIn(secret, text)


if __name__ == "__main__":
    unittest.main()
