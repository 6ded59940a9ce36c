"""The linters: cfn-lint and checkov on the templates, shellcheck on every script, those inside of templates as well."""

import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from case import ROOT, TEMPLATES, Case, platform
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
