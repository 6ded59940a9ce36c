"""Grafana's provisioning files: by schema (schemas/, after Grafana's documentation), and what they refer to is there.

Grafana itself is not in the package registries and is not run; the schemas are ours, and refuse unknown fields.
"""

import copy
import json
import os
import unittest

import yaml

from support import DASHBOARDS, EVERYTHING, HERE, Scratch, render
from lib import panels

try:
    import jsonschema
except ImportError:
    jsonschema = None


class Provisioning(Scratch):
    def load(self, part, **values):
        folder = render(os.path.join(self.folder, str(len(os.listdir(self.folder)))), **values)
        with open(os.path.join(folder, "grafana", "provisioning", part, "platform.yaml"), encoding="utf-8") as handle:
            return yaml.safe_load(handle)

    def errors(self, part, document):
        if jsonschema is None:
            raise unittest.SkipTest("Python's jsonschema is not here (Debian: python3-jsonschema)")
        with open(os.path.join(HERE, "schemas", f"{part}.json"), encoding="utf-8") as handle:
            validator = jsonschema.Draft202012Validator(json.load(handle))
        return [f"{list(e.absolute_path)}: {e.message[:300]}" for e in validator.iter_errors(document)]

    def test_schema(self):
        for part in ("datasources", "dashboards", "alerting"):
            for name, values in (("local", {}), ("open", {"PROMETHEUS_USERNAME": ""}), ("everything", EVERYTHING)):
                with self.subTest(f"{part} {name}"):
                    self.assertEqual(self.errors(part, self.load(part, **values)), [])

    def test_schema_refuses(self):
        spoils = [("datasources", lambda d: d["datasources"][0].update(jsondata={})),
                  ("datasources", lambda d: d["datasources"][0].update(uid="with space")),
                  ("datasources", lambda d: d["datasources"][0]["jsonData"].update(timeInterval="often")),
                  ("datasources", lambda d: d["datasources"][0].pop("url")),
                  ("dashboards", lambda d: d["providers"][0]["options"].pop("path")),
                  ("dashboards", lambda d: d["providers"][0].update(type="folder")),
                  ("alerting", lambda d: d["groups"][0]["rules"][0].update(noDataState="Fire")),
                  ("alerting", lambda d: d["groups"][0]["rules"][0].pop("condition"))]
        for part, spoil in spoils:
            document = copy.deepcopy(self.load(part))
            spoil(document)
            self.assertNotEqual(self.errors(part, document), [], part)

    def test_data_sources(self):
        sources = {s["uid"]: s for s in self.load("datasources", **EVERYTHING)["datasources"]}
        self.assertEqual(list(sources), ["central", "alertmanager", "remote-eks-us-east-1", "remote-eks-us-west-2", "cloudwatch",
                                         "amp"])
        self.assertEqual([uid for uid, s in sources.items() if s.get("isDefault")], ["central"])
        central = sources["central"]
        self.assertEqual(central["jsonData"]["timeInterval"], "15s")
        self.assertEqual(central["jsonData"]["httpMethod"], "POST")
        self.assertIn(central["jsonData"]["alertmanagerUid"], sources)
        self.assertRegex(central["secureJsonData"]["basicAuthPassword"], r"^\$__file\{/.*/secrets/prometheus-password\}$")
        self.assertFalse(any(s["editable"] for s in sources.values()))

    def test_dashboards_find_their_data_source(self):
        uids = {s["uid"] for s in self.load("datasources")["datasources"]}
        for file, dashboard in panels.load(DASHBOARDS):
            self.assertIn(dashboard["templating"]["list"][0]["current"]["value"], uids, file)

    def test_alerting_refers_to_what_there_is(self):
        document = self.load("alerting")
        uids = {s["uid"] for s in self.load("datasources")["datasources"]} | {"__expr__"}
        names = {point["name"] for point in document["contactPoints"]}
        for policy in document["policies"]:
            self.assertIn(policy["receiver"], names)
        for group in document["groups"]:
            for rule in group["rules"]:
                refs = {query["refId"] for query in rule["data"]}
                self.assertIn(rule["condition"], refs)
                for query in rule["data"]:
                    self.assertIn(query["datasourceUid"], uids)
                    self.assertEqual(query["model"]["refId"], query["refId"])
                    self.assertIn(query["model"].get("expression", query["refId"]), refs)
                self.assertEqual(rule["labels"], {"severity": "critical", "team": "platform"})
