"""Dashboards: the linter, every query parsed by promtool, Grafana's own types as judge, generate as their only source."""

import copy
import glob
import os
import shutil
import unittest

import yaml

from dashboard_lint import lint
from support import CONFIG, DASHBOARDS, HERE, Scratch, need, processes, run
from lib import panels

WANTED = ["agent-fleet", "cluster-overview", "cross-cluster", "ecs-services", "platform", "remote-write"]


class Dashboards(Scratch):
    def setUp(self):
        super().setUp()
        self.dashboards = panels.load(DASHBOARDS)

    def test_all_are_there(self):
        self.assertEqual([d["uid"] for _, d in self.dashboards], WANTED)
        titles = [p["title"] for _, d in self.dashboards for p in panels.all_panels(d)]
        for title in ("CPU usage by cluster", "Memory usage by cluster", "Request rate by service (all clusters)",
                      "Error rate comparison"):
            self.assertIn(title, titles)
        self.assertGreater(sum(1 for _ in titles), 80)

    def test_lint(self):
        for file, dashboard in self.dashboards:
            with self.subTest(file):
                self.assertEqual(lint(file, dashboard), [])

    def test_the_linter_finds_what_it_is_for(self):
        file, good = self.dashboards[0]

        def graph(dashboard):
            return next(p for p in dashboard["panels"] if p["type"] == "timeseries")

        spoils = [
            (lambda d: d.update(uid="other"), "uid and file name differ"),
            (lambda d: d.update(id=7), "has an id"),
            (lambda d: d.update(description=""), "has no description"),
            (lambda d: d["templating"]["list"].pop(0), "has no variable `datasource`"),
            (lambda d: d["templating"]["list"].pop(1), "$cluster is no variable"),
            (lambda d: graph(d).update(type="graph"), "type graph is not one of"),
            (lambda d: graph(d).update(description=""), "has no description"),
            (lambda d: graph(d)["fieldConfig"]["defaults"].pop("unit"), "has no unit"),
            (lambda d: graph(d).update(targets=[]), "has no query"),
            (lambda d: graph(d).update(datasource="Central Prometheus"), "does not use ${datasource}"),
            (lambda d: graph(d)["targets"][0].update(expr='x{cluster="$cluster"}'), "is not matched by =~"),
            (lambda d: graph(d)["targets"][0].update(expr="x_total"), "is a counter without rate"),
            (lambda d: graph(d)["targets"][0].update(legendFormat="__auto"), "without legend"),
            (lambda d: graph(d)["targets"][0].update(expr="sum by (a) (x)", legendFormat="{{ b }}"), "legend has b"),
            (lambda d: graph(d)["gridPos"].update(y=0), "overlap"),
            (lambda d: graph(d)["gridPos"].update(x=20), "wider than the page"),
            (lambda d: graph(d).update(id=1), "two panels have the id"),
        ]
        for spoil, message in spoils:
            with self.subTest(message):
                bad = copy.deepcopy(good)
                spoil(bad)
                self.assertIn(message, "\n".join(lint(file, bad)))
        self.assertIn("bare object", "\n".join(lint(file, {"dashboard": good})))

    def test_every_query_is_parsed(self):
        """promtool reads them as recording rules, after the variables are filled in."""
        promtool = need(processes.find_promtool)
        rules = []
        for file, dashboard in self.dashboards:
            rules += [{"record": "x", "expr": e, "labels": {"n": str(len(rules) + i)}}
                      for i, (_, _, e) in enumerate(panels.queries(dashboard))]
            rules += [{"record": "x", "expr": panels.fill(a["expr"], panels.variables(dashboard)), "labels": {"a": file}}
                      for a in dashboard["annotations"]["list"]]
        self.assertGreater(len(rules), 100)
        path = os.path.join(self.folder, "queries.yml")

        def check(expressions):
            with open(path, "w", encoding="utf-8") as handle:
                yaml.safe_dump({"groups": [{"name": "queries", "rules": expressions}]}, handle)
            return run(promtool, "check", "rules", "--lint=none", path)

        status, output = check(rules)
        self.assertEqual(status, 0, output)
        self.assertIn(f"SUCCESS: {len(rules)} rules found", output)
        self.assertNotEqual(check([{"record": "x", "expr": "sum(rate(x[5m])"}])[0], 0, "a wrong query is not noticed")

    def test_generate_is_their_source(self):
        status, output = run(os.path.join(CONFIG, "grafana", "generate"), "--check")
        self.assertEqual(status, 0, output)


class Schema(Scratch):
    slow = True  # 50 s of compiling, once

    def test_grafana_accepts_each_field(self):
        """Read strictly by the types of grafana-foundation-sdk, which Grafana generates from its own schemas."""
        if not shutil.which("go"):
            raise unittest.SkipTest("Go is not here; it builds the judge in grafana_schema")
        judge = os.path.join(self.folder, "judge")
        status, output = run("go", "build", "-buildvcs=false", "-o", judge, ".", cwd=os.path.join(HERE, "grafana_schema"))
        if status and ("dial tcp" in output or "403" in output or "no such host" in output):
            raise unittest.SkipTest(f"the module grafana-foundation-sdk cannot be had: {output.strip().splitlines()[-1]}")
        self.assertEqual(status, 0, output)
        status, output = run(judge, *sorted(glob.glob(os.path.join(DASHBOARDS, "*.json"))))
        self.assertEqual((status, output), (0, ""))
        bad = os.path.join(self.folder, "bad.json")
        with open(os.path.join(DASHBOARDS, "platform.json"), encoding="utf-8") as handle:
            text = handle.read()
        with open(bad, "w", encoding="utf-8") as handle:
            handle.write(text.replace('"graphMode"', '"grafMode"', 1))
        status, output = run(judge, bad)
        self.assertEqual((status, "unexpected field 'grafMode'" in output), (1, True), output)
