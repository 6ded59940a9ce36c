"""values.schema.json: takes the values that are used, and refuses what would not work."""

import json
import os

import yaml

from case import CHART, Case, read, values_files

try:
    import jsonschema
except ImportError:
    jsonschema = None

import unittest

BASE = {"image": {"repository": "r.example/tributary"}, "remoteWrite": [{"url": "https://r.example/api/v1/write"}]}
REFUSED = {
    "no image": {"image": {"repository": ""}},
    "latest": {"image": {"repository": "r.example/t", "tag": "latest"}},
    "a digest that is none": {"image": {"repository": "r.example/t", "digest": "sha256:12"}},
    "an init image without version": {"initImage": "busybox"},
    "latest init image": {"initImage": "busybox:latest"},
    "no remote": {"remoteWrite": []},
    "a remote without URL": {"remoteWrite": [{"name": "x"}]},
    "a misspelt name": {"node": {"persistance": "hostPath"}},
    "hostPath of a StatefulSet": {"cluster": {"persistence": "hostPath"}},
    "a volume too small": {"node": {"size": "199Mi"}},
    "a size of another unit": {"cluster": {"size": "1TB"}},
    "no shard": {"cluster": {"shards": 0}},
    "a shard and a half": {"cluster": {"shards": 1.5}},
    "a label that is no text": {"externalLabels": {"rack": 1}},
    "an argument that is no flag": {"extraArgs": ["workers=2"]},
    "a level that is none": {"logLevel": "trace"},
    "nobody to be let in": {"networkPolicy": {"from": []}},
    "a job without name": {"node": {"extraScrapeConfigs": [{}]}},
}


def merged(base, more):
    found = dict(base)
    for key, value in more.items():
        found[key] = merged(found[key], value) if isinstance(value, dict) and isinstance(found.get(key), dict) else value
    return found


@unittest.skipUnless(jsonschema, "Python's jsonschema is not installed (tools/deps --test)")
class Values(Case):
    def setUp(self):
        self.schema = json.loads(read(os.path.join(CHART, "values.schema.json")))
        self.values = yaml.safe_load(read(os.path.join(CHART, "values.yaml")))

    def errors(self, values):
        return [error.message for error in jsonschema.Draft7Validator(self.schema).iter_errors(values)]

    def test_schema(self):
        jsonschema.Draft7Validator.check_schema(self.schema)
        self.assertNotIn("(?", json.dumps(self.schema), "helm's patterns have no look-ahead")

    def test_each_value_has_a_default_and_a_schema(self):
        def names(schema, prefix=""):
            for key, part in schema.get("properties", {}).items():
                if prefix + key not in ("global",):
                    yield prefix + key
                    if part.get("additionalProperties") is False and key != "resources":
                        yield from names(part, prefix + key + ".")

        def defaults(values, known, prefix=""):
            for key, value in values.items():
                yield prefix + key
                if any(name.startswith(prefix + key + ".") for name in known):
                    yield from defaults(value, known, prefix + key + ".")

        known = set(names(self.schema))
        self.assertEqual(known, set(defaults(self.values, known)))

    def test_taken(self):
        for name, path in values_files().items():
            with self.subTest(name):
                self.assertEqual(self.errors(merged(self.values, yaml.safe_load(read(path)))), [])

    def test_refused(self):
        self.assertEqual(self.errors(merged(self.values, BASE)), [])
        self.assertGreaterEqual(len(self.errors(self.values)), 2, "image and remote have no default")
        for name, values in REFUSED.items():
            with self.subTest(name):
                self.assertNotEqual(self.errors(merged(merged(self.values, BASE), values)), [])
