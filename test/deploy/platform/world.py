"""The platform for real, on this machine: two central Prometheus replicas and an Alertmanager with deploy/config, a
Tributary that writes to both, a Prometheus of another cluster that is federated, targets, and a webhook's receiver.

    exporter.py <- agent (cluster eks-us-east-1) -> prometheus-0, prometheus-1 -> alertmanager -> exporter.py /sink
    exporter.py <- remote (cluster eks-us-west-2) <- both

All with basic authentication where production has it. Everything on 127.0.0.1, in a folder of its own.
"""

import os
import sys
import warnings

from support import HERE, ROOT, need, processes, render
from lib.client import Client

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt  # for bcrypt; gone in Python 3.13, Debian 12 has 3.11

USER, PASSWORD = "agent", "a-test-and-no-secret"

AGENT = """\
global:
  scrape_interval: 1s
  external_labels: {{cluster: eks-us-east-1}}
scrape_configs:
  - job_name: tributary
    static_configs: [{{targets: ["127.0.0.1:{agent}"]}}]
{jobs}
remote_write:
  - name: prometheus-0
    url: http://127.0.0.1:{p0}/api/v1/write
    basic_auth: {{username: {user}, password_file: {password_file}}}
    queue_config: &queue {{capacity: 10000, max_shards: 100, max_samples_per_send: 500, batch_send_deadline: 1s}}
  - name: prometheus-1
    url: http://127.0.0.1:{p1}/api/v1/write
    basic_auth: {{username: {user}, password_file: {password_file}}}
    queue_config: *queue
"""
REMOTE = """\
global:
  scrape_interval: 1s
  external_labels: {{cluster: eks-us-west-2}}
scrape_configs:
{jobs}
"""
JOB = """\
  - job_name: kubernetes-{part}
    metrics_path: /kubernetes/{part}
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
"""


def find_agent():
    """The agent's program: $TRIBUTARY, or of the build that is there."""
    candidates = [os.environ.get("TRIBUTARY", "")]
    candidates += [os.path.join(ROOT, "build", preset, "bin", "tributary") for preset in ("release", "dev")]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise processes.NotThere("no tributary is built here; build it, or name one in the environment variable TRIBUTARY")


class World:
    def __init__(self, folder):
        self.folder = folder
        names = ("p0", "p1", "alertmanager", "remote", "agent", "exporter")
        agent_program = need(find_agent)
        for find in (processes.find_prometheus, processes.find_alertmanager):
            need(find)
        self.ports = dict(zip(names, processes.free_ports(len(names))))
        self.processes = {}
        self._write_secrets()
        jobs = "".join(JOB.format(part=part, exporter=self.ports["exporter"])
                       for part in ("cadvisor", "nodes", "service-endpoints", "pods"))
        agent_config = self._write("agent.yml", AGENT.format(
            jobs=jobs, user=USER, password_file=os.path.join(folder, "secrets", "prometheus-password"), **self.ports))
        remote_config = self._write("remote.yml", REMOTE.format(jobs=jobs))

        self._add(processes.Process("exporter", [sys.executable, os.path.join(HERE, "exporter.py"),
                                                 str(self.ports["exporter"])], folder, self.url("exporter") + "/sink"))
        self._add(processes.prometheus("remote", remote_config, folder, self.ports["remote"], receiver=False))
        self._add(processes.alertmanager("alertmanager", self._render(0) + "/alertmanager/alertmanager.yml", folder,
                                         self.ports["alertmanager"]))
        for replica in (0, 1):
            self._add(processes.prometheus(f"p{replica}", self._render(replica) + "/prometheus/prometheus.yml", folder,
                                           self.ports[f"p{replica}"], self.web_config, (USER, PASSWORD)))
        self._add(processes.Process("agent", [
            agent_program, f"--config.file={agent_config}", f"--web.listen-address=127.0.0.1:{self.ports['agent']}",
            f"--storage.path={os.path.join(folder, 'agent.data')}"], folder, self.url("agent") + "/-/ready"))

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def client(self, name):
        return Client(self.url(name), (USER, PASSWORD) if name in ("p0", "p1") else None)

    def start(self):
        for process in self.processes.values():
            process.start()
            process.wait_ready(60)

    def stop(self):
        for process in reversed(self.processes.values()):
            process.stop()

    def _add(self, process):
        self.processes[process.name] = process

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(text)
        return path

    def _write_secrets(self):
        self._write("secrets/prometheus-password", PASSWORD)
        self._write("secrets/webhook-url", self.url("exporter") + "/webhook")
        self.credentials = self._write("credentials", f"{USER}:{PASSWORD}\n")
        hashed = crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
        self.web_config = self._write("web.yml", f"basic_auth_users:\n  {USER}: {hashed}\n")

    def _render(self, replica):
        out = os.path.join(self.folder, f"replica-{replica}")
        return render(
            out, SECRETS_DIR=os.path.join(self.folder, "secrets"), REPLICA=str(replica), SCRAPE_INTERVAL="1s",
            EVALUATION_INTERVAL="1s", PROMETHEUS_USERNAME=USER, AWS_REGION="us-east-1",
            PROMETHEUS_TARGETS=f"127.0.0.1:{self.ports['p0']},127.0.0.1:{self.ports['p1']}",
            ALERTMANAGER_TARGETS=f"127.0.0.1:{self.ports['alertmanager']}",
            CLOUDWATCH_EXPORTER_TARGETS=f"127.0.0.1:{self.ports['exporter']}",
            FEDERATION_TARGETS=f"eks-us-west-2@us-west-2=127.0.0.1:{self.ports['remote']}")
