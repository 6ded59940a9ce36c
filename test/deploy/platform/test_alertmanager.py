"""alertmanager.yml: amtool accepts it, alerts take the routes they should, inhibition holds, notifications read well."""

import json
import os
import time
import urllib.parse

import yaml

from support import EVERYTHING, Scratch, need, processes, render, run
from lib.client import Client

ROUTES = [
    # labels, the receivers in order
    ({"alertname": "Watchdog", "severity": "none", "team": "platform"}, "deadman"),
    ({"alertname": "PlatformVerify", "severity": "none"}, "default"),
    ({"alertname": "LowClusterMemory", "severity": "critical", "team": "platform"}, "pager,platform"),
    ({"alertname": "HighErrorRate", "severity": "critical", "team": "backend", "service": "cart"}, "pager,backend"),
    ({"alertname": "HighLatency", "severity": "warning", "team": "backend"}, "backend"),
    ({"alertname": "TributaryBehind", "severity": "warning", "team": "platform"}, "platform"),
    ({"alertname": "TributaryBehind", "severity": "critical", "team": "platform"}, "pager,platform"),
    ({"alertname": "SomethingElse", "severity": "warning", "team": "nobody"}, "default"),
    # Whatever team a critical alert has, or none: it pages, and somebody is told without a pager.
    ({"alertname": "SomethingElse", "severity": "critical", "team": "nobody"}, "pager"),
    ({"alertname": "SomethingElse"}, "default"),
]

AGENT = {"cluster": "east", "environment": "production", "instance": "h1", "remote_name": "p0"}
INHIBITIONS = [
    # what is told, what is therefore not, what still is
    ({"alertname": "TributaryBehind", "severity": "critical", **AGENT}, {"alertname": "TributaryBehind", "severity": "warning", **AGENT},
     {"alertname": "TributaryBehind", "severity": "warning", **AGENT, "instance": "h2"}),
    ({"alertname": "ServiceDown", "severity": "critical", "cluster": "east", "job": "node"},
     {"alertname": "InstanceDown", "severity": "warning", "cluster": "east", "job": "node", "instance": "n1"},
     {"alertname": "InstanceDown", "severity": "warning", "cluster": "west", "job": "node", "instance": "n1"}),
    ({"alertname": "TributaryClusterSilent", "severity": "critical", "cluster": "east"},
     {"alertname": "TributaryAgentAbsent", "severity": "warning", "cluster": "east", "instance": "h1"},
     {"alertname": "TributaryAgentAbsent", "severity": "warning", "cluster": "west", "instance": "h1"}),
    ({"alertname": "TributaryDropping", "severity": "critical", **AGENT, "reason": "log_full"},
     {"alertname": "TributaryShardsAtMax", "severity": "warning", **AGENT},
     {"alertname": "TributaryShardsAtMax", "severity": "warning", **AGENT, "remote_name": "p1"}),
    ({"alertname": "PrometheusDown", "severity": "critical", "cluster": "central", "environment": "production", "instance": "p0"},
     {"alertname": "TributaryBehind", "severity": "warning", **AGENT},
     {"alertname": "TributaryFailing", "severity": "warning", **AGENT}),
    ({"alertname": "HighErrorRate", "severity": "critical", "cluster": "east", "service": "cart"},
     {"alertname": "HighLatency", "severity": "warning", "cluster": "east", "service": "cart"},
     {"alertname": "HighLatency", "severity": "warning", "cluster": "east", "service": "search"}),
]


class Configuration(Scratch):
    def file(self, name, values):
        return os.path.join(render(os.path.join(self.folder, name), **values), "alertmanager", "alertmanager.yml")

    def test_check_config(self):
        amtool = need(processes.find_amtool)
        switches = ("SLACK_ENABLED", "PAGERDUTY_ENABLED", "DEADMAN_SNS_TOPIC_ARN", "DEADMAN_WEBHOOK_ENABLED")
        shapes = {"local": {}, "nothing": {"WEBHOOK_ENABLED": "false"}, "everything": EVERYTHING}
        shapes.update({n: {"WEBHOOK_ENABLED": "false", "AWS_REGION": "us-east-1", n: EVERYTHING[n]} for n in switches})
        shapes["mail"] = {n: EVERYTHING[n] for n in ("EMAIL_TO", "EMAIL_FROM", "SMTP_SMARTHOST")}
        for name, values in shapes.items():
            with self.subTest(name):
                status, output = run(amtool, "check-config", self.file(name, values))
                self.assertEqual(status, 0, output)
                self.assertIn("1 templates", output)

    def test_routes(self):
        amtool = need(processes.find_amtool)
        file = self.file("everything", EVERYTHING)
        for labels, receivers in ROUTES:
            with self.subTest(str(labels)):
                status, output = run(amtool, "config", "routes", "test", f"--config.file={file}",
                                     f"--verify.receivers={receivers}", *(f"{k}={v}" for k, v in labels.items()))
                self.assertEqual(status, 0, output)

    def test_secrets_are_files(self):
        with open(self.file("everything", EVERYTHING), encoding="utf-8") as handle:
            text = handle.read()
        for inline in ("api_url:", "routing_key:", "service_key:", "smtp_auth_password:", " url:"):
            self.assertNotIn(inline, text)

    def test_each_way_is_where_it_belongs(self):
        with open(self.file("everything", EVERYTHING), encoding="utf-8") as handle:
            config = yaml.safe_load(handle)
        ways = {r["name"]: sorted(k for k in r if k != "name") for r in config["receivers"]}
        told = ["email_configs", "slack_configs", "webhook_configs"]
        self.assertEqual(ways, {"default": told, "platform": told, "backend": told, "pager": ["pagerduty_configs"],
                                "deadman": ["sns_configs", "webhook_configs"]})
        mail = [r["email_configs"][0]["to"] for r in config["receivers"] if "email_configs" in r]
        self.assertEqual(set(mail), {"oncall@company.com, sre-team@company.com"})

    def test_notifications_read_well(self):
        amtool = need(processes.find_amtool)
        folder = os.path.dirname(self.file("local", {}))
        data = os.path.join(self.folder, "data.json")
        with open(data, "w", encoding="utf-8") as handle:
            json.dump({
                "receiver": "platform", "status": "firing", "externalURL": "http://am",
                "groupLabels": {"alertname": "PrometheusDown"},
                "commonLabels": {"severity": "critical", "cluster": "central", "environment": "production"},
                "commonAnnotations": {"runbook_url": "http://rb#x"},
                "alerts": [{"status": "firing", "labels": {}, "generatorURL": "http://p/graph", "annotations": {
                    "summary": "Replica p1 is down", "description": "Since five minutes.", "runbook": "See its log.",
                    "runbook_url": "http://rb#x"}}, {"status": "resolved", "labels": {}, "annotations": {"summary": "Replica p2"}}],
            }, handle)
        expected = {
            "title": "[FIRING 1] critical: PrometheusDown in central (production)",
            "color": "danger",
            "link": "http://rb#x",
            "text": "Replica p1 is down\n  Since five minutes.\n  To do: See its log.\n  Runbook: http://rb#x\n"
                    "  Expression: http://p/graph\nResolved: Replica p2",
        }
        for name, text in expected.items():
            with self.subTest(name):
                status, output = run(amtool, "template", "render", f"--template.glob={folder}/templates/*.tmpl",
                                     f"--template.data={data}", f'--template.text={{{{ template "platform.{name}" . }}}}')
                self.assertEqual((status, output.strip()), (0, text))


class Running(Scratch):
    """Two real Alertmanagers, in a cluster."""

    def setUp(self):
        super().setUp()
        need(processes.find_alertmanager)
        file = os.path.join(render(self.folder), "alertmanager", "alertmanager.yml")
        ports = processes.free_ports(4)
        self.servers = []
        for number in (0, 1):
            process = processes.alertmanager(f"a{number}", file, self.folder, ports[number], ports[2 + number],
                                             [ports[2]] if number else [])
            self.addCleanup(process.stop)
            process.start()
            process.wait_ready()
            self.servers.append(Client(f"http://127.0.0.1:{ports[number]}"))

    def post(self, server, alerts):
        body = json.dumps([{"labels": labels, "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
                           for labels in alerts]).encode()
        status, data = server.request("/api/v2/alerts", body, {"Content-Type": "application/json"})
        self.assertEqual(status, 200, data)

    def state(self, server, labels):
        query = urllib.parse.urlencode({"filter": [f'{k}="{v}"' for k, v in labels.items()]}, doseq=True)
        alerts = [a for a in server.get_json(f"/api/v2/alerts?{query}") if a["labels"] == labels]
        return (alerts[0]["status"]["state"], bool(alerts[0]["status"]["inhibitedBy"])) if alerts else None

    def wait(self, wanted, attempt, seconds=15):
        deadline = time.monotonic() + seconds
        while attempt() != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(attempt(), wanted)

    def test_inhibition(self):
        server = self.servers[0]
        for source, target, other in INHIBITIONS:
            with self.subTest(f"{source['alertname']} inhibits {target['alertname']}"):
                source, target, other = ({**labels, "case": source["alertname"]} for labels in (source, target, other))
                self.post(server, [target, other])
                self.wait(("active", False), lambda: self.state(server, target))
                self.post(server, [source])
                self.wait(("suppressed", True), lambda: self.state(server, target))
                self.assertEqual(self.state(server, other), ("active", False))
                self.assertEqual(self.state(server, source)[0], "active")
                # Gone again, for the next case.
                ended = json.dumps([{"labels": x, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-01T00:00:01Z"}
                                    for x in (source, target, other)]).encode()
                server.request("/api/v2/alerts", ended, {"Content-Type": "application/json"})
                self.wait(None, lambda: self.state(server, source))

    def test_silences_reach_all(self):
        silence = json.dumps({"matchers": [{"name": "alertname", "value": "Silenced", "isRegex": False}], "createdBy": "t",
                              "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z", "comment": "t"}).encode()
        status, data = self.servers[0].request("/api/v2/silences", silence, {"Content-Type": "application/json"})
        self.assertEqual(status, 200, data)
        self.post(self.servers[1], [{"alertname": "Silenced"}])
        self.wait("suppressed", lambda: (self.state(self.servers[1], {"alertname": "Silenced"}) or ("",))[0], 30)
