"""What the tests here share: counted assertions, the programs that may be absent, and the chart rendered by helm."""

import functools
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
from counted import Case  # noqa: E402, F401

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
FOLDER = os.path.join(ROOT, "deploy", "kubernetes")
CHART = os.path.join(FOLDER, "tributary")
MANIFESTS = os.path.join(FOLDER, "manifests")
CACHE = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
TOOLS = os.environ.get("TRIBUTARY_DEPLOY_TOOLS", os.path.join(CACHE, "tributary-deploy-tools"))
NAMESPACE = "tributary"


def program(name):
    """A program of the tests: from PATH, or from the folder of tools that tools/test-kubernetes fills."""
    found = os.path.join(TOOLS, "bin", name)
    return found if os.access(found, os.X_OK) else shutil.which(name)


def built(name):
    """A program of this project: in TRIBUTARY_BIN, or in the build folder that was built last."""
    folder = os.environ.get("TRIBUTARY_BIN")
    found = [os.path.join(folder, name)] if folder else glob.glob(os.path.join(ROOT, "build", "*", "bin", name))
    found = [path for path in found if os.access(path, os.X_OK)]
    return max(found, key=os.path.getmtime) if found else None


def needs(*names):
    missing = [name for name in names if not program(name)]
    return unittest.skipIf(missing, f"{', '.join(missing)} not installed (tools/test-kubernetes --help)")


def needs_built(*names):
    missing = [name for name in names if not built(name)]
    return unittest.skipIf(missing, f"{', '.join(missing)} not built (TRIBUTARY_BIN says where they are)")


def values_files():
    """The values that the chart is rendered with, by name."""
    found = {os.path.basename(path)[:-len("-values.yaml")]: path for path in glob.glob(f"{CHART}/ci/*-values.yaml")}
    found["manifests"] = os.path.join(MANIFESTS, "values.yaml")
    return dict(sorted(found.items()))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def template(path, *arguments):
    return subprocess.run([program("helm"), "template", "tributary", CHART, "-n", NAMESPACE, "-f", path, *arguments],
                          capture_output=True, text=True)


@functools.lru_cache(maxsize=None)
def rendered(name):
    """The text that helm makes of the chart with the values of that name."""
    done = template(values_files()[name])
    if done.returncode:
        raise AssertionError(f"helm template with {name}: {done.stderr}")
    return done.stdout


def objects(text):
    return [item for item in yaml.safe_load_all(text) if item]


def chart_digest():
    """Of all that tributary.yaml is rendered from: shows without helm that it is not older than the chart."""
    digest = hashlib.sha256()
    paths = [path for path in glob.glob(f"{CHART}/**", recursive=True)
             if os.path.isfile(path) and not path.startswith(f"{CHART}/ci/")]
    for path in sorted(paths) + [os.path.join(MANIFESTS, "values.yaml")]:
        digest.update(os.path.relpath(path, FOLDER).encode() + b"\0" + read(path).encode() + b"\0")
    return digest.hexdigest()


def manifests_text():
    """What tributary.yaml has to be. Needs helm."""
    return ("# Rendered from the chart in ../tributary with values.yaml by tools/test-kubernetes --write; do not edit.\n"
            f"# chart: {chart_digest()}\n" + rendered("manifests"))


def configurations(items, node="node-1"):
    """The configuration files of the agents, as their agents read them: {name of the ConfigMap: text}."""
    return {item["metadata"]["name"]: item["data"]["agent.yml"].replace("%{NODE_NAME}", node)
            for item in items if item["kind"] == "ConfigMap"}
