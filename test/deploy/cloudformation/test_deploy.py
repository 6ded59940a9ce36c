"""`deploy` from the first plan to the end, against moto with its gaps filled (moto_platform.py): packaging, change sets,
nested stacks, outputs, protections. What moto does not model is said there."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

from case import TEMPLATES, Case
from test_lint import needs, tool

DEPLOY = os.path.join(TEMPLATES, "deploy")


@needs("cloudformation", "moto_server")
class EndToEnd(Case):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="tributary-test-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        python = tool("cloudformation", "python")
        cls.log = open(os.path.join(cls.home, "moto.log"), "w", encoding="utf-8")
        cls.server = subprocess.Popen([python, os.path.join(os.path.dirname(os.path.realpath(__file__)), "moto_platform.py"),
                                       str(port)], stdout=cls.log, stderr=subprocess.STDOUT)
        # The packaged URLs of templates are only found by this name, not by the address.
        cls.endpoint = f"http://localhost:{port}"
        cls.environment = {**os.environ, "PATH": os.path.dirname(python) + ":" + os.environ["PATH"], "HOME": cls.home,
                           "AWS_ENDPOINT_URL": cls.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                           "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_CONFIG_FILE": "/nowhere"}
        for _ in range(120):
            try:
                urllib.request.urlopen(cls.endpoint + "/moto-api/data.json", timeout=1)
                return
            except OSError:
                if cls.server.poll() is not None:
                    break
                time.sleep(0.5)
        cls.tearDownClass()
        raise AssertionError("moto did not start")

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(10)
        cls.log.close()
        shutil.rmtree(cls.home, ignore_errors=True)

    def run_deploy(self, *arguments, text="", status=0):
        done = subprocess.run([sys.executable, DEPLOY, *arguments], capture_output=True, text=True, input=text,
                              env=self.environment)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr + self.server_errors())
        self.assertNotIn("Traceback", done.stderr)
        return done.stdout + done.stderr if status else done.stdout

    def server_errors(self):
        with open(self.log.name, encoding="utf-8") as file:
            lines = file.read().splitlines()
        at = max((i for i, line in enumerate(lines) if line.startswith("Traceback")), default=None)
        return "" if at is None else "\nmoto:\n" + "\n".join(lines[at:][-12:])

    def aws(self, *arguments):
        done = subprocess.run(["aws", *arguments, "--output", "json"], capture_output=True, text=True, env=self.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def stacks(self):
        found = self.aws("cloudformation", "list-stacks")["StackSummaries"]
        return {s["StackName"] for s in found if s["StackStatus"] != "DELETE_COMPLETE"}

    def test_dev_from_the_first_plan_to_the_end(self):
        self.assertIn("--self-signed", self.run_deploy("dev", "plan", status=1))
        self.assertEqual(self.aws("secretsmanager", "list-secrets")["SecretList"], [], "a refusal leaves nothing behind")
        self.assertEqual(self.stacks(), set())
        self.run_deploy("dev", "secret", "slack", text="https://hooks.example.org/T0\n")

        planned = self.run_deploy("dev", "plan", "--self-signed")
        self.assertIn("a new platform, in nested stacks", planned)
        self.assertIn("PrometheusReplica0 (AWS::CloudFormation::Stack)", planned)
        for made in ("the bucket tributary-artifacts-", "the secret tributary-dev/ingest", "a self-signed certificate for m"):
            self.assertIn(f"\nmaking {made}", "\n" + planned, "what a plan makes, it names")
        self.assertIn("Nothing of the platform was changed", planned)
        self.assertEqual(self.stacks(), {"tributary-artifacts"})

        self.assertIn("--yes does it", self.run_deploy("dev", "apply", "--self-signed", status=1))
        self.assertEqual(self.stacks(), {"tributary-artifacts"}, "nobody confirmed, nothing is left")

        applied = self.run_deploy("dev", "apply", "--self-signed", "--yes")
        self.assertIn("tributary-dev: CREATE_COMPLETE", applied)
        self.assertIn("url: https://prometheus-0.monitoring.dev.internal/api/v1/write", applied)
        self.assertIn("ca_file: /etc/tributary/central-ca.pem", applied)
        self.assertNotIn("prometheus-1", applied)
        self.check_what_was_made()

        self.assertIn("no changes", self.run_deploy("dev", "apply", "--yes"), "and it remembers its certificate")

        bigger = ("--set", "PrometheusReplicas=2")
        self.assertIn("change  PrometheusReplica0/TaskDefinition (AWS::ECS::TaskDefinition): ContainerDefinitions",
                      self.run_deploy("dev", "plan", *bigger))
        self.assertIn("https://prometheus-1.monitoring.dev.internal/api/v1/write",
                      self.run_deploy("dev", "apply", "--yes", *bigger))
        outputs = json.loads(self.run_deploy("dev", "outputs", "--json"))
        self.assertEqual(outputs["GrafanaUrl"], "https://monitoring.dev.internal/")
        self.assertEqual({"WriteUrl0", "WriteUrl1"}, {k for k in outputs if k.startswith("WriteUrl")})
        self.assertTrue(self.run_deploy("dev", "ca").startswith("-----BEGIN CERTIFICATE-----"))

        self.assertIn("--yes", self.run_deploy("dev", "delete", status=1))
        self.assertIn("DELETE_COMPLETE", self.run_deploy("dev", "delete", "--yes"))
        self.assertNotIn("tributary-dev", self.stacks())

    def check_what_was_made(self):
        stack = self.aws("cloudformation", "describe-stacks", "--stack-name", "tributary-dev")["Stacks"][0]
        self.assertEqual({t["Key"]: t["Value"] for t in stack["Tags"]},
                         {"Project": "tributary", "Environment": "dev", "ManagedBy": "cloudformation"})
        self.assertIn("tributary-dev/slack", {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
                      ["SlackSecretArn"])
        names = [n for n in self.stacks() if n.startswith("tributary-dev-")]
        self.assertEqual(len(names), 14)
        for name in ["tributary-dev", *names]:
            policy = self.aws("cloudformation", "get-stack-policy", "--stack-name", name)["StackPolicyBody"]
            self.assertIn("AWS::EFS::FileSystem", policy)
        subnets = self.aws("ec2", "describe-subnets", "--filters", "Name=tag:Name,Values=tributary-dev-*")["Subnets"]
        self.assertEqual(sorted(s["CidrBlock"] for s in subnets),
                         [f"10.0.{i}.0/24" for i in (0, 1, 3, 4, 6, 7)])
        families = self.aws("ecs", "list-task-definition-families", "--status", "ACTIVE")["families"]
        self.assertEqual(sorted(families), ["tributary-dev-alertmanager-0", "tributary-dev-cloudwatch-exporter",
                                            "tributary-dev-grafana", "tributary-dev-prometheus-0"])
        definition = self.aws("ecs", "describe-task-definition", "--task-definition", "tributary-dev-prometheus-0")
        containers = definition["taskDefinition"]["containerDefinitions"]
        self.assertEqual([c["name"] for c in containers], ["config", "config-check", "prometheus"])
        bundle = next(v["value"] for v in containers[0]["environment"] if v["name"] == "CONFIG_BUNDLE")
        self.assertGreater(len(bundle), 5000)
        points = self.aws("efs", "describe-access-points")["AccessPoints"]
        self.assertEqual(sorted(p["RootDirectory"]["Path"] for p in points),
                         ["/alertmanager/replica-0", "/grafana", "/prometheus/replica-0"])

    def test_production_and_its_protections(self):
        certificate = self.import_certificate("monitoring.example.org")
        given = ("--set", f"CertificateArn={certificate}", "--set", "Domain=monitoring.example.org", "--set", "Storage=ec2",
                 "--set", "Backend=both")
        applied = self.run_deploy("production", "apply", "--yes", *given)
        for index in range(3):
            self.assertIn(f"https://prometheus-{index}.monitoring.example.org/api/v1/write", applied)
        self.assertNotIn("ca_file", applied, "not ours, so the system's authorities count")
        self.assertIn("AmpWriteUrl", applied)
        volumes = self.aws("ec2", "describe-volumes")
        # Its volumes have no zone; which one they get is in test_templates.py.
        self.assertEqual([v["Size"] for v in volumes["Volumes"]], [1000] * 3)
        self.assertIn("--really-production", self.run_deploy("production", "delete", "--yes", status=1))
        self.assertIn("tributary-production", self.stacks())

    def import_certificate(self, name):
        key, path = os.path.join(self.home, "key"), os.path.join(self.home, "crt")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-keyout", key,
                        "-out", path, "-subj", f"/CN={name}"], check=True, capture_output=True)
        return self.aws("acm", "import-certificate", "--certificate", "fileb://" + path, "--private-key",
                        "fileb://" + key)["CertificateArn"]


if __name__ == "__main__":
    unittest.main()
