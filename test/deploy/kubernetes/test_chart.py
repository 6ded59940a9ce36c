"""The chart, rendered by helm with each of its sets of values (tributary/ci)."""

import json
import os
import subprocess
import tempfile
import time
import urllib.request

from case import CHART, MANIFESTS, Case, built, configurations, manifests_text, needs, needs_built, objects, program
from case import read, rendered, template, values_files
from rules import RULES, complaints, flags, restricted, workloads
from test_manifests import refused
from test_values import REFUSED


def scraped(shard, addresses):
    """Which of the targets an agent with that flag has. It scrapes none of them: the first scrape is months away."""
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "agent.yml")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "365d"}, "scrape_configs": [
                {"job_name": "j", "static_configs": [{"targets": addresses}]}]}, file)
        agent = subprocess.Popen([built("tributary"), f"--config.file={config}", f"--shard={shard}",
                                  "--storage.mode=memory", f"--storage.path={folder}",
                                  "--web.listen-address=127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
        try:
            address = next(line for line in agent.stderr if "msg=listening" in line).split("address=")[1].split()[0]
            active, deadline = [], time.monotonic() + 20
            while not active and time.monotonic() < deadline:  # they come at once, a little after the start
                with urllib.request.urlopen(f"http://{address}/api/v1/targets", timeout=10) as answer:
                    active = json.load(answer)["data"]["activeTargets"]
            return {target["labels"]["instance"] for target in active}
        finally:
            agent.kill()
            agent.wait()
            agent.stderr.close()


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
            for workload, text in configurations(objects(rendered(name))).items():
                with self.subTest(values=name, workload=workload):
                    self.assertEqual(refused(text), "")

    @needs_built("tributary")
    def test_each_target_is_of_one_shard(self):
        flag = next(flags(pod)["--shard"] for name, pod, _ in workloads(objects(rendered("everything")))
                    if name.startswith("StatefulSet"))
        addresses = [f"10.0.{number // 250}.{number % 250}:8080" for number in range(600)]
        # What a pod's name ends in stands for the host's name there.
        shards = [scraped(flag.replace("hostname", str(member)), addresses) for member in range(3)]
        self.assertEqual(sum(map(len, shards)), len(addresses))
        self.assertEqual(set().union(*shards), set(addresses))
        for shard in shards:
            self.assertGreater(len(shard), 100)
