"""What the containers get: the configuration is rendered, packed, spliced, and unpacked again by the templates' own
scripts; Prometheus' tools accept it."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import yaml

import rules
from case import DOMAIN, ENVIRONMENTS, Case, resolve
from resolver import ACCOUNT, PARTITION, REGION
from tool import bundle, settings
from tool.aws import Problem
from tool.template import read

ALL_WAYS = {"slack", "pagerduty", "smtp", "webhook"}


def platform_tool(name):
    path = os.path.expanduser(os.path.join("~/.cache/tributary-platform", name))
    return path if os.path.exists(path) else None


def settings_of(environment, backend="prometheus", *more):
    return settings.Settings(environment, [f"Domain={DOMAIN}", f"Backend={backend}", *more])


def values_of(environment, backend="prometheus", ways=frozenset()):
    chosen = settings_of(environment, backend)
    return chosen, bundle.variables(chosen, ACCOUNT, PARTITION, REGION, ways)


def unpack(text):
    archive = tarfile.open(fileobj=io.BytesIO(base64.b64decode(text)), mode="r:gz")
    return {member.name: archive.extractfile(member).read() for member in archive.getmembers()}


class Built(Case):
    """A folder with the templates of one environment, spliced."""

    def build(self, environment, backend="prometheus", ways=frozenset(), authority=None):
        work = tempfile.mkdtemp(prefix="tributary-test-")
        self.addCleanup(shutil.rmtree, work)
        chosen, values = values_of(environment, backend, ways)
        root = bundle.build(chosen, values, work, authority)
        folder = os.path.dirname(root)
        changed = {"platform.yaml": read(root)}
        for name in os.listdir(os.path.join(folder, "templates")):
            changed["templates/" + name] = read(os.path.join(folder, "templates", name))
        return resolve(environment, backend=backend, changed=changed)

    def bundles(self, stack):
        found = {}
        for definition, container in rules.containers(stack):
            for variable in container.get("Environment", []):
                if variable["Name"] == "CONFIG_BUNDLE":
                    found[definition.stack.name] = variable["Value"]
        return found


class Bundles(Built):
    def test_every_container_gets_its_files(self):
        for environment in ENVIRONMENTS:
            for backend in ("prometheus", "both"):
                with self.subTest(environment=environment, backend=backend):
                    self._every_container(environment, backend)

    def _every_container(self, environment, backend):
        stack = self.build(environment, backend)
        packed = self.bundles(stack)
        want = {"Grafana", "Exporters"} | {n for n in stack.nested if re.match("(Prometheus|Alertmanager)Replica", n)}
        self.assertEqual(set(packed), want)
        replicas = [n for n in packed if n.startswith("PrometheusReplica")]
        for name in replicas:
            files = unpack(packed[name])
            self.assertIn("prometheus/prometheus.yml", files)
            self.assertIn("prometheus/rules/recording.yml", files)
            config = yaml.safe_load(files["prometheus/prometheus.yml"])
            labels = config["global"]["external_labels"]
            self.assertEqual((labels["environment"], labels["cluster"]), (environment, "central"))
            self.assertEqual(str(labels["prometheus_replica"]), name[-1])
            self.assertIn("out_of_order_time_window", config["storage"]["tsdb"])
            self.assertEqual(config["global"]["scrape_interval"], "30s" if environment == "dev" else "15s")
            self.assertEqual("remote_write" in config, backend == "both" and name.endswith("0"))
            targets = config["scrape_configs"][0]["static_configs"][0]["targets"]
            self.assertEqual(targets, [f"prometheus-{i}.{environment}.monitoring.internal:9090"
                                       for i in range(len(replicas))])
            for job in config["scrape_configs"]:
                secret = job.get("basic_auth", {}).get("password_file", "/config/secrets/")
                self.assertTrue(secret.startswith("/config/secrets/"))
        self._names_exist(stack, environment, packed)
        grafana = unpack(packed["Grafana"])
        self.assertGreaterEqual(len([n for n in grafana if n.startswith("grafana/dashboards/")]), 6)
        for name, text in grafana.items():
            json.loads(text) if name.endswith(".json") else yaml.safe_load(text)

    def _names_exist(self, stack, environment, packed):
        """Each host below the namespace that a file names is a Cloud Map service; query is a record."""
        namespace = f"{environment}.monitoring.internal"
        registered = {s.properties["Name"] for s in stack.all("AWS::ServiceDiscovery::Service")}
        records = {r.properties["Name"] for r in stack.all("AWS::Route53::RecordSet")}
        for text in packed.values():
            for content in unpack(text).values():
                for name in re.findall(rf"([a-z0-9-]+)\.{re.escape(namespace)}", content.decode()):
                    self.assertIn(name, registered)
                for name in re.findall(rf"https://([a-z0-9.-]+{re.escape(DOMAIN)})", content.decode()):
                    self.assertIn(name, records)

    def test_nothing_of_the_templates_is_left_to_splice(self):
        stack = self.build("production", "both")
        for resource in stack.all():
            self.assertNotIn("splice:", str(resource.properties))

    def test_task_definitions_fit_into_64_kib(self):
        stack = self.build("production", "both", ALL_WAYS, authority="x" * 2000)
        for definition in stack.all("AWS::ECS::TaskDefinition"):
            size = len(json.dumps(definition.properties))
            self.assertLess(size, bundle.TASK_DEFINITION_MAX, f"{definition}: {size} bytes")

    def test_a_bundle_is_the_same_for_the_same_files(self):
        one, two = self.bundles(self.build("dev")), self.bundles(self.build("dev"))
        self.assertEqual(one, two)

    def test_notifications_are_on_where_their_secret_is(self):
        for ways, sign in ((set(), None), ({"slack"}, "slack_configs"), ({"pagerduty"}, "pagerduty_configs"),
                           ({"smtp"}, "email_configs"), ({"webhook"}, "webhook_configs")):
            stack = self.build("production", ways=ways)
            text = unpack(self.bundles(stack)["AlertmanagerReplica0"])["alertmanager/alertmanager.yml"].decode()
            for other in ("slack_configs", "pagerduty_configs", "email_configs", "webhook_configs"):
                self.assertEqual(other in text, other == sign, (ways, other))
            self.assertIn(f"arn:aws:sns:{REGION}:{ACCOUNT}:tributary-production-heartbeat", text)

    def test_mail_goes_to_the_environments_people(self):
        stack = self.build("production", ways={"smtp"})
        config = yaml.safe_load(unpack(self.bundles(stack)["AlertmanagerReplica0"])["alertmanager/alertmanager.yml"])
        self.assertEqual(config["global"]["smtp_from"], "alerts@company.com")
        mails = [m for r in config["receivers"] for m in r.get("email_configs", [])]
        self.assertEqual({m["to"] for m in mails}, {"oncall@company.com, sre-team@company.com"})

    def test_amp_has_the_rules_and_grafana_asks_it(self):
        stack = self.build("dev", "amp")
        files = unpack(self.bundles(stack)["Grafana"])
        sources = yaml.safe_load(files["grafana/provisioning/datasources/platform.yaml"])["datasources"]
        self.assertEqual([s["uid"] for s in sources if s["isDefault"]], ["amp"])
        self.assertNotIn("central", [s["uid"] for s in sources])
        for namespace in stack.all("AWS::APS::RuleGroupsNamespace"):
            groups = yaml.safe_load(namespace.properties["Data"])["groups"]
            kind = {"recording": "record", "alerting": "alert"}[namespace.properties["Name"]]
            self.assertTrue(groups)
            self.assertTrue(all(kind in rule for group in groups for rule in group["rules"]))

    def test_too_large_a_configuration_is_refused(self):
        work = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, work)
        os.makedirs(os.path.join(work, "grafana"))
        with open(os.path.join(work, "grafana", "noise.json"), "wb") as file:
            file.write(os.urandom(60_000))
        with self.assertRaises(Problem) as raised:
            bundle.archive(work, "grafana")
        self.assertIn("fit into a task definition", str(raised.exception))

    def test_a_value_that_render_refuses_is_told(self):
        chosen, values = values_of("dev")
        values["SCRAPE_INTERVAL"] = "often"
        with self.assertRaises(Problem) as raised:
            bundle.render(values, 0, tempfile.mkdtemp())
        self.assertIn("SCRAPE_INTERVAL", str(raised.exception))


    def test_every_secret_that_files_name_is_given_or_refused(self):
        named = set()
        for folder, _, files in os.walk(bundle.CONFIG):
            for name in files:
                if name.endswith((".yml", ".yaml")):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        named |= set(re.findall(r"\$\{SECRETS_DIR\}/([a-z-]+)", file.read()))
        self.assertGreater(len(named), 5)
        scripts = "".join(c["Command"][0] for _, c in rules.containers(resolve("production")) if c["Name"] == "config")
        given = set(re.findall(r"(?:/config/secrets/|\bsecret )([a-z-]+)", scripts))
        self.assertEqual(named - given, set(settings.NOT_CARRIED.values()))

    def test_other_accounts_are_read_by_their_roles(self):
        roles = {f"arn:aws:iam::{n}:role/a/reader": f"id={n}" for n in ("444455556666", "777788889999")}
        chosen, values = values_of("dev")
        values["CLOUDWATCH_ROLES"] = ",".join(f"{arn}={external}" for arn, external in roles.items())
        work = tempfile.mkdtemp(prefix="tributary-test-")
        self.addCleanup(shutil.rmtree, work)
        bundle.render(values, 0, work)
        with open(os.path.join(work, "cloudwatch-exporter/config.yml"), encoding="utf-8") as file:
            jobs = yaml.safe_load(file)["discovery"]["jobs"]
        self.assertEqual(len(jobs), 3)
        for job in jobs:
            self.assertEqual(job["roles"], [{}, *({"roleArn": a, "externalId": e} for a, e in roles.items())])
        self.assertNotIn("roles", unpack(self.bundles(self.build("dev"))["Exporters"])
                         ["cloudwatch-exporter/config.yml"].decode().replace("roles in", ""))


class Scripts(Built):
    """The shell scripts of the templates, run with the real bundles in a folder instead of the container's root."""

    def run_script(self, definition, environment):
        root = tempfile.mkdtemp(prefix="tributary-test-")
        self.addCleanup(shutil.rmtree, root)
        container = next(c for c in definition.properties["ContainerDefinitions"] if c["Name"] == "config")
        for folder in ("config", "prometheus", "var/lib/grafana", "tmp"):
            os.makedirs(os.path.join(root, folder))
        script = container["Command"][0]
        for path in ("/config", "/prometheus", "/var/lib/grafana"):
            script = re.sub(rf"(?<![\w/}}]){path}", root + path, script)
        script = script.replace("472:472 /tmp", f"472:472 {root}/tmp").replace(root + "/config/secrets/prometheus", "@@")
        script = script.replace("@@", root + "/config/secrets/prometheus")
        # Who owns the files is for the real container; the rest is as it is there.
        script = "chown() { :; }\n" + script
        variables = {v["Name"]: v["Value"] for v in container.get("Environment", [])}
        done = subprocess.run([*container["EntryPoint"], script], env={"PATH": os.environ["PATH"], **variables,
                              **environment}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "", "says nothing, least of all secrets")
        return os.path.join(root, "config")

    SECRETS = {"USERNAME": "agent", "PASSWORD": "p$`\"' 1", "WEB_YML": "basic_auth_users:\n  agent: $2b$10$abc\n"}

    def test_servers_know_their_flags(self):
        """The servers of the versions that are deployed, where test/deploy/platform/install-tools has put them."""
        stack = resolve("production", EnableAdminApi="true", EnableOtlp="true")
        for name in ("prometheus", "alertmanager"):
            if platform_tool(name) is None:
                self.skipTest(f"{name} is not here (test/deploy/platform/install-tools builds it)")
            done = subprocess.run([platform_tool(name), "--help"], capture_output=True, text=True)
            known = set(re.findall(r"--(?:\[no-\])?([a-z][a-z.-]+)", done.stdout + done.stderr))
            container = next(c for d, c in rules.containers(stack) if c["Name"] == name)
            used = re.findall(r"(?:^|\s)--([a-z.-]+)", "\n".join(container["Command"]))
            self.assertGreater(len(used), 5)
            self.assertEqual(set(used) - known, set(), name)
            for feature in re.findall(r"--enable-feature=(\S+)", "\n".join(container["Command"])):
                self.assertIn(feature, done.stdout + done.stderr)

    def test_prometheus(self):
        stack = self.build("production", "both")
        for index in range(3):
            definition = stack.nested[f"PrometheusReplica{index}"].resources["TaskDefinition"]
            config = self.run_script(definition, self.SECRETS)
            self.assertEqual(self.text(config, "secrets/prometheus-password"), self.SECRETS["PASSWORD"])
            self.assertEqual(self.text(config, "secrets/web.yml"), self.SECRETS["WEB_YML"])
            header = self.text(config, "secrets/health-header")
            self.assertEqual(base64.b64decode(header.split()[-1]).decode(), "agent:" + self.SECRETS["PASSWORD"])
            self.assertEqual(os.stat(os.path.join(config, "secrets/web.yml")).st_mode & 0o077, 0)
            text = self.text(config, "prometheus/prometheus.yml")
            self.assertNotIn("@AMP_WORKSPACE@", text)
            if index == 0:
                workspace = stack.outputs["AmpWorkspaceArn"].split("workspace/")[1]
                self.assertIn(f"/workspaces/{workspace}/api/v1/remote_write", text)

    def test_grafana(self):
        stack = self.build("dev", "both", authority="-----BEGIN CERTIFICATE-----\n")
        config = self.run_script(stack.nested["Grafana"].resources["TaskDefinition"], self.SECRETS)
        sources = self.text(config, "grafana/provisioning/datasources/platform.yaml")
        self.assertIn(stack.outputs["AmpWorkspaceArn"].split("workspace/")[1], sources)
        self.assertTrue(os.path.exists(os.path.join(config, "grafana/dashboards/platform.json")))
        self.assertTrue(self.text(config, "ca/platform.pem").startswith("-----BEGIN"))
        self.assertEqual(self.text(config, "secrets/prometheus-password"), self.SECRETS["PASSWORD"])

    def test_alertmanager_has_files_for_the_secrets_that_there_are(self):
        stack = self.build("dev", ways={"slack"})
        definition = stack.nested["AlertmanagerReplica0"].resources["TaskDefinition"]
        config = self.run_script(definition, {"SLACK_URL": "https://hooks.example.org/x"})
        self.assertEqual(os.listdir(os.path.join(config, "secrets")), ["slack-url"])
        named = set(re.findall(r"/config/secrets/([a-z-]+)", self.text(config, "alertmanager/alertmanager.yml")))
        self.assertEqual(named, {"slack-url"})

    def test_exporter(self):
        stack = self.build("dev")
        config = self.run_script(stack.nested["Exporters"].resources["TaskDefinition"], {})
        self.assertEqual(yaml.safe_load(self.text(config, "cloudwatch-exporter/config.yml"))["apiVersion"], "v1alpha1")

    def test_a_template_that_was_not_spliced_does_not_start(self):
        definition = resolve("dev").nested["Exporters"].resources["TaskDefinition"]
        with self.assertRaises(AssertionError):
            self.run_script(definition, {})

    def text(self, folder, name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read()

    def check_config(self, config):
        """promtool of the version that is deployed, where test/deploy/platform/install-tools has put it, takes the file as
        it is; Debian's is older than ecs_sd_configs, so that job is left out for it."""
        newest = platform_tool("promtool")
        content = yaml.safe_load(self.text(config, "prometheus/prometheus.yml"))
        if newest is None:
            content["scrape_configs"] = [j for j in content["scrape_configs"] if "ecs_sd_configs" not in j]
        # What is at the container's root is in this folder here.
        text = yaml.safe_dump(content).replace("/config/secrets", os.path.join(config, "secrets"))
        path = os.path.join(config, "prometheus", "check.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return subprocess.run([newest or "promtool", "check", "config", path], capture_output=True, text=True)

    @unittest.skipUnless(platform_tool("promtool") or shutil.which("promtool"),
                         "promtool is not here (Debian's package prometheus)")
    def test_promtool_accepts_what_prometheus_gets(self):
        for environment in ENVIRONMENTS:
            stack = self.build(environment, "both")
            for name in [n for n in stack.nested if n.startswith("PrometheusReplica")]:
                config = self.run_script(stack.nested[name].resources["TaskDefinition"], self.SECRETS)
                done = self.check_config(config)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                # And it would not accept everything.
                rule = os.path.join(config, "prometheus/rules/recording.yml")
                with open(rule, "a", encoding="utf-8") as file:
                    file.write("  - name: broken\n    rules: [{record: x, expr: 'sum('}]\n")
                self.assertNotEqual(self.check_config(config).returncode, 0)

    @unittest.skipUnless(platform_tool("amtool"), "amtool is not here (test/deploy/platform/install-tools builds it)")
    def test_amtool_accepts_what_alertmanager_gets(self):
        secrets = {"SLACK_URL": "https://hooks.example.org/x", "PAGERDUTY_KEY": "k", "SMTP_PASSWORD": "p",
                   "WEBHOOK_URL": "https://example.org/hook"}
        for environment in ENVIRONMENTS:
            stack = self.build(environment, ways=ALL_WAYS)
            config = self.run_script(stack.nested["AlertmanagerReplica0"].resources["TaskDefinition"], secrets)
            path = os.path.join(config, "alertmanager/alertmanager.yml")
            text = self.text(config, "alertmanager/alertmanager.yml").replace("/config/", config + "/")
            for content, good in ((text, True), (text + "reciever: x\n", False)):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)
                done = subprocess.run([platform_tool("amtool"), "check-config", path], capture_output=True, text=True)
                self.assertEqual(done.returncode == 0, good, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
