"""What discovery costs and how soon it is: figures, for docs/performance.md, of a real API server with many pods.

Run by tools/test-kubernetes --figures. Prints memory by agent and kind of watch, and the time from a pod's being
Running, with its address, to its first scrape. PODS and ARRIVALS in the environment are other numbers than 10000 and 50.
Real Prometheus is measured beside, where there is one.
"""

import concurrent.futures
import hashlib
import http.client
import http.server
import json
import os
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import world
from case import built, program

PODS = int(os.environ.get("PODS", "10000"))
ARRIVALS = int(os.environ.get("ARRIVALS", "50"))
PER_NODE = 100
LOAD = "/api/v1/namespaces/load/pods"
SETTLED = 25  # seconds: what only a start needs is given back by then
SENDER_PORT = 39090


def pod(number, node, annotations=None):
    """As a Deployment's pods are in a cluster with Helm, Argo CD and Calico."""
    app = f"service-{number // 25}"
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    name = f"{app}-{digest[:10]}-{digest[10:15]}"
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "failureThreshold": 3}
    containers = [{
        "name": container, "image": f"registry.example.org/{app}/{container}:v1.{number % 50}.2",
        "ports": [{"name": "http-metrics", "containerPort": port, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{i}", "value": f"value of setting {i}"} for i in range(10)],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "livenessProbe": probe, "readinessProbe": probe,
    } for container, port in (("app", 8080), ("proxy", 15090))]
    return {
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/name": app, "app.kubernetes.io/instance": app + "-production",
                "app.kubernetes.io/version": f"1.{number % 50}.2", "app.kubernetes.io/component": "server",
                "app.kubernetes.io/part-of": "shop", "app.kubernetes.io/managed-by": "Helm",
                "helm.sh/chart": f"{app}-3.1.4", "pod-template-hash": digest[:10], "team": f"team-{number % 17}",
                "argocd.argoproj.io/instance": app + "-production"},
            "annotations": {
                "checksum/config": digest, "checksum/secret": digest[::-1],
                "kubectl.kubernetes.io/restartedAt": "2026-11-01T12:00:00Z",
                "kubectl.kubernetes.io/default-container": "app", "cni.projectcalico.org/containerID": digest,
                "cni.projectcalico.org/podIP": address(number) + "/32",
                "cni.projectcalico.org/podIPs": address(number) + "/32", **(annotations or {})},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{app}-{digest[:10]}",
                                 "uid": f"{digest[:8]}-0000-4000-8000-000000000000", "controller": True}]},
        "spec": {"nodeName": node, "containers": containers, "automountServiceAccountToken": False}}


def address(number):
    return f"10.{100 + number // 65536}.{number // 256 % 256}.{number % 256}"


def running(item, ip, host):
    item["status"] = {
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": host, "hostIPs": [{"ip": host}],
        "conditions": [{"type": kind, "status": "True"} for kind in ("Initialized", "Ready", "ContainersReady")],
        "containerStatuses": [{
            "name": container["name"], "image": container["image"], "ready": True, "restartCount": 0, "started": True,
            "imageID": "registry.example.org@sha256:" + hashlib.sha256(container["image"].encode()).hexdigest(),
            "containerID": "containerd://" + hashlib.sha256((ip + container["name"]).encode()).hexdigest(),
            "state": {"running": {"startedAt": "2026-11-01T12:00:00Z"}}} for container in item["spec"]["containers"]]}
    return item


class Api:
    """Requests of one thread, over one connection."""

    def __init__(self, there):
        self.connection = http.client.HTTPSConnection(world.API, world.PORT, timeout=30,
                                                      context=ssl.create_default_context(cafile=there.ca))

    def send(self, method, path, body):
        self.connection.request(method, path, json.dumps(body), {
            "Authorization": "Bearer " + world.ADMIN, "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]}")
        return json.loads(text)

    def run_pod(self, item, ip):
        created = self.send("POST", LOAD, item)
        return self.send("PUT", f"{LOAD}/{created['metadata']['name']}/status", running(created, ip, "10.99.0.1"))


def fill(there):
    def some(part):
        api = Api(there)
        for number in range(part, PODS, 8):
            api.run_pod(pod(number, f"node-{number // PER_NODE}"), address(number))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(some, range(8)))


class Memory:
    """Resident and anonymous bytes of a process, and the most of them, looked at every 5 ms."""

    def __init__(self, pid):
        self.pid, self.most, self.ends = pid, (0, 0), False
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def now(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon"))

    def _watch(self):
        while not self.ends:
            try:
                self.most = tuple(map(max, self.most, self.now()))
            except (OSError, KeyError):
                return
            time.sleep(0.005)


CONFIG = """
global: {{scrape_interval: {interval}}}
remote_write: [{{url: "http://127.0.0.1:{sender}/api/v1/write"}}]
scrape_configs:
  - job_name: pods
    kubernetes_sd_configs:
      - role: pod
        api_server: {url}
        tls_config: {{ca_file: {ca}}}
        authorization: {{credentials: {token}}}
        {selectors}
    relabel_configs:
      - {{source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], regex: "true", action: keep}}
      - {{source_labels: [__meta_kubernetes_pod_container_name], regex: app, action: keep}}
      - source_labels: [__address__, __meta_kubernetes_pod_annotation_prometheus_io_port]
        regex: "([^:]+)(?::[0-9]+)?;([0-9]+)"
        replacement: $1:$2
        target_label: __address__
      - {{source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path], target_label: __metrics_path__}}
"""
OF_NODE = 'selectors: [{role: pod, field: "spec.nodeName=node-7"}]'
NOTHING = "scrape_configs: []\n"


class Agent:
    """A running agent: ours, or Prometheus in agent mode."""

    def __init__(self, folder, kind, text, port):
        self.folder, self.port = tempfile.mkdtemp(dir=folder), port
        config = os.path.join(self.folder, "agent.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        listen = f"--web.listen-address=127.0.0.1:{port}"
        command = {"tributary": [built("tributary"), f"--config.file={config}", listen,
                                 f"--storage.path={self.folder}/log"],
                   "prometheus": [program("prometheus"), "--agent", f"--config.file={config}", listen,
                                  f"--storage.agent.path={self.folder}/log"]}[kind]
        with open(os.path.join(self.folder, "stderr"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.memory = Memory(self.process.pid)

    def metric(self, name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
                for line in answer.read().decode().splitlines():
                    if line.startswith(name + " ") or line.startswith(name + "{"):
                        return float(line.rsplit(" ", 1)[1])
        except OSError:
            pass
        return None

    def wait_for(self, name, at_least):
        """Seconds until the metric is that large."""
        begin = time.monotonic()
        while (self.metric(name) or 0) < at_least:
            if self.process.poll() is not None or time.monotonic() > begin + 180:
                with open(os.path.join(self.folder, "stderr"), encoding="utf-8") as log:
                    raise RuntimeError(f"{name} does not become {at_least}: " + log.read()[-2000:])
            time.sleep(0.2)
        return time.monotonic() - begin

    def stop(self):
        self.memory.ends = True
        self.memory.thread.join()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def config(there, interval="15s", selectors=""):
    return CONFIG.format(interval=interval, sender=SENDER_PORT, url=there.url, ca=there.ca, token=world.ADMIN,
                         selectors=selectors)


def mib(size):
    return f"{size / (1 << 20):.1f}"


def memory_figures(there, kind):
    rows = {}
    for name, text, pods in (("no discovery", NOTHING, 0), ("pods of a node", config(there, selectors=OF_NODE), PER_NODE),
                             ("pods of the cluster", config(there), PODS)):
        agent = Agent(there.folder, kind, text, 39095)
        try:
            # Two containers a pod, one port each.
            seconds = agent.wait_for("prometheus_sd_discovered_targets", 2 * pods) if pods else 0
            time.sleep(SETTLED)
            rows[name] = (*agent.memory.now(), *agent.memory.most)
        finally:
            agent.stop()
        base = rows["no discovery"][1]
        each = f"{(rows[name][1] - base) / pods / 1024:.2f}" if pods else ""
        print(f"| {kind} | {name} | {pods} | {' | '.join(map(mib, rows[name]))} | {each} | {seconds:.1f} |", flush=True)


class Arrivals:
    """Serves every pod's page, each at a path of its own, and keeps when it was first asked for."""

    def __init__(self):
        self.first = first = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                first.setdefault(self.path, time.monotonic())
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", "14")
                self.end_headers()
                self.wfile.write(b"some_metric 1\n")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((world.POD, 8080), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def arrival_figures(there, kind, interval, arrivals, turn):
    """Pods that become Running one after the other, at moments that have nothing to do with the interval's."""
    agent = Agent(there.folder, kind, config(there, interval), 39095)
    rng = random.Random(1)
    since = {}
    api = Api(there)
    try:
        agent.wait_for("prometheus_sd_discovered_targets", 2 * PODS)
        time.sleep(5)
        for number in range(ARRIVALS):
            path = f"/{turn}/{number}"
            item = pod(PODS + turn * ARRIVALS + number, "node-new", {
                "prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": path})
            api.run_pod(item, world.POD)
            since[path] = time.monotonic()
            time.sleep(rng.uniform(0, 2))
        deadline = time.monotonic() + 60
        while not since.keys() <= arrivals.first.keys() and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        agent.stop()
    missing = since.keys() - arrivals.first.keys()
    if missing:
        raise RuntimeError(f"{kind}: {len(missing)} pods were never scraped")
    took = sorted(arrivals.first[path] - begin for path, begin in since.items())
    print(f"| {kind} | {interval} | {len(took)} | {took[0]:.2f} | {statistics.median(took):.2f} | {took[-1]:.2f} |",
          flush=True)


def main():
    missing = [name for name in ("kube-apiserver", "etcd", "openssl") if not program(name)]
    if missing or not world.inside() or not built("tributary"):
        print(f"skipped: needs root, unshare, the agent built, and of programs: {', '.join(missing) or 'nothing else'}")
        return 0
    kinds = ["tributary"] + (["prometheus"] if program("prometheus") else [])
    with tempfile.TemporaryDirectory() as folder:
        there = world.World(folder)
        there.start()
        sender = world.Pages("127.0.0.1", SENDER_PORT)
        try:
            there.request("POST", "/api/v1/namespaces", {"metadata": {"name": "load"}})
            there.request("POST", "/api/v1/namespaces/load/serviceaccounts", {"metadata": {"name": "default"}})
            begin = time.monotonic()
            fill(there)
            print(f"{PODS} pods are there after {time.monotonic() - begin:.0f} s\n", flush=True)
            print("| agent | watches | pods | memory, MiB | of it anonymous | most memory | most anonymous "
                  "| anonymous, KiB a pod | seconds until all are known |\n|" + " --- |" * 9, flush=True)
            for kind in kinds:
                memory_figures(there, kind)
            print("\n| agent | scrape_interval | pods | first scrape after, s: least | p50 | most |\n|" + " --- |" * 6,
                  flush=True)
            arrivals = Arrivals()
            turn = 0
            for kind in kinds:
                for interval in ("15s", "1s"):
                    arrival_figures(there, kind, interval, arrivals, turn)
                    turn += 1
        finally:
            sender.stop()
            there.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
