"""What the tests here share: counted assertions, every combination of environment, storage and backend resolved once."""

import functools
import itertools
import os
import pickle
import sys

_HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [_HERE, os.path.dirname(_HERE)]
from counted import Case  # noqa: E402
from resolver import ROOT, TEMPLATES, Stack  # noqa: E402
from tool.settings import Settings  # noqa: E402
from tool.template import read  # noqa: E402

ENVIRONMENTS = ("dev", "staging", "production")
STORAGES = ("efs", "ebs", "ec2")
BACKENDS = ("prometheus", "amp", "both")
COMBINATIONS = list(itertools.product(ENVIRONMENTS, STORAGES, BACKENDS))
DOMAIN = "monitoring.example.org"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"


def templates():
    """A fresh copy of all templates, as {file: content}, for a test to change."""
    return pickle.loads(_pickled())


@functools.lru_cache(maxsize=None)
def _pickled():
    return pickle.dumps(_templates())


@functools.lru_cache(maxsize=None)
def _templates():
    names = ["platform.yaml"] + ["templates/" + name for name in sorted(os.listdir(os.path.join(TEMPLATES, "templates")))]
    return {name: read(os.path.join(TEMPLATES, name)) for name in names}


@functools.lru_cache(maxsize=None)
def _settings(environment):
    return Settings(environment)


def parameters(environment, storage="efs", backend="prometheus", from_file=True, **more):
    """What `deploy` would give to platform.yaml. Without `from_file` only the template's own table counts."""
    found = dict(_settings(environment).parameters) if from_file else {"Environment": environment}
    found.update(Storage=storage, Backend=backend, Domain=DOMAIN, NamespaceName=f"{environment}.monitoring.internal",
                 IngestSecretArn=SECRET + "ingest", CertificateArn="arn:aws:acm:eu-west-1:111122223333:certificate/given")
    found.update(more)
    return found


def resolve(environment, storage="efs", backend="prometheus", changed=None, from_file=True, **more):
    return Stack("platform.yaml", parameters(environment, storage, backend, from_file, **more),
                 templates=changed if changed is not None else dict(_templates()))


@functools.lru_cache(maxsize=None)
def platform(environment, storage, backend):
    """One combination as it is deployed; not to be changed."""
    return resolve(environment, storage, backend)


def each_combination(test):
    """Runs test(self, stack, environment, storage, backend) for all of them."""
    @functools.wraps(test)
    def run(self):
        for environment, storage, backend in COMBINATIONS:
            with self.subTest(environment=environment, storage=storage, backend=backend):
                test(self, platform(environment, storage, backend), environment, storage, backend)
    return run


__all__ = ["BACKENDS", "COMBINATIONS", "Case", "DOMAIN", "ENVIRONMENTS", "ROOT", "SECRET", "STORAGES", "TEMPLATES",
           "each_combination", "parameters", "platform", "resolve", "templates"]
