"""The templates for agents: they resolve by themselves, run one writer a folder, and what they configure is valid."""

import json
import os
import re
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
    "ec2.yaml": dict(PackageBucket="packages", PackageKey="tributary_0.1.0-1_amd64.deb", PackageSha256="0" * 64,
                     WriteSecretArn=SECRET + "x"),
    "iam-spoke-account.yaml": dict(PlatformAccountId="111122223333", ExternalId="0123456789abcdef"),
    "iam-amp-writer.yaml": dict(WorkspaceArn="arn:aws:aps:eu-west-1:111122223333:workspace/ws-1",
                                WriterAccountId="444455556666", ExternalId="0123456789abcdef"),
}
TASKS = ("ecs-sidecar.yaml", "ecs-daemon.yaml", "ecs-cluster-agent.yaml")


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

    def test_the_agent_of_an_application_stops_last_and_ends_nothing(self):
        """ECS stops containers in the reverse order of their dependencies; START waits for nothing but the start."""
        containers = {c["Name"]: c for c in resolve("ecs-sidecar.yaml").resources["TaskDefinition"]
                      .properties["ContainerDefinitions"]}
        agent = containers["agent"]
        self.assertEqual(containers["app"]["DependsOn"], [{"ContainerName": "agent", "Condition": "START"}])
        self.assertNotIn("DependsOn", agent)
        self.assertFalse(agent["Essential"])
        self.assertEqual((agent["Cpu"], agent["Memory"], agent["StopTimeout"]), (64, 64, 120))

    def test_what_agents_need_is_in_their_image(self):
        """Programs where the image has them, without a shell; the log where the image's folder is the user's own."""
        with open(os.path.join(ROOT, "deploy/image/config.json"), encoding="utf-8") as file:
            image = json.load(file)
        for name in TASKS:
            agent = self.agent(resolve(name))
            self.assertEqual(agent["EntryPoint"], image["Entrypoint"], name)
            self.assertEqual(agent["User"], image["User"], name)
            self.assertEqual(agent["HealthCheck"]["Command"], ["CMD", "/usr/bin/agentctl", "health"], name)
            self.assertEqual([m["ContainerPath"] for m in agent["MountPoints"]], list(image["Volumes"]), name)
            self.assertIn("--storage.path=" + next(iter(image["Volumes"])), agent["Command"], name)
        volume = next(v for v in resolve("ecs-daemon.yaml").resources["TaskDefinition"].properties["Volumes"])
        self.assertNotIn("Host", volume, "a folder of the host would be root's")
        self.assertEqual(volume["DockerVolumeConfiguration"]["Scope"], "shared")

    def agent(self, stack):
        return next(c for c in stack.resources["TaskDefinition"].properties["ContainerDefinitions"] if c["Name"] == "agent")

    def config(self, stack, host="ip-10-0-3-4"):
        """What the agent reads from its environment, on a host of that name."""
        container = self.agent(stack)
        self.assertLessEqual({"--config.file=env:CONFIG", "--config.expand-env"}, set(container["Command"]))
        variables = {v["Name"]: v["Value"] for v in container["Environment"]}
        self.assertEqual({v["Name"] for v in container["Secrets"]}, {"WRITE_USERNAME", "WRITE_PASSWORD"})
        given = {"HOSTNAME": host, "WRITE_USERNAME": "agent", "WRITE_PASSWORD": "hunter2"}
        return re.sub(r"%\{(\w+)\}", lambda name: given[name[1]], variables["CONFIG"])

    def test_a_key_of_ones_own_may_be_used(self):
        key = "arn:aws:kms:eu-west-1:111122223333:key/1"
        for name in OWN:
            if "WriteSecretArn" in OWN[name]:
                policies = str([r.properties for r in resolve(name, WriteSecretKeyArn=key).all("AWS::IAM::Role")])
                self.assertIn(key, policies, name)
                self.assertNotIn("kms:", str([r.properties for r in resolve(name).all("AWS::IAM::Role")]), name)

    def test_each_replica_is_written_to(self):
        for name in TASKS:
            for count in (1, 2, 3):
                more = {f"WriteUrl{i}": URL.format(i) for i in range(count)}
                text = self.config(resolve(name, **more))
                content = yaml.safe_load(text)
                self.assertEqual([r["url"] for r in content["remote_write"]], [URL.format(i) for i in range(count)])
                self.assertEqual({r["basic_auth"]["username"] for r in content["remote_write"]}, {"agent"})
                self.assertEqual(content["remote_write"][0]["queue_config"],
                                 {"capacity": 10000, "max_shards": 100, "max_samples_per_send": 500})
                self.check(text)

    def instances(self, text):
        """{job: instances} of the targets that the file itself names."""
        found = {}
        for job in yaml.safe_load(text)["scrape_configs"]:
            for group in job.get("static_configs", []):
                for target in group["targets"]:
                    labels = {"__address__": target, "instance": target, **group.get("labels", {})}
                    for step in job.get("relabel_configs", []):
                        match = re.fullmatch(step["regex"], labels[step["source_labels"][0]])
                        if match:
                            labels[step["target_label"]] = match.expand(step["replacement"].replace("$", "\\"))
                    found.setdefault(job["job_name"], set()).add(labels["instance"])
        return found

    def test_two_of_a_kind_are_told_apart(self):
        """They scrape the same addresses, those of localhost, and write to the same servers."""
        for name in ("ecs-sidecar.yaml", "ecs-daemon.yaml"):
            one, two = (self.instances(self.config(resolve(name), host)) for host in ("ip-10-0-3-4", "ip-10-0-3-5"))
            self.assertEqual(set(one), set(two))
            for job in one:
                self.assertEqual(one[job] & two[job], set(), f"{name}: job {job}")
        given = self.instances(self.config(resolve("ecs-daemon.yaml", Targets='"127.0.0.1:9100", "10.1.2.3:80"'), "h"))
        self.assertEqual(given["node"], {"h:9100", "10.1.2.3:80"})

    def test_each_agent_reports_on_itself(self):
        for name, job in (("ecs-sidecar.yaml", "tributary-task"), ("ecs-daemon.yaml", "tributary"),
                          ("ecs-cluster-agent.yaml", "tributary")):
            content = yaml.safe_load(self.config(resolve(name)))
            targets = {j["job_name"]: j["static_configs"][0]["targets"] for j in content["scrape_configs"]
                       if "static_configs" in j}
            self.assertEqual(targets[job], ["127.0.0.1:9095"], name)

    def test_flags_are_those_that_the_agent_has(self):
        with open(os.path.join(ROOT, "docs/operating.md"), encoding="utf-8") as file:
            documented = set(re.findall(r"^\| `(--[a-z.-]+)`", file.read(), re.M))
        used = []
        for name in TASKS:
            used += next(c["Command"] for c in resolve(name).resources["TaskDefinition"].properties["ContainerDefinitions"]
                         if c["Name"] == "agent")
        self.assertGreater(len(used), 8)
        names = {flag.partition("=")[0] for flag in used}
        self.assertLessEqual(names, documented)
        if agentctl() is not None:
            program = os.path.join(os.path.dirname(agentctl()), "tributary")
            known = subprocess.run([program, "--help"], capture_output=True, text=True).stdout
            self.assertEqual({n for n in names if n not in known}, set())

    def script(self):
        document = resolve("ec2.yaml").resources["Install"].properties["Content"]
        return document["mainSteps"][0]["inputs"]["runCommand"][0]

    def test_instances_have_the_package_and_its_service(self):
        """The template adds a drop-in to the package's unit, and puts files where that unit reads them."""
        script = self.script()
        self.assertNotIn("ExecStart=", script)
        with open(os.path.join(ROOT, "deploy/systemd/tributary.service"), encoding="utf-8") as file:
            unit = file.read()
        self.assertIn("--config.file=${CONFIGURATION_DIRECTORY}/tributary.yml", unit)
        self.assertIn(" /etc/tributary/tributary.yml ", script)
        secret = re.search(r"^LoadCredential=([\w-]+):(\S+)$", script, re.M)
        self.assertIn(f" {secret[2]} 0600", script)
        self.assertIn("/run/credentials/tributary.service/" + secret[1], read(os.path.join(
            ROOT, "deploy/cloudformation/agent/ec2.yaml"))["Parameters"]["ConfigParameter"]["Description"])
        self.assertLess(script.index("sha256sum --check"), script.index("--force-confold install"))
        self.assertLess(script.index("agentctl test-config"), script.index(" /etc/tributary/tributary.yml "))

    def check(self, text):
        """By the agent's own checker, otherwise by promtool, which is older than ECS discovery."""
        tool = agentctl()
        content = yaml.safe_load(text)
        if tool is None:
            content["scrape_configs"] = [s for s in content.get("scrape_configs", []) if "ecs_sd_configs" not in s]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(text if tool is not None else yaml.safe_dump(content))
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
