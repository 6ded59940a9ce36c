"""Against a real API server: strict dry-run, Pod Security, what the accounts may do, and the real agents with them."""

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

import world
from case import CHART, MANIFESTS, NAMESPACE, Case, built, needs, needs_built, objects, program, read, rendered
from case import values_files
from rules import ALLOWED, workloads
from test_manifests import TEXT

ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = (("", "pods"), ("", "pods/log"), ("", "pods/exec"), ("", "nodes"), ("", "nodes/metrics"), ("", "nodes/proxy"),
             ("", "nodes/stats"), ("", "nodes/log"), ("", "services"), ("", "services/proxy"), ("", "endpoints"),
             ("", "namespaces"), ("", "secrets"), ("", "configmaps"), ("", "serviceaccounts/token"),
             ("discovery.k8s.io", "endpointslices"), ("networking.k8s.io", "ingresses"), ("apps", "daemonsets"),
             ("apps", "statefulsets"), ("rbac.authorization.k8s.io", "clusterroles"), ("batch", "jobs"))
URLS = ("/metrics", "/metrics/slis", "/logs", "/debug/pprof/profile", "/configz")


def reason():
    missing = [name for name in ("kube-apiserver", "etcd", "kubectl", "openssl", "unshare", "ip") if not program(name)]
    if missing:
        return f"{', '.join(missing)} not installed (tools/test-kubernetes --help)"
    return None if world.inside() else "needs root and unshare, for a network of its own"


@unittest.skipIf(reason(), reason())
class ApiServer(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.world = world.World(cls.folder.name)
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.world.stop)
        cls.world.start()
        # As users do it; without --dry-run, for the accounts and roles are looked at below.
        cls.applied = cls.world.kubectl("apply", "-k", MANIFESTS)
        cls.tokens = {kind: cls.world.kubectl("create", "token", f"tributary-{kind}", "-n", NAMESPACE).stdout.strip()
                      for kind in ALLOWED}

    def api(self, method, path, body=None, token=world.ADMIN):
        """Status and answer of a request to the API server."""
        return self.world.request(method, path, body, token)

    def test_applied_without_warnings(self):
        self.assertEqual(self.applied.stderr, "")
        self.assertEqual(self.applied.stdout.count(" created"), len(objects(TEXT)) + 1)
        before = self.generations()
        self.world.kubectl("apply", "-k", MANIFESTS)
        self.assertEqual(self.generations(), before, "nothing has changed")

    def generations(self):
        return [self.api("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/{path}")[1]["metadata"]["generation"]
                for path in ("daemonsets/tributary-node", "statefulsets/tributary-cluster")]

    def dry_run(self, text):
        """In a namespace where nothing is yet: what is there may not be changed in each way."""
        labels = {"pod-security.kubernetes.io/warn": "restricted"}
        self.api("POST", "/api/v1/namespaces", {"metadata": {"name": "dry", "labels": labels}})
        return self.world.kubectl("apply", "--dry-run=server", "--validate=strict", "-n", "dry", "-f", "-",
                                  given=text, check=False)

    @needs("helm")
    def test_strict_dry_run(self):
        for name in values_files():
            with self.subTest(name):
                done = self.dry_run(rendered(name))
                self.assertEqual(done.returncode, 0, done.stderr)
                # The server warns of the one exemption, and of nothing else.
                self.assertEqual("hostPath" in done.stderr, name == "everything", done.stderr)
                self.assertEqual("Warning" in done.stderr, name == "everything", done.stderr)

    def test_what_may_not_be_changed_of_a_volume_claim(self):
        """What README.md has in its notes on upgrades."""
        done = self.world.kubectl("apply", "--dry-run=server", "-n", NAMESPACE, "-f", "-", check=False,
                                  given=TEXT.replace("storage: 8Gi", "storage: 9Gi"))
        self.assertIn("volumeClaimTemplates", done.stderr)

    def test_strict_dry_run_is_awake(self):
        for old, new in (("livenessProbe:", "livenessProb:"),
                         ("podManagementPolicy: Parallel", "podManagementPolicy: All"), ("cpu: 50m", "cpu: much"), ("serviceName:", "serviceNam:")):
            with self.subTest(new):
                self.assertIn(old, TEXT)
                self.assertNotEqual(self.dry_run(TEXT.replace(old, new)).returncode, 0)

    @needs("helm")
    def test_release(self):
        """Installed, changed, rolled back and uninstalled by helm, beside what is there already."""
        def helm(*arguments):
            done = subprocess.run([program("helm"), *arguments, "-n", "release", f"--kube-apiserver={self.world.url}",
                                   f"--kube-ca-file={self.world.ca}", f"--kube-token={world.ADMIN}"],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout

        def there():
            items = json.loads(self.world.kubectl("get", "-A", "-o", "json", "-l", "app.kubernetes.io/instance=agents", ",".join(
                ("daemonsets", "statefulsets", "services", "configmaps", "serviceaccounts", "networkpolicies",
                 "clusterroles", "clusterrolebindings"))).stdout)["items"]
            return {f"{item['kind']} {item['metadata']['name']}": item for item in items}

        values = values_files()["smallest"]
        notes = helm("install", "agents", CHART, "--create-namespace", "-f", values)
        self.assertIn("agents-tributary: an agent on each node, and 1 for the cluster.", notes)
        first = there()
        self.assertEqual(len(first), len(objects(TEXT)))
        helm("upgrade", "agents", CHART, "-f", values, "--set", "cluster.shards=3,drainSeconds=90")
        changed = there()["StatefulSet agents-tributary-cluster"]["spec"]
        self.assertEqual((changed["replicas"], changed["template"]["spec"]["terminationGracePeriodSeconds"]), (3, 105))
        helm("rollback", "agents", "1")
        self.assertEqual({name: item.get("spec", item.get("data")) for name, item in there().items()},
                         {name: item.get("spec", item.get("data")) for name, item in first.items()})
        helm("uninstall", "agents")
        self.assertEqual(there(), {})

    def pods(self, text):
        """The pods that the controllers would make, which is what Pod Security looks at."""
        for name, pod, item in workloads(objects(text)):
            pod["volumes"] += [{"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": "data-0"}}
                               for claim in item["spec"].get("volumeClaimTemplates", [])]
            metadata = dict(item["spec"]["template"]["metadata"], generateName="try-")
            yield name, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}

    @needs("helm")
    def test_pod_security(self):
        for values in values_files():
            for name, pod in self.pods(rendered(values)):
                with self.subTest(values=values, name=name):
                    status, answer = self.api("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", pod)
                    if values == "everything" and name.startswith("DaemonSet"):
                        self.assertEqual(status, 403, answer)
                        self.assertIn("restricted volume types", answer["message"])
                    else:
                        self.assertEqual(status, 201, answer)

    @needs("helm")
    def test_host_path_in_a_namespace_that_allows_it(self):
        labels = {"pod-security.kubernetes.io/enforce": "privileged"}
        self.api("POST", "/api/v1/namespaces", {"metadata": {"name": "exempt", "labels": labels}})
        self.api("POST", "/api/v1/namespaces/exempt/serviceaccounts", {"metadata": {"name": "tributary-node"}})
        pod = dict(self.pods(rendered("everything")))["DaemonSet tributary-node"]
        status, answer = self.api("POST", "/api/v1/namespaces/exempt/pods?dryRun=All", pod)
        self.assertEqual(status, 201, answer)

    def allowed(self, token, attributes):
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        status, answer = self.api("POST", path, {"spec": attributes}, token)
        self.assertEqual(status, 201, answer)
        return answer["status"]["allowed"]

    def test_accounts_may_do_what_they_need_and_nothing_else(self):
        for kind, token in self.tokens.items():
            may = set()
            for group, resource in RESOURCES:
                for verb in VERBS:
                    name, _, part = resource.partition("/")
                    attributes = {"group": group, "resource": name, "subresource": part, "verb": verb}
                    if self.allowed(token, {"resourceAttributes": attributes}):
                        may.add((group, resource, verb))
            for url in URLS:
                if self.allowed(token, {"nonResourceAttributes": {"path": url, "verb": "get"}}):
                    may.add(("url", url, "get"))
            self.assertEqual(may, ALLOWED[kind], kind)

    def test_requests_with_their_tokens(self):
        for kind, path, status in (("node", "/api/v1/pods", 200), ("node", "/api/v1/nodes", 200), ("node", "/metrics", 403),
                                   ("node", "/api/v1/services", 403), ("node", "/api/v1/secrets", 403),
                                   ("cluster", "/api/v1/services", 200), ("cluster", "/metrics", 200),
                                   ("cluster", "/apis/discovery.k8s.io/v1/endpointslices", 200),
                                   ("cluster", "/api/v1/nodes", 403), ("cluster", "/api/v1/secrets", 403),
                                   ("cluster", f"/api/v1/namespaces/{NAMESPACE}/configmaps", 403)):
            with self.subTest(kind=kind, path=path):
                self.assertEqual(self.api("GET", path, token=self.tokens[kind])[0], status)

    @needs_built("tributary")
    def test_agent_of_a_node(self):
        self.objects_of_the_cluster()
        certificate = [os.path.join(self.folder.name, name) for name in ("server.crt", "server.key")]
        kubelet, pod = world.Pages(world.API, 10250, certificate), world.Pages(world.POD, 8080)
        self.addCleanup(kubelet.stop)
        self.addCleanup(pod.stop)
        expected = {
            ("kubelet", f"https://{world.API}:10250/metrics"): {"instance": "node-1", "node": "node-1"},
            ("cadvisor", f"https://{world.API}:10250/metrics/cadvisor"): {"instance": "node-1", "node": "node-1"},
            ("pods", f"http://{world.POD}:8080/stats?format=prometheus"):
                {"instance": f"{world.POD}:8080", "namespace": "apps", "pod": "web", "node": "node-1"},
        }
        self.run_agent("node", expected)
        bearer = "Bearer " + self.tokens["node"]
        self.assertEqual(set(kubelet.asked), {("/metrics", bearer), ("/metrics/cadvisor", bearer)})
        self.assertEqual(set(pod.asked), {("/stats?format=prometheus", None)})

    @needs_built("tributary")
    def test_agent_of_the_cluster(self):
        self.objects_of_the_cluster()
        service = world.Pages(world.SERVICE_POD, 8080)
        self.addCleanup(service.stop)
        address = f"{world.SERVICE_POD}:8080"
        self.run_agent("cluster", {
            # It is the server itself that is scraped here, with what the role allows.
            ("apiserver", f"https://{world.API}:{world.PORT}/metrics"): {"instance": f"{world.API}:{world.PORT}"},
            ("services", f"http://{address}/metrics"):
                {"instance": address, "namespace": "apps", "service": "shop", "node": "node-2"},
        })
        self.assertEqual(set(service.asked), {("/metrics", None)})

    def objects_of_the_cluster(self):
        """Two nodes, pods and services, annotated and not; what kubelets and controllers would write is written here."""
        if self.api("GET", "/api/v1/namespaces/apps")[0] == 200:
            return
        for name, address in (("node-1", world.API), ("node-2", "10.200.9.9")):
            self.create("/api/v1/nodes", {"metadata": {"name": name}}, {
                "addresses": [{"type": "InternalIP", "address": address}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}})
        self.create("/api/v1/namespaces", {"metadata": {"name": "apps"}})
        self.create("/api/v1/namespaces/apps/serviceaccounts", {"metadata": {"name": "default"}})
        page = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/stats",
                "prometheus.io/param_format": "prometheus"}
        for name, node, address, phase, annotations in (
                ("web", "node-1", world.POD, "Running", page), ("elsewhere", "node-2", "10.200.9.10", "Running", page),
                ("ended", "node-1", "10.200.9.11", "Succeeded", page), ("plain", "node-1", "10.200.9.12", "Running", {})):
            containers = [{"name": "c", "image": "i", "ports": [{"containerPort": 8000}, {"containerPort": 9000}]}]
            self.create("/api/v1/namespaces/apps/pods", {"metadata": {"name": name, "annotations": annotations},
                                                        "spec": {"nodeName": node, "containers": containers}},
                        {"phase": phase, "podIP": address, "podIPs": [{"ip": address}]})
        for name, address, annotations in (
                ("shop", world.SERVICE_POD, {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}),
                ("quiet", "10.200.9.13", {})):
            self.create("/api/v1/namespaces/apps/services", {
                "metadata": {"name": name, "annotations": annotations},
                "spec": {"ports": [{"name": "http", "port": 80}]}})
            self.slice("apps", name, address, "http", 80)
        self.slice("default", "kubernetes", world.API, "https", world.PORT)

    def slice(self, namespace, name, address, port_name, port):
        self.create(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", {
            "metadata": {"name": name + "-1", "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "nodeName": "node-2", "conditions": {"ready": True}}],
            "ports": [{"name": port_name, "port": port, "protocol": "TCP"}]})

    def create(self, path, item, status=None):
        code, answer = self.api("POST", path, item)
        self.assertEqual(code, 201, answer)
        if status:
            answer["status"] = dict(answer.get("status") or {}, **status)
            code, answer = self.api("PUT", f"{path}/{item['metadata']['name']}/status", answer)
            self.assertEqual(code, 200, answer)

    def run_agent(self, kind, expected):
        """Starts the agent as its pod would: its flags, its account. Its targets have to be
        those expected, all up, with these labels besides job; what it scraped has to arrive."""
        folder = tempfile.mkdtemp(dir=self.folder.name)
        remote = world.Pages("127.0.0.1", 39090)
        self.addCleanup(remote.stop)
        status, config = self.api("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/tributary-{kind}")
        self.assertEqual(status, 200, config)
        text = config["data"]["agent.yml"].replace("https://prometheus.example.org", "http://127.0.0.1:39090")
        with open(os.path.join(folder, "agent.yml"), "w", encoding="utf-8") as file:
            file.write(text.replace("scrape_interval: 30s", "scrape_interval: 1s"))
        pod = next(pod for name, pod, _ in workloads(objects(TEXT)) if name.endswith(kind))
        os.makedirs(ACCOUNT, exist_ok=True)
        for name, value in (("token", self.tokens[kind]), ("ca.crt", read(self.world.ca)), ("namespace", NAMESPACE)):
            with open(os.path.join(ACCOUNT, name), "w", encoding="utf-8") as file:
                file.write(value)
        arguments = [argument.replace("/etc/tributary/", folder + "/").replace("/data/", folder + "/")
                     for argument in pod["containers"][0]["args"]]
        with open(os.path.join(folder, "stderr"), "w", encoding="utf-8") as log:
            agent = subprocess.Popen([built("tributary"), *arguments], stderr=log, env={
                "KUBERNETES_SERVICE_HOST": world.API, "KUBERNETES_SERVICE_PORT": str(world.PORT), "NODE_NAME": "node-1",
                "POD_NAME": "tributary-cluster-0"})
        self.addCleanup(agent.kill)
        found, deadline = {}, time.monotonic() + 30
        while time.monotonic() < deadline and agent.poll() is None:
            found = self.targets()
            if found.keys() >= expected.keys() and all(health == "up" for health, _ in found.values()) and remote.asked:
                break
            time.sleep(0.2)
        log = read(os.path.join(folder, "stderr"))
        self.assertEqual({key: health for key, (health, _) in found.items()}, dict.fromkeys(expected, "up"), log)
        for key, labels in expected.items():
            self.assertEqual(found[key][1], dict(labels, job=key[0]))
        for probe in ("readinessProbe", "livenessProbe"):
            path = pod["containers"][0][probe]["httpGet"]["path"]
            self.assertEqual(urllib.request.urlopen(f"http://{world.POD}:9095{path}", timeout=5).status, 200)
        agent.send_signal(signal.SIGTERM)
        self.assertEqual(agent.wait(60), 0, read(os.path.join(folder, "stderr")))
        self.assertIn(("/api/v1/write", None), remote.asked)

    @staticmethod
    def targets():
        try:
            with urllib.request.urlopen("http://127.0.0.1:9095/api/v1/targets", timeout=5) as answer:
                active = json.load(answer)["data"]["activeTargets"]
        except OSError:
            return {}
        return {(target["scrapePool"], target["scrapeUrl"]): (target["health"], target["labels"]) for target in active}
