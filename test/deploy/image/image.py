"""The image under test, and what the tests of this folder share."""

import atexit
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def build_folder():
    for folder in [os.environ.get("TRIBUTARY_BUILD"), "build/release", "build/dev"]:
        if folder and os.path.exists(os.path.join(ROOT, folder, "bin", "tributary")):
            return os.path.realpath(os.path.join(ROOT, folder))
    raise unittest.SkipTest("no programs are built (TRIBUTARY_BUILD, build/release, build/dev)")


def needed(*tools):
    """The path of the first that is there."""
    for tool in tools:
        if path := shutil.which(tool):
            return path
    raise unittest.SkipTest(f"{' or '.join(tools)} is not there")


def run(*command, **named):
    """The finished process, its stdout and stderr as one text."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **named)


def temporary_folder():
    folder = tempfile.mkdtemp(prefix="tributary-image-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Image:
    """One in OCI's layout."""

    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(self.folder, "index.json"), encoding="utf-8") as file:
            self.index = json.load(file)
        self.manifest = self.json(self.index["manifests"][0])
        self.config = self.json(self.manifest["config"])
        self.layer = self.manifest["layers"][0]
        self.digest = self.index["manifests"][0]["digest"]

    def path(self, entry):
        return os.path.join(self.folder, "blobs", *entry["digest"].split(":"))

    def json(self, entry):
        with open(self.path(entry), encoding="utf-8") as file:
            return json.load(file)

    def files(self):
        with tarfile.open(self.path(self.layer)) as tar:
            return tar.getmembers()

    def unpacked(self):
        folder = temporary_folder()
        os.chmod(folder, 0o755)
        with tarfile.open(self.path(self.layer)) as tar:
            tar.extractall(folder, numeric_owner=True)
        return folder


def make_image(build, **environment):
    folder = temporary_folder()
    made = run(os.path.join(ROOT, "deploy/image/build"), build, folder, env={**os.environ, **environment})
    if made.returncode != 0:
        raise RuntimeError(made.stdout)
    return Image(folder)


@functools.cache
def image():
    """That of the build folder, made once."""
    return make_image(build_folder())


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def eventually(done, limit=20.0):
    """Its last answer, which is true unless the time has passed."""
    end = time.monotonic() + limit
    while not (answer := done()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer
