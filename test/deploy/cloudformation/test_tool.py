"""`deploy` without AWS: what it refuses and how it says so. The AWS command line is a script here that answers what a test
wants and notes what it was asked."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from case import TEMPLATES, Case
from tool import commands, secret, stacks
from tool.aws import Aws, Problem
from tool.settings import Settings

DEPLOY = os.path.join(TEMPLATES, "deploy")
FAKE = """#!/usr/bin/env python3
import json, os, sys
folder = os.path.dirname(os.path.realpath(__file__))
with open(os.path.join(folder, "calls"), "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
    for argument in sys.argv:
        if argument.startswith("file://"):
            with open(argument[7:]) as given:
                log.write("# " + given.read().replace("\\n", " ") + "\\n")
with open(os.path.join(folder, "answers.json")) as file:
    answers = json.load(file)
answer = answers.get(" ".join(sys.argv[1:3]), {"error": "An error occurred (NotExpected) when calling " + sys.argv[2]})
if isinstance(answer, list):
    count_file = os.path.join(folder, "count-" + sys.argv[2])
    count = int(open(count_file).read()) if os.path.exists(count_file) else 0
    open(count_file, "w").write(str(count + 1))
    answer = answer[min(count, len(answer) - 1)]
if "error" in answer:
    sys.exit(answer["error"])
print(json.dumps(answer))
"""
IDENTITY = {"Account": "111122223333", "Arn": "arn:aws:sts::111122223333:assumed-role/ops/someone"}
NO_STACK = {"error": "An error occurred (ValidationError) when calling DescribeStacks: Stack with id x does not exist"}
NO_SECRET = {"error": "An error occurred (ResourceNotFoundException) when calling DescribeSecret: no"}


class Fake(Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tributary-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.temporary = os.path.join(self.folder, "tmp")
        os.mkdir(self.temporary)
        with open(os.path.join(self.folder, "aws"), "w", encoding="utf-8") as file:
            file.write(FAKE)
        os.chmod(file.name, 0o755)
        self.answers({})

    def answers(self, more):
        table = {"sts get-caller-identity": IDENTITY, "cloudformation describe-stacks": NO_STACK, **more}
        with open(os.path.join(self.folder, "answers.json"), "w", encoding="utf-8") as file:
            json.dump(table, file)

    def environment(self):
        return {"PATH": self.folder + ":" + os.environ["PATH"], "AWS_REGION": "eu-west-1", "HOME": self.folder,
                "TMPDIR": self.temporary}

    def run_deploy(self, *arguments, text=None):
        return subprocess.run([sys.executable, DEPLOY, *arguments], capture_output=True, text=True, input=text or "",
                              env=self.environment())

    def fails(self, *arguments, says, status=1, text=None):
        done = self.run_deploy(*arguments, text=text)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def calls(self):
        with open(os.path.join(self.folder, "calls"), encoding="utf-8") as file:
            return file.read()


class WrongUse(Fake):
    def test_help(self):
        done = self.run_deploy("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("plan", "apply", "outputs", "delete", "verify", "--self-signed", "params/ENV.json"):
            self.assertIn(word, done.stdout)

    def test_usage(self):
        self.fails("dev", "launch", status=2, says="invalid choice")
        self.fails("dev", status=2, says="required")
        self.fails("dev", "secret", status=2, says="needs the name")
        self.fails("dev", "plan", "slack", status=2, says="unexpected argument")

    def test_wrong_environment(self):
        self.fails("prod", "plan", says="there is no environment 'prod'; is production meant?")
        self.fails("xyz", "plan", says="There are dev, staging, production")

    def test_parameters_are_checked_before_anything_is_sent(self):
        self.fails("dev", "plan", "--set", "PrometheusReplica=2", "--set", "Retention=ever", "--set", "AgentCidr=0.0.0.0/0",
                   says=["is PrometheusReplicas meant?", "Retention: 'ever' is not a duration such as 15d",
                         "AgentCidr: '0.0.0.0/0' is not an IPv4 range of /8 or narrower"])
        self.fails("dev", "plan", "--set", "Domain", says="expected NAME=VALUE")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "calls")))

    def test_ranges_that_nobody_comes_from(self):
        self.fails("dev", "plan", "--set", "GrafanaScheme=internet-facing",
                   says=["GrafanaAllowedCidr 10.0.0.0/8 has none of them", "GrafanaAllowedPrefixListId"])
        self.fails("dev", "plan", "--set", "AgentCidr=300.0.0.0/8", says="AgentCidr: '300.0.0.0/8' is no IPv4 range")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "calls")))
        for more in (["GrafanaAllowedCidr=203.0.113.0/24"], ["GrafanaAllowedPrefixListId=pl-01"]):
            self.assertTrue(Settings("dev", ["GrafanaScheme=internet-facing", *more]))

    def test_what_the_containers_would_not_get(self):
        self.fails("dev", "plan", "--config", "FEDERATION_USERNAME=x", says="FEDERATION_USERNAME: no template gives")
        self.fails("dev", "plan", "--config", "DEADMAN_WEBHOOK_ENABLED=true", says="deadman-url")
        role = "arn:aws:iam::444455556666:role/reader"
        self.fails("dev", "plan", "--set", "ScrapedRoleArns=" + role, says="set both or neither")
        self.fails("dev", "plan", "--config", f"CLOUDWATCH_ROLES={role}=0123", says="set both or neither")
        self.assertTrue(Settings("dev", ["ScrapedRoleArns=" + role], [f"CLOUDWATCH_ROLES={role}=0123"]))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "calls")))

    def test_the_file_of_another_environment(self):
        for name in ("dev", "staging", "production"):
            shutil.copy(os.path.join(TEMPLATES, "params", "dev.json"), os.path.join(self.folder, name + ".json"))
        self.fails("staging", "plan", "--params", self.folder, says="is for the environment 'dev', not for staging")

    def test_broken_files(self):
        path = os.path.join(self.folder, "dev.json")
        self.fails("dev", "plan", "--params", self.folder, says="dev.json: No such file")
        for text, says in (("{", "dev.json: "), ('{"Paramters": {}}', "unknown key Paramters")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.fails("dev", "plan", "--params", self.folder, says=says)

    def test_wrong_account(self):
        with open(os.path.join(TEMPLATES, "params", "dev.json"), encoding="utf-8") as file:
            content = json.load(file)
        content["Account"] = "999999999999"
        with open(os.path.join(self.folder, "dev.json"), "w", encoding="utf-8") as file:
            json.dump(content, file)
        self.fails("dev", "plan", "--params", self.folder,
                   says=["dev is in account 999999999999", "these credentials are arn:aws:sts::111122223333"])

    def test_a_stack_of_another_environment(self):
        self.answers({"cloudformation describe-stacks": {"Stacks": [{
            "StackName": "tributary-dev", "StackStatus": "CREATE_COMPLETE",
            "Parameters": [{"ParameterKey": "Environment", "ParameterValue": "staging"}]}]}})
        self.fails("dev", "apply", says="is a platform for staging")


class WhatAwsSays(Fake):
    def test_no_command_line(self):
        done = subprocess.run([sys.executable, DEPLOY, "dev", "plan"], capture_output=True, text=True,
                              env={"PATH": "/nowhere"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("AWS command line is needed", done.stderr)

    def test_no_region(self):
        with mock.patch.dict(os.environ, {"PATH": self.folder + ":" + os.environ["PATH"]}):
            for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
                os.environ.pop(name, None)
            with self.assertRaises(Problem) as raised:
                Aws()
        self.assertIn("no region", str(raised.exception))

    def test_a_profile_that_is_not_there(self):
        self.answers({"configure get": {"error": "The config profile (nope) could not be found"}})
        with mock.patch.dict(os.environ, {"PATH": self.folder + ":" + os.environ["PATH"]}):
            for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
                os.environ.pop(name, None)
            with self.assertRaises(Problem) as raised:
                Aws()
        self.assertIn("profile (nope)", str(raised.exception))

    def test_no_credentials(self):
        self.answers({"sts get-caller-identity": {"error": "Unable to locate credentials. You can configure credentials"}})
        self.fails("dev", "plan", says=["no valid AWS credentials", "AWS_PROFILE"])

    def test_not_reached(self):
        self.answers({"sts get-caller-identity": {"error": 'Could not connect to the endpoint URL: "https://sts.x/"'}})
        self.fails("dev", "plan", says="AWS is not reached")

    def test_not_allowed(self):
        self.answers({"cloudformation describe-stacks":
                      {"error": "An error occurred (AccessDenied) when calling the DescribeStacks operation: not you"}})
        self.fails("dev", "plan", says="not you")

    def test_states_in_which_nothing_can_be_done(self):
        for status, says in (("UPDATE_IN_PROGRESS", "somebody is at it already"),
                             ("ROLLBACK_COMPLETE", "`deploy dev delete`, then apply again"),
                             ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback")):
            self.answers({"cloudformation describe-stacks": {"Stacks": [{"StackName": "tributary-dev",
                                                                        "StackStatus": status}]}})
            self.fails("dev", "plan", says=says)

    def test_no_stack(self):
        for command in ("outputs", "verify", "ca"):
            self.fails("dev", command, says="`deploy dev apply` makes it")
        self.fails("dev", "delete", says="there is no stack")

    def test_no_certificate(self):
        self.answers({"secretsmanager describe-secret": {"ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x"}})
        self.fails("dev", "plan", says=["--set CertificateArn=ARN", "--self-signed"])
        self.fails("production", "plan", "--self-signed", says="not for production")

    def test_the_example_domain_is_not_deployed(self):
        self.fails("production", "apply", says="Domain is monitoring.company.com, which is an example")

    def test_nobody_confirms(self):
        self.answers({"cloudformation describe-stacks": {"Stacks": [{"StackName": "tributary-dev", "StackId": "x",
                                                                    "StackStatus": "CREATE_COMPLETE"}]}})
        self.fails("dev", "delete", says="--yes does it without asking")
        self.answers({"cloudformation describe-stacks": {"Stacks": [{"StackName": "tributary-production", "StackId": "x",
                                                                    "StackStatus": "CREATE_COMPLETE"}]}})
        self.fails("production", "delete", "--yes", says="--really-production")
        self.assertNotIn("delete-stack", self.calls())


class Changes(Fake):
    def setUp(self):
        super().setUp()
        patch = mock.patch.dict(os.environ, self.environment())
        patch.start()
        self.addCleanup(patch.stop)
        self.aws = Aws()

    def test_a_refused_change_set_leaves_nothing(self):
        self.answers({"cloudformation create-change-set": {"Id": "x"}, "cloudformation delete-change-set": {},
                      "cloudformation delete-stack": {},
                      "cloudformation describe-stacks": [NO_STACK, {"Stacks": [{"StackStatus": "REVIEW_IN_PROGRESS"}]}],
                      "cloudformation describe-change-set": {"Status": "FAILED", "StatusReason": "Template error: no"}})
        with self.assertRaises(Problem) as raised:
            stacks.ChangeSet(self.aws, "tributary-dev", "https://x/y", {}, {})
        self.assertIn("Template error: no", str(raised.exception))
        self.assertIn("delete-change-set", self.calls())
        self.assertIn("delete-stack", self.calls())

    def test_no_changes(self):
        self.answers({"cloudformation create-change-set": {"Id": "x"}, "cloudformation delete-change-set": {},
                      "cloudformation describe-stacks": {"Stacks": [{"StackName": "tributary-dev",
                                                                    "StackStatus": "UPDATE_COMPLETE"}]},
                      "cloudformation describe-change-set": {
                          "Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}})
        self.assertEqual(stacks.ChangeSet(self.aws, "tributary-dev", "https://x/y", {}, {}).changes, [])
        self.assertNotIn("delete-stack", self.calls(), "what exists is not removed")

    def test_what_is_replaced_is_seen(self):
        lines = []
        stacks.show([{"ResourceChange": {
            "Action": "Modify", "LogicalResourceId": "Volume", "ResourceType": "AWS::EC2::Volume", "Replacement": "True",
            "Details": [{"Target": {"Attribute": "Properties", "Name": "AvailabilityZone"}}]}}], lines.append)
        self.assertEqual(lines, ["  Modify  Volume (AWS::EC2::Volume): AvailabilityZone  !! REPLACED"])

    def test_a_failure_names_its_first_cause_in_the_nested_stack(self):
        def event(stack, logical, type_, status, reason, physical=""):
            return {"StackId": stack, "LogicalResourceId": logical, "ResourceType": type_, "ResourceStatus": status,
                    "ResourceStatusReason": reason, "PhysicalResourceId": physical}
        outer = [event("root", "tributary-dev", "AWS::CloudFormation::Stack", "CREATE_FAILED", "x", "root"),
                 event("root", "Network", "AWS::CloudFormation::Stack", "CREATE_FAILED", "Embedded stack failed", "inner"),
                 event("root", "Cluster", "AWS::CloudFormation::Stack", "CREATE_FAILED", "Resource creation cancelled")]
        inner = [event("inner", "NatAddressA", "AWS::EC2::EIP", "CREATE_FAILED", "The maximum number of addresses has "
                       "been reached.")]
        self.answers({"cloudformation describe-stack-events": [{"StackEvents": outer[1:]}, {"StackEvents": inner}],
                      "cloudformation describe-stacks": {"Stacks": [{"StackName": "tributary-dev", "StackId": "root",
                                                                    "StackStatus": "ROLLBACK_COMPLETE"}]}})
        with self.assertRaises(Problem) as raised:
            stacks.follow(self.aws, "tributary-dev", lambda text: None)
        self.assertEqual(str(raised.exception), "tributary-dev ended as ROLLBACK_COMPLETE\n  NatAddressA (AWS::EC2::EIP): "
                         "The maximum number of addresses has been reached.")

    def test_differences_of_nested_templates(self):
        root = os.path.join(self.folder, "platform.yaml")
        with open(root, "w", encoding="utf-8") as file:
            file.write("Resources: {Storage: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: s.yaml}}}\n")
        with open(os.path.join(self.folder, "s.yaml"), "w", encoding="utf-8") as file:
            file.write("Resources: {Fs: {Type: AWS::EFS::FileSystem, Properties: {Encrypted: true, KmsKeyId: !Ref Key}},"
                       " New: {Type: AWS::SNS::Topic}}\n")
        self.answers({
            "cloudformation describe-stack-resources": {"StackResources": [
                {"LogicalResourceId": "Storage", "PhysicalResourceId": "s", "ResourceType": "AWS::CloudFormation::Stack"}]},
            "cloudformation get-template": {"TemplateBody": "Resources: {Fs: {Type: AWS::EFS::FileSystem, Properties: "
                                            "{Encrypted: false, KmsKeyId: !Ref Key}}, Old: {Type: AWS::SQS::Queue}}"}})
        self.assertEqual(stacks.differences(self.aws, "tributary-dev", root), [
            "  change  Storage/Fs (AWS::EFS::FileSystem): Encrypted  !! holds data",
            "  add     Storage/New (AWS::SNS::Topic)",
            "  remove  Storage/Old (AWS::SQS::Queue)"])


class Verify(Fake):
    STACK = {"Stacks": [{"StackName": "tributary-dev", "StackStatus": "CREATE_COMPLETE", "Outputs": [
        {"OutputKey": "WriteUrl0", "OutputValue": "https://prometheus-0.m.example.org/api/v1/write"},
        {"OutputKey": "WriteUrl1", "OutputValue": "https://prometheus-1.m.example.org/api/v1/write"},
        {"OutputKey": "GrafanaUrl", "OutputValue": "https://m.example.org/"},
        {"OutputKey": "IngestSecretArn", "OutputValue": "arn:ingest"},
        {"OutputKey": "GrafanaAdminSecretArn", "OutputValue": "arn:admin"}]}]}

    def run_verify(self, beats, status):
        """What deploy/config/verify would be started with, and the exit status of it all."""
        self.answers({"cloudformation describe-stacks": self.STACK,
                      "secretsmanager get-secret-value": {"SecretString": '{"username": "agent", "password": "hunter2"}'},
                      "cloudwatch get-metric-statistics": {"Datapoints": [{"Sum": beats}] if beats else []}})
        options = mock.Mock(environment="dev", set=[], config=[], params=None, region=None)
        seen = []

        def instead(command, **named):
            if command[0] == "aws":
                return plain(command, **named)
            files = [a for a in command if a.startswith(tempfile.gettempdir())]
            seen.append((command, [open(f, encoding="utf-8").read() for f in files],
                         [os.stat(f).st_mode & 0o077 for f in files]))
            return subprocess.CompletedProcess(command, status)

        plain = subprocess.run
        with mock.patch.dict(os.environ, self.environment()), mock.patch("tool.commands.subprocess.run", instead), \
                mock.patch("tool.commands.say"), mock.patch("sys.stderr"):
            deployment = commands.Deployment(options)
            try:
                deployment.verify()
                return seen, True
            except Problem:
                return seen, False

    def test_every_replica_is_verified_with_the_password_in_a_file(self):
        seen, good = self.run_verify(beats=14, status=0)
        self.assertTrue(good)
        (command, contents, others_may), = seen
        self.assertEqual([command[i + 1] for i, a in enumerate(command) if a == "--prometheus"],
                         ["https://prometheus-0.m.example.org", "https://prometheus-1.m.example.org"])
        self.assertNotIn("hunter2", " ".join(command))
        self.assertEqual(len([c for c in contents if "hunter2" in c]), 2)
        self.assertEqual(set(others_may), {0})
        for path in (a for a in command if a.startswith(tempfile.gettempdir())):
            self.assertFalse(os.path.exists(path), "removed afterwards")

    def test_its_failure_and_a_silent_heartbeat_are_failures(self):
        self.assertFalse(self.run_verify(beats=14, status=1)[1])
        self.assertFalse(self.run_verify(beats=0, status=0)[1])


class Secrets(Fake):
    def test_a_secret_goes_by_file_and_is_not_printed(self):
        self.answers({"secretsmanager describe-secret": NO_SECRET,
                      "secretsmanager create-secret": {"ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:s"}})
        done = self.run_deploy("dev", "secret", "slack", text="https://hooks.example.org/T0/secret\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("hooks.example.org", done.stdout + done.stderr)
        commands = [line for line in self.calls().splitlines() if not line.startswith("#")]
        self.assertNotIn("hooks.example.org", "".join(commands))
        self.assertIn("# https://hooks.example.org/T0/secret", self.calls())
        self.assertIn('"tributary-dev/slack"', self.calls())
        self.assertIn(self.temporary, "".join(commands))
        self.assertEqual(os.listdir(self.temporary), [])

    def test_what_is_no_secret_is_refused(self):
        self.fails("dev", "secret", "teams", says="there are slack, pagerduty, smtp, webhook", text="x")
        self.fails("dev", "secret", "slack", says="one line on standard input", text="")
        self.fails("dev", "secret", "slack", says="one line on standard input", text="a\nb\n")

    def test_the_password_of_agents_and_its_hash(self):
        self.answers({"secretsmanager describe-secret": NO_SECRET, "secretsmanager create-secret": {"ARN": "arn:x"}})
        with mock.patch.dict(os.environ, self.environment()):
            said = []
            self.assertEqual(secret.ingest(Aws(), Settings("dev"), said.append), "arn:x")
        self.assertIn("tributary-dev/ingest", said[0])
        given = json.loads(next(line for line in self.calls().splitlines() if line.startswith("# "))[2:])
        self.assertEqual(given["username"], "agent")
        self.assertGreaterEqual(len(given["password"]), 40)
        hashed = given["web_yml"].split("agent: ")[1].strip()
        self.assertRegex(hashed, r"^\$2[aby]\$10\$[./A-Za-z0-9]{53}$")
        self.assertTrue(matches(given["password"], hashed))
        self.assertFalse(matches(given["password"] + "x", hashed))

    def test_it_is_made_once(self):
        self.answers({"secretsmanager describe-secret": {"ARN": "arn:there"}})
        with mock.patch.dict(os.environ, self.environment()):
            self.assertEqual(secret.ingest(Aws(), Settings("dev"), self.fail), "arn:there")
        self.assertNotIn("create-secret", self.calls())


def matches(password, hashed):
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import crypt
    return crypt.crypt(password, hashed) == hashed


if __name__ == "__main__":
    unittest.main()
