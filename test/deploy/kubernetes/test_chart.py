"""The chart, rendered by helm with each of its sets of values (tributary/ci)."""

import json
import os
import subprocess
import tempfile

from case import CHART, MANIFESTS, Case, built, configurations, manifests_text, needs, needs_built, objects, program
from case import read, rendered, template, values_files
from rules import RULES, complaints, flags, restricted, workloads
from test_manifests import refused
from test_values import REFUSED


def kept(text, addresses):
    """Which of the targets the job kube-state-metrics of that configuration keeps, by what agentctl says."""
    targets = "".join('{__address__="%s"}\n' % address for address in addresses)
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([built("agentctl"), "relabel", "--json", "--config", file.name,
                               "--job", "kube-state-metrics", "-"], input=targets, capture_output=True, text=True)
    return {result["before"]["__address__"] for result in json.loads(done.stdout)["results"] if not result["dropped"]}


@needs("helm")
class Chart(Case):
    def test_lint(self):
        for name, path in values_files().items():
            with self.subTest(name):
                done = subprocess.run([program("helm"), "lint", "--strict", CHART, "-f", path],
                                      capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_manifests_are_the_chart(self):
        self.assertEqual(objects(read(os.path.join(MANIFESTS, "tributary.yaml"))), objects(manifests_text()))

    def test_rules(self):
        for name in values_files():
            with self.subTest(name):
                # hostPath is the documented exemption; what it takes is looked at below.
                rules = [rule for rule in RULES if name != "everything" or rule is not restricted]
                self.assertEqual(complaints(objects(rendered(name)), rules), [])

    def test_host_path_takes_no_more_than_it_has_to(self):
        found = list(restricted(objects(rendered("everything"))))
        self.assertEqual(found, ["DaemonSet tributary-node: may run as root", "DaemonSet tributary-node: volume data",
                                 "DaemonSet tributary-node: own-folder has capabilities",
                                 "DaemonSet tributary-node: own-folder runs as root"])

    def test_parts_can_be_left_out(self):
        kinds = {name: {item["kind"] for item in objects(rendered(name))} for name in values_files()}
        self.assertLessEqual({"DaemonSet", "StatefulSet", "NetworkPolicy"}, kinds["smallest"])
        self.assertFalse({"StatefulSet", "Service", "NetworkPolicy"} & kinds["node-only"])
        self.assertFalse({"DaemonSet"} & kinds["cluster-only"])

    def test_changed_configuration_is_a_new_pod(self):
        def sums(text):
            return {name: item["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
                    for name, _, item in workloads(objects(text))}
        path = values_files()["smallest"]
        changed = sums(template(path, "--set", "clusterName=other").stdout)
        for name, before in sums(rendered("smallest")).items():
            self.assertNotEqual(changed[name], before, name)
        self.assertEqual(sums(template(path, "--set", "logLevel=debug").stdout), sums(rendered("smallest")))

    def test_helm_refuses_what_the_schema_refuses(self):
        for name, values in REFUSED.items():
            with self.subTest(name), tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(values, file)
                file.flush()
                self.assertNotEqual(template(values_files()["smallest"], "-f", file.name).returncode, 0)

    @needs_built("tributary")
    def test_flags_exist(self):
        known = subprocess.run([built("tributary"), "--help"], capture_output=True, text=True).stdout
        for name in values_files():
            for workload, pod, _ in workloads(objects(rendered(name))):
                for flag in flags(pod):
                    self.assertIn(flag + " ", known.replace(",", " "), f"{name}: {workload}")

    @needs_built("agentctl")
    def test_configurations(self):
        for name in values_files():
            for workload, text in configurations(objects(rendered(name)), shard=1).items():
                with self.subTest(values=name, workload=workload):
                    self.assertEqual(refused(text), "")

    @needs_built("agentctl")
    def test_each_target_is_of_one_shard(self):
        addresses = [f"10.0.{number // 250}.{number % 250}:8080" for number in range(600)]
        shards = [kept(configurations(objects(rendered("everything")), shard=shard)["tributary-cluster"], addresses)
                  for shard in range(3)]
        self.assertEqual(sum(map(len, shards)), len(addresses))
        self.assertEqual(set().union(*shards), set(addresses))
        for shard in shards:
            self.assertGreater(len(shard), 100)
