"""What the tests of this folder share: the build folder, its programs, the package that is made of it."""

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from counted import Case

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
UNIT = os.path.join(ROOT, "deploy/systemd/tributary.service")
CACHE = os.environ.get("TRIBUTARY_DEPLOY_TOOLS") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tributary-deploy-tools")


def build_folder():
    for folder in [os.environ.get("TRIBUTARY_BUILD"), "build/release", "build/dev"]:
        if folder and os.path.exists(os.path.join(ROOT, folder, "bin", "tributary")):
            return os.path.realpath(os.path.join(ROOT, folder))
    raise unittest.SkipTest("no programs are built (TRIBUTARY_BUILD, build/release, build/dev)")


def program(name):
    return os.path.join(build_folder(), "bin", name)


def run(*command, **named):
    """The finished process, its stdout and stderr as one text."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **named)


def needed(tool):
    path = shutil.which(tool)
    if path is None:
        raise unittest.SkipTest(f"{tool} is not there")
    return path


def flags_of(*command):
    """Each flag that `COMMAND --help` names."""
    text = run(*command, "--help").stdout
    flags = set()
    for names in re.findall(r"^  (-\S+)", text, re.M):
        flags |= {re.sub(r"\{\w+\}", "", name) for name in names.split(",")}
    return flags


def commands_of(*command):
    """Each subcommand, as lists of words: [[], ["log"], ["log", "dump"], ...]."""
    found = [list(command[1:])]
    text = run(*command, "--help").stdout.partition("\nSubcommands:\n")[2]
    for name in re.findall(r"^  ([a-z]\S*)", text, re.M):
        found += commands_of(*command, name)
    return found


@functools.cache
def package():
    """The package of the build folder, made once."""
    folder = tempfile.mkdtemp(prefix="tributary-package-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_package(folder)


def make_package(folder, **environment):
    known = {"DEBFULLNAME": "Tributary maintainers", "DEBEMAIL": "maintainers@example.org", **environment}
    made = run(os.path.join(ROOT, "deploy/debian/build"), build_folder(), folder, env={**os.environ, **known})
    if made.returncode != 0:
        raise RuntimeError(made.stdout)
    return made.stdout.splitlines()[-1]


__all__ = ["CACHE", "ROOT", "UNIT", "Case", "build_folder", "commands_of", "flags_of", "make_package", "needed",
           "package", "program", "run"]
