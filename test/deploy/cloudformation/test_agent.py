"""The templates for agents: they resolve by themselves, run one writer a folder, and what they configure is valid."""

import os
import shutil
import subprocess
import tempfile
import unittest

import yaml

import rules
from case import ROOT, SECRET, Case
from resolver import Stack
from tool.commands import remote_write
from tool.template import read

URL = "https://prometheus-{}.monitoring.example.org/api/v1/write"
AGENT = dict(AgentImage="registry.example.org/tributary:0.1.0", WriteSecretArn=SECRET + "tributary-dev/ingest",
             ClusterLabel="west-1", WriteUrl0=URL.format(0))
OWN = {
    "ecs-sidecar.yaml": dict(AGENT, AppImage="registry.example.org/app:1.2.3"),
    "ecs-daemon.yaml": dict(AGENT, ClusterName="apps"),
    "ecs-cluster-agent.yaml": dict(AGENT, ClusterName="apps", SubnetIds="subnet-0a,subnet-0b", SecurityGroupIds="sg-01"),
    "ec2.yaml": dict(PackageBucket="packages", PackageKey="tributary.tar.gz", PackageSha256="0" * 64,
                     WriteSecretArn=SECRET + "x"),
    "iam-spoke-account.yaml": dict(PlatformAccountId="111122223333", ExternalId="0123456789abcdef"),
    "iam-amp-writer.yaml": dict(WorkspaceArn="arn:aws:aps:eu-west-1:111122223333:workspace/ws-1",
                                WriterAccountId="444455556666", ExternalId="0123456789abcdef"),
}


def resolve(name, **more):
    return Stack("agent/" + name, {**OWN[name], **more}, name.removesuffix(".yaml"))


def agentctl():
    """The agent's own checker, if somebody has built it here."""
    for preset in ("release", "dev"):
        path = os.path.join(ROOT, "build", preset, "bin", "agentctl")
        if os.path.exists(path):
            return path
    return None


class Agents(Case):
    def test_all_are_known_here(self):
        self.assertEqual({n for n in os.listdir(os.path.join(ROOT, "deploy/cloudformation/agent"))
                          if n.endswith(".yaml")}, set(OWN))

    def test_rules_find_nothing(self):
        for name in OWN:
            stack = resolve(name)
            for rule in ("images_have_versions", "mounts_have_volumes", "secrets_are_references", "iam_is_narrow",
                         "data_outlives_mistakes", "logs_end", "tasks_fit_fargate"):
                if rule == "tasks_fit_fargate" and name == "ecs-daemon.yaml":
                    continue  # runs on instances, without a size of its own
                self.assertEqual([str(f) for f in rules.findings_of(rule, stack)], [], f"{name}: {rule}")

    def test_one_agent_for_a_folder(self):
        for name in ("ecs-daemon.yaml", "ecs-cluster-agent.yaml"):
            service = resolve(name).resources["Service"].properties
            rollout = service["DeploymentConfiguration"]
            self.assertEqual((rollout["MinimumHealthyPercent"], rollout["MaximumPercent"]), (0, 100))
            self.assertEqual(service.get("SchedulingStrategy", service.get("DesiredCount")),
                             "DAEMON" if "daemon" in name else 1)

    def test_the_application_does_not_depend_on_its_agent(self):
        containers = {c["Name"]: c for c in resolve("ecs-sidecar.yaml").resources["TaskDefinition"]
                      .properties["ContainerDefinitions"]}
        self.assertFalse(containers["agent"]["Essential"])
        self.assertNotIn("DependsOn", containers["app"])
        self.assertEqual((containers["agent"]["Cpu"], containers["agent"]["Memory"]), (64, 128))

    def config(self, stack):
        """What the init container writes, by its own script."""
        container = next(c for c in stack.resources["TaskDefinition"].properties["ContainerDefinitions"]
                         if c["Name"] == "agent-config")
        root = tempfile.mkdtemp(prefix="tributary-test-")
        self.addCleanup(shutil.rmtree, root)
        script = "chown() { :; }\n" + container["Command"][0].replace("/config", root)
        variables = {v["Name"]: v["Value"] for v in container["Environment"]}
        done = subprocess.run([*container["EntryPoint"], script], capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"], "USERNAME": "agent", "PASSWORD": "hunter2", **variables})
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        with open(os.path.join(root, "agent.yml"), encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("hunter2", text)
        return text.replace("/config/password", os.path.join(root, "password"))

    def test_each_replica_is_written_to(self):
        for name in ("ecs-sidecar.yaml", "ecs-daemon.yaml", "ecs-cluster-agent.yaml"):
            for count in (1, 2, 3):
                more = {f"WriteUrl{i}": URL.format(i) for i in range(count)}
                text = self.config(resolve(name, **more))
                content = yaml.safe_load(text)
                self.assertEqual([r["url"] for r in content["remote_write"]], [URL.format(i) for i in range(count)])
                self.assertEqual({r["basic_auth"]["username"] for r in content["remote_write"]}, {"agent"})
                self.assertEqual(content["remote_write"][0]["queue_config"],
                                 {"capacity": 10000, "max_shards": 100, "max_samples_per_send": 500})
                self.check(text)

    def check(self, text):
        """By the agent's own checker, otherwise by promtool, which is older than ECS discovery."""
        tool = agentctl()
        content = yaml.safe_load(text)
        if tool is None:
            content["scrape_configs"] = [s for s in content.get("scrape_configs", []) if "ecs_sd_configs" not in s]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(content, file)
            file.flush()
            if tool is not None:
                done = subprocess.run([tool, "test-config", file.name], capture_output=True, text=True)
            elif shutil.which("promtool"):
                done = subprocess.run(["promtool", "check", "config", file.name], capture_output=True, text=True)
            else:
                return
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_outputs_prints_is_a_configuration(self):
        urls = {f"WriteUrl{i}": URL.format(i) for i in range(3)}
        for found in ({**urls, "IngestSecretArn": SECRET + "x"},
                      {"AmpWriteUrl": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
                       "IngestSecretArn": SECRET + "x"}):
            text = remote_write(found, "eu-west-1", False)
            content = yaml.safe_load(text)
            self.assertEqual(len(content["remote_write"]), 3 if "WriteUrl0" in found else 1)
            with tempfile.NamedTemporaryFile("w") as password:
                self.check("scrape_configs: []\n" + text.replace("/etc/tributary/central-password", password.name))
        self.assertIn("ca_file", remote_write({**urls, "IngestSecretArn": SECRET + "x"}, "eu-west-1", True))

    def test_spoke_accounts_are_told_apart(self):
        stack = resolve("iam-spoke-account.yaml")
        trust = stack.resources["CloudWatchReaderRole"].properties["AssumeRolePolicyDocument"]["Statement"][0]
        self.assertEqual(trust["Condition"], {"StringEquals": {"sts:ExternalId": "0123456789abcdef"}})
        self.assertIn("111122223333", str(trust["Principal"]))
        self.assertTrue(read(os.path.join(ROOT, "deploy/cloudformation/agent/iam-spoke-account.yaml"))
                        ["Parameters"]["ExternalId"]["NoEcho"])
        actions = resolve("iam-amp-writer.yaml").resources["Role"].properties["Policies"][0]["PolicyDocument"]["Statement"]
        self.assertEqual([s["Action"] for s in actions], ["aps:RemoteWrite"])


if __name__ == "__main__":
    unittest.main()
