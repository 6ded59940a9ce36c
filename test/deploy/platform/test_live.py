"""The platform for real: verify passes, losing a replica loses nothing, alerts arrive once, broken things are told.

Takes about three minutes, most of it until jobs that scrape every 30 and 60 seconds have scraped twice.
"""

import glob
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import yaml

from support import CONFIG, DASHBOARDS, RULES, need, processes, run
from world import World
from lib import panels, wire
from lib.client import Failure

# What the agent sends, without what the replicas themselves derive from it.
SENT = '{cluster="eks-us-east-1", __name__!~".*:.*|ALERTS.*"}'


def until(seconds, attempt):
    """Repeats `attempt` until it returns something true; that."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = attempt()
        except Failure:
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {seconds} s: {attempt.__doc__ or attempt}")
        time.sleep(0.3)


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.world = World(cls.temporary.name)
        cls.addClassCleanup(cls.world.stop)
        cls.world.start()

    def verify(self, *more, prometheus=("p0", "p1"), credentials=None, alertmanager=True):
        command = [os.path.join(CONFIG, "verify")]
        for name in prometheus:
            command += ["--prometheus", self.world.url(name)]
        if alertmanager:
            command += ["--alertmanager", self.world.url("alertmanager"), "--sink", self.world.url("exporter") + "/sink"]
        command += ["--credentials", credentials or self.world.credentials, *more]
        return run(*command, env={**os.environ, "no_proxy": "127.0.0.1"})

    def raw(self, name, start, end):
        """{series: [[time, value]]} of all that the agent sent to a replica, as it is stored."""
        data = self.world.client(name).prometheus("/api/v1/query", query=f"{SENT}[{end - start}s]", time=str(end))
        return {tuple(sorted(s["metric"].items())): s["values"] for s in data["result"]}

    # The names give the order: what takes things down comes last.

    def test_1_verify_passes(self):
        client = self.world.client("p0")
        until(150, lambda: client.query('count_over_time(up{job="central-cloudwatch"}[5m]) >= 1'))
        until(150, lambda: client.query('count_over_time(up{job="federate-eks-us-west-2"}[5m]) >= 3'))
        status, output = self.verify("--late", "12h", "--require-data", "--timeout", "90")
        print(output, file=sys.stderr)
        self.assertEqual(status, 0, output)
        self.assertRegex(output, r"\n\d+ passed, 0 failed, 1 skipped\n$")
        self.assertIn("skip  grafana: no --grafana", output)
        self.assertIn("and it arrived", output)

    def test_1_verify_without_alertmanager(self):
        """As from outside the cloud's network: what Prometheus scrapes of Alertmanager counts."""
        status, output = self.verify(alertmanager=False)
        self.assertEqual(status, 0, output)
        self.assertRegex(output, "ok    alert delivery: by webhook\n")

    def test_2_every_panel_and_variable_has_a_result(self):
        """On both replicas; verify asks the first only."""
        count = 0
        for name in ("p0", "p1"):
            client = self.world.client(name)
            for file, dashboard in panels.load(DASHBOARDS):
                for title, ref, expression in panels.queries(dashboard):
                    with self.subTest(f"{name} {file} {title} {ref}"):
                        until(60, lambda: client.query(expression))
                        count += 1
                for variable in dashboard["templating"]["list"][1:]:
                    with self.subTest(f"{name} {file} ${variable['name']}"):
                        selector, label = variable["query"]["query"][len("label_values("):-1].rsplit(", ", 1)
                        selector = panels.fill(selector, panels.variables(dashboard))
                        self.assertTrue(client.query(f"count by ({label}) ({selector})"))
        self.assertGreater(count, 200)

    def test_2_every_recording_rule_has_a_result(self):
        client = self.world.client("p1")
        with open(os.path.join(RULES, "recording.yml"), encoding="utf-8") as handle:
            names = [rule["record"] for group in yaml.safe_load(handle)["groups"] for rule in group["rules"]]
        for name in names:
            with self.subTest(name):
                until(60, lambda: client.query(name))
        # The known load of exporter.py, of the cluster that writes and of the one that is federated.
        for cluster in ("eks-us-east-1", "eks-us-west-2"):
            with self.subTest(cluster):
                used = float(client.query(f'cluster:memory_working_set_bytes:sum{{cluster="{cluster}"}}')[0]["value"][1])
                self.assertEqual(used, 2 << 30)
                errors = float(client.query(f'service:http_errors:ratio_rate5m{{cluster="{cluster}"}}')[0]["value"][1])
                self.assertAlmostEqual(errors, 0.01, delta=0.002)

    def test_2_the_agent_has_the_metrics_that_are_asked_for(self):
        """Each tributary_ name of rules and dashboards is on the page of the running agent."""
        _, page = self.world.client("agent").request("/metrics")
        names = set()
        for folder, pattern in ((RULES, "*.yml"), (DASHBOARDS, "*.json")):
            for file in glob.glob(os.path.join(folder, pattern)):
                with open(file, encoding="utf-8") as handle:
                    names |= set(re.findall(r"(?<![:\w])tributary_[a-z_]+\b(?!:)", handle.read()))
        only_with_sigv4 = {"tributary_remote_credential_failures_total"}
        self.assertGreater(len(names), 12)
        self.assertEqual(sorted(n for n in names - only_with_sigv4 if not re.search(rf"^{n}[ {{]", page.decode(), re.M)), [])

    def test_3_two_replicas_one_alert(self):
        alerts = self.world.client("alertmanager").get_json("/api/v2/alerts")
        watchdogs = [a for a in alerts if a["labels"]["alertname"] == "Watchdog"]
        self.assertEqual(len(watchdogs), 1, alerts)
        self.assertNotIn("prometheus_replica", watchdogs[0]["labels"])
        self.assertEqual(watchdogs[0]["labels"]["environment"], "local")
        for name in ("p0", "p1"):
            sent = self.world.client(name).query(f'prometheus_notifications_sent_total{{instance="127.0.0.1:{self.world.ports[name]}"}}')
            self.assertGreater(float(sent[0]["value"][1]), 0)
        with_unexpected = [a["labels"] for a in alerts if a["labels"]["alertname"] not in ("Watchdog", "PlatformVerify")]
        self.assertEqual(with_unexpected, [], "a platform that is well has other alerts")

    def test_4_data_that_comes_late_is_told(self):
        """TributaryDataLate waits five minutes; that it waits is what can be seen in a test."""
        client = self.world.client("p0")
        stop = threading.Event()

        def send_late():
            labels = {"__name__": "tributary_build_info", "cluster": "late", "job": "tributary", "instance": "late"}
            while not stop.wait(1):
                body = wire.remote_write_body([(labels, [(int((time.time() - 180) * 1000), 1.0)])])
                client.request("/api/v1/write", body, wire.REMOTE_WRITE_HEADERS)

        thread = threading.Thread(target=send_late)
        thread.start()
        try:
            found = until(30, lambda: client.query('ALERTS{alertname="TributaryDataLate"}'))
        finally:
            stop.set()
            thread.join()
        self.assertEqual([(s["metric"]["cluster"], s["metric"]["alertstate"]) for s in found], [("late", "pending")])

    def test_5_verify_tells_what_is_wrong(self):
        wrong = os.path.join(self.temporary.name, "wrong")
        with open(wrong, "w", encoding="utf-8") as handle:
            handle.write("agent:not-this-one\n")
        status, output = self.verify("--timeout", "1", prometheus=("p0",), credentials=wrong, alertmanager=False)
        self.assertEqual(status, 1)
        self.assertIn("credentials are missing or wrong", output)
        self.assertNotIn("not-this-one", output)
        # The remote one has no receiver, no rules and no Alertmanager, and lets anybody in.
        status, output = self.verify("--timeout", "1", prometheus=("remote",), alertmanager=False)
        self.assertEqual(status, 1)
        self.assertIn("Prometheus needs --web.enable-remote-write-receiver", output)
        self.assertRegex(output, r"FAIL  rules 127.0.0.1:\d+: .* lacks \d+ rules")
        self.assertRegex(output, r"FAIL  alertmanagers .* knows 0 Alertmanagers")
        status, output = self.verify("--late", "3d", "--timeout", "1", prometheus=("p0",), alertmanager=False)
        self.assertEqual(status, 1)
        self.assertIn("is out_of_order_time_window that long?", output)

    def test_6_silence_keeps_it_quiet(self):
        alertmanager = self.world.client("alertmanager")
        silence = (b'{"matchers":[{"name":"alertname","value":"PlatformVerify","isRegex":false,"isEqual":true}],'
                   b'"startsAt":"2020-01-01T00:00:00Z","endsAt":"2100-01-01T00:00:00Z","createdBy":"test","comment":"test"}')
        status, data = alertmanager.request("/api/v2/silences", silence, {"Content-Type": "application/json"})
        self.assertEqual(status, 200, data)
        status, output = self.verify("--timeout", "3", prometheus=("p0",))
        self.assertEqual(status, 1)
        self.assertIn("the alert is silenced or inhibited", output)

    def test_7_a_replica_that_is_killed_loses_nothing(self):
        start = int(time.time()) - 20
        p1 = self.world.processes["p1"]
        p1.kill()
        killed = int(time.time())
        status, output = self.verify("--timeout", "1", alertmanager=False)
        self.assertEqual(status, 1)
        self.assertIn(f"FAIL  ready 127.0.0.1:{self.world.ports['p1']}", output)
        time.sleep(20)
        # The other replica has noticed, and knows which agent waits for whom.
        client = self.world.client("p0")
        self.assertTrue(client.query(f'ALERTS{{alertname="PrometheusDown", instance="127.0.0.1:{self.world.ports["p1"]}"}}'))
        backlog = {s["metric"]["remote_name"]: float(s["value"][1]) for s in client.query("remote:tributary_backlog:samples")}
        self.assertGreater(backlog["prometheus-1"], 1000)
        self.assertLess(backlog["prometheus-0"], 1000)
        p1.start()
        p1.wait_ready(60)
        returned = int(time.time())

        def caught_up():
            """the agent has delivered to prometheus-1 what it kept"""
            lag = {s["metric"]["remote_name"]: float(s["value"][1]) for s in client.query("remote:remote_write_lag:seconds")}
            return lag["prometheus-1"] < 5 and lag["prometheus-0"] < 5

        until(60, caught_up)
        time.sleep(3)
        end = returned + 1
        there, here = self.raw("p0", start, end), self.raw("p1", start, end)
        self.assertGreater(len(there), 250)
        during = sum(killed < t < returned for values in there.values() for t, _ in values)
        self.assertGreater(during, 3000, "there is little to lose")
        self.assertEqual(sorted(set(there) ^ set(here)), [])
        different = [series for series in there if there[series] != here[series]]
        self.assertEqual(different, [], "samples differ between the replicas")
        print(f"{len(there)} series, {sum(map(len, there.values()))} samples alike on both replicas, {during} of them from "
              f"the {returned - killed} s in which one was dead", file=sys.stderr)


class RunLocal(unittest.TestCase):
    """What the README tells people to try."""

    def test_starts_verifies_and_ends(self):
        for find in (processes.find_prometheus, processes.find_alertmanager):
            need(find)
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "out")
            with open(out, "w", encoding="utf-8") as handle:
                # Ctrl-C ends it, also where these tests themselves run in the background of a shell that ignores it.
                process = subprocess.Popen([os.path.join(CONFIG, "run-local"), "--dir", os.path.join(folder, "p")],
                                           stdout=handle, stderr=handle,
                                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
            try:
                def command():
                    """run-local has printed the command of verify"""
                    with open(out, encoding="utf-8") as handle:
                        text = handle.read()
                    self.assertIsNone(process.poll(), text)
                    return re.search(r"^(/\S*/verify .*?)\n\n", text, re.M | re.S)

                found = until(90, command)[1].replace("\\\n", " ").split()
                status, output = run(*found)
                self.assertEqual(status, 0, output)
                self.assertIn("and it arrived", output)
                ports = set(re.findall(r"127\.0\.0\.1:(\d+)", " ".join(found)))
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    self.assertEqual(process.wait(60), 0)
                finally:
                    process.terminate()
            self.assertEqual(len(ports), 4)
            for port in ports:
                with self.assertRaises(OSError, msg=f"port {port} still answers"):
                    socket.create_connection(("127.0.0.1", int(port)), 2).close()
