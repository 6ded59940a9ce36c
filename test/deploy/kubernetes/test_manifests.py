"""The plain manifests as they lie there, without helm and without a cluster."""

import functools
import os
import re
import subprocess
import tempfile

import yaml

from case import MANIFESTS, Case, built, chart_digest, configurations, needs_built, objects, read
from rules import complaints, flags, workloads

TEXT = read(os.path.join(MANIFESTS, "tributary.yaml"))


@functools.lru_cache(maxsize=None)
def secrets():
    """A folder with the files that a pod's configuration names; agentctl looks whether they are there."""
    folder = tempfile.TemporaryDirectory()
    for name in ("token", "password"):
        with open(os.path.join(folder.name, name), "w", encoding="utf-8") as file:
            file.write("secret")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca", "-keyout", "/dev/null",
                    "-out", os.path.join(folder.name, "ca.crt")], check=True, capture_output=True)
    return folder


def refused(configuration):
    """What agentctl has to say against it."""
    for path in ("/var/run/secrets/kubernetes.io/serviceaccount", "/etc/tributary-secret"):
        configuration = configuration.replace(path, secrets().name)
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(configuration)
        file.flush()
        done = subprocess.run([built("agentctl"), "test-config", file.name], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


class Manifests(Case):
    def test_rendered_from_this_chart(self):
        self.assertIn(f"# chart: {chart_digest()}\n", TEXT, "the chart has changed: tools/test-kubernetes --write")

    def test_rules(self):
        self.assertEqual(complaints(objects(TEXT)), [])

    def test_kinds(self):
        self.assertEqual(sorted(item["kind"] for item in objects(TEXT)), sorted(
            ["ConfigMap", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"] * 2
            + ["DaemonSet", "StatefulSet", "Service", "NetworkPolicy"]))

    def test_kustomization(self):
        kustomization = yaml.safe_load(read(os.path.join(MANIFESTS, "kustomization.yaml")))
        for name in kustomization["resources"]:
            self.assertTrue(os.path.exists(os.path.join(MANIFESTS, name)), name)
        image = kustomization["images"][0]["name"]
        for name, pod, _ in workloads(objects(TEXT)):
            self.assertEqual(pod["containers"][0]["image"].rsplit(":", 1)[0], image, name)

    def test_namespace(self):
        labels = yaml.safe_load(read(os.path.join(MANIFESTS, "namespace.yaml")))["metadata"]["labels"]
        self.assertEqual(labels["pod-security.kubernetes.io/enforce"], "restricted")

    @needs_built("tributary")
    def test_flags_exist(self):
        known = subprocess.run([built("tributary"), "--help"], capture_output=True, text=True).stdout
        known = set(re.findall(r"--[a-z][a-z.-]*", known))
        for name, pod, _ in workloads(objects(TEXT)):
            self.assertEqual(set(flags(pod)) - known, set(), name)

    @needs_built("agentctl")
    def test_configurations(self):
        found = configurations(objects(TEXT))
        self.assertEqual(set(found), {"tributary-node", "tributary-cluster"})
        for name, text in found.items():
            with self.subTest(name):
                self.assertNotIn("@", text)
                self.assertEqual(refused(text), "")
                self.assertIn("shceme", refused(text.replace("scheme:", "shceme:")))
