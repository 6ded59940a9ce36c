"""What each role finds, label by label, beside what real Prometheus finds of the same API server with the same file."""

import collections
import json
import os
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import world
from case import Case, built, needs, needs_built, program, read
from test_apiserver import reason

OURS, THEIRS = "http://127.0.0.1:9096", "http://127.0.0.1:9097"
ALL = {"node": True, "namespace": True, "deployment": True, "job": True, "cronjob": True}
# job: an entry of kubernetes_sd_configs
JOBS = {
    "pods": {"role": "pod"},
    "pods-with-all": {"role": "pod", "attach_metadata": ALL},
    "pods-selected": {"role": "pod", "namespaces": {"names": ["apps", "absent"]},
                      "selectors": [{"role": "pod", "label": "tier in (web,db)", "field": "spec.nodeName=node-1"}]},
    "nodes": {"role": "node"},
    "services": {"role": "service"},
    "services-with-namespace": {"role": "service", "attach_metadata": {"namespace": True}},
    "endpoints": {"role": "endpoints"},
    "endpoints-with-all": {"role": "endpoints", "attach_metadata": ALL},
    "slices": {"role": "endpointslice"},
    "slices-with-all": {"role": "endpointslice", "attach_metadata": ALL},
    "ingresses": {"role": "ingress"},
    "ingresses-with-namespace": {"role": "ingress", "attach_metadata": {"namespace": True}},
}


def owner(kind, name, version="v1"):
    return [{"apiVersion": version, "kind": kind, "name": name, "uid": f"uid-of-{name}", "controller": True}]


@unittest.skipIf(reason(), reason())
@needs("prometheus")
@needs_built("tributary")
class BesidePrometheus(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.world = world.World(cls.folder.name)
        cls.addClassCleanup(cls.world.stop)
        cls.world.start()
        cls.fill()

    @classmethod
    def make(cls, path, item, status=None):
        code, made = cls.world.request("POST", path, item)
        if code != 201:
            raise AssertionError(f"{path}: {made}")
        if status:
            made["status"] = {**made.get("status", {}), **status}
            code, answer = cls.world.request("PUT", f"{path}/{item['metadata']['name']}/status", made)
            if code != 200:
                raise AssertionError(f"{path}: {answer}")

    @classmethod
    def fill(cls):
        for name, labels in (("apps", {"team": "shop", "a.b/c-d": "x"}), ("jobs", {})):
            cls.make("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels, "annotations": {"owner": "me"}}})
            cls.make(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        for name, address in (("node-1", "10.200.8.1"), ("node-2", "10.200.8.2")):
            cls.make("/api/v1/nodes", {
                "metadata": {"name": name, "labels": {"zone": "a", "kubernetes.io/os": "linux"}, "annotations": {"n": "1"}},
                "spec": {"providerID": f"aws:///eu-west-1a/{name}", "unschedulable": name == "node-2"}}, {
                "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address},
                              {"type": "InternalIP", "address": "fd00::1"}, {"type": "ExternalIP", "address": "54.1.2.3"}],
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}})
        cls.fill_owners()
        cls.fill_pods()
        cls.fill_services()

    @classmethod
    def fill_owners(cls):
        spec = {"selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}
        cls.make("/apis/apps/v1/namespaces/apps/replicasets", {
            "metadata": {"name": "web-5d4f8", "ownerReferences": owner("Deployment", "web", "apps/v1")}, "spec": spec})
        cls.make("/apis/batch/v1/namespaces/jobs/jobs", {
            "metadata": {"name": "nightly-2901", "ownerReferences": owner("CronJob", "nightly", "batch/v1")},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}})

    @classmethod
    def fill_pods(cls):
        two = [{"name": "app", "image": "app:1", "ports": [{"name": "http", "containerPort": 8080},
                                                           {"containerPort": 8081, "protocol": "UDP"}]},
               {"name": "sidecar", "image": "sidecar:2"}]
        for namespace, name, more in (
                ("apps", "web-5d4f8-abcde", {"owner": owner("ReplicaSet", "web-5d4f8", "apps/v1"), "node": "node-1",
                                             "labels": {"tier": "web", "app": "web", "pod-template-hash": "5d4f8"},
                                             "init": [{"name": "prepare", "image": "init:1"}]}),
                ("apps", "db-0", {"owner": owner("StatefulSet", "db", "apps/v1"), "node": "node-2", "labels": {"tier": "db"},
                                  "host_network": True}),
                ("apps", "alone", {"node": "node-1", "labels": {"tier": "db"}}),
                ("apps", "six", {"node": "node-1", "address": "fd00::77"}),
                ("apps", "waiting", {"address": None}),
                ("jobs", "nightly-2901-x", {"owner": owner("Job", "nightly-2901", "batch/v1"), "node": "node-2",
                                            "phase": "Succeeded"})):
            address = more.get("address", f"10.200.7.{len(name)}")
            status = {"phase": more.get("phase", "Running" if address else "Pending"), "hostIP": "10.200.8.1",
                      "hostIPs": [{"ip": "10.200.8.1"}],
                      "conditions": [{"type": "Ready", "status": "True" if name != "alone" else "False"}],
                      "containerStatuses": [{"name": "app", "image": "app:1", "imageID": "x", "ready": True, "restartCount": 0,
                                             "containerID": f"containerd://{name}"}]}
            if address:
                status.update(podIP=address, podIPs=[{"ip": address}])
            spec = {"containers": two, "initContainers": more.get("init", []), "hostNetwork": more.get("host_network", False)}
            if "node" in more:
                spec["nodeName"] = more["node"]
            cls.make(f"/api/v1/namespaces/{namespace}/pods", {
                "metadata": {"name": name, "labels": more.get("labels", {}), "ownerReferences": more.get("owner", []),
                             "annotations": {"prometheus.io/scrape": "true", "empty": ""}}, "spec": spec}, status)

    @classmethod
    def fill_services(cls):
        path = "/api/v1/namespaces/apps/services"
        metadata = {"labels": {"app": "web"}, "annotations": {"prometheus.io/port": "8080"}}
        ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "admin", "port": 9000, "protocol": "UDP"}]
        cls.make(path, {"metadata": {"name": "web", **metadata}, "spec": {"ports": ports, "clusterIP": "10.96.0.50"}})
        cls.make(path, {"metadata": {"name": "headless"}, "spec": {"ports": ports, "clusterIP": "None"}})
        cls.make(path, {"metadata": {"name": "away"}, "spec": {"type": "ExternalName", "externalName": "db.example.org",
                                                              "ports": [{"port": 5432}]}})
        cls.make(path, {"metadata": {"name": "balanced"}, "spec": {
            "type": "LoadBalancer", "ports": [{"name": "https", "port": 443}], "clusterIP": "10.96.0.51",
            "loadBalancerIP": "10.9.9.9"}})
        of_pod = {"kind": "Pod", "namespace": "apps", "name": "web-5d4f8-abcde"}
        cls.make("/api/v1/namespaces/apps/endpoints", {"metadata": {"name": "web", **metadata}, "subsets": [
            {"addresses": [{"ip": "10.200.7.15", "nodeName": "node-1", "targetRef": of_pod, "hostname": "h"},
                           {"ip": "10.200.7.99"}],
             "notReadyAddresses": [{"ip": "10.200.7.98", "nodeName": "node-2"}],
             "ports": [{"name": "http", "port": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}]}]})
        cls.make("/apis/discovery.k8s.io/v1/namespaces/apps/endpointslices", {
            "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web", "x": "y"}, "annotations": {"s": "1"}},
            "addressType": "IPv4", "endpoints": [
                {"addresses": ["10.200.7.15"], "nodeName": "node-1", "zone": "a", "hostname": "h", "targetRef": of_pod,
                 "conditions": {"ready": True, "serving": True, "terminating": False}, "hints": {"forZones": [{"name": "a"}]}},
                {"addresses": ["10.200.7.99"], "conditions": {"ready": False}, "deprecatedTopology": {}}],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http"}, {"name": "", "port": 9000}]})
        rule = {"http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
            {"path": "/x", "pathType": "Exact", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}
        cls.make("/apis/networking.k8s.io/v1/namespaces/apps/ingresses", {
            "metadata": {"name": "shop", "labels": {"app": "web"}, "annotations": {"i": "1"}},
            "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["shop.example.org", "*.example.org"]}],
                     "rules": [{"host": "shop.example.org", **rule}, {"host": "sub.example.org", **rule},
                               {"host": "plain.example.com", **rule}, rule]}})

    def configuration(self):
        path = os.path.join(self.folder.name, "both.yml")
        access = {"api_server": self.world.url, "authorization": {"credentials": world.ADMIN},
                  "tls_config": {"ca_file": self.world.ca}}
        with open(path, "w", encoding="utf-8") as file:
            # All are dropped, so that nothing is asked for a page.
            json.dump({"scrape_configs": [{"job_name": name, "kubernetes_sd_configs": [{**entry, **access}],
                                           "relabel_configs": [{"action": "drop", "regex": ".*"}]}
                                          for name, entry in JOBS.items()]}, file)
        return path

    def start(self, name, command):
        with open(os.path.join(self.folder.name, name), "w", encoding="utf-8") as log:
            process = subprocess.Popen(command, stderr=log, stdout=log, env={}, cwd=self.folder.name)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def touch(self, number):
        """Changes slices and endpoints a little. Prometheus may see them before the replica sets that are behind their pods,
        and looks at those only when the slice itself changes; the agent needs no such help."""
        for path in ("/apis/discovery.k8s.io/v1/namespaces/apps/endpointslices/web-1", "/api/v1/namespaces/apps/endpoints/web"):
            item = self.world.request("GET", path)[1]
            item["metadata"].setdefault("annotations", {})["touched"] = str(number)
            code, answer = self.world.request("PUT", path, item)
            self.assertEqual(code, 200, answer)

    @staticmethod
    def discovered(url):
        """{job: each target's labels before relabeling, as often as they are there}; each job is there."""
        found = {name: collections.Counter() for name in JOBS}
        try:
            with urllib.request.urlopen(url + "/api/v1/targets?state=dropped", timeout=10) as answer:
                for target in json.load(answer)["data"]["droppedTargets"]:
                    labels = target["discoveredLabels"]
                    found[labels["job"]][tuple(sorted(labels.items()))] += 1
        except (urllib.error.URLError, ConnectionError):
            pass
        return found

    def test_each_role_finds_the_same_labels(self):
        config = self.configuration()
        self.start("ours", [built("tributary"), "--config.file=" + config, "--storage.mode=memory",
                            "--web.listen-address=" + OURS.removeprefix("http://")])
        self.start("theirs", [program("prometheus"), "--agent", "--config.file=" + config,
                              "--storage.agent.path=" + os.path.join(self.folder.name, "theirs-data"),
                              "--web.listen-address=" + THEIRS.removeprefix("http://")])
        begin, touched = time.monotonic(), 0
        ours = theirs = {}
        while time.monotonic() < begin + 60:
            ours, theirs = self.discovered(OURS), self.discovered(THEIRS)
            if ours == theirs and all(theirs.values()):
                break
            if time.monotonic() > begin + 10 * (touched + 1):
                touched += 1
                self.touch(touched)
            time.sleep(0.5)
        logs = "".join(read(os.path.join(self.folder.name, name))[-3000:] for name in ("ours", "theirs"))
        for name in JOBS:
            with self.subTest(name):
                self.assertGreater(sum(theirs[name].values()), 0, logs)
                # Readable where they differ: the labels that only one of them has.
                self.assertEqual([dict(labels) for labels in sorted((ours[name] - theirs[name]).elements())],
                                 [dict(labels) for labels in sorted((theirs[name] - ours[name]).elements())])
        names = {name for found in theirs.values() for labels in found for name, _ in labels}
        print(f"beside Prometheus: {sum(sum(found.values()) for found in theirs.values())} targets of {len(JOBS)} jobs, "
              f"{len(names)} names of labels")


if __name__ == "__main__":
    unittest.main()
