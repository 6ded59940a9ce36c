"""Rules: promtool accepts them, each alert fires when it should and is silent when it should be, and reads well."""

import glob
import json
import os
import re
import unittest

import yaml

from support import CONFIG, HERE, RULES, Scratch, need, processes, render, run

GOLDEN = os.path.join(HERE, "rules", "annotations.json")
GROUPS = ["clusters", "cluster_ratios", "services", "remote_write", "infrastructure", "ecs", "applications",
          "agents_delivery", "agents_presence", "agents_health", "watchdog", "prometheus", "federation", "alertmanager",
          "others"]
# What promtool cannot play, and where it is tested instead.
FIRES_ELSEWHERE = {"TributaryDataLate": "test_live.py"}
SEED_RECORDS = ["cluster:cpu_usage:rate5m", "cluster:memory_usage_bytes:sum", "service:http_requests:rate5m",
                "service:http_errors:rate5m", "service:http_request_duration_p95:5m", "namespace:pod_count:sum",
                "cluster:node_capacity_cpu_cores:sum", "cluster:node_available_memory_bytes:sum"]
SEED_ALERTS = ["HighClusterCPUUsage", "LowClusterMemory", "PodCrashLooping", "HighErrorRate", "HighLatency", "ServiceDown",
               "PrometheusDown", "PrometheusFederationFailing"]


def rules(kind):
    for file in sorted(glob.glob(os.path.join(RULES, "*.yml"))):
        with open(file, encoding="utf-8") as handle:
            for group in yaml.safe_load(handle)["groups"]:
                for rule in group["rules"]:
                    if kind in rule:
                        yield group["name"], rule


def cases():
    for file in sorted(glob.glob(os.path.join(HERE, "rules", "*.yml"))):
        with open(file, encoding="utf-8") as handle:
            document = yaml.safe_load(handle)
            yield os.path.basename(file), document["tests"], document.get("evaluation_interval", "1m")


def label_text(labels):
    return ", ".join(f"{k}={v}" for k, v in sorted(labels.items()))


def key(file, test, alert, labels):
    return f"{file} | {test['name']} | {alert['alertname']} at {alert['eval_time']} | {label_text(labels)}"


class Rules(Scratch):
    def setUp(self):
        super().setUp()
        self.promtool = need(processes.find_promtool)
        self.config = render(self.folder, RUNBOOK_URL="https://runbook.example")

    def promtool_says(self, *arguments):
        status, output = run(self.promtool, *arguments)
        self.assertEqual(status, 0, output)
        return output

    def test_check_rules(self):
        files = sorted(glob.glob(os.path.join(self.config, "prometheus", "rules", "*.yml")))
        self.assertEqual(len(files), 5)
        self.promtool_says("check", "rules", "--lint=all", "--lint-fatal", *files)

    def test_cases(self):
        """promtool test rules, with the annotations' texts from annotations.json.

        UPDATE_ANNOTATIONS=1 writes that file anew from what promtool sees; read the difference before you commit it.
        """
        update = bool(os.environ.get("UPDATE_ANNOTATIONS"))
        golden = {}
        if not update:
            with open(GOLDEN, encoding="utf-8") as handle:
                golden = json.load(handle)
        used = {}
        for file, tests, interval in cases():
            with self.subTest(file):
                if update:
                    golden.update(self.seen_annotations(file, tests, interval))
                status, output = self.play(file, tests, interval, golden, used)
                self.assertEqual(status, 0, output)
        if update:
            with open(GOLDEN, "w", encoding="utf-8") as handle:
                json.dump(used, handle, indent=1, sort_keys=True)
                handle.write("\n")
        self.assertEqual(sorted(golden), sorted(used), "annotations.json has texts of cases that are gone")

    def play(self, file, tests, interval, golden, used):
        document = {"rule_files": [os.path.join(self.config, "prometheus", "rules", "*.yml")], "evaluation_interval": interval,
                    "group_eval_order": GROUPS, "tests": []}
        for test in tests:
            test = dict(test)
            test["alert_rule_test"] = [dict(alert) for alert in test.get("alert_rule_test", [])]
            for alert in test["alert_rule_test"]:
                alert["exp_alerts"] = [dict(expected) for expected in alert["exp_alerts"]]
                for expected in alert["exp_alerts"]:
                    name = key(file, test, alert, expected["exp_labels"])
                    expected["exp_annotations"] = used[name] = golden.get(name, {})
            document["tests"].append(test)
        path = os.path.join(self.folder, file)
        with open(path, "w", encoding="utf-8") as handle:
            yaml.safe_dump(document, handle, sort_keys=False, width=10000)
        return run(self.promtool, "test", "rules", path)

    def seen_annotations(self, file, tests, interval):
        """What promtool says that it got, when each case is played without any annotations expected."""
        seen = {}
        for test in tests:
            for alert in test.get("alert_rule_test", []):
                if not alert["exp_alerts"]:
                    continue
                _, output = self.play(file, [{**test, "alert_rule_test": [alert], "promql_expr_test": []}], interval, {}, {})
                got = output.partition("got:[")[2]
                for labels, annotations in re.findall(
                        r'Labels:(\{.*?\})\s+Annotations:(\{.*?"\})(?=\s*(?:\}|\]|\d+:|,|$))', got, re.S):
                    def parse(text):
                        return {k: json.loads(v) for k, v in re.findall(r'([\w]+)=("(?:[^"\\]|\\.)*")', text)}

                    found = parse(labels)
                    found.pop("alertname")
                    seen[key(file, test, alert, found)] = parse(annotations)
        return seen


class Texts(unittest.TestCase):
    """What can be seen without running anything."""

    def test_annotations_have_no_holes(self):
        with open(GOLDEN, encoding="utf-8") as handle:
            texts = json.load(handle)
        self.assertGreater(len(texts), 50)
        for name, annotations in texts.items():
            for part, text in annotations.items():
                with self.subTest(name, part=part):
                    self.assertNotRegex(text, r"<no value>|error expanding|%!|\{\{|\( *\)|  | ,|''| in  |NaN|Inf", text)

    def test_all_have_cases(self):
        """Each alert has a case in which it fires and one in which it does not; each recording rule has a value."""
        fires, silent, recorded = set(), set(), set()
        for _, tests, _ in cases():
            for test in tests:
                for alert in test.get("alert_rule_test", []):
                    (fires if alert["exp_alerts"] else silent).add(alert["alertname"])
                for case in test.get("promql_expr_test", []):
                    recorded |= set(re.findall(r"\w+:\w+:\w+", case["expr"])) if case["exp_samples"] else set()
        alerts = {rule["alert"] for _, rule in rules("alert")}
        self.assertEqual(alerts - fires - set(FIRES_ELSEWHERE), set(), "never fires in a case")
        self.assertEqual(alerts - silent - set(FIRES_ELSEWHERE) - {"Watchdog"}, set(), "is never silent in a case")
        self.assertEqual({rule["record"] for _, rule in rules("record")} - recorded, set(), "has no value in a case")
        self.assertEqual((fires | silent) - alerts, set(), "there is no such alert")
        self.assertEqual(sorted({group for group, _ in [*rules("alert"), *rules("record")]}), sorted(GROUPS))

    def test_seed_has_counterparts(self):
        self.assertEqual([r for r in SEED_RECORDS if r not in {x["record"] for _, x in rules("record")}], [])
        self.assertEqual([a for a in SEED_ALERTS if a not in {x["alert"] for _, x in rules("alert")}], [])

    def test_alerts_are_complete(self):
        at_once = {"Watchdog", "PlatformVerify", "TributaryDropping", "TributaryLogDamaged", "PrometheusNotificationsDropped"}
        for _, rule in rules("alert"):
            with self.subTest(rule["alert"]):
                self.assertEqual(set(rule["annotations"]), {"summary", "description", "runbook", "runbook_url"})
                self.assertTrue(all(len(text) > 15 for text in rule["annotations"].values()))
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "none"))
                self.assertIn(rule["labels"]["team"], ("platform", "backend"))
                self.assertEqual(rule["annotations"]["runbook_url"], "${RUNBOOK_URL}#" + rule["alert"].lower())
                self.assertEqual("for" not in rule, rule["alert"] in at_once, "`for` is for all but those that tell of losses")

    def test_runbook_has_each_alert(self):
        with open(os.path.join(CONFIG, "RUNBOOK.md"), encoding="utf-8") as handle:
            sections = re.findall(r"^### (\w+)$", handle.read(), re.M)
        # Grafana's only rule has its section too.
        self.assertEqual(sorted(sections), sorted({r["alert"] for _, r in rules("alert")} | {"CentralPrometheusSilent"}))

    def test_metrics_of_the_agent_exist(self):
        """Each tributary_ name in rules and dashboards is one that the agent's sources register."""
        sources = ""
        for file in glob.glob(os.path.join(CONFIG, "..", "..", "agent", "**", "*.cc"), recursive=True):
            with open(file, encoding="utf-8") as handle:
                sources += handle.read()
        names = set()
        for file in [*glob.glob(os.path.join(RULES, "*.yml")), *glob.glob(os.path.join(CONFIG, "grafana", "dashboards", "*"))]:
            with open(file, encoding="utf-8") as handle:
                names |= set(re.findall(r"(?<![:\w])tributary_[a-z_]+\b(?!:)", handle.read()))
        self.assertGreater(len(names), 12)
        # Those of remotes are put together: "tributary_remote_" + kind + "_unread", or + "quarantined_series".
        def known(name):
            of_remotes = name[len("tributary_remote_"):] if name.startswith("tributary_remote_") else "\0"
            return any(f'"{part}"' in sources for part in (name, of_remotes, of_remotes.replace("samples", "")))

        missing = [name for name in sorted(names) if not known(name)]
        self.assertEqual(missing, [])
