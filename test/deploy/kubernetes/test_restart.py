"""A real API server that goes away under a running agent, forgets what it was asked for, and comes back."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import world
from case import Case, built, needs_built, read
from test_apiserver import reason

PODS = "/api/v1/namespaces/apps/pods"
AGENT = "http://127.0.0.1:9096"


@unittest.skipIf(reason(), reason())
@needs_built("tributary")
class Restart(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.world = world.World(cls.folder.name)
        cls.addClassCleanup(cls.world.stop)
        cls.world.start()
        for path, item in (("/api/v1/namespaces", "apps"), ("/api/v1/namespaces/apps/serviceaccounts", "default")):
            cls.world.request("POST", path, {"metadata": {"name": item}})

    def setUp(self):
        """Two pods, and an agent that watches them. No page of theirs is ever asked for."""
        self.pods = {}
        self.create("a")
        self.create("b")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        token, config = (os.path.join(folder.name, name) for name in ("token", "agent.yml"))
        with open(token, "w", encoding="utf-8") as file:
            file.write(world.ADMIN)
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1h", "scrape_timeout": "1s"}, "scrape_configs": [{
                "job_name": "pods",
                "kubernetes_sd_configs": [{
                    "role": "pod", "api_server": self.world.url, "authorization": {"credentials_file": token},
                    "namespaces": {"names": ["apps"]}, "tls_config": {"ca_file": self.world.ca}}],
                "relabel_configs": [
                    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
                    {"source_labels": ["__meta_kubernetes_pod_uid"], "target_label": "uid"},
                    {"target_label": "__address__", "replacement": "127.0.0.1:9"}]}]}, file)
        self.log = os.path.join(folder.name, "stderr")
        with open(self.log, "w", encoding="utf-8") as log:
            self.agent = subprocess.Popen(
                [built("tributary"), "--config.file=" + config, "--storage.mode=memory",
                 "--web.listen-address=" + AGENT.removeprefix("http://")], stderr=log, env={})
        self.addCleanup(self.agent.wait)
        self.addCleanup(self.agent.kill)
        self.wait("the first two pods", lambda: self.found() == self.pods)

    def tearDown(self):
        for name in list(self.pods):
            self.delete(name)

    def create(self, name, url=None):
        """A pod as the kubelet leaves it: running, with an address."""
        containers = [{"name": "c", "image": "i", "ports": [{"containerPort": 8000}]}]
        code, made = self.world.request("POST", PODS, {"metadata": {"name": name}, "spec": {
            "nodeName": "node-1", "containers": containers}}, url=url)
        self.assertEqual(code, 201, made)
        address = f"10.200.9.{len(self.pods) + 1}"
        made["status"] = dict(made["status"], phase="Running", podIP=address, podIPs=[{"ip": address}])
        code, answer = self.world.request("PUT", f"{PODS}/{name}/status", made, url=url)
        self.assertEqual(code, 200, answer)
        self.pods[name] = made["metadata"]["uid"]
        return answer["metadata"]["resourceVersion"]

    def delete(self, name, url=None):
        code, answer = self.world.request("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0", url=url)
        self.assertEqual(code, 200, answer)
        del self.pods[name]

    def api(self):
        with urllib.request.urlopen(AGENT + "/api/v1/targets", timeout=5) as answer:
            return json.load(answer)["data"]

    def found(self):
        """{pod: its uid} of all targets."""
        try:
            return {t["labels"]["pod"]: t["labels"]["uid"] for t in self.api()["activeTargets"]}
        except (urllib.error.URLError, ConnectionError):
            return {}

    def errors(self):
        return [error["error"] for error in self.api().get("discoveryErrors", [])]

    def metric(self, name):
        with urllib.request.urlopen(AGENT + "/metrics", timeout=5) as page:
            return float(re.search("^" + re.escape(name) + r" (\S+)$", page.read().decode(), re.M)[1])

    def events(self):
        return {event: self.metric(f'prometheus_sd_kubernetes_events_total{{event="{event}",role="pod"}}')
                for event in ("add", "delete", "update")}

    def failures(self):
        return self.metric("prometheus_sd_kubernetes_failures_total")

    def wait(self, what, until, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.agent.poll() is None:
            if until():
                return
            time.sleep(0.1)
        self.fail(f"{what}: not within {seconds} s\n{read(self.log)}")

    def stays_for(self, seconds, known):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.assertEqual(self.found(), known)
            time.sleep(0.2)

    def watches_again(self):
        """A pod that comes now is a target at once: nothing waits for a later try."""
        self.assertEqual(self.errors(), [])
        self.create("late")
        self.wait("a pod that comes afterwards", lambda: self.found() == self.pods, 5)
        self.delete("late")
        self.wait("its end", lambda: self.found() == self.pods, 8)

    def test_the_server_is_killed_and_changes_meanwhile(self):
        before = self.events()
        self.assertEqual((self.failures(), self.errors()), (0, []))
        known = dict(self.pods)
        self.world.start_second_server()
        self.addCleanup(self.world.kill, "second-apiserver")
        self.world.kill("kube-apiserver")
        self.create("c", self.world.second_url)
        self.delete("b", self.world.second_url)
        self.wait("a failure", lambda: self.failures() >= 2)
        self.stays_for(3, known)
        self.assertEqual(len(self.errors()), 1)
        self.assertRegex(self.errors()[0], r"^kubernetes_sd: .*: cannot (watch|list) pods in namespace \"apps\": .*kept\)$")
        self.world.start_server()
        self.wait("what has changed meanwhile", lambda: self.found() == self.pods, 60)
        self.wait("the end of the error", lambda: self.errors() == [], 60)
        # Its memory begins after the version that the agent had: it says 410, and the agent lists anew. Only what differs
        # counts as an event.
        self.assertEqual(self.metric("tributary_sd_kubernetes_relists_total"), 1)
        after = self.events()
        self.assertEqual(after["add"] - before["add"], 1)
        self.assertEqual(after["delete"] - before["delete"], 1)
        self.watches_again()

    def test_a_version_that_etcd_has_compacted_away(self):
        """The agent is stopped while the version that it knows is forgotten by server and etcd alike."""
        self.agent.send_signal(signal.SIGSTOP)
        self.world.kill("kube-apiserver")
        self.world.start_second_server()
        self.addCleanup(self.world.kill, "second-apiserver")
        self.create("c", self.world.second_url)
        self.delete("a", self.world.second_url)
        version = self.create("d", self.world.second_url)
        compact = urllib.request.Request(world.ETCD + "/v3/kv/compaction", json.dumps({"revision": version}).encode(),
                                         {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(compact, timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        self.world.start_server()
        self.agent.send_signal(signal.SIGCONT)
        self.wait("what there is now", lambda: self.found() == self.pods, 60)
        self.assertEqual(self.metric("tributary_sd_kubernetes_relists_total"), 1)
        self.watches_again()

    def test_etcd_is_killed_under_the_server(self):
        known = dict(self.pods)
        self.world.kill("etcd")
        self.stays_for(4, known)
        self.world.start_etcd()
        deadline = time.monotonic() + 60
        while self.world.request("GET", "/readyz")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        self.create("c")
        self.wait("a pod that comes afterwards", lambda: self.found() == self.pods, 60)
        self.wait("the end of all errors", lambda: self.errors() == [], 60)
        self.watches_again()


if __name__ == "__main__":
    unittest.main()
